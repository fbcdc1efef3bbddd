#include "main/replay_scale.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/file.h"
#include "main/program.h"
#include "main/scale_rows.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 30, RULES_MAX = 8, ENTRIES_MAX = 2 * RULES_MAX };

struct replay_flags {
    struct option_list rules, fixed;
    bool json;
    char record[OPTION_TEXT_SIZE];
    char spread[OPTION_TEXT_SIZE], arrivals[OPTION_TEXT_SIZE];
    uint64_t seed, service_ms, starts_ms, poll_ms, deadline_ms, queue, interval_ms, limit_ms;
    struct scale_settings settings;
};

#define AT(field)  offsetof(struct replay_flags, field)
#define SCALE_BASE AT(settings)

/* clang-format off */
static const struct option_row rows[] = {
    {"rule", OPTION_LIST, AT(rules), NULL, 0, RULES_MAX, NULL, "NAME",
     "which rules to try: slope, target, busy or poll (all)"},
    {"fixed", OPTION_LIST, AT(fixed), NULL, 0, RULES_MAX, NULL, "N",
     "beside them, that many workers all the time"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
    {"record", OPTION_TEXT, AT(record), NULL, 0, 0, NULL, "FILE",
     "of one rule: write its log of decisions, with each sample"},

    /* What happens. */
    {"seed", OPTION_COUNT, AT(seed), "1", 0, 0, NULL, "N", "of all chance"},
    {"arrivals", OPTION_CHOICE, AT(arrivals), "random", 0, 0, "random even", "HOW",
     "how requests come"},
    {"service", OPTION_DURATION, AT(service_ms), "20ms", 1, 3600000, NULL, "TIME",
     "what one takes a worker, where the file does not say"},
    {"spread", OPTION_CHOICE, AT(spread), "exponential", 0, 0, "exponential lognormal fixed",
     "HOW", "how different that is from one to the next"},
    {"starts-in", OPTION_DURATION, AT(starts_ms), "300ms", 0, 3600000, NULL, "TIME",
     "what a worker really needs to start"},
    {"poll", OPTION_DURATION, AT(poll_ms), "100ms", 1, 3600000, NULL, "TIME",
     "how long a worker's poll waits for a request"},
    {"deadline", OPTION_DURATION, AT(deadline_ms), "5s", 0, 3600000, NULL, "TIME",
     "a request that has waited longer is dropped (0: none)"},
    {"queue", OPTION_COUNT, AT(queue), "4096", 1, SIM_QUEUE_MAX, NULL, "N",
     "most requests that wait"},
    {"interval", OPTION_DURATION, AT(interval_ms), "100ms", 1, 60000, NULL, "TIME",
     "how often the scaler looks"},
    {"limit", OPTION_DURATION, AT(limit_ms), "250ms", 1, 3600000, NULL, "TIME",
     "what 99 of 100 requests may wait: for the time after a step"},

    /* The scaler. */
    SCALE_SETTINGS(SCALE_ROW)
};
/* clang-format on */
static const struct option_table table = {rows, COUNT_OF(rows)};

/* ---- What is to be tried ---- */

struct plan {
    const struct scale_rule *rules[ENTRIES_MAX]; /* NULL: `fixed` of them */
    unsigned fixed[ENTRIES_MAX];
    unsigned count;
};

static int plan_rules(const struct option_list *list, struct plan *plan, struct failure *failure)
{
    for (unsigned i = 0; i < list->count; i++) {
        const struct scale_rule *rule = scale_rule_find(list->items[i]);
        if (!rule)
            return fail(failure, ERR_INVALID,
                        "there is no rule \"%s\": it must be slope, target, busy or poll",
                        list->items[i]);
        plan->rules[plan->count++] = rule;
    }
    for (unsigned i = 0; list->count == 0 && scale_rules[i]; i++)
        plan->rules[plan->count++] = scale_rules[i];
    return 0;
}

static int plan_fixed(const struct option_list *list, struct plan *plan, struct failure *failure)
{
    for (unsigned i = 0; i < list->count; i++) {
        uint64_t workers;
        if (str_to_u64(str_of(list->items[i]), &workers) || workers < 1 || workers > SCALE_TIER_MAX)
            return fail(failure, ERR_INVALID, "fixed is \"%s\", but must be from 1 to %d",
                        list->items[i], SCALE_TIER_MAX);
        plan->rules[plan->count] = NULL;
        plan->fixed[plan->count++] = (unsigned)workers;
    }
    return 0;
}

static int make_plan(const struct replay_flags *flags, struct plan *plan, struct failure *failure)
{
    memset(plan, 0, sizeof *plan);
    int err = scale_settings_check(&flags->settings, failure);
    if (!err)
        err = plan_rules(&flags->rules, plan, failure);
    if (!err)
        err = plan_fixed(&flags->fixed, plan, failure);
    if (!err && flags->record[0] && (plan->count != 1 || !plan->rules[0]))
        err = fail(failure, ERR_INVALID, "record is of one rule: give --rule NAME once");
    return err;
}

/* ---- Trying ---- */

/* Of one run: what is kept of it, and its log if one is wanted. */
struct notes {
    struct replay_entry *entry;
    FILE *log;
    struct buf line;
};

static void keep_change(struct replay_entry *entry, const struct scale_sample *sample,
                        const struct scale_decision *decision)
{
    if (entry->change_count == entry->change_room) {
        uint64_t room = entry->change_room ? 2 * entry->change_room : 64;
        struct replay_change *changes = realloc(entry->changes, room * sizeof *changes);
        if (!changes) {
            entry->failed = true;
            return;
        }
        entry->changes = changes;
        entry->change_room = room;
    }
    entry->changes[entry->change_count++] =
        (struct replay_change){(double)sample->now_ns / 1e9, sample->queued, *decision};
}

static void write_line(struct notes *notes)
{
    notes->entry->failed |= notes->line.failed || fwrite(notes->line.at, 1, notes->line.len,
                                                         notes->log) != notes->line.len;
    buf_clear(&notes->line);
}

static void note(void *context, const struct scale_sample *sample,
                 const struct scale_decision *decision)
{
    struct notes *notes = context;
    if (decision && scale_decision_acts(decision))
        keep_change(notes->entry, sample, decision);
    if (decision && notes->log) {
        decision_put(&notes->line, sample, decision);
        write_line(notes);
    }
}

static enum sim_service service_of(const char *word)
{
    if (strcmp(word, "lognormal") == 0)
        return SIM_SERVICE_LOGNORMAL;
    return strcmp(word, "fixed") == 0 ? SIM_SERVICE_FIXED : SIM_SERVICE_EXPONENTIAL;
}

static struct scale_replay replay_of(const struct replay_flags *flags,
                                     const struct scale_load *load)
{
    return (struct scale_replay){
        .load = load,
        .settings = flags->settings,
        .interval_ns = flags->interval_ms * MS_NS,
        .sim = {.seed = flags->seed,
                .arrivals =
                    strcmp(flags->arrivals, "even") == 0 ? SIM_ARRIVALS_EVEN : SIM_ARRIVALS_RANDOM,
                .service = service_of(flags->spread),
                .service_ms = (double)flags->service_ms,
                .start_up_ns = flags->starts_ms * MS_NS,
                .poll_ns = flags->poll_ms * MS_NS,
                .deadline_ns = flags->deadline_ms * MS_NS,
                .queue_max = flags->queue,
                .queue_long = flags->settings.queue_long,
                .limit_ns = flags->limit_ms * MS_NS},
        .decided = note,
    };
}

static int begin_log(const struct replay_flags *flags, const struct scale_rule *rule,
                     struct notes *notes, struct failure *failure)
{
    if (!flags->record[0])
        return 0;
    notes->log = fopen(flags->record, "we");
    if (!notes->log)
        return file_failed(failure, "write", flags->record);
    decision_put_head(&notes->line, rule, &flags->settings);
    write_line(notes);
    return 0;
}

static int try_one(const struct replay_flags *flags, const struct plan *plan, unsigned at,
                   const struct scale_load *load, struct replay_entry *entry,
                   struct failure *failure)
{
    struct notes notes = {.entry = entry};
    struct scale_replay replay = replay_of(flags, load);
    replay.rule = plan->rules[at];
    replay.fixed = plan->fixed[at];
    replay.context = &notes;
    if (replay.rule)
        str_copy(entry->name, sizeof entry->name, str_of(replay.rule->name));
    else
        snprintf(entry->name, sizeof entry->name, "always %u", replay.fixed);
    buf_init(&notes.line, DECISION_LINE_MAX);
    int err = begin_log(flags, replay.rule, &notes, failure);
    if (!err)
        err = scale_replay(&replay, &entry->result, failure);
    if (notes.log && fclose(notes.log))
        entry->failed = true;
    buf_close(&notes.line);
    if (!err && entry->failed)
        err = flags->record[0] ? file_failed(failure, "write", flags->record)
                               : fail(failure, ERR_NOMEM, "out of memory");
    return err;
}

/* ---- The command ---- */

static void check_log(struct replay_report *report, struct str text)
{
    struct failure why = {0};
    report->is_log = scale_load_is_log(text);
    if (!report->is_log)
        return;
    report->check_err = scale_replay_check(report->file, text, &report->checked, &why);
    str_copy(report->check_text, sizeof report->check_text, str_of(why.text));
}

static int replay_all(const struct replay_flags *flags, const struct plan *plan, struct str text,
                      const char *file, struct failure *failure)
{
    struct scale_load load;
    struct replay_entry entries[ENTRIES_MAX] = {0};
    struct replay_report report = {.file = file,
                                   .load = &load,
                                   .seed = flags->seed,
                                   .limit_ms = flags->limit_ms,
                                   .entries = entries,
                                   .count = plan->count};
    int err = scale_load_read(&load, file, text, failure);
    if (err)
        return err;
    check_log(&report, text);
    for (unsigned i = 0; !err && i < plan->count; i++)
        err = try_one(flags, plan, i, &load, &entries[i], failure);
    if (!err && flags->json)
        replay_report_json(&report, stdout);
    else if (!err)
        replay_report_print(&report, stdout);
    for (unsigned i = 0; i < plan->count; i++)
        free(entries[i].changes);
    scale_load_close(&load);
    return err;
}

static int read_file(const char *path, struct buf *text, struct failure *failure)
{
    int err = file_read_all(path, text, failure);
    return err == ERR_NOTFOUND ? fail(failure, err, "there is no file %s", path) : err;
}

static int run_replay(const struct program_command *self, int count, char **words)
{
    struct replay_flags flags = {0};
    struct failure failure = {0};
    struct plan plan;
    struct buf text;
    const char *file = NULL;
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, &file, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count == 0)
        return command_usage_error(self, "which load? Give a FILE");
    if (make_plan(&flags, &plan, &failure))
        return command_usage_error(self, failure.text);
    buf_init(&text, TEXT_MAX);
    int err = read_file(file, &text, &failure);
    if (!err)
        err = replay_all(&flags, &plan, buf_text(&text), file, &failure);
    buf_close(&text);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_replay_scale = {
    "replay-scale",
    "[options] FILE",
    "run a recorded load through rules of scaling",
    "FILE is a log of decisions with every sample, or a table "
    "seconds,requests_per_s[,service_ms],\n"
    "each row of which holds until the next. Queue, workers and chance are simulated, the scaler "
    "is\n"
    "the tiers' own. With one rule its decisions are listed; docs/scaling.md tells the rest.",
    &table,
    run_replay,
};
