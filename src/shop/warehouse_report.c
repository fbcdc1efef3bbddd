#include "shop/warehouse_report.h"

/* What was taken of a warehouse before. */
struct progress {
    bool known;
    struct id epoch;
    uint64_t sequence;
};

static int read_progress(struct apply *apply, struct str warehouse, struct progress *progress)
{
    *progress = (struct progress){0};
    struct stmt *row =
        db_stmt(apply->db, "SELECT epoch, sequence FROM warehouse_report WHERE warehouse = ?");
    stmt_bind_str(row, 1, warehouse);
    int err = stmt_next(row);
    if (err)
        return err == ERR_NOTFOUND ? 0 : apply_failed(apply);
    *progress = (struct progress){true, stmt_id(row, 0), stmt_u64(row, 1)};
    stmt_done(row);
    return 0;
}

static int write_progress(struct apply *apply, const struct warehouse_report *report)
{
    struct stmt *row = db_stmt(apply->db, "INSERT OR REPLACE INTO warehouse_report (warehouse,"
                                          " epoch, sequence) VALUES (?, ?, ?)");
    stmt_bind_str(row, 1, report->warehouse);
    stmt_bind_id(row, 2, report->epoch);
    stmt_bind_u64(row, 3, report->sequence);
    return stmt_run(row) ? apply_failed(apply) : 0;
}

static int give_number(struct apply *apply, uint64_t number)
{
    apply->result->kind = RESULT_NUMBER;
    apply->result->number = number;
    return apply->result->err;
}

static int refuse_epoch(struct apply *apply, const struct progress *progress,
                        const struct warehouse_report *report)
{
    char theirs[ID_TEXT], known[ID_TEXT];
    apply_refuse(apply, ERR_CONFLICT,
                 "warehouse \"%.*s\" reports from another database (epoch %s) than before "
                 "(epoch %s); if that is right, put the warehouse with the new epoch",
                 STR_FMT(report->warehouse), id_text(report->epoch, theirs),
                 id_text(progress->epoch, known));
    return give_number(apply, 0);
}

static int refuse_gap(struct apply *apply, const struct warehouse_report *report, uint64_t expected)
{
    apply_refuse(apply, ERR_STATE,
                 "report %llu of warehouse \"%.*s\" comes too early; report %llu is expected",
                 (unsigned long long)report->sequence, STR_FMT(report->warehouse),
                 (unsigned long long)expected);
    return give_number(apply, expected);
}

static int take(struct apply *apply, const struct warehouse_report *report)
{
    switch (report->kind) {
    case REPORT_SHIPPED:
        return warehouse_take_shipped(apply, report);
    case REPORT_DELIVERED:
        return warehouse_take_delivered(apply, report);
    case REPORT_RETURNED:
        return warehouse_take_returned(apply, report);
    case REPORT_SHORT:
        return warehouse_take_short(apply, report);
    case REPORT_ARRIVED:
        return warehouse_take_arrived(apply, report);
    case REPORT_COUNTED:
        return warehouse_take_counted(apply, report);
    case REPORT_PRODUCT:
        return warehouse_take_product(apply, report);
    }
    return apply_refuse(apply, ERR_INVALID, "there is no such kind of report");
}

int apply_warehouse_report(struct apply *apply)
{
    const struct warehouse_report *report = &apply->command->report;
    struct warehouse *list;
    unsigned count;
    struct progress progress;
    int err = warehouse_load(apply, &list, &count);
    if (err)
        return err;
    const struct warehouse *from = warehouse_find(list, count, report->warehouse);
    if (from && from->gone)
        return apply_refuse(apply, ERR_DENIED,
                            "the shop's operator has said that warehouse \"%.*s\" is gone: its "
                            "orders were given to others. Ship nothing more of them",
                            STR_FMT(from->id));
    if (!from)
        return apply_refuse(apply, ERR_DENIED, "there is no warehouse \"%.*s\"",
                            STR_FMT(str_sub(report->warehouse, 0, SHOP_WAREHOUSE_ID_MAX)));
    if (id_is_zero(report->epoch) || report->sequence == 0 || report->sequence > INT64_MAX)
        return apply_refuse(apply, ERR_INVALID,
                            "a report has an epoch, and a number from 1 within it");
    err = read_progress(apply, report->warehouse, &progress);
    if (err)
        return err;
    if (progress.known && !id_eq(progress.epoch, report->epoch))
        return refuse_epoch(apply, &progress, report);
    if (report->sequence > progress.sequence + 1)
        return refuse_gap(apply, report, progress.sequence + 1);
    if (report->sequence == progress.sequence + 1) {
        err = take(apply, report);
        if (!err)
            err = write_progress(apply, report);
    }
    return err ? err : give_number(apply, report->sequence);
}
