#include "outside/sandbox_faults.h"

#include "base/check.h"
#include "base/err.h"
#include "http/url.h"
#include "outside/sandbox_payment.h"

#include <inttypes.h>
#include <stddef.h>

enum fault_kind { FAULT_MS, FAULT_SHARE, FAULT_FLAG };

static const struct {
    struct str name;
    enum fault_kind kind;
    size_t offset;
} rows[] = {
#define X(name, kind, about) \
    {{#name, sizeof(#name) - 1}, FAULT_##kind, offsetof(struct sandbox_faults, name)},
    SANDBOX_FAULT_LIST(X)
#undef X
};

static uint64_t *field(struct sandbox_faults *faults, unsigned row)
{
    return (uint64_t *)(void *)((char *)faults + rows[row].offset);
}

void faults_init(struct sandbox_faults *faults)
{
    *faults = (struct sandbox_faults){.lapse_ms = AUTHORISED_MS};
}

/* ---- Setting ---- */

/* "10", "10%", "2.5%" in thousandths of the whole. */
static int read_share(struct str text, uint64_t *share)
{
    struct str whole, tenth;
    uint64_t tenths = 0;
    if (str_ends(text, STR("%")))
        text = str_sub(text, 0, text.len - 1);
    tenth = text;
    if (!str_cut(&tenth, '.', &whole) || str_to_u64(whole, share) || *share > 100 ||
        (tenth.at && (tenth.len != 1 || str_to_u64(tenth, &tenths))))
        return ERR_INVALID;
    *share = *share * 10 + tenths;
    return *share > FAULTS_WHOLE ? ERR_INVALID : 0;
}

static int read_value(enum fault_kind kind, struct str text, uint64_t *value)
{
    enum { LONGEST_MS = 2000000000 };
    switch (kind) {
    case FAULT_SHARE:
        return read_share(text, value);
    case FAULT_MS:
        return str_to_u64(text, value) || *value > LONGEST_MS ? ERR_INVALID : 0;
    case FAULT_FLAG:
        *value = str_eq(text, STR("true")) || str_eq(text, STR("1"));
        return *value || str_eq(text, STR("false")) || str_eq(text, STR("0")) ? 0 : ERR_INVALID;
    }
    return ERR_INVALID;
}

int faults_set(struct sandbox_faults *faults, struct str form, struct sandbox_error *error)
{
    static const char *const forms[] = {"milliseconds", "a share, as in 10% or 2.5%",
                                        "true or false"};
    struct sandbox_faults changed = *faults;
    struct str name, value;
    while (form_next(&form, &name, &value)) {
        unsigned row = 0;
        /* The one sign in use that may come encoded. */
        if (str_ends(value, STR("%25")))
            value = str_sub(value, 0, value.len - 2);
        while (row < COUNT_OF(rows) && !str_eq(rows[row].name, name))
            row++;
        if (row == COUNT_OF(rows))
            return sandbox_invalid(error, "parameter_unknown", NULL, "There is no fault %.*s",
                                   STR_FMT(str_clip_utf8(name, 60)));
        if (read_value(rows[row].kind, value, field(&changed, row)))
            return sandbox_invalid(error, NULL, rows[row].name.at, "%s has to be %s",
                                   rows[row].name.at, forms[rows[row].kind]);
    }
    *faults = changed;
    return 0;
}

void faults_put(struct buf *out, const struct sandbox_faults *faults)
{
    struct sandbox_faults copy = *faults;
    for (unsigned row = 0; row < COUNT_OF(rows); row++) {
        uint64_t value = *field(&copy, row);
        buf_printf(out, "%c\"%s\":", row ? ',' : '{', rows[row].name.at);
        if (rows[row].kind == FAULT_SHARE)
            buf_printf(out, "%" PRIu64 ".%" PRIu64, value / 10, value % 10);
        else if (rows[row].kind == FAULT_MS)
            buf_u64(out, value);
        else
            buf_puts(out, value ? "true" : "false");
    }
    buf_puts(out, "}\n");
}

/* ---- One request ---- */

static bool hits(uint64_t share, struct random *random)
{
    return random_below(random, FAULTS_WHOLE) < share;
}

struct sandbox_fate faults_draw(const struct sandbox_faults *faults, struct random *random)
{
    struct sandbox_fate fate = {.latency_ms = faults->latency_ms};
    bool rate_limit = hits(faults->rate_limit, random);
    bool conflict = hits(faults->conflict, random);
    bool down = hits(faults->down, random);
    bool away = random_below(random, 2) == 0;
    fate.refuse = hits(faults->refuse, random);
    bool lost = hits(faults->lost, random);
    bool hang = hits(faults->hang, random);
    bool error = hits(faults->error_after, random);
    fate.fail_refund = hits(faults->fail_refunds, random);
    fate.before = rate_limit ? FATE_RATE_LIMIT
                  : down     ? (away ? FATE_AWAY : FATE_BROKEN)
                  : conflict ? FATE_CONFLICT
                             : FATE_GOES_ON;
    fate.after = lost ? FATE_LOST : hang ? FATE_HANGS : error ? FATE_ERROR : FATE_ANSWERED;
    return fate;
}
