#include "base/check.h"
#include "main/config.h"
#include "main/program.h"
#include "main/settings.h"

static int run_check(const struct program_command *self, int count, char **words)
{
    static struct settings settings;
    struct failure failure = {0};
    const struct option_table none = {NULL, 0};
    const char *operands[1];
    unsigned operand_count;
    if (option_parse(&none, NULL, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "which file? Give the configuration's name");
    char *flags[] = {(char[]){"--config"}, (char *)(uintptr_t)operands[0]};
    if (settings_read(&settings, 2, flags, &failure)) {
        fprintf(stderr, "%s\n", failure.text);
        return EXIT_FAILED;
    }
    printf("%s: good\n", operands[0]);
    return EXIT_DONE;
}

const struct program_command command_check = {
    "check",
    "FILE",
    "check a configuration file without starting anything",
    "Prints \"FILE: good\", or FILE:LINE: and what is wrong with it and what is allowed.",
    NULL,
    run_check,
};
