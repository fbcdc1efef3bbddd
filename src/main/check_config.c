#include "base/check.h"
#include "base/json_text.h"
#include "main/balance_config.h"
#include "main/config.h"
#include "main/program.h"
#include "main/settings.h"

#include <stdlib.h>

struct check_flags {
    bool json, balance;
};

#define AT(field) offsetof(struct check_flags, field)
static const struct option_row rows[] = {
    {"balance", OPTION_SWITCH, AT(balance), NULL, 0, 0, NULL, NULL,
     "it is a load manager's, for `stoa balance`; else a server's, for `stoa serve`"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table table = {rows, COUNT_OF(rows), NULL};

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

/* 0, or what is wrong with FILE, in FAILURE. */
static int judge(const char *file, bool balance, struct failure *failure)
{
    char *flags[] = {(char[]){"--config"}, (char *)(uintptr_t)file};
    void *settings = calloc(1, balance ? sizeof(struct balance_settings) : sizeof(struct settings));
    if (!settings)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = balance ? balance_settings_read(settings, 2, flags, failure)
                      : settings_read(settings, 2, flags, failure);
    if (!err && balance)
        err = balance_config_check(settings, failure);
    free(settings);
    return err;
}

static int run_check(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct check_flags flags = {0};
    const char *operands[1];
    unsigned operand_count;
    if (option_parse(&table, &flags, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "which file? Give the configuration's name");
    bool good = judge(operands[0], flags.balance, &failure) == 0;
    return report(operands[0], good ? NULL : failure.text, flags.json);
}

const struct program_command command_check = {
    "check",
    "[--balance] [--json] FILE",
    "check a configuration file without starting anything",
    "Prints \"FILE: good\", or FILE:LINE: and what is wrong with it and what is allowed.",
    &table,
    run_check,
};
