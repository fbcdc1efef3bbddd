#include "replica/raft_links.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/guard.h"
#include "replica/membership.h"
#include "replica/message.h"
#include "replica/raft_copy.h"
#include "replica/raft_ready.h"
#include "replica/raft_witness.h"
#include "replica/rival.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SILENCE_LEAST_MS = 600,
    CHECK_MS = 100,
    SEND_MAX = 4 * 1024 * 1024, /* of one message */
    DEAD_LOOK_MS = 50,
    REMOVED_MS = 3000, /* how long they must have said so */
};

/* ---- The door's threads ---- */

static void door_place(void *context, struct server_place *place)
{
    struct links *links = ((struct replica *)context)->links;
    pthread_mutex_lock(&links->mutex);
    *place = links->place;
    pthread_mutex_unlock(&links->mutex);
}

static void door_linked(void *context, const struct server_place *other, bool connected, int fd,
                        struct tls *tls, struct buf *rest)
{
    peers_linked(((struct replica *)context)->peers, other, connected, fd, tls, rest);
}

static bool door_known(void *context, uint64_t id)
{
    struct replica *replica = context;
    return id != replica->config.id && !book_removed(&replica->links->book, id);
}

static void door_missed(void *context, uint64_t id, bool dead, bool removed, const char *why)
{
    peers_missed(((struct replica *)context)->peers, id, dead, removed, why);
}

static void door_join(void *context, struct channel *channel)
{
    const struct replica_cluster *cluster = &((struct replica *)context)->links->config;
    cluster->join(cluster->join_context, channel);
}

/* ---- The book ---- */

static void book_work(uv_work_t *work)
{
    struct links *links = CONTAINER_OF(work, struct links, book_work);
    if (book_write(links->config.book, buf_text(&links->book_text)) != 0)
        log_line(links->replica->config.log, LOG_WARN, "replica",
                 "%s: cannot be written; this server may not find the others after a restart",
                 links->config.book);
}

static void write_book(struct links *links);

static void book_written(uv_work_t *work, int status)
{
    struct links *links = CONTAINER_OF(work, struct links, book_work);
    (void)status;
    links->book_writing = false;
    if (links->book_changed)
        write_book(links);
}

static void write_book(struct links *links)
{
    links->book_changed = true;
    if (links->book_writing || links->config.book == NULL || links->replica->closing)
        return;
    links->book_changed = false;
    links->book_writing = true;
    buf_clear(&links->book_text);
    book_text(&links->book, &links->book_text);
    CHECK(uv_queue_work(&links->replica->loop, &links->book_work, book_work, book_written) == 0);
}

void links_arrange(struct replica *replica)
{
    struct links *links = replica->links;
    struct server_place places[BOOK_PLACES];
    uint64_t removed[BOOK_REMOVED];
    unsigned count = book_places(&links->book, places);
    unsigned removed_count = book_all_removed(&links->book, removed);
    for (unsigned i = 0; i < removed_count; i++)
        peers_unwant(replica->peers, removed[i]);
    for (unsigned i = 0; i < count; i++)
        if (places[i].id != replica->config.id)
            peers_want(replica->peers, places[i].id, places[i].address);
    write_book(links);
    links->book_news_ns = 0; /* tell it with the next news */
}

/* ---- Frames ---- */

static struct raft_server *own_entry(struct replica *replica)
{
    struct raft_configuration *configuration = &replica->raft.configuration;
    for (unsigned i = 0; i < configuration->n; i++)
        if (configuration->servers[i].id == replica->config.id)
            return &configuration->servers[i];
    return NULL;
}

/* A server without a vote, as far as it knows, is asked for it: it may have been given one by an
 * entry that has not reached it, and without its vote nobody may become the primary that sends the
 * entry. Raft has servers vote whatever their own configuration says (Ongaro's thesis, 2014,
 * section 4.1); libraft 0.22.1 refuses, and a standby never forgets a primary that is gone. */
static void receive_as_voter(struct replica *replica, struct raft_server *own,
                             struct raft_message *message)
{
    struct raft *raft = &replica->raft;
    int role = own->role;
    uint64_t now = raft->io->time(raft->io);
    if (raft->state == RAFT_FOLLOWER && now - raft->election_timer_start >= raft->election_timeout)
        raft->follower_state.current_leader.id = 0;
    own->role = RAFT_VOTER;
    io_receive(&replica->io, message);
    own = own_entry(replica);
    if (own != NULL)
        own->role = role;
}

static void receive(struct replica *replica, struct raft_message *message)
{
    struct raft_server *own = own_entry(replica);
    raft_index last = raft_last_index(&replica->raft);
    bool asks = message->type == RAFT_REQUEST_VOTE;
    struct raft_request_vote request = asks ? message->request_vote : (struct raft_request_vote){0};
    uint64_t from = message->server_id;
    witness_before_message(replica, message);
    rival_before_message(&replica->raft, last, guard_term_of(&replica->raft, last), message);
    if (asks && own != NULL && own->role != RAFT_VOTER)
        receive_as_voter(replica, own, message);
    else
        io_receive(&replica->io, message);
    if (asks)
        witness_after_request(replica, from, &request);
}

static int received_raft(struct replica *replica, uint64_t server, struct str payload)
{
    struct raft_message message;
    const char *why = "";
    int err = message_decode(&message, payload);
    if (err != 0)
        return err == ERR_NOMEM ? 0 : err; /* lost messages are sent again */
    message.server_id = server;
    message.server_address = "-"; /* the book knows; libraft only keeps a copy */
    if (message.type == RAFT_APPEND_ENTRIES_RESULT && witness_is_tired(replica))
        return 0; /* nothing of it is to be freed */
    if (message.type == RAFT_INSTALL_SNAPSHOT && raft_copy_hold(replica, server, &message))
        return 0;
    switch (guard_message(&replica->raft, server, &message, &why)) {
    case GUARD_PASS:
        if (message.type == RAFT_APPEND_ENTRIES_RESULT &&
            message.append_entries_result.term == raft_current_term(&replica->raft))
            leading_heard(&replica->order.leading, server, clock_boot_ns());
        if (message.type == RAFT_APPEND_ENTRIES) {
            guard_begin_after_snapshot(&replica->raft, &message.append_entries);
            if (guard_keep_members(&replica->raft, &message.append_entries) != 0)
                raft_thread_fatal(replica, "out of memory");
        }
        receive(replica, &message);
        return 0;
    case GUARD_DROP:
        message_free(&message);
        return 0;
    case GUARD_CUT:
        log_line(replica->config.log, LOG_ERROR, "replica", "server %llu breaks the rules: %s",
                 (unsigned long long)server, why);
        message_free(&message);
        return ERR_STATE;
    case GUARD_DAMAGED:
        break;
    }
    char reason[600];
    snprintf(reason, sizeof reason,
             "%s: server %llu is primary and its log contradicts what is committed here: one of "
             "the two has lost its log or was restored by itself. Stop the cluster and find out "
             "which (stoa audit --digest)",
             replica->log_dir, (unsigned long long)server);
    raft_thread_fatal(replica, reason);
}

static int received_news(struct replica *replica, uint64_t server, struct str payload)
{
    struct news news;
    struct news_book *told = malloc(sizeof *told);
    bool changed = false;
    if (told == NULL)
        return 0;
    int err = news_decode(payload, &news, told);
    for (unsigned i = 0; err == 0 && i < told->removed_count; i++)
        if (told->removed[i] != replica->config.id)
            changed |= book_remove(&replica->links->book, told->removed[i]);
    for (unsigned i = 0; err == 0 && i < told->place_count; i++)
        if (told->places[i].id != replica->config.id)
            changed |= book_note(&replica->links->book, &told->places[i]);
    free(told);
    if (err == 0)
        links_note_news(replica, server, &news);
    if (changed)
        links_arrange(replica);
    return err;
}

static int received(void *context, uint64_t server, uint64_t link, uint8_t kind, struct str payload)
{
    struct replica *replica = context;
    if (replica->closing)
        return 0;
    switch (kind) {
    case FRAME_RAFT:
        return received_raft(replica, server, payload);
    case FRAME_NEWS:
        return received_news(replica, server, payload);
    default:
        return raft_role_received(replica, server, link, kind, payload);
    }
}

int links_send(void *context, const struct raft_message *message)
{
    struct replica *replica = context;
    unsigned next = 0;
    bool more = true;
    size_t sum = 0;
    if (!guard_may_send(&replica->raft, message))
        return RAFT_NOCONNECTION; /* sent again, as it should be */
    if (message->type == RAFT_INSTALL_SNAPSHOT && witness_here(replica))
        return RAFT_NOCONNECTION; /* nobody would find the copy that it names */
    /* To a follower of which nothing is known yet, libraft sends all it may in each heartbeat.
     * What is left out counts as lost. */
    while (more && sum < SEND_MAX) {
        struct buf *out = replica->peers == NULL
                              ? NULL
                              : peers_begin(replica->peers, message->server_id, FRAME_RAFT);
        if (out == NULL)
            return RAFT_NOCONNECTION;
        size_t begun = out->len;
        more = message_encode(out, message, &next);
        sum += out->len - begun;
        atomic_fetch_add(&replica->order.sent_bytes, out->len - begun);
        if (peers_end(replica->peers, message->server_id) != 0)
            return RAFT_NOCONNECTION; /* so much waits that more would not help */
    }
    links_told(replica, message);
    return 0;
}

/* ---- Connections ---- */

static void up(void *context, uint64_t server, uint64_t link)
{
    (void)link;
    links_tell_news_to(context, server);
}

static void down(void *context, uint64_t server, uint64_t link)
{
    (void)context, (void)server, (void)link; /* raft_role sees that the link is another one */
}

static void met(void *context, const struct server_place *place)
{
    struct replica *replica = context;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        if (replica->links->removed_by[i] == place->id)
            replica->links->removed_by[i] = 0;
    if (place->id != replica->config.id && book_note(&replica->links->book, place))
        links_arrange(replica);
}

static void left(void *context, uint64_t server, uint64_t link)
{
    guests_left(((struct replica *)context)->guests, server, link);
}

static void gone(void *context, uint64_t server)
{
    links_gone(context, server);
}

/* As it wishes itself: it stops by itself too. */
static bool leaves(struct links *links)
{
    pthread_mutex_lock(&links->mutex);
    bool leaving = links->leaving;
    pthread_mutex_unlock(&links->mutex);
    return leaving;
}

static void removed(void *context, uint64_t server)
{
    struct replica *replica = context;
    struct links *links = replica->links;
    unsigned said = 0, free_place = PEERS_MAX;
    bool known = false;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        known |= links->removed_by[i] == server;
        if (links->removed_by[i] == 0)
            free_place = i;
    }
    if (!known && free_place < PEERS_MAX)
        links->removed_by[free_place] = server;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        said += links->removed_by[i] != 0;
    struct server_place places[BOOK_PLACES];
    unsigned known_places = book_places(&links->book, places);
    uint64_t now = clock_mono_ns();
    if (said == 1 && !known)
        links->removed_ns = now;
    if (!membership_believes_removal(said, links->member_count, known_places) ||
        now - links->removed_ns < REMOVED_MS * MS_NS || leaves(links))
        return;
    char reason[300];
    snprintf(reason, sizeof reason,
             "this server (%llu) was removed from the cluster; it cannot come back under its id. "
             "To have it again, join the cluster with a new token and an empty directory",
             (unsigned long long)replica->config.id);
    raft_thread_fatal(replica, reason);
}

/* ---- Begin and end ---- */

static void pulse(uv_timer_t *timer)
{
    struct replica *replica = timer->data;
    struct links *links = replica->links;
    uint64_t now = clock_mono_ns();
    if (replica->closing)
        return;
    if (now - links->check_ns > CHECK_MS * MS_NS) {
        links->check_ns = now;
        peers_check(replica->peers, now);
    }
    if (atomic_exchange(&links->place_changed, false))
        links_arrange(replica);
    links_pulse_change(replica, now);
    links_pulse_news(replica, now);
}

void links_turn(struct replica *replica)
{
    if (replica->links == NULL || replica->closing)
        return;
    uint64_t now = clock_mono_ns();
    links_watch(replica, now);
    ready_turn(replica);
    witness_turn(replica, now);
    links_turn_change(replica, now);
    links_succeed(replica, now);
    links_tell_commits(replica);
    peers_flush(replica->peers);
}

static void note_own_place(struct replica *replica)
{
    struct links *links = replica->links;
    const struct replica_cluster *config = &links->config;
    struct server_place *place = &links->place, before;
    place->id = replica->config.id;
    place->pid = (uint64_t)getpid();
    place->since_ms = clock_wall_ms();
    if (book_find(&links->book, place->id, &before) && before.since_ms >= place->since_ms)
        place->since_ms = before.since_ms + 1; /* a clock that was put back */
    snprintf(place->address, sizeof place->address, "%s",
             config->address != NULL ? config->address : config->listen);
    snprintf(place->url, sizeof place->url, "%s", config->url != NULL ? config->url : "");
    book_note(&links->book, place);
}

static struct peers *make_peers(struct replica *replica)
{
    uint32_t silence = 2 * replica->config.election_ms;
    return peers_new(&(struct peers_config){
        .loop = &replica->loop,
        .log = replica->config.log,
        .silence_ms = silence < SILENCE_LEAST_MS ? SILENCE_LEAST_MS : silence,
        .wake = raft_thread_wake,
        .listener = {.context = replica,
                     .received = received,
                     .up = up,
                     .down = down,
                     .met = met,
                     .left = left,
                     .gone = gone,
                     .removed = removed}});
}

int links_begin(struct replica *replica)
{
    struct links *links = calloc(1, sizeof *links);
    if (links == NULL)
        return fail(&replica->failure, ERR_NOMEM, "out of memory");
    replica->links = links;
    links->replica = replica;
    links->config = *replica->config.cluster;
    links->view.preferred = links->config.preferred;
    pthread_mutex_init(&links->mutex, NULL);
    pthread_cond_init(&links->let_go, NULL);
    buf_init(&links->book_text, BOOK_TEXT_MAX);
    book_open(&links->book, links->config.book);
    for (unsigned i = 0; i < links->config.founder_count; i++)
        book_note(&links->book, &links->config.founders[i]);
    note_own_place(replica);
    CHECK(uv_timer_init(&replica->loop, &links->pulse) == 0);
    CHECK(uv_timer_init(&replica->loop, &links->soon) == 0);
    links->pulse.data = replica;
    replica->peers = make_peers(replica);
    if (replica->peers == NULL || links_change_begin(replica) != 0)
        return fail(&replica->failure, ERR_NOMEM, "out of memory");
    links->tls = tls_context_cluster(links->config.certificate, links->config.key,
                                     links->config.authority, &replica->failure);
    return links->tls == NULL ? replica->failure.err : 0;
}

int links_open(struct replica *replica)
{
    struct links *links = replica->links;
    uint16_t port;
    struct door_config config = {.listen = links->config.listen,
                                 .tls = links->tls,
                                 .cluster = links->config.id,
                                 .generation = links->config.generation,
                                 .log = replica->config.log,
                                 .context = replica,
                                 .place = door_place,
                                 .linked = door_linked,
                                 .known = door_known,
                                 .copy = raft_copy_serve,
                                 .join = links->config.join != NULL ? door_join : NULL,
                                 .missed = door_missed};
    int err = door_start(&config, &links->door, &port, &replica->failure);
    if (err != 0)
        return err;
    peers_use_door(replica->peers, links->door);
    links_arrange(replica);
    CHECK(uv_timer_start(&links->pulse, pulse, PULSE_MS, PULSE_MS) == 0);
    return 0;
}

static void let_go_of_door(struct replica *replica)
{
    struct links *links = replica->links;
    if (replica->peers != NULL)
        peers_use_door(replica->peers, NULL);
    pthread_mutex_lock(&links->mutex);
    links->door_let_go = true;
    pthread_cond_signal(&links->let_go);
    pthread_mutex_unlock(&links->mutex);
}

void links_woken(struct replica *replica)
{
    if (replica->links == NULL)
        return;
    peers_take(replica->peers);
    if (atomic_exchange(&replica->links->door_wanted, false))
        let_go_of_door(replica);
}

/* The door's threads may wait for the Raft thread (a join does), which therefore goes on. */
void links_shut_door(struct replica *replica)
{
    struct links *links = replica->links;
    if (links == NULL || links->door == NULL)
        return;
    atomic_store(&links->door_wanted, true);
    raft_thread_wake(replica);
    pthread_mutex_lock(&links->mutex);
    while (!links->door_let_go && !atomic_load(&replica->dead)) {
        uint64_t at = (uint64_t)clock_wall_ms() + DEAD_LOOK_MS;
        pthread_cond_timedwait(&links->let_go, &links->mutex,
                               &(struct timespec){.tv_sec = (time_t)(at / 1000),
                                                  .tv_nsec = (long)(at % 1000 * MS_NS)});
    }
    bool let_go = links->door_let_go;
    pthread_mutex_unlock(&links->mutex);
    if (!let_go)
        return; /* the process is about to end */
    door_stop(links->door);
    links->door = NULL;
}

void links_close(struct replica *replica)
{
    struct links *links = replica->links;
    if (links == NULL || links->closed)
        return;
    links->closed = true;
    if (replica->peers != NULL)
        peers_close(replica->peers);
    if (links->change != NULL)
        links_change_close(replica);
    uv_close((uv_handle_t *)&links->pulse, NULL);
    uv_close((uv_handle_t *)&links->soon, NULL);
}

void links_free(struct replica *replica)
{
    struct links *links = replica->links;
    if (links == NULL)
        return;
    door_stop(links->door); /* its threads may still have been waiting for an answer of ours */
    if (replica->peers != NULL)
        peers_free(replica->peers);
    replica->peers = NULL;
    links_change_free(replica);
    tls_context_free(links->tls);
    book_close(&links->book);
    buf_close(&links->book_text);
    pthread_cond_destroy(&links->let_go);
    pthread_mutex_destroy(&links->mutex);
    free(links);
    replica->links = NULL;
}
