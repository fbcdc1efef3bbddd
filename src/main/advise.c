#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "main/advise_file.h"
#include "main/advise_measure.h"
#include "main/advise_report.h"
#include "main/advise_value.h"
#include "main/program.h"

#include <stdlib.h>

enum { NOTES_MAX = 64 << 10 };
static const double DAY_MS = 86400e3;

struct advise_flags {
    bool json;
    char budget[OPTION_TEXT_SIZE], ways[OPTION_TEXT_SIZE];
    struct option_list from;
    uint64_t for_ms;
};

#define AT(field) offsetof(struct advise_flags, field)
static const struct option_row rows[] = {
    {"budget", OPTION_TEXT, AT(budget), NULL, 0, 0, NULL, "COST",
     "the most that all servers may cost an hour, whatever FILE says"},
    {"for", OPTION_DURATION, AT(for_ms), "10s", 1000, 3600000, NULL, "TIME",
     "how long it is measured where FILE or --from says so"},
    {"from", OPTION_LIST, AT(from), NULL, 0, ADVISE_SOURCES_MAX, NULL, "NAME=URL",
     "measure at a server of site NAME, or at the status door of region NAME's load manager"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
    {"ways", OPTION_TEXT, AT(ways), NULL, 0, 0, NULL, "CSV",
     "round trips that were measured by machine: columns from,to,p50_ms,p99_ms"},
};
static const struct option_table table = {rows, COUNT_OF(rows), NULL};

struct advise {
    struct advise_flags flags;
    struct advise_file file;
    struct advise_answer answer;
    struct buf notes;
};

/* All that is known, from FILE, flags and what runs. */
static int learn(struct advise *advise, const char *path, struct failure *failure)
{
    const struct advise_flags *flags = &advise->flags;
    struct advise_file *file = &advise->file;
    int err = advise_file_read(path, file, failure);
    if (!err && flags->ways[0])
        err = advise_file_read_ways(flags->ways, file, failure);
    for (unsigned i = 0; !err && i < flags->from.count; i++)
        err = advise_file_add_source(file, flags->from.items[i], failure);
    if (!err && flags->budget[0])
        err = advise_value_number("budget", str_of(flags->budget), &file->input.budget, failure);
    err = err ? err : advise_measure(file, flags->for_ms, &advise->notes, failure);
    return err ? err : advise_file_finish(path, file, failure);
}

static int answer(struct advise *advise)
{
    const struct advise_report report = {
        .input = &advise->file.input,
        .answer = &advise->answer,
        .today = (double)clock_wall_ms() / DAY_MS,
        .alone = advise->file.alone,
        .notes = buf_text(&advise->notes),
    };
    advise_make(&advise->file.input, &advise->answer);
    if (advise->flags.json)
        advise_report_json(&report, stdout);
    else
        advise_report_text(&report, stdout);
    return advise->answer.outcome == ADVISE_FOUND ? EXIT_DONE : EXIT_FAILED;
}

static int run_with(struct advise *advise, const struct program_command *self, int count,
                    char **words)
{
    struct failure failure = {0};
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, &advise->flags);
    if (option_parse(&table, &advise->flags, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "which file? Give the one that describes the shop");
    if (learn(advise, operands[0], &failure))
        return command_failed(self, failure.text);
    return answer(advise);
}

static int run_advise(const struct program_command *self, int count, char **words)
{
    struct advise *advise = calloc(1, sizeof *advise);
    if (!advise)
        return command_failed(self, err_sentence(ERR_NOMEM));
    buf_init(&advise->notes, NOTES_MAX);
    int status = run_with(advise, self, count, words);
    buf_close(&advise->notes);
    free(advise);
    return status;
}

const struct program_command command_advise = {
    "advise",
    "[options] FILE",
    "say how many servers a shop needs, and where",
    "FILE tells where shoppers are, where servers may be and what they cost, how far it is from\n"
    "each to each, and what latency is wanted. The answer is the cheapest number of servers by\n"
    "site that keeps the limits, also after a death, with the numbers behind it. docs/advise.md\n"
    "has an example. Exit status 1: nothing keeps the limits, or not within the budget.",
    &table,
    run_advise,
    advise_file_help,
};
