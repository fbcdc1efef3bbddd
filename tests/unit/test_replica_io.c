/* The guards around libraft's I/O, over an I/O that does what the test says. */
#include "base/check.h"
#include "base/clock.h"
#include "folder_fixture.h"
#include "replica/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* fatal does not return in the program; here it jumps back into the test. */
struct scene {
    struct io io;
    struct raft own; /* whose I/O it is */
    struct vote vote;
    struct latency append;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 8];
    jmp_buf fatal;
    char reason[700];
    bool behind, closed;
    unsigned asked_durable, received, entries, terms, votes, truncates;
    int status;          /* what the I/O below answers */
    const char *message; /* and what it leaves when that is no success */
    uv_sem_t *written;   /* told then; NULL: nobody waits */
    struct raft_io_append *append_request;
    struct raft_io_snapshot_put *put_request;
    struct raft_io_snapshot_get *get_request;
    unsigned put_trailing;
    uint64_t heard_term, heard_candidate; /* on disk when a message went out */
    raft_io_recv_cb receive;
};

static struct scene *scene_of(struct raft_io *raft)
{
    return CONTAINER_OF(CONTAINER_OF(raft, struct io, raft), struct scene, io);
}

static int below_set_term(struct raft_io *raft, raft_term term)
{
    struct scene *scene = scene_of(raft);
    (void)term;
    scene->terms++;
    if (scene->status != 0 && scene->message != NULL)
        snprintf(raft->errmsg, sizeof raft->errmsg, "%s", scene->message);
    if (scene->written != NULL)
        uv_sem_post(scene->written);
    return scene->status;
}

static int below_set_vote(struct raft_io *raft, raft_id id)
{
    (void)id;
    scene_of(raft)->votes++;
    return scene_of(raft)->status;
}

static int below_append(struct raft_io *raft, struct raft_io_append *request,
                        const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    (void)entries;
    (void)n;
    request->cb = done;
    scene_of(raft)->append_request = request;
    return scene_of(raft)->status;
}

static int below_truncate(struct raft_io *raft, raft_index index)
{
    (void)index;
    scene_of(raft)->truncates++;
    return scene_of(raft)->status;
}

static int below_snapshot_get(struct raft_io *raft, struct raft_io_snapshot_get *request,
                              raft_io_snapshot_get_cb done)
{
    request->cb = done;
    scene_of(raft)->get_request = request;
    return scene_of(raft)->status;
}

static int below_snapshot_put(struct raft_io *raft, unsigned trailing,
                              struct raft_io_snapshot_put *request,
                              const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    (void)snapshot;
    request->cb = done;
    scene_of(raft)->put_request = request;
    scene_of(raft)->put_trailing = trailing;
    return scene_of(raft)->status;
}

static int below_start(struct raft_io *raft, unsigned ms, raft_io_tick_cb tick,
                       raft_io_recv_cb receive)
{
    (void)ms;
    (void)tick;
    scene_of(raft)->receive = receive;
    return 0;
}

static void below_close(struct raft_io *raft, raft_io_close_cb closed)
{
    closed(raft);
}

static void scene_fatal(void *context, const char *reason)
{
    struct scene *scene = context;
    snprintf(scene->reason, sizeof scene->reason, "%s", reason);
    longjmp(scene->fatal, 1);
}

static void scene_ask(void *context)
{
    ((struct scene *)context)->asked_durable++;
}

static bool scene_behind(void *context)
{
    return ((struct scene *)context)->behind;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct failure failure;
    folder_make(scene->dir);
    snprintf(scene->file, sizeof scene->file, "%s/vote", scene->dir);
    assert_int_equal(vote_open(&scene->vote, scene->file, &failure), 0);
    struct raft_io *raft = &scene->io.raft;
    scene->own.id = 1;
    raft->data = &scene->own;
    raft->set_term = below_set_term;
    raft->set_vote = below_set_vote;
    raft->append = below_append;
    raft->truncate = below_truncate;
    raft->snapshot_put = below_snapshot_put;
    raft->snapshot_get = below_snapshot_get;
    raft->start = below_start;
    raft->close = below_close;
    io_guard(&scene->io,
             &(struct io_config){.dir = "DIR/raft",
                                 .append = &scene->append,
                                 .fatal = scene_fatal,
                                 .ask_durable = scene_ask,
                                 .behind = scene_behind,
                                 .context = scene},
             &scene->vote);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    vote_close(&scene->vote);
    folder_remove(scene->dir);
    free(scene);
    return 0;
}

/* True when the statement ended in fatal. */
#define DIES(scene, statement) (setjmp((scene)->fatal) != 0 ? 1 : ((void)(statement), 0))

static void a_vote_is_recorded_twice_and_given_once(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    assert_int_equal(raft->set_term(raft, 4), 0);
    assert_int_equal(raft->set_vote(raft, 2), 0);
    assert_int_equal(scene->vote.term, 4);
    assert_int_equal(scene->vote.candidate, 2);
    assert_int_equal(scene->terms + scene->votes, 2);
    assert_true(DIES(scene, raft->set_vote(raft, 3)));
    assert_non_null(strstr(scene->reason, "vote"));
    assert_int_equal(scene->votes, 1); /* not asked any more */
}

static int heard_of_term(void *context, const struct raft_message *message)
{
    struct scene *scene = context;
    struct vote found;
    struct failure failure;
    (void)message;
    assert_int_equal(vote_open(&found, scene->file, &failure), 0);
    scene->heard_term = found.term;
    scene->heard_candidate = found.candidate;
    vote_close(&found);
    return 0;
}

static void message_gone(struct raft_io_send *request, int status)
{
    (void)request;
    assert_int_equal(status, 0);
}

static void took_nothing(struct raft_io *raft, struct raft_message *message)
{
    (void)raft;
    (void)message;
}

static void nobody_hears_of_a_term_that_is_not_on_disk(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    struct raft_io_send request;
    struct raft_message message = {.type = RAFT_REQUEST_VOTE_RESULT};
    scene->io.config.send = heard_of_term;
    assert_int_equal(raft->start(raft, 100, NULL, took_nothing), 0);
    assert_int_equal(raft->set_term(raft, 4), 0);
    assert_int_equal(raft->send(raft, &request, &message, message_gone), 0);
    assert_int_equal(scene->heard_term, 4);
    assert_int_equal(scene->heard_candidate, 0);
    assert_int_equal(raft->set_term(raft, 5), 0);
    assert_int_equal(raft->set_vote(raft, 3), 0);
    assert_int_equal(raft->send(raft, &request, &message, message_gone), 0);
    assert_int_equal(scene->heard_term, 5);
    assert_int_equal(scene->heard_candidate, 3);
}

static void the_record_of_libraft_follows_when_the_election_is_over(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    assert_int_equal(raft->start(raft, 100, NULL, took_nothing), 0);
    assert_int_equal(raft->set_term(raft, 4), 0);
    assert_int_equal(raft->set_vote(raft, 2), 0);
    uint64_t now = scene->io.late.since_ns; /* not by a clock that may be late */
    io_settle(&scene->io, now);
    assert_int_equal(scene->terms + scene->votes, 0);
    io_settle(&scene->io, now + SEC_NS);
    assert_int_equal(scene->terms, 1);
    assert_int_equal(scene->votes, 1);
    io_settle(&scene->io, now + 2 * SEC_NS);
    assert_int_equal(scene->terms + scene->votes, 2);
    assert_int_equal(raft->set_term(raft, 5), 0);
    scene->status = RAFT_IOERR;
    now = scene->io.late.since_ns;
    assert_true(DIES(scene, io_settle(&scene->io, now + SEC_NS)));
    assert_non_null(strstr(scene->reason, "DIR/raft"));
}

static void note_fatal(void *context, const char *reason)
{
    struct scene *scene = context;
    snprintf(scene->reason, sizeof scene->reason, "%s", reason);
}

static void why_the_record_of_libraft_cannot_follow_is_said(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    uv_loop_t loop;
    uv_sem_t written;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_sem_init(&written, 0), 0);
    scene->io.config.loop = &loop;
    scene->io.config.fatal = note_fatal;
    scene->status = RAFT_IOERR;
    scene->message = "write: input/output error";
    scene->written = &written;
    assert_int_equal(raft->start(raft, 100, NULL, took_nothing), 0);
    assert_int_equal(raft->set_term(raft, 4), 0);
    io_settle(&scene->io, clock_mono_ns() + SEC_NS);
    uv_sem_wait(&written); /* the other thread has failed, and this one's loop goes on */
    io_check(&scene->io);
    assert_int_equal(scene->reason[0], 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_non_null(strstr(scene->reason, "write: input/output error"));
    uv_sem_destroy(&written);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_term_that_cannot_be_written_is_fatal(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    scene->status = RAFT_IOERR;
    assert_true(DIES(scene, raft->set_term(raft, 4)));
    assert_non_null(strstr(scene->reason, "DIR/raft"));
}

static void nothing_done(struct raft_io_append *request, int status)
{
    (void)status;
    *(unsigned *)request->data += 1;
}

static void a_failed_append_is_fatal_whichever_way_it_shows(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    unsigned answered = 0;
    struct raft_io_append request = {.data = &answered};
    struct raft_entry entry = {.buf = {.len = 64}};

    assert_true(raft->append(raft, &request, &entry, 1, nothing_done) == 0);
    scene->append_request->cb(scene->append_request, 0);
    assert_int_equal(answered, 1);
    uint64_t p50, p99;
    latency_quantiles(&scene->append, &p50, &p99);
    assert_true(scene->append.recorded == 1);

    /* libraft's I/O says nothing, but leaves a message */
    assert_true(raft->append(raft, &request, &entry, 1, nothing_done) == 0);
    if (DIES(scene, io_check(&scene->io)))
        fail_msg("fatal without a reason");
    snprintf(raft->errmsg, sizeof raft->errmsg, "write failed: -5");
    assert_true(DIES(scene, io_check(&scene->io)));
    assert_non_null(strstr(scene->reason, "write failed: -5"));
    assert_true(DIES(scene, scene->append_request->cb(scene->append_request, RAFT_IOERR)));
    raft->errmsg[0] = 0;
    scene->append_request->cb(scene->append_request, RAFT_CANCELED); /* closing is no failure */
    assert_int_equal(answered, 2);

    scene->status = RAFT_IOERR;
    assert_true(DIES(scene, raft->append(raft, &request, &entry, 1, nothing_done)));
    assert_true(DIES(scene, raft->truncate(raft, 5)));
    free(scene->append_request);
}

static void put_done(struct raft_io_snapshot_put *request, int status)
{
    *(int *)request->data = status;
}

static void a_snapshot_waits_until_the_database_is_on_disk(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    int done = -1;
    struct raft_io_snapshot_put request = {.data = &done};
    struct raft_snapshot snapshot = {.index = 9};
    scene->io.log_bytes = 1000;
    assert_int_equal(raft->snapshot_put(raft, 16, &request, &snapshot, put_done), 0);
    assert_int_equal(scene->asked_durable, 1);
    assert_null(scene->put_request);
    assert_true(scene->io.snapshot_running);
    assert_int_equal(scene->io.log_bytes, 0);
    io_durable(&scene->io);
    assert_non_null(scene->put_request);
    assert_int_equal(scene->put_trailing, 16);
    scene->put_request->cb(scene->put_request, 0);
    assert_int_equal(done, 0);
    assert_false(scene->io.snapshot_running);
}

static void got(struct raft_io_snapshot_get *request, struct raft_snapshot *snapshot, int status)
{
    (void)snapshot;
    *(int *)request->data = status;
}

static void a_snapshot_that_cannot_be_read_ends_the_server(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    int status = -1;
    struct raft_io_snapshot_get request = {.data = &status};
    assert_int_equal(raft->snapshot_get(raft, &request, got), 0);
    assert_true(DIES(scene, scene->get_request->cb(scene->get_request, NULL, RAFT_IOERR)));
    assert_non_null(strstr(scene->reason, "a snapshot cannot be read"));
    assert_int_equal(status, -1);
    scene->get_request->cb(scene->get_request, NULL, RAFT_CANCELED); /* closing is no failure */
    assert_int_equal(status, RAFT_CANCELED);
}

static void snapshot_closed(struct raft_io *raft)
{
    scene_of(raft)->closed = true;
}

static void closing_cancels_a_snapshot_that_waits(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    int done = -1;
    struct raft_io_snapshot_put request = {.data = &done};
    struct raft_snapshot snapshot = {.index = 9};
    assert_int_equal(raft->snapshot_put(raft, 16, &request, &snapshot, put_done), 0);
    raft->close(raft, snapshot_closed);
    assert_true(scene->closed);
    assert_int_equal(done, RAFT_CANCELED);
    io_durable(&scene->io); /* comes too late, and finds nothing */
    assert_null(scene->put_request);
}

static void a_snapshot_that_cannot_be_written_is_fatal(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    int done = -1;
    struct raft_io_snapshot_put request = {.data = &done};
    struct raft_snapshot snapshot = {.index = 9};
    assert_int_equal(raft->snapshot_put(raft, 16, &request, &snapshot, put_done), 0);
    scene->status = RAFT_IOERR;
    assert_true(DIES(scene, io_durable(&scene->io)));
    assert_int_equal(done, -1);
}

static void took(struct raft_io *raft, struct raft_message *message)
{
    (void)message;
    scene_of(raft)->received++;
}

static void receive(struct scene *scene, unsigned short type, unsigned entries)
{
    struct raft_message message = {.type = type};
    if (type == RAFT_APPEND_ENTRIES && entries > 0) {
        message.append_entries.n_entries = entries;
        message.append_entries.entries = raft_calloc(entries, sizeof(struct raft_entry));
        message.append_entries.entries[0].batch = raft_malloc(8);
    }
    if (type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_init(&message.install_snapshot.conf);
        assert_int_equal(raft_configuration_add(&message.install_snapshot.conf, 1, "a", 1), 0);
        message.install_snapshot.data.base = raft_malloc(8);
    }
    unsigned before = scene->received;
    scene->receive(&scene->io.raft, &message);
    if (scene->received == before)
        return; /* dropped, and freed */
    if (type == RAFT_APPEND_ENTRIES && message.append_entries.n_entries > 0) {
        scene->entries += message.append_entries.n_entries;
        raft_free(message.append_entries.entries[0].batch);
        raft_free(message.append_entries.entries);
    }
    if (type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message.install_snapshot.conf);
        raft_free(message.install_snapshot.data.base);
    }
}

static void messages_that_would_do_harm_now_are_dropped(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    assert_int_equal(raft->start(raft, 100, NULL, took), 0);
    receive(scene, RAFT_INSTALL_SNAPSHOT, 0);
    receive(scene, RAFT_APPEND_ENTRIES, 2);
    assert_int_equal(scene->received, 2);

    int done = -1;
    struct raft_io_snapshot_put request = {.data = &done};
    struct raft_snapshot snapshot = {.index = 9};
    assert_int_equal(raft->snapshot_put(raft, 16, &request, &snapshot, put_done), 0);
    receive(scene, RAFT_INSTALL_SNAPSHOT, 0); /* libraft would crash */
    assert_int_equal(scene->received, 2);
    receive(scene, RAFT_APPEND_ENTRIES, 2);
    assert_int_equal(scene->received, 3);

    scene->behind = true;
    scene->entries = 0;
    receive(scene, RAFT_APPEND_ENTRIES, 2); /* the leader sends them again; it is heard */
    assert_int_equal(scene->received, 4);
    assert_int_equal(scene->entries, 0);
    io_durable(&scene->io);
    scene->put_request->cb(scene->put_request, 0);
}

/* ---- A database that is ahead of its log ---- */

static int below_load(struct raft_io *raft, raft_term *term, raft_id *voted_for,
                      struct raft_snapshot **snapshot, raft_index *start,
                      struct raft_entry **entries, size_t *count)
{
    (void)raft;
    *term = *voted_for = 0;
    *snapshot = NULL;
    *entries = NULL;
    *start = 51; /* a log that ends at entry 50 */
    *count = 0;
    return 0;
}

static int load(struct scene *scene)
{
    raft_term term;
    raft_id voted_for;
    struct raft_snapshot *snapshot;
    raft_index start;
    struct raft_entry *entries;
    size_t count;
    return scene->io.raft.load(&scene->io.raft, &term, &voted_for, &snapshot, &start, &entries,
                               &count);
}

static unsigned sent;

static int scene_send(void *context, const struct raft_message *message)
{
    (void)context, (void)message;
    sent++;
    return 0;
}

static void told(struct raft_io_send *request, int status)
{
    (void)request, (void)status;
}

static void ask_for_vote(struct scene *scene, uint64_t last)
{
    struct raft_message message = {.type = RAFT_REQUEST_VOTE};
    message.request_vote.last_log_index = last;
    scene->receive(&scene->io.raft, &message);
}

static void stand(struct scene *scene)
{
    struct raft_message message = {.type = RAFT_REQUEST_VOTE};
    struct raft_io_send request;
    scene->io.raft.send(&scene->io.raft, &request, &message, told);
}

static void one_alone_whose_log_lost_its_end_is_refused(void **state)
{
    struct scene *scene = *state;
    scene->io.inner.load = below_load;
    scene->io.config.applied = 50;
    assert_int_equal(load(scene), 0);
    scene->io.config.applied = 60;
    assert_int_equal(load(scene), RAFT_CORRUPT);
    assert_non_null(strstr(scene->io.load_failure.text, "entry 60"));
}

static void one_of_several_waits_with_votes_until_its_log_has_what_it_has(void **state)
{
    struct scene *scene = *state;
    struct raft_io *raft = &scene->io.raft;
    scene->io.inner.load = below_load;
    scene->io.config.applied = 60;
    scene->io.config.several = true;
    scene->io.config.send = scene_send;
    assert_int_equal(load(scene), 0);
    assert_int_equal(raft->start(raft, 100, NULL, took), 0);
    ask_for_vote(scene, 59);
    assert_int_equal(scene->received, 0);
    ask_for_vote(scene, 60); /* that one has all that we have */
    assert_int_equal(scene->received, 1);
    sent = 0;
    stand(scene);
    assert_int_equal(sent, 0);
    io_log_reaches(&scene->io, 59);
    stand(scene);
    assert_int_equal(sent, 0);
    io_log_reaches(&scene->io, 60);
    stand(scene);
    assert_int_equal(sent, 1);
    ask_for_vote(scene, 12); /* libraft decides again */
    assert_int_equal(scene->received, 2);
}

int main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_SCENE(a_vote_is_recorded_twice_and_given_once),
        IN_SCENE(nobody_hears_of_a_term_that_is_not_on_disk),
        IN_SCENE(the_record_of_libraft_follows_when_the_election_is_over),
        IN_SCENE(why_the_record_of_libraft_cannot_follow_is_said),
        IN_SCENE(a_term_that_cannot_be_written_is_fatal),
        IN_SCENE(a_failed_append_is_fatal_whichever_way_it_shows),
        IN_SCENE(a_snapshot_waits_until_the_database_is_on_disk),
        IN_SCENE(a_snapshot_that_cannot_be_read_ends_the_server),
        IN_SCENE(closing_cancels_a_snapshot_that_waits),
        IN_SCENE(a_snapshot_that_cannot_be_written_is_fatal),
        IN_SCENE(messages_that_would_do_harm_now_are_dropped),
        IN_SCENE(one_alone_whose_log_lost_its_end_is_refused),
        IN_SCENE(one_of_several_waits_with_votes_until_its_log_has_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
