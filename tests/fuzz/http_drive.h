/* Feeds a connection with fuzzed bytes, in fuzzed pieces, with an app whose mood is
 * fuzzed too: answers at once or late, sinks that pause, sources that wait, clients that
 * take little, deadlines that pass, and a hang-up at the end.
 */
#ifndef STOA_TESTS_HTTP_DRIVE_H
#define STOA_TESTS_HTTP_DRIVE_H

#include "../lib/http_bed.h"

struct drive {
    struct bed bed; /* first */
    uint32_t mood;
    struct exchange *asleep[BED_KEPT * 4]; /* sinks that pause and sources that wait */
    unsigned asleep_count;
};

static inline uint32_t drive_next(struct drive *drive)
{
    drive->mood = drive->mood * 1664525 + 1013904223;
    return drive->mood >> 16;
}

static inline struct drive *drive_of(struct exchange *x)
{
    return (struct drive *)(void *)((char *)x->runner - offsetof(struct bed, runner));
}

static inline bool drive_sleep(struct drive *drive, struct exchange *x)
{
    if (drive->asleep_count == sizeof drive->asleep / sizeof *drive->asleep)
        return false;
    drive->asleep[drive->asleep_count++] = x;
    return true;
}

/* X is not looked for any more: it has been nudged, or is gone. */
static inline void drive_forget(struct exchange *x)
{
    struct drive *drive = drive_of(x);
    unsigned kept = 0;
    for (unsigned i = 0; i < drive->asleep_count; i++)
        if (drive->asleep[i] != x)
            drive->asleep[kept++] = drive->asleep[i];
    drive->asleep_count = kept;
}

static inline void drive_wake(struct exchange *x)
{
    struct bed *bed = &drive_of(x)->bed;
    drive_forget(x);
    if (!x->gone) {
        exchange_wake(x);
    } else if (bed->conn) {
        exchange_nudge(x);
        http_conn_nudge(bed->conn, bed->now_ns);
    }
}

static inline enum sink_verdict drive_take(struct exchange *x, struct str bytes)
{
    struct drive *drive = drive_of(x);
    uint32_t choice = drive_next(drive) % 16;
    volatile char sum = 0;
    for (size_t i = 0; i < bytes.len; i++)
        sum = (char)(sum + bytes.at[i]);
    if (choice == 0 && x->status == 101)
        return SINK_STOP;
    if (choice == 0) {
        exchange_reply(x, 422, STR("text/plain"), STR("no"));
        return SINK_STOP;
    }
    return choice < 6 && drive_sleep(drive, x) ? SINK_PAUSE : SINK_MORE;
}

static inline enum source_verdict drive_give(struct exchange *x, char *out, size_t room,
                                             size_t *len)
{
    struct drive *drive = drive_of(x);
    uint32_t choice = drive_next(drive) % 32;
    if (choice == 0)
        return SOURCE_FAIL;
    if (choice < 6 && drive_sleep(drive, x))
        return SOURCE_WAIT;
    *len = 1 + drive_next(drive) % room;
    memset(out, 'x', *len);
    return choice < 12 ? SOURCE_END : SOURCE_MORE;
}

/* x->state is what is lent and not taken yet. */
static inline enum source_verdict drive_lend(struct exchange *x, struct iovec *pieces, int max,
                                             int *count)
{
    static char lent[1000];
    struct drive *drive = drive_of(x);
    uint32_t choice = drive_next(drive) % 32;
    uintptr_t left = (uintptr_t)x->state;
    if (choice == 0)
        return SOURCE_FAIL;
    if (left == 0 && choice < 6 && drive_sleep(drive, x))
        return SOURCE_WAIT;
    if (left == 0)
        left = choice < 12 ? 0 : 1 + drive_next(drive) % sizeof lent;
    x->state = (void *)left;
    for (*count = 0; left > 0 && *count < max; ++*count) {
        size_t part = *count == max - 1 ? left : 1 + left / 2;
        pieces[*count] = (struct iovec){lent, part};
        left -= part;
    }
    return *count == 0 || choice < 8 ? SOURCE_END : SOURCE_MORE;
}

static inline void drive_taken(struct exchange *x, size_t len)
{
    uintptr_t left = (uintptr_t)x->state;
    if (len > left)
        abort();
    x->state = (void *)(left - len);
}

/* One thing that may happen between two pieces. */
static inline void drive_happen(struct drive *drive)
{
    struct bed *bed = &drive->bed;
    switch (drive_next(drive) % 8) {
    case 0:
    case 1:
        if (bed->kept_count > 0)
            bed_answer(bed, drive_next(drive) % bed->kept_count);
        break;
    case 2:
    case 3:
        if (drive->asleep_count > 0)
            drive_wake(drive->asleep[drive->asleep_count - 1]);
        break;
    case 4:
        bed->late = !bed->late;
        break;
    case 5:
        if (drive_next(drive) % 8 == 0 && http_conn_deadline(bed->conn) != UINT64_MAX) {
            bed->now_ns = http_conn_deadline(bed->conn);
            http_conn_expire(bed->conn, bed->now_ns);
        }
        break;
    case 6:
        if (drive_next(drive) % 16 == 0)
            http_conn_drain(bed->conn);
        break;
    }
    bed_run(bed);
}

static inline void drive_send(struct drive *drive)
{
    struct bed *bed = &drive->bed;
    struct iovec pieces[3];
    int count = http_conn_output(bed->conn, pieces, 3);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    if (len > 0 && drive_next(drive) % 4)
        http_conn_sent(bed->conn, 1 + drive_next(drive) % len, bed->now_ns);
    bed->now_ns += MS_NS;
}

static inline void drive_run(enum http_protocol protocol, const char *before, size_t before_len,
                             const uint8_t *bytes, size_t len)
{
    static struct body_sink sink = {drive_take};
    static struct body_source source = {.read = drive_give};
    static struct body_source lender = {.lend = drive_lend, .taken = drive_taken};
    static struct drive drive;
    if (len < 4)
        return;
    memset(&drive, 0, sizeof drive);
    bed_open(&drive.bed, protocol);
    memcpy(&drive.mood, bytes, 4);
    drive.bed.sink = &sink;
    drive.bed.source = &source;
    drive.bed.lender = &lender;
    drive.bed.gone = drive_forget;
    drive.bed.late = drive.mood & 1;
    if (before_len)
        http_conn_receive(drive.bed.conn, before, before_len, drive.bed.now_ns);
    for (size_t at = 4; at < len && !http_conn_finished(drive.bed.conn);) {
        size_t piece = 1 + drive_next(&drive) % (drive.mood & 2 ? 16 : 4096);
        piece = piece < len - at ? piece : len - at;
        char *copy = malloc(piece);
        memcpy(copy, bytes + at, piece);
        http_conn_receive(drive.bed.conn, copy, piece, drive.bed.now_ns);
        free(copy);
        bed_run(&drive.bed);
        drive_happen(&drive);
        drive_send(&drive);
        at += piece;
    }
    if (drive.mood & 4 && !http_conn_finished(drive.bed.conn))
        http_conn_receive(drive.bed.conn, "", 0, drive.bed.now_ns);
    for (unsigned i = 0; i < 20 && !http_conn_finished(drive.bed.conn); i++) {
        drive_happen(&drive);
        drive_send(&drive);
    }
    bed_hang_up(&drive.bed);
    while (drive.asleep_count > 0) {
        exchange_wake(drive.asleep[--drive.asleep_count]);
        bed_run(&drive.bed);
    }
    bed_close(&drive.bed);
}

#endif
