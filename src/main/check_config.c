#include "base/check.h"
#include "base/json_text.h"
#include "main/config.h"
#include "main/program.h"
#include "main/settings.h"

static int report(const char *file, const char *wrong, bool json)
{
    if (json) {
        fputs("{\"file\":", stdout);
        json_text_print(file, stdout);
        printf(",\"good\":%s", wrong ? "false,\"wrong\":" : "true");
        if (wrong)
            json_text_print(wrong, stdout);
        puts("}");
    } else if (!wrong) {
        printf("%s: good\n", file);
    }
    if (wrong)
        fprintf(stderr, "%s\n", wrong);
    return wrong ? EXIT_FAILED : EXIT_DONE;
}

static int run_check(const struct program_command *self, int count, char **words)
{
    static struct settings settings;
    struct failure failure = {0};
    struct json_option option = {0};
    const char *operands[1];
    unsigned operand_count;
    if (option_parse(&json_option_table, &option, count, words, operands, 1, &operand_count,
                     &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "which file? Give the configuration's name");
    char *flags[] = {(char[]){"--config"}, (char *)(uintptr_t)operands[0]};
    bool good = settings_read(&settings, 2, flags, &failure) == 0;
    return report(operands[0], good ? NULL : failure.text, option.json);
}

const struct program_command command_check = {
    "check",
    "[--json] FILE",
    "check a configuration file without starting anything",
    "Prints \"FILE: good\", or FILE:LINE: and what is wrong with it and what is allowed.",
    &json_option_table,
    run_check,
};
