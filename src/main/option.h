/* Options: one table of rows describes what a command takes, its limits, its default
 * and its help. Command-line flags, the configuration file and `--help` all come from
 * it, so they cannot disagree.
 *
 * A row's value is stored at an offset in a plain struct of the command. Strings are
 * copied into fixed arrays. Thread: main, before anything starts.
 */
#ifndef STOA_MAIN_OPTION_H
#define STOA_MAIN_OPTION_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_TEXT,     /* char[OPTION_TEXT_SIZE] */
    OPTION_LIST,     /* struct option_list: may be given several times; empty: none */
    OPTION_NETWORKS, /* the same, of addresses and networks: "10.0.0.0/8", "::1" */
    OPTION_COUNT,    /* uint64_t: 0 to …; "10k", "2M" in thousands */
    OPTION_SIZE,     /* uint64_t bytes: "64K", "1M", "2G" in powers of 1024 */
    OPTION_DURATION, /* uint64_t milliseconds: "500ms", "10s", "5m", "6h", "30d" */
    OPTION_SHARE,    /* uint64_t thousandths: "20%", "2.5%"; "off" is 0 */
    OPTION_SWITCH,   /* bool: --name, or name = yes in a file */
    OPTION_CHOICE,   /* char[OPTION_TEXT_SIZE], one of the words in `choices` */
};

enum { OPTION_TEXT_SIZE = 256, OPTION_LIST_MAX = 64, OPTION_NETWORK_SIZE = 64 };

struct option_list {
    unsigned count;
    bool given; /* false: what is in it is the default, and the first value replaces it */
    char items[OPTION_LIST_MAX][OPTION_TEXT_SIZE];
};

struct option_row {
    const char *name; /* "connections-max"; in a file also "connections_max" */
    enum option_kind kind;
    size_t offset;
    const char *standard; /* the default, as it would be typed; NULL: empty, 0, no */
    uint64_t min, max;    /* of numbers; max 0: no bound. Of a list max: how many items at most,
                             0: OPTION_LIST_MAX */
    const char *choices;  /* "a b c" */
    const char *value;    /* what the help calls it: ADDR:PORT */
    const char *help;
};

struct option_table {
    const struct option_row *rows;
    unsigned count;
    const char *command; /* whose --help tells about a file's settings; NULL: none has a file */
};

/* Sets everything in VALUES to its default. */
void option_defaults(const struct option_table *table, void *values);

/* What the lists in VALUES hold counts as a default from here on: the first value that is set
 * takes its place. */
void option_as_defaults(const struct option_table *table, void *values);

bool option_is_list(const struct option_row *row);

/* Sets option NAME to TEXT; a failure says what is allowed. The last one wins, but a list
 * takes each. */
int option_set(const struct option_table *table, void *values, struct str name, struct str text,
               struct failure *failure);

/* Reads flags (--name VALUE, --name=VALUE, --switch) from WORDS; what is no flag goes
 * to OPERANDS (at most OPERAND_MAX; more is an error). "--" ends the flags. A value that
 * begins with "--" is given by "=", or a forgotten one would swallow the next flag. */
int option_parse(const struct option_table *table, void *values, int count, char **words,
                 const char **operands, unsigned operand_max, unsigned *operand_count,
                 struct failure *failure);

/* Finds a flag's row; NULL when there is none. */
const struct option_row *option_find(const struct option_table *table, struct str name);

void option_help(const struct option_table *table, FILE *out);

#endif
