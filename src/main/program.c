#include "main/program.h"

#include "base/check.h"

#include <stdlib.h>

const struct program_command *const program_commands[] = {
    &command_serve,  &command_balance,      &command_demo,       &command_init,     &command_join,
    &command_token,  &command_status,       &command_top,        &command_handover, &command_prefer,
    &command_ready,  &command_failback,     &command_leave,      &command_remove,   &command_import,
    &command_backup, &command_restore,      &command_recover,    &command_export,   &command_audit,
    &command_check,  &command_bench,        &command_version,    &command_help,     &command_bank,
    &command_key,    &command_warehouse,    &command_warehouses, &command_witness,  &command_front,
    &command_worker, &command_replay_scale, &command_advise,
};
const unsigned program_command_count = COUNT_OF(program_commands);

int command_usage_error(const struct program_command *command, const char *text)
{
    fprintf(stderr, "stoa %s: %s (stoa %s --help tells more)\n", command->name, text,
            command->name);
    return EXIT_USAGE;
}

int command_failed(const struct program_command *command, const char *text)
{
    fprintf(stderr, "stoa %s: %s\n", command->name, text);
    return EXIT_FAILED;
}

void command_show_help(const struct program_command *command)
{
    printf("usage: stoa %s %s\n\n%s.\n", command->name, command->usage, command->about);
    if (command->help)
        printf("\n%s\n", command->help);
    if (command->options && command->options->count) {
        printf("\noptions:\n");
        option_help(command->options, stdout);
    }
    if (command->more_help)
        command->more_help(stdout);
}

static void show_overview(FILE *out)
{
    fprintf(out, "usage: stoa COMMAND [options]\n\n"
                 "An online shop server. Nothing is sold twice, nothing acknowledged is lost.\n\n"
                 "commands:\n");
    for (unsigned i = 0; i < program_command_count; i++)
        fprintf(out, "  %-12s %s\n", program_commands[i]->name, program_commands[i]->about);
    fprintf(out, "\n`stoa COMMAND --help` tells more about each.\n"
                 "exit status: 0 done, 1 failed, 2 wrong use\n");
}

static const struct program_command *find(const char *name)
{
    for (unsigned i = 0; i < program_command_count; i++)
        if (strcmp(program_commands[i]->name, name) == 0)
            return program_commands[i];
    return NULL;
}

static int run_help(const struct program_command *self, int count, char **words)
{
    const struct program_command *about = count ? find(words[0]) : NULL;
    (void)self;
    if (count && !about) {
        fprintf(stderr, "stoa: there is no command \"%s\"\n", words[0]);
        return EXIT_USAGE;
    }
    if (about)
        command_show_help(about);
    else
        show_overview(stdout);
    return EXIT_DONE;
}

const struct program_command command_help = {"help", "[COMMAND]", "tell what the commands do",
                                             NULL,   NULL,        run_help};

static const struct option_row json_rows[] = {
    {"json", OPTION_SWITCH, offsetof(struct json_option, json), NULL, 0, 0, NULL, NULL,
     "print one JSON document"},
};
const struct option_table json_option_table = {json_rows, COUNT_OF(json_rows)};

static int run_version(const struct program_command *self, int count, char **words)
{
    struct json_option option = {0};
    struct failure failure = {0};
    unsigned operand_count;
    if (option_parse(&json_option_table, &option, count, words, NULL, 0, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    printf(option.json ? "{\"version\":\"%s\"}\n" : "stoa %s\n", STOA_VERSION);
    return EXIT_DONE;
}

const struct program_command command_version = {
    "version", "[--json]", "print the version", NULL, &json_option_table, run_version,
};

static bool asks_help(int count, char **words)
{
    for (int i = 0; i < count && strcmp(words[i], "--"); i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    return false;
}

int program_run(int count, char **words)
{
    if (count < 2) {
        show_overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = words[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    const struct program_command *command = find(name);
    if (!command) {
        fprintf(stderr, "stoa: there is no command \"%s\" (stoa --help lists them)\n", name);
        return EXIT_USAGE;
    }
    if (asks_help(count - 2, words + 2)) {
        command_show_help(command);
        return EXIT_DONE;
    }
    int status = command->run(command, count - 2, words + 2);
    if ((fflush(stdout) || ferror(stdout)) && status == EXIT_DONE)
        return command_failed(command, "not all could be written to standard output");
    return status;
}
