/* Files with http_host.fetch: what is in memory is sent, the rest is fetched first. The test plays
 * the page cache: preadv2 is its own.
 */
#include "../lib/http_bed.h"
#include "base/check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { BODY = 1 << 20, BEGIN = 10 };

static struct {
    uint64_t present;        /* the file is in memory up to here */
    bool cannot_tell, stays; /* EOPNOTSUPP; what is fetched stays in memory */
    unsigned fetched;
    struct exchange *wanted; /* whose fetch goes on */
    unsigned gone;
} cache; /* one test at a time */

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    CHECK(count == 1 && flags == RWF_NOWAIT);
    if (cache.cannot_tell || (uint64_t)offset >= cache.present) {
        errno = cache.cannot_tell ? EOPNOTSUPP : EAGAIN;
        return -1;
    }
    uint64_t most = cache.present - (uint64_t)offset;
    return pread(fd, parts->iov_base, parts->iov_len < most ? parts->iov_len : most, offset);
}

static void fetch(struct http_host *host, struct exchange *x)
{
    (void)host;
    CHECK(!cache.wanted);
    cache.wanted = x;
    cache.fetched++;
}

static void fetch_ends(struct bed *bed)
{
    struct exchange *x = cache.wanted;
    CHECK(x);
    if (cache.stays)
        cache.present = x->file_offset + FETCH_BYTES;
    cache.wanted = NULL;
    exchange_wake(x);
    bed_run(bed);
}

static void note_gone(struct exchange *x)
{
    (void)x;
    cache.gone++;
}

/* A bed whose app has been asked for a file of BODY bytes, and is about to answer. */
static struct exchange *open_bed(struct bed *bed)
{
    memset(&cache, 0, sizeof cache);
    cache.stays = true;
    bed_open(bed, HTTP_1);
    bed->host.fetch = fetch;
    bed->late = true;
    bed_text(bed, "GET /big HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    int file = memfd_create("big", MFD_CLOEXEC);
    char line[16];
    for (int at = 0; at < BODY + BEGIN; at += 16) {
        snprintf(line, sizeof line, "%015d", at);
        CHECK(pwrite(file, line, sizeof line, at) == sizeof line);
    }
    struct exchange *x = bed->kept[0];
    bed->kept_count = 0;
    exchange_reply_file(x, 200, STR("text/plain"), file, BEGIN, BODY);
    return x;
}

static void answer(struct bed *bed, struct exchange *x)
{
    http_conn_answered(x, bed->now_ns);
    bed_collect(bed);
}

static struct str body_sent(const struct bed *bed)
{
    struct str sent = buf_text(&bed->sent);
    ptrdiff_t end = str_find(sent, STR("\r\n\r\n"));
    assert_true(end > 0);
    return str_sub(sent, (size_t)end + 4, sent.len);
}

static void assert_whole(const struct bed *bed)
{
    struct str body = body_sent(bed);
    char line[16];
    assert_int_equal(body.len, BODY);
    for (size_t at = 16; at + 16 <= BODY; at += 16) {
        snprintf(line, sizeof line, "%015zu", at);
        assert_memory_equal(body.at + at - BEGIN, line, sizeof line);
    }
}

static void what_is_not_in_memory_is_fetched_piece_by_piece(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    int fd;
    uint64_t offset, len;
    answer(&bed, x);
    assert_int_equal(body_sent(&bed).len, 0);
    assert_ptr_equal(cache.wanted, x);
    assert_int_equal(x->file_offset, BEGIN);
    assert_int_equal(bed.host.suspended, 1);
    assert_int_equal(http_conn_deadline(bed.conn), UINT64_MAX); /* it is not the client's fault */
    assert_false(http_conn_file(bed.conn, &fd, &offset, &len));
    bed_collect(&bed);
    assert_int_equal(cache.fetched, 1); /* asked for once */
    for (uint64_t pieces = 1; cache.wanted; pieces++) {
        fetch_ends(&bed);
        bed_collect(&bed);
        assert_int_equal(body_sent(&bed).len, pieces * FETCH_BYTES);
    }
    assert_int_equal(cache.fetched, BODY / FETCH_BYTES);
    assert_whole(&bed);
    assert_int_equal(bed.cleaned, 1);
    assert_int_equal(bed.host.suspended, 0);
    bed_close(&bed);
}

static void what_is_in_memory_is_sent_at_once(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    cache.present = 100000; /* in the middle of a read */
    answer(&bed, x);
    assert_int_equal(body_sent(&bed).len, 100000 - BEGIN);
    assert_int_equal(cache.fetched, 1);
    cache.present = UINT64_MAX;
    cache.stays = false;
    fetch_ends(&bed);
    bed_collect(&bed);
    assert_int_equal(cache.fetched, 1);
    assert_whole(&bed);
    bed_close(&bed);
}

static void what_does_not_stay_in_memory_is_read_all_the_same(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    cache.stays = false;
    answer(&bed, x);
    for (unsigned i = 1; i < 3; i++) {
        fetch_ends(&bed);
        bed_collect(&bed);
        assert_int_equal(body_sent(&bed).len, 0);
        assert_int_equal(cache.fetched, i + 1);
    }
    fetch_ends(&bed);
    bed_collect(&bed); /* reads to where the fetches came to, at least */
    assert_in_range(body_sent(&bed).len, FETCH_BYTES, FETCH_BYTES + 16384);
    assert_int_equal(cache.fetched, 4);
    while (cache.wanted) {
        fetch_ends(&bed);
        bed_collect(&bed);
    }
    assert_in_range(cache.fetched, 5, 3 * BODY / FETCH_BYTES);
    assert_whole(&bed);
    bed_close(&bed);
}

static void where_nobody_can_tell_each_piece_is_fetched_once(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    cache.cannot_tell = true;
    answer(&bed, x);
    while (cache.wanted) {
        fetch_ends(&bed);
        bed_collect(&bed);
    }
    assert_int_equal(cache.fetched, BODY / FETCH_BYTES);
    assert_whole(&bed);
    bed_close(&bed);
}

static void a_compressed_file_waits_as_well(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    x->compressible = true;
    answer(&bed, x);
    while (cache.wanted) {
        fetch_ends(&bed);
        bed_collect(&bed);
    }
    assert_int_equal(cache.fetched, BODY / FETCH_BYTES);
    assert_true(str_find(buf_text(&bed.sent), STR("Content-Encoding: gzip\r\n")) > 0);
    assert_true(str_ends(buf_text(&bed.sent), STR("\r\n0\r\n\r\n")));
    assert_int_equal(bed.cleaned, 1);
    bed_close(&bed);
}

/* The reading thread still looks at it. */
static void an_exchange_outlives_its_client_until_its_fetch_ends(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    x->gone = note_gone;
    answer(&bed, x);
    bed_hang_up(&bed);
    assert_int_equal(cache.gone, 1);
    assert_int_equal(bed.cleaned, 0);
    assert_int_equal(bed.host.suspended, 1);
    assert_true(x->client_gone);
    assert_true(x->file >= 0);
    fetch_ends(&bed);
    assert_int_equal(bed.cleaned, 1);
    assert_int_equal(bed.host.suspended, 0);
    bed_close(&bed);
}

static void a_file_that_has_become_shorter_cuts_the_connection(void **state)
{
    (void)state;
    struct bed bed;
    struct exchange *x = open_bed(&bed);
    answer(&bed, x);
    assert_int_equal(ftruncate(x->file, 1000), 0);
    fetch_ends(&bed);
    bed_collect(&bed);
    assert_true(http_conn_is_cut(bed.conn));
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_in_memory_is_fetched_piece_by_piece),
        cmocka_unit_test(what_is_in_memory_is_sent_at_once),
        cmocka_unit_test(what_does_not_stay_in_memory_is_read_all_the_same),
        cmocka_unit_test(where_nobody_can_tell_each_piece_is_fetched_once),
        cmocka_unit_test(a_compressed_file_waits_as_well),
        cmocka_unit_test(an_exchange_outlives_its_client_until_its_fetch_ends),
        cmocka_unit_test(a_file_that_has_become_shorter_cuts_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
