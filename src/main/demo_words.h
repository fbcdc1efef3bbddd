/* Demo words: what a demo's user typed, parted by whom it is for, and the command lines that its
 * processes get.
 *
 *   --servers, --no-restart, …      the demo's own
 *   options of `stoa balance` alone the load managers'
 *   --auto-ship                     the warehouse's
 *   all others                      `stoa serve`'s, for each server. What load managers take as
 *                                   well they get too, be it typed or in the servers' file; where
 *                                   shoppers come in, the first load manager is told instead
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_DEMO_WORDS_H
#define STOA_MAIN_DEMO_WORDS_H

#include "main/demo_plan.h"
#include "main/settings.h"

enum { DEMO_WORDS_MAX = 256, DEMO_LINE_MAX = DEMO_WORDS_MAX + 120, DEMO_LINE_BYTES = 24 << 10 };

struct demo_options {
    uint64_t servers, managers;
    bool no_managers, no_restart, direct, no_bank, no_warehouse, shared;
    uint64_t auto_ship_ms;         /* 0: people do */
    char status[OPTION_TEXT_SIZE]; /* the first load manager's; empty: chosen by the plan */
};
extern const struct option_table demo_option_table;

struct demo_words {
    struct demo_options options;
    unsigned managers;            /* how many load managers */
    bool services[DEMO_SERVICES]; /* which of them there are to be */
    struct settings settings;     /* of the servers, as typed; to be looked at */
    char *serve[DEMO_WORDS_MAX], *balance[DEMO_WORDS_MAX]; /* lent: the user's own */
    unsigned serve_count, balance_count;
    uint64_t server_grace_ms, manager_grace_ms; /* what each may take to stop */
};

int demo_words_part(struct demo_words *words, int count, char **typed, struct failure *failure);

/* One process's command line, as execv takes it. */
struct demo_line {
    char *words[DEMO_LINE_MAX + 1]; /* ended by NULL */
    unsigned count;
    size_t used;
    bool full; /* something was left out */
    char bytes[DEMO_LINE_BYTES];
};

/* `stoa serve` for server AT, `stoa balance` for load manager AT of PLAN. ERR_FULL. */
int demo_words_server(const struct demo_words *words, const struct demo_plan *plan, unsigned at,
                      struct demo_line *line, struct failure *failure);
int demo_words_manager(const struct demo_words *words, const struct demo_plan *plan, unsigned at,
                       struct demo_line *line, struct failure *failure);
/* `stoa bank` or `stoa warehouse`, by demo_service_kind. */
int demo_words_service(const struct demo_words *words, const struct demo_plan *plan, unsigned at,
                       struct demo_line *line, struct failure *failure);

#endif
