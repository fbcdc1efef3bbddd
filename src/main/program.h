/* The program's commands: one table makes the dispatch, `stoa --help` and each
 * `stoa CMD --help`. One file per command (serve.c, audit.c, …) exports its row.
 */
#ifndef STOA_MAIN_PROGRAM_H
#define STOA_MAIN_PROGRAM_H

#include "main/option.h"

/* Exit statuses of the program. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct program_command {
    const char *name;
    const char *usage; /* after the name: "[options] FILE" */
    const char *about; /* one line */
    const char *help;  /* more, before the options; may be NULL */
    const struct option_table *options;
    /* WORDS: what follows the command's name. Returns the exit status. */
    int (*run)(const struct program_command *self, int count, char **words);
    void (*more_help)(FILE *out); /* after the options; may be NULL */
};

/* Options of a command that takes nothing but --json. */
struct json_option {
    bool json;
};
extern const struct option_table json_option_table;

extern const struct program_command command_init, command_join, command_token, command_status,
    command_handover, command_prefer, command_ready, command_failback, command_remove,
    command_leave;
extern const struct program_command command_balance, command_bank, command_top;
extern const struct program_command command_serve, command_demo, command_check, command_audit,
    command_import, command_export, command_bench, command_version, command_help;

extern const struct program_command command_key, command_warehouses;
extern const struct program_command command_warehouse;
extern const struct program_command command_front, command_worker;
extern const struct program_command command_witness, command_replay_scale, command_advise;
extern const struct program_command command_backup, command_restore, command_recover;

extern const struct program_command *const program_commands[];
extern const unsigned program_command_count;

/* "stoa audit: TEXT", and how to get help; on standard error. Returns EXIT_USAGE. */
int command_usage_error(const struct program_command *command, const char *text);
/* "stoa audit: TEXT"; returns EXIT_FAILED. */
int command_failed(const struct program_command *command, const char *text);

void command_show_help(const struct program_command *command);

/* The whole program: finds the command in WORDS[1] and runs it. */
int program_run(int count, char **words);

#endif
