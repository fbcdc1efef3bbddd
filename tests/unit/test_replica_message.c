/* Raft's messages as bytes: what goes in comes out, and nothing else gets in. */
#include "base/check.h"
#include "base/err.h"
#include "base/wire.h"
#include "replica/guard.h"
#include "replica/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct raft_entry entry_of(raft_term term, unsigned short type, size_t len, char fill)
{
    struct raft_entry entry = {.term = term, .type = type, .buf.len = len};
    entry.buf.base = malloc(len);
    memset(entry.buf.base, fill, len);
    return entry;
}

static struct raft_entry change_entry(raft_term term)
{
    struct raft_configuration configuration;
    struct raft_entry entry = {.term = term, .type = RAFT_CHANGE};
    raft_configuration_init(&configuration);
    assert_int_equal(raft_configuration_add(&configuration, 1, "1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&configuration, 22, "22", RAFT_SPARE), 0);
    assert_int_equal(raft_configuration_encode(&configuration, &entry.buf), 0);
    raft_configuration_close(&configuration);
    return entry;
}

static void encode(struct buf *out, const struct raft_message *message)
{
    unsigned next = 0;
    buf_init(out, 4 * 1024 * 1024);
    assert_false(message_encode(out, message, &next));
}

static void decode(struct raft_message *message, struct buf *bytes)
{
    assert_int_equal(message_decode(message, buf_text(bytes)), 0);
    buf_close(bytes);
}

static void the_small_ones_come_out_as_they_went_in(void **state)
{
    struct raft_message in = {.type = RAFT_REQUEST_VOTE}, out;
    struct buf bytes;
    (void)state;
    in.request_vote = (struct raft_request_vote){.version = 2,
                                                 .term = 7,
                                                 .candidate_id = 3,
                                                 .last_log_index = 900,
                                                 .last_log_term = 6,
                                                 .disrupt_leader = true,
                                                 .pre_vote = false};
    encode(&bytes, &in);
    decode(&out, &bytes);
    assert_int_equal(out.type, RAFT_REQUEST_VOTE);
    assert_int_equal(out.request_vote.version, 2);
    assert_int_equal(out.request_vote.candidate_id, 3);
    assert_int_equal(out.request_vote.last_log_index, 900);
    assert_true(out.request_vote.disrupt_leader && !out.request_vote.pre_vote);

    in = (struct raft_message){.type = RAFT_REQUEST_VOTE_RESULT};
    in.request_vote_result = (struct raft_request_vote_result){.version = 2,
                                                               .term = 8,
                                                               .vote_granted = true,
                                                               .pre_vote = true,
                                                               .features = 1,
                                                               .capacity = 8192};
    encode(&bytes, &in);
    decode(&out, &bytes);
    assert_int_equal(out.request_vote_result.capacity, 8192);
    assert_true(out.request_vote_result.vote_granted && out.request_vote_result.pre_vote);

    in = (struct raft_message){.type = RAFT_APPEND_ENTRIES_RESULT};
    in.append_entries_result = (struct raft_append_entries_result){
        .version = 1, .term = 8, .rejected = 5, .last_log_index = 4, .features = 1, .capacity = 9};
    encode(&bytes, &in);
    decode(&out, &bytes);
    assert_int_equal(out.append_entries_result.rejected, 5);
    assert_int_equal(out.append_entries_result.last_log_index, 4);

    in = (struct raft_message){.type = RAFT_TIMEOUT_NOW};
    in.timeout_now = (struct raft_timeout_now){.term = 8, .last_log_index = 77, .last_log_term = 6};
    encode(&bytes, &in);
    decode(&out, &bytes);
    assert_int_equal(out.timeout_now.last_log_index, 77);
}

static void a_snapshot_brings_its_configuration(void **state)
{
    struct raft_message in = {.type = RAFT_INSTALL_SNAPSHOT}, out;
    struct raft_install_snapshot *install = &in.install_snapshot;
    struct buf bytes;
    (void)state;
    install->term = 9;
    install->last_index = 1000;
    install->last_term = 8;
    install->conf_index = 3;
    raft_configuration_init(&install->conf);
    assert_int_equal(raft_configuration_add(&install->conf, 1, "alone", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&install->conf, 4, "4", RAFT_STANDBY), 0);
    install->data = (struct raft_buffer){.base = (void *)"forty bytes", .len = 11};
    encode(&bytes, &in);
    raft_configuration_close(&install->conf);
    decode(&out, &bytes);
    assert_int_equal(out.install_snapshot.conf.n, 2);
    assert_int_equal(out.install_snapshot.conf.servers[1].id, 4);
    assert_string_equal(out.install_snapshot.conf.servers[0].address, "alone");
    assert_int_equal(out.install_snapshot.conf.servers[1].role, RAFT_STANDBY);
    assert_memory_equal(out.install_snapshot.data.base, "forty bytes", 11);
    message_free(&out);
}

/* The entries of all pieces must be those of the message, each piece right after the one before. */
static unsigned check_pieces(const struct raft_message *in, bool change_first)
{
    unsigned next = 0, pieces = 0, seen = 0;
    bool more = true;
    while (more) {
        struct buf bytes;
        struct raft_message out;
        buf_init(&bytes, 4 * 1024 * 1024);
        more = message_encode(&bytes, in, &next);
        assert_true(bytes.len < MESSAGE_PIECE + 300 * 1024);
        decode(&out, &bytes);
        const struct raft_append_entries *piece = &out.append_entries;
        const struct raft_append_entries *whole = &in->append_entries;
        assert_int_equal(piece->prev_log_index, whole->prev_log_index + seen);
        assert_int_equal(piece->prev_log_term,
                         seen == 0 ? whole->prev_log_term : whole->entries[seen - 1].term);
        assert_int_equal(piece->leader_commit, whole->leader_commit);
        for (unsigned i = 0; i < piece->n_entries; i++, seen++) {
            const struct raft_entry *a = &piece->entries[i], *b = &whole->entries[seen];
            assert_int_equal(a->term, b->term);
            assert_int_equal(a->type, b->type);
            assert_int_equal(a->buf.len, b->buf.len);
            assert_memory_equal(a->buf.base, b->buf.base, b->buf.len);
            assert_ptr_equal(a->batch, piece->entries[0].batch);
            if (change_first && a->type == RAFT_CHANGE)
                assert_int_equal(i, 0);
        }
        message_free(&out);
        pieces++;
    }
    assert_int_equal(seen, in->append_entries.n_entries);
    return pieces;
}

static void entries_go_in_pieces_and_a_change_comes_first_in_its_own(void **state)
{
    struct raft_entry entries[7];
    struct raft_message in = {.type = RAFT_APPEND_ENTRIES};
    (void)state;
    in.append_entries = (struct raft_append_entries){.term = 4,
                                                     .prev_log_index = 99,
                                                     .prev_log_term = 2,
                                                     .leader_commit = 100,
                                                     .entries = entries};
    assert_int_equal(check_pieces(&in, true), 1); /* a heartbeat */
    entries[0] = entry_of(2, RAFT_COMMAND, 64, 'a');
    entries[1] = entry_of(3, RAFT_BARRIER, 8, 0);
    entries[2] = change_entry(3);
    entries[3] = entry_of(3, RAFT_COMMAND, 256 * 1024, 'b');
    entries[4] = entry_of(4, RAFT_COMMAND, 256 * 1024, 'c');
    entries[5] = entry_of(4, RAFT_COMMAND, 256 * 1024, 'd');
    entries[6] = change_entry(4);
    in.append_entries.n_entries = 7;
    assert_int_equal(check_pieces(&in, true), 4);
    for (unsigned i = 0; i < 7; i++)
        free(entries[i].buf.base);
}

static void refused(const struct raft_message *message)
{
    struct buf bytes;
    struct raft_message out;
    encode(&bytes, message);
    assert_int_equal(message_decode(&out, buf_text(&bytes)), ERR_INVALID);
    buf_close(&bytes);
}

static void what_libraft_takes_for_granted_is_checked(void **state)
{
    struct raft_entry entry = entry_of(5, RAFT_COMMAND, 16, 'x');
    struct raft_message in = {.type = RAFT_APPEND_ENTRIES};
    struct raft_append_entries good = {
        .term = 5, .prev_log_index = 9, .prev_log_term = 5, .entries = &entry, .n_entries = 1};
    (void)state;
    in.append_entries = good;
    in.append_entries.prev_log_term = 0;
    refused(&in);
    in.append_entries = good;
    in.append_entries.term = 4; /* lower than its entry's */
    refused(&in);
    in.append_entries = good;
    entry.term = 4; /* lower than the one before */
    refused(&in);
    entry.term = 5;
    entry.buf.len = 12; /* no multiple of 8 */
    refused(&in);
    entry.buf.len = 16;
    entry.type = RAFT_CHANGE; /* not a configuration */
    refused(&in);
    memcpy(entry.buf.base, "\1\377\377\377\377\377\377\377\377", 9); /* of very many servers */
    refused(&in);
    memcpy(entry.buf.base, "\1\1\0\0\0\0\0\0\0\7", 10); /* that ends too early */
    refused(&in);
    free(entry.buf.base);

    in = (struct raft_message){.type = RAFT_REQUEST_VOTE, .request_vote = {.term = 3}};
    refused(&in); /* for nobody */
    in = (struct raft_message){.type = RAFT_INSTALL_SNAPSHOT,
                               .install_snapshot = {.term = 3, .last_index = 5, .last_term = 3}};
    refused(&in); /* without servers */
    struct raft_message out;
    assert_int_equal(message_decode(&out, STR("\2\1\0")), ERR_UNSUPPORTED);
    assert_int_equal(message_decode(&out, STR_NONE), ERR_INVALID);
}

static void every_cut_and_every_flipped_byte_is_survived(void **state)
{
    struct raft_entry entries[2] = {entry_of(5, RAFT_COMMAND, 24, 'x'), change_entry(5)};
    struct raft_message in = {.type = RAFT_APPEND_ENTRIES}, out;
    struct buf bytes;
    unsigned next = 1; /* the change */
    (void)state;
    in.append_entries = (struct raft_append_entries){
        .term = 5, .prev_log_index = 9, .prev_log_term = 5, .entries = entries, .n_entries = 2};
    buf_init(&bytes, 65536);
    assert_false(message_encode(&bytes, &in, &next));
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_not_equal(message_decode(&out, str_make(bytes.at, len)), 0);
    for (size_t at = 0; at < bytes.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.at[at] ^= (char)(1 << bit);
            if (message_decode(&out, buf_text(&bytes)) == 0)
                message_free(&out);
            bytes.at[at] ^= (char)(1 << bit);
        }
    buf_close(&bytes);
    free(entries[0].buf.base);
    raft_free(entries[1].buf.base);
}

/* ---- What a well-formed message may do now ---- */

static enum guard_verdict judge(const struct raft *raft, const struct raft_message *message)
{
    const char *why = "";
    return guard_message(raft, 2, message, &why);
}

static void messages_that_would_harm_libraft_do_not_reach_it(void **state)
{
    struct raft raft = {.state = RAFT_LEADER, .current_term = 5};
    struct raft_message append = {.type = RAFT_APPEND_ENTRIES, .append_entries = {.term = 5}};
    struct raft_message result = {.type = RAFT_REQUEST_VOTE_RESULT,
                                  .request_vote_result = {.term = 6, .vote_granted = true}};
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE,
                                .request_vote = {.term = 6, .candidate_id = 3}};
    (void)state;
    assert_int_equal(judge(&raft, &append), GUARD_CUT); /* two primaries of one term */
    append.append_entries.term = 6;
    assert_int_equal(judge(&raft, &append), GUARD_PASS);
    assert_int_equal(judge(&raft, &result), GUARD_DROP);
    raft.state = RAFT_CANDIDATE;
    assert_int_equal(judge(&raft, &result), GUARD_PASS);
    result.request_vote_result.term = 7;
    assert_int_equal(judge(&raft, &result), GUARD_CUT);
    assert_int_equal(judge(&raft, &vote), GUARD_CUT); /* 2 asks for 3 */
}

static const __typeof__(*((struct raft *)0)->trail.records) two_terms[] = {
    {0, 0}, {6, 2}, {9, 5}, {0, 0}};

/* A log with entries 4..6 of term 2 and 7..9 of term 5, and a snapshot of what is up to INDEX,
 * which is of TERM. */
static struct raft_trail trail_behind(raft_index index, raft_term term)
{
    return (struct raft_trail){.records = (void *)(uintptr_t)two_terms,
                               .size = COUNT_OF(two_terms),
                               .front = 1,
                               .back = 3,
                               .offset = 3,
                               .snapshot = {index, term}};
}

static void committed_entries_are_not_replaced(void **state)
{
    struct raft raft = {
        .state = RAFT_FOLLOWER, .current_term = 5, .commit_index = 7, .trail = trail_behind(3, 1)};
    (void)state;
    const raft_term terms[] = {0, 0, 0, 1, 2, 2, 2, 5, 5, 5, 0};
    for (raft_index i = 0; i < 11; i++)
        assert_int_equal(guard_term_of(&raft, i), terms[i]);
    struct raft_entry entries[2] = {{.term = 5}, {.term = 6}};
    struct raft_message append = {.type = RAFT_APPEND_ENTRIES,
                                  .append_entries = {.term = 6,
                                                     .prev_log_index = 6,
                                                     .prev_log_term = 2,
                                                     .entries = entries,
                                                     .n_entries = 2}};
    assert_int_equal(judge(&raft, &append), GUARD_PASS); /* 8 is not committed */
    entries[0].term = 6;
    assert_int_equal(judge(&raft, &append), GUARD_DAMAGED);
    entries[0].term = 5;
    append.append_entries.prev_log_term = 1;
    assert_int_equal(judge(&raft, &append), GUARD_DAMAGED);
    append.append_entries.term = 4; /* of a primary that was: libraft refuses it */
    assert_int_equal(judge(&raft, &append), GUARD_PASS);
}

/* A message with ENTRIES entries behind PREV, as message_decode makes them. */
static struct raft_append_entries entries_behind(raft_index prev, unsigned count)
{
    struct raft_append_entries append = {.term = 5, .prev_log_index = prev, .n_entries = count};
    if (count == 0)
        return append;
    append.entries = raft_calloc(count, sizeof *append.entries);
    void *batch = raft_malloc(8);
    assert_non_null(append.entries);
    assert_non_null(batch);
    for (unsigned i = 0; i < count; i++)
        append.entries[i] = (struct raft_entry){.term = prev + 1 + i, .batch = batch};
    return append;
}

static void what_the_snapshot_has_is_left_out_of_what_comes(void **state)
{
    struct raft raft = {
        .state = RAFT_FOLLOWER, .current_term = 5, .commit_index = 7, .trail = trail_behind(7, 5)};
    const struct {
        raft_index prev;
        unsigned count;
        raft_index prev_then;
        unsigned count_then;
    } cases[] = {
        {2, 0, 7, 0},  {2, 3, 7, 0},   {2, 5, 7, 0}, {2, 6, 7, 1},   {0, 12, 7, 5},
        {3, 10, 7, 6}, {4, 10, 4, 10}, {7, 2, 7, 2}, {20, 1, 20, 1},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft_append_entries append = entries_behind(cases[i].prev, cases[i].count);
        guard_begin_after_snapshot(&raft, &append);
        assert_int_equal(append.prev_log_index, cases[i].prev_then);
        assert_int_equal(append.n_entries, cases[i].count_then);
        if (append.prev_log_index != cases[i].prev)
            assert_int_equal(append.prev_log_term, 5);
        for (unsigned at = 0; at < append.n_entries; at++)
            assert_int_equal(append.entries[at].term, append.prev_log_index + 1 + at);
        if (append.n_entries > 0) {
            raft_free(append.entries[0].batch);
            raft_free(append.entries);
        }
    }
    struct raft_append_entries old = entries_behind(2, 0);
    old.term = 4; /* of a primary that was: libraft refuses it */
    guard_begin_after_snapshot(&raft, &old);
    assert_int_equal(old.prev_log_index, 2);
}

/* A server that knows of 1, committed at entry 3, and of 1 and 2, pending at entry 7. */
static void open_pending(struct raft *raft)
{
    *raft = (struct raft){
        .state = RAFT_FOLLOWER, .current_term = 5, .commit_index = 6, .trail = trail_behind(3, 1)};
    raft_configuration_init(&raft->configuration_committed);
    raft_configuration_init(&raft->configuration);
    raft->configuration_committed_index = 3;
    raft->configuration_uncommitted_index = 7;
    assert_int_equal(raft_configuration_add(&raft->configuration_committed, 1, "1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&raft->configuration, 1, "1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&raft->configuration, 2, "2", RAFT_STANDBY), 0);
}

static void close_pending(struct raft *raft)
{
    raft_configuration_close(&raft->configuration_committed);
    raft_configuration_close(&raft->configuration);
}

static void the_next_change_of_members_makes_the_last_one_committed(void **state)
{
    struct raft raft;
    struct raft_entry entries[] = {{.term = 5, .type = RAFT_COMMAND},
                                   {.term = 5, .type = RAFT_CHANGE}};
    const struct raft_append_entries next = {
        .term = 5, .prev_log_index = 9, .prev_log_term = 5, .entries = entries, .n_entries = 2};
    (void)state;
    open_pending(&raft);
    assert_int_equal(guard_keep_members(&raft, &next), 0);
    assert_int_equal(raft.configuration_uncommitted_index, 0);
    assert_int_equal(raft.configuration_committed_index, 7);
    assert_int_equal(raft.configuration_committed.n, 2);
    assert_int_equal(raft.configuration_committed.servers[1].role, RAFT_STANDBY);
    assert_int_equal(raft.configuration.n, 2); /* one copy each */
    close_pending(&raft);

    struct raft_append_entries others[] = {next, next, next, next};
    others[0].n_entries = 1;                                   /* no change */
    others[1].prev_log_term = 4;                               /* behind another log */
    others[2].term = 4;                                        /* of a primary that was */
    others[3].prev_log_index = 6, others[3].prev_log_term = 2; /* the same one again */
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        open_pending(&raft);
        assert_int_equal(guard_keep_members(&raft, &others[i]), 0);
        assert_int_equal(raft.configuration_uncommitted_index, 7);
        assert_int_equal(raft.configuration_committed_index, 3);
        assert_int_equal(raft.configuration_committed.n, 1);
        close_pending(&raft);
    }
}

static void a_snapshot_goes_out_with_its_own_term(void **state)
{
    /* libraft decided to send the snapshot at 3, and found one at 8 on the disk. */
    struct raft raft = {.state = RAFT_LEADER, .current_term = 5, .trail = trail_behind(3, 1)};
    struct raft_message install = {.type = RAFT_INSTALL_SNAPSHOT,
                                   .install_snapshot = {.last_index = 3, .last_term = 1}};
    struct raft_message append = {.type = RAFT_APPEND_ENTRIES};
    (void)state;
    assert_true(guard_may_send(&raft, &append));
    assert_true(guard_may_send(&raft, &install));
    install.install_snapshot.last_index = 8;
    assert_false(guard_may_send(&raft, &install));
    install.install_snapshot.last_term = 5;
    assert_true(guard_may_send(&raft, &install));
    install.install_snapshot.last_index = 2; /* older than what the log begins with */
    assert_true(guard_may_send(&raft, &install));
}

static void a_refusal_without_an_index_is_read(void **state)
{
    struct raft_message sent = {
        .type = RAFT_APPEND_ENTRIES_RESULT,
        .append_entries_result = {.term = 9, .rejected = 4, .last_log_index = UINT64_MAX}};
    struct raft_message read;
    struct buf bytes;
    (void)state;
    encode(&bytes, &sent);
    assert_int_equal(message_decode(&read, buf_text(&bytes)), 0);
    assert_int_equal(read.append_entries_result.term, 9);
    assert_int_equal(read.append_entries_result.last_log_index, 0);
    buf_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_small_ones_come_out_as_they_went_in),
        cmocka_unit_test(a_snapshot_brings_its_configuration),
        cmocka_unit_test(entries_go_in_pieces_and_a_change_comes_first_in_its_own),
        cmocka_unit_test(what_libraft_takes_for_granted_is_checked),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_survived),
        cmocka_unit_test(messages_that_would_harm_libraft_do_not_reach_it),
        cmocka_unit_test(committed_entries_are_not_replaced),
        cmocka_unit_test(what_the_snapshot_has_is_left_out_of_what_comes),
        cmocka_unit_test(the_next_change_of_members_makes_the_last_one_committed),
        cmocka_unit_test(a_snapshot_goes_out_with_its_own_term),
        cmocka_unit_test(a_refusal_without_an_index_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
