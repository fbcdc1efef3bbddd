#include "base/metric.h"

#include <math.h>
#include <string.h>

double metric_value(const struct metric_row *row, const void *whole, bool as_metric)
{
    const char *field = (const char *)whole + row->offset;
    union {
        uint64_t u64;
        uint32_t u32;
        unsigned plain;
        bool truth;
        double number;
    } value = {0};
    switch (row->form) {
    case METRIC_U64:
        memcpy(&value.u64, field, sizeof value.u64);
        return (double)value.u64;
    case METRIC_U32:
        memcpy(&value.u32, field, sizeof value.u32);
        return value.u32;
    case METRIC_UNSIGNED:
        memcpy(&value.plain, field, sizeof value.plain);
        return value.plain;
    case METRIC_TRUTH:
        memcpy(&value.truth, field, sizeof value.truth);
        return value.truth;
    case METRIC_TIME:
        memcpy(&value.u64, field, sizeof value.u64);
        return (double)value.u64 / (as_metric ? 1e9 : 1e6);
    case METRIC_SECONDS:
        memcpy(&value.u64, field, sizeof value.u64);
        return (double)value.u64 / 1e9;
    case METRIC_NUMBER:
        memcpy(&value.number, field, sizeof value.number);
        return value.number;
    case METRIC_THOUSANDTH:
        memcpy(&value.u32, field, sizeof value.u32);
        return value.u32 / 1e3;
    }
    return 0;
}

void metric_put_json(struct buf *out, const struct metric_row *table, const void *whole)
{
    for (const struct metric_row *row = table; row->key || row->metric; row++) {
        if (!row->key)
            continue;
        double value = metric_value(row, whole, false);
        if (row->form == METRIC_TRUTH)
            buf_printf(out, ",\"%s\":%s", row->key, value != 0 ? "true" : "false");
        else if (!isfinite(value))
            buf_printf(out, ",\"%s\":null", row->key);
        else if (row->form == METRIC_TIME || row->form == METRIC_NUMBER ||
                 row->form == METRIC_SECONDS)
            buf_printf(out, ",\"%s\":%.3f", row->key, value);
        else
            buf_printf(out, ",\"%s\":%.15g", row->key, value);
    }
}

static const char *prefix_of(const char *prefix, const char *metric)
{
    return strncmp(metric, "process_", 8) == 0 ? "" : prefix;
}

void metric_put_head(struct buf *out, const char *prefix, const char *metric, const char *type,
                     const char *help)
{
    prefix = prefix_of(prefix, metric);
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, metric, help, prefix, metric, type);
}

void metric_put_table(struct buf *out, const char *prefix, const struct metric_row *table,
                      const void *whole)
{
    for (const struct metric_row *row = table; row->key || row->metric; row++) {
        if (!row->metric)
            continue;
        metric_put_head(out, prefix, row->metric, row->type, row->help);
        buf_printf(out, "%s%s", prefix_of(prefix, row->metric), row->metric);
        metric_put_number(out, metric_value(row, whole, true));
    }
}

void metric_put_number(struct buf *out, double value)
{
    if (isfinite(value))
        buf_printf(out, " %.15g\n", value);
    else
        buf_puts(out, " NaN\n");
}

void metric_put_label(struct buf *out, const char *text)
{
    bool utf8 = str_is_utf8(str_of(text));
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '\\' || *c == '"')
            buf_byte(out, '\\');
        if (*c == '\n')
            buf_puts(out, "\\n");
        else
            buf_byte(out, *c < ' ' || (*c >= 0x80 && !utf8) ? '?' : (char)*c);
    }
}
