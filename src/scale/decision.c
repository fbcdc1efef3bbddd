#include "scale/decision.h"

#include "base/check.h"
#include "base/json_text.h"

#include <stddef.h>
#include <stdlib.h>
#include <yyjson.h>

struct field {
    const char *name;
    size_t offset;
};

#define AT(name)                                   \
    {                                              \
#name, offsetof(struct scale_sample, name) \
    }
#define TIER(tier)                                                         \
    {#tier "_ready", offsetof(struct scale_sample, tier.ready)},           \
        {#tier "_starting", offsetof(struct scale_sample, tier.starting)}, \
    {                                                                      \
#tier "_draining", offsetof(struct scale_sample, tier.draining)    \
    }
static const struct field fields[] = {
    AT(now_ns),      AT(interval_ns), AT(queued),   AT(oldest_ns),  AT(wait_p50_ns),
    AT(wait_p90_ns), AT(wait_p99_ns), AT(arrived),  AT(taken),      AT(answered),
    AT(dropped),     AT(refused),     AT(busy),     AT(service_ns), TIER(workers),
    AT(connections), AT(fronts_busy), TIER(fronts), AT(more),       AT(fewer),
};
#undef AT
#undef TIER

/* ---- Written ---- */

void decision_put_head(struct buf *out, const struct scale_rule *rule,
                       const struct scale_settings *settings)
{
    struct scale_settings copy = *settings;
    buf_printf(out, "{\"stoa_scale\":%d,\"rule\":\"%s\",\"settings\":{", DECISION_LOG_VERSION,
               rule->name);
    for (unsigned i = 0; i < scale_setting_count; i++)
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", scale_setting_rows[i].name,
                   (unsigned long long)*scale_settings_at(&copy, &scale_setting_rows[i]));
    buf_puts(out, "}}\n");
}

void decision_put(struct buf *out, const struct scale_sample *sample,
                  const struct scale_decision *decision)
{
    buf_printf(out, "{\"workers\":[%u,%u],\"fronts\":[%u,%u],\"wish\":%u,\"held\":\"%s\"",
               decision->workers_before, decision->workers, decision->fronts_before,
               decision->fronts, decision->wish, scale_held_word(decision->held));
    buf_printf(out, ",\"load\":%llu,\"reason\":", (unsigned long long)decision->load);
    json_text_put(decision->reason, out);
    buf_puts(out, ",\"sample\":{");
    for (unsigned i = 0; i < COUNT_OF(fields); i++) {
        const char *at = (const char *)sample + fields[i].offset;
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", fields[i].name,
                   (unsigned long long)*(const uint64_t *)(const void *)at);
    }
    buf_puts(out, "}}\n");
}

/* ---- Read ---- */

/* One line while it is read. */
struct reading {
    struct str line;
    uint64_t column; /* of what is wrong */
    struct failure *failure;
};

/* Where the member NAME is written, so that the column leads there. */
static uint64_t column_of(struct str line, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    ptrdiff_t at = str_find(line, str_of(quoted));
    return at < 0 ? 1 : (uint64_t)at + 1;
}

static int wrong(struct reading *reading, const char *name, const char *must)
{
    bool there = column_of(reading->line, name) > 1;
    reading->column = column_of(reading->line, name);
    return fail(reading->failure, ERR_INVALID, "\"%s\" %s %s", name,
                there ? "must be" : "is missing: it must be", must);
}

static int read_number(struct reading *reading, yyjson_val *object, const char *name, uint64_t most,
                       uint64_t *value)
{
    yyjson_val *found = yyjson_obj_get(object, name);
    if (!yyjson_is_uint(found))
        return wrong(reading, name, "a whole number, not negative");
    *value = yyjson_get_uint(found);
    if (*value > most)
        return wrong(reading, name, "smaller");
    return 0;
}

static int read_count(struct reading *reading, yyjson_val *object, const char *name,
                      unsigned *value)
{
    uint64_t number = 0;
    int err = read_number(reading, object, name, 2 * SCALE_TIER_MAX, &number);
    *value = (unsigned)number;
    return err;
}

static int read_pair(struct reading *reading, yyjson_val *object, const char *name,
                     unsigned *before, unsigned *after)
{
    yyjson_val *pair = yyjson_obj_get(object, name);
    yyjson_val *first = yyjson_arr_get(pair, 0), *second = yyjson_arr_get(pair, 1);
    if (yyjson_arr_size(pair) != 2 || !yyjson_is_uint(first) || !yyjson_is_uint(second) ||
        yyjson_get_uint(first) > 2 * SCALE_TIER_MAX || yyjson_get_uint(second) > SCALE_TIER_MAX)
        return wrong(reading, name, "two sizes: [before,after]");
    *before = (unsigned)yyjson_get_uint(first);
    *after = (unsigned)yyjson_get_uint(second);
    return 0;
}

static int read_held(struct reading *reading, yyjson_val *object, enum scale_held *held)
{
    const char *word = yyjson_get_str(yyjson_obj_get(object, "held"));
    for (unsigned i = 0; word && i < SCALE_HELD_COUNT; i++)
        if (strcmp(word, scale_held_word((enum scale_held)i)) == 0) {
            *held = (enum scale_held)i;
            return 0;
        }
    return wrong(reading, "held", "\"nothing\" or what held the rule back");
}

static int read_decision(struct reading *reading, yyjson_val *root, struct decision_log *log)
{
    struct scale_decision *decision = &log->decision;
    yyjson_val *reason = yyjson_obj_get(root, "reason"), *sample = yyjson_obj_get(root, "sample");
    memset(decision, 0, sizeof *decision);
    int err = read_pair(reading, root, "workers", &decision->workers_before, &decision->workers);
    if (!err)
        err = read_pair(reading, root, "fronts", &decision->fronts_before, &decision->fronts);
    if (!err)
        err = read_count(reading, root, "wish", &decision->wish);
    if (!err)
        err = read_held(reading, root, &decision->held);
    if (!err)
        err = read_number(reading, root, "load", UINT64_MAX, &decision->load);
    if (!err && !yyjson_is_str(reason))
        err = wrong(reading, "reason", "a text");
    if (!err && !yyjson_is_obj(sample))
        err = wrong(reading, "sample", "an object");
    for (unsigned i = 0; !err && i < COUNT_OF(fields); i++) {
        char *at = (char *)&log->sample + fields[i].offset;
        err = read_number(reading, sample, fields[i].name, UINT64_MAX, (uint64_t *)(void *)at);
    }
    if (!err)
        str_copy(decision->reason, sizeof decision->reason,
                 str_make(yyjson_get_str(reason), yyjson_get_len(reason)));
    return err;
}

static int read_head(struct reading *reading, yyjson_val *root, struct decision_log *log)
{
    uint64_t version;
    yyjson_val *rule = yyjson_obj_get(root, "rule"), *set = yyjson_obj_get(root, "settings");
    int err = read_number(reading, root, "stoa_scale", UINT64_MAX, &version);
    if (!err && version != DECISION_LOG_VERSION)
        err = wrong(reading, "stoa_scale", "1: this is from another version of Stoa");
    if (!err && !yyjson_is_str(rule))
        err = wrong(reading, "rule", "the name of a rule");
    if (!err && !yyjson_is_obj(set))
        err = wrong(reading, "settings", "an object");
    scale_settings_defaults(&log->settings);
    for (unsigned i = 0; !err && i < scale_setting_count; i++) {
        const struct scale_setting *row = &scale_setting_rows[i];
        if (yyjson_obj_get(set, row->name)) /* else the log is older than the setting */
            err = read_number(reading, set, row->name, row->most,
                              scale_settings_at(&log->settings, row));
    }
    if (err)
        return err;
    log->rule = scale_rule_find(yyjson_get_str(rule));
    reading->column = column_of(reading->line, "settings");
    return scale_settings_check(&log->settings, reading->failure);
}

static int read_line(struct reading *reading, struct decision_log *log, enum decision_line *kind)
{
    yyjson_read_err why;
    yyjson_doc *doc =
        yyjson_read_opts((char *)(uintptr_t)reading->line.at, reading->line.len, 0, NULL, &why);
    yyjson_val *root = yyjson_doc_get_root(doc);
    int err;
    if (!doc) {
        reading->column = why.pos + 1;
        err = fail(reading->failure, ERR_INVALID, "this is not JSON: %s", why.msg);
    } else if (!yyjson_is_obj(root)) {
        err = fail(reading->failure, ERR_INVALID, "each line must be a JSON object");
    } else if (yyjson_obj_get(root, "stoa_scale")) {
        *kind = DECISION_HEAD;
        err = read_head(reading, root, log);
    } else {
        *kind = DECISION_SAMPLE;
        err = read_decision(reading, root, log);
    }
    yyjson_doc_free(doc);
    return err;
}

void decision_log_init(struct decision_log *log, struct str text)
{
    memset(log, 0, sizeof *log);
    log->rest = text;
}

int decision_log_next(struct decision_log *log, enum decision_line *kind, struct scale_place *place,
                      struct failure *failure)
{
    struct reading reading = {.column = 1, .failure = failure};
    do {
        if (!str_cut(&log->rest, '\n', &reading.line)) {
            *kind = DECISION_END;
            return 0;
        }
        log->line++;
    } while (str_trim(reading.line).len == 0);
    int err =
        reading.line.len > DECISION_LINE_MAX
            ? fail(failure, ERR_INVALID, "this line is longer than %d bytes", DECISION_LINE_MAX)
            : read_line(&reading, log, kind);
    *place = (struct scale_place){log->line, reading.column};
    return err;
}
