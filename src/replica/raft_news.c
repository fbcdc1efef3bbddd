#include "base/clock.h"
#include "replica/guard.h"
#include "replica/raft_copy.h"
#include "replica/raft_links.h"
#include "replica/raft_ready.h"
#include "replica/raft_witness.h"

#include <stdlib.h>
#include <string.h>

enum { NEWS_MAX = 64 * 1024, UP_MS = 1500 };

const char *const server_role_names[] = {"primary", "secondary", "standby", "witness"};
const char *const server_state_names[] = {"up", "down", "joining", "copying", "leaving"};

/* ---- Our own ---- */

/* The last entry that the copy has, counting those without commands. */
static uint64_t applied_of(const struct replica *replica)
{
    uint64_t applied = applier_applied(replica->applier);
    uint64_t given = raft_last_applied((struct raft *)&replica->raft);
    if (witness_here(replica))
        return given;
    return applied >= replica->last_command && given > applied ? given : applied;
}

/* Keeps in mind since when entries have been known to be committed; then how long the copy has
 * lacked the first that it lacks. */
static uint64_t lag_ms(struct links *links, uint64_t commit, uint64_t applied, uint64_t now_ns)
{
    unsigned gone = 0, count = links->sample_count;
    while (gone < count && links->samples[gone].index <= applied)
        gone++;
    count -= gone;
    memmove(links->samples, links->samples + gone, count * sizeof *links->samples);
    uint64_t known = count == 0 ? applied : links->samples[count - 1].index;
    if (commit > known) {
        bool merge = count > 0 && (count == LAG_SAMPLES ||
                                   now_ns - links->samples[count - 1].ns < SAMPLE_MS * MS_NS);
        if (merge) { /* a little too early is right for most of them */
            links->samples[count - 1].index = commit;
        } else {
            links->samples[count].index = commit;
            links->samples[count++].ns = now_ns;
        }
    }
    links->sample_count = count;
    return count == 0 ? 0 : (now_ns - links->samples[0].ns) / MS_NS;
}

static void tell_matches(struct replica *replica, struct news *news)
{
    const struct raft_configuration *members = &replica->raft.configuration;
    for (unsigned i = 0; i < members->n && news->match_count < BOOK_PLACES; i++) {
        struct news_match match = {.server = members->servers[i].id};
        raft_index index;
        if (match.server == replica->config.id ||
            raft_match_index(&replica->raft, match.server, &index) != 0)
            continue;
        match.index = index;
        news->matches[news->match_count++] = match;
    }
}

static void own_news(struct replica *replica, struct news *news)
{
    struct links *links = replica->links;
    raft_id leader = 0;
    const char *address;
    raft_leader(&replica->raft, &leader, &address);
    uint64_t last = raft_last_index(&replica->raft);
    *news = (struct news){.term = raft_current_term(&replica->raft),
                          .leader = leader,
                          .last_index = last,
                          .last_term = guard_term_of(&replica->raft, last),
                          .commit_index = raft_commit_index(&replica->raft),
                          .applied_index = applied_of(replica),
                          .applied_time_ms = applier_applied_time(replica->applier),
                          .lag_entries = atomic_load(&replica->order.lag_entries),
                          .lag_ms = atomic_load(&replica->order.lag_ms),
                          .ready = atomic_load(&replica->order.ready),
                          .standing = links->succession.stood};
    pthread_mutex_lock(&links->mutex);
    news->preferred = links->view.preferred;
    news->readiness = links->view.readiness;
    news->leaving = links->leaving;
    pthread_mutex_unlock(&links->mutex);
    if (witness_here(replica))
        news->matches[news->match_count++] =
            (struct news_match){replica->config.id, witness_gives_from(replica)};
    else if (leader == replica->config.id)
        tell_matches(replica, news);
    if (replica->copying != NULL && replica->copying->sender != NULL) {
        struct copy_progress progress;
        copy_sender_look(replica->copying->sender, &progress);
        news->copy_to = progress.to;
        news->copy_sent = progress.sent;
        news->copy_size = progress.size;
    }
}

/* Ready: there is a primary, we reach it (or are it), and have once had all that was committed
 * when we first heard of one. */
static void say_primary(struct replica *replica, uint64_t leader)
{
    struct links *links = replica->links;
    unsigned long long term = raft_current_term(&replica->raft);
    if (leader == links->said_leader)
        return;
    links->said_leader = leader;
    if (leader == 0)
        log_line(replica->config.log, LOG_WARN, "replica", "no primary in term %llu", term);
    else
        log_line(replica->config.log, LOG_INFO, "replica", "server %llu is primary in term %llu",
                 (unsigned long long)leader, term);
}

void links_watch(struct replica *replica, uint64_t now_ns)
{
    struct links *links = replica->links;
    uint64_t leader = atomic_load(&replica->order.primary_id);
    uint64_t commit = raft_commit_index(&replica->raft), applied = applied_of(replica);
    uint64_t heard;
    say_primary(replica, leader);
    if (leader != 0 && links->catch_up == 0 && commit > 0) {
        const struct news *news = links_news_of(replica, leader, &heard);
        if (leader == replica->config.id)
            links->catch_up = raft_last_index(&replica->raft);
        else if (news != NULL && news->leader == leader)
            links->catch_up = news->commit_index > commit ? news->commit_index : commit;
    }
    if (!links->caught_up)
        replica->turn_ns = 0; /* the start is not counted as a long turn */
    links->caught_up |= links->catch_up != 0 && applied >= links->catch_up;
    bool reached =
        leader != 0 && (leader == replica->config.id || peers_link(replica->peers, leader) != 0);
    bool ready = links->caught_up && reached;
    atomic_store(&replica->order.lag_entries, commit > applied ? commit - applied : 0);
    atomic_store(&replica->order.lag_ms, lag_ms(links, commit, applied, now_ns));
    if (ready == atomic_load(&replica->order.ready))
        return;
    pthread_mutex_lock(&replica->mutex);
    atomic_store(&replica->order.ready, ready);
    pthread_cond_broadcast(&replica->changed);
    pthread_mutex_unlock(&replica->mutex);
}

/* ---- To the others ---- */

static void gather_book(struct links *links, struct news_book *book)
{
    book->place_count = book_places(&links->book, book->places);
    book->removed_count = book_all_removed(&links->book, book->removed);
}

/* To SERVER, or to all (0). */
static void tell(struct replica *replica, uint64_t server, bool with_book)
{
    struct news news;
    struct buf out;
    struct news_book *book = with_book ? malloc(sizeof *book) : NULL;
    if (book != NULL)
        gather_book(replica->links, book);
    own_news(replica, &news);
    buf_init(&out, NEWS_MAX);
    news_encode(&out, &news, book);
    free(book);
    for (unsigned i = 0; !out.failed && i < PEERS_MAX; i++) {
        uint64_t id = replica->links->others[i].id;
        if (id != 0 && (server == 0 || id == server))
            peers_send(replica->peers, id, FRAME_NEWS, buf_text(&out));
    }
    buf_close(&out);
}

void links_tell_news(struct replica *replica, bool with_book)
{
    tell(replica, 0, with_book);
}

static struct acquaintance *acquaint(struct links *links, uint64_t server)
{
    struct acquaintance *place = NULL;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (links->others[i].id == server)
            return &links->others[i];
        if (links->others[i].id == 0 && place == NULL)
            place = &links->others[i];
    }
    if (place != NULL)
        *place = (struct acquaintance){.id = server};
    return place;
}

void links_tell_news_to(struct replica *replica, uint64_t server)
{
    if (acquaint(replica->links, server) != NULL)
        tell(replica, server, true);
}

/* ---- From the others ---- */

void links_note_news(struct replica *replica, uint64_t server, const struct news *news)
{
    struct acquaintance *other = acquaint(replica->links, server);
    if (other == NULL)
        return;
    other->news = *news;
    other->heard_ns = clock_mono_ns();
    /* Our own registry may be older than the primary's: we may apply late. */
    if (server == witness_no_primary(&replica->raft) && news->leader == server)
        ready_believe(replica, &news->readiness);
}

const struct news *links_news_of(const struct replica *replica, uint64_t server, uint64_t *heard_ns)
{
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        const struct acquaintance *other = &replica->links->others[i];
        if (other->id == server && server != 0 && other->heard_ns != 0) {
            *heard_ns = other->heard_ns;
            return &other->news;
        }
    }
    return NULL;
}

static void forget_removed(struct links *links)
{
    for (unsigned i = 0; i < PEERS_MAX; i++)
        if (links->others[i].id != 0 && book_removed(&links->book, links->others[i].id))
            links->others[i].id = 0;
}

/* ---- Status ---- */

void links_publish(struct replica *replica)
{
    struct links *links = replica->links;
    const struct raft_configuration *members = &replica->raft.configuration;
    struct news own;
    own_news(replica, &own);
    pthread_mutex_lock(&links->mutex);
    struct links_view *view = &links->view;
    view->primary = own.leader;
    view->own = own;
    view->member_count = 0;
    for (unsigned i = 0; i < members->n && view->member_count < BOOK_PLACES; i++) {
        uint64_t id = members->servers[i].id;
        view->members[view->member_count].id = id;
        view->members[view->member_count].role = members->servers[i].role;
        view->members[view->member_count].witness = witness_is(&members->servers[i]);
        view->members[view->member_count].overdue = witness_keeps_much(replica, id);
        view->members[view->member_count++].linked =
            peers_link(replica->peers, id) != 0 && peers_hears(replica->peers, id);
    }
    if (raft_role(&replica->raft) < 0 && view->member_count < BOOK_PLACES) {
        view->members[view->member_count].id = replica->config.id; /* it is to be taken in */
        view->members[view->member_count].role = RAFT_SPARE;
        view->members[view->member_count].witness = witness_here(replica);
        view->members[view->member_count].overdue = false;
        view->members[view->member_count++].linked = true;
    }
    memcpy(view->others, links->others, sizeof view->others);
    pthread_mutex_unlock(&links->mutex);
}

void links_pulse_news(struct replica *replica, uint64_t now_ns)
{
    struct links *links = replica->links;
    raft_term term = raft_current_term(&replica->raft);
    uint64_t leader = atomic_load(&replica->order.primary_id);
    bool changed = term != links->news_term || leader != links->news_leader;
    bool book = now_ns - links->book_news_ns > NEWS_BOOK_MS * MS_NS;
    if (changed || now_ns - links->news_ns > NEWS_MS * MS_NS || links->book_news_ns == 0) {
        forget_removed(links);
        links_tell_news(replica, book);
        links->news_ns = now_ns;
        links->book_news_ns = book ? now_ns : links->book_news_ns;
        links->news_term = term;
        links->news_leader = leader;
    }
    links_publish(replica);
}

static const struct acquaintance *seen(const struct links_view *view, uint64_t id)
{
    for (unsigned i = 0; i < PEERS_MAX; i++)
        if (view->others[i].id == id && view->others[i].heard_ns != 0)
            return &view->others[i];
    return NULL;
}

/* Of a log, and where a witness's begins. */
static void fill_log(struct server_status *server, const struct news *news)
{
    server->last_index = news->last_index;
    server->last_term = news->last_term;
    for (unsigned i = 0; i < news->match_count; i++)
        if (server->role == SERVER_WITNESS && news->matches[i].server == server->place.id)
            server->gives_from = news->matches[i].index;
}

static void fill(struct server_status *server, const struct news *news)
{
    server->term = news->term;
    server->index = news->applied_index;
    server->lag_entries = news->lag_entries;
    server->lag_ms = news->lag_ms;
    if (news->leaving)
        server->state = SERVER_LEAVING;
    else if (!server->vote && !news->ready)
        server->state = SERVER_JOINING;
    else
        server->state = SERVER_UP;
}

/* Who gets a copy is not heard of until it is there: who sends it says how it goes. */
static void look_for_copy(struct server_status *server, const struct links_view *view,
                          uint64_t now_ns)
{
    const struct news *sender = view->own.copy_to == server->place.id ? &view->own : NULL;
    for (unsigned i = 0; i < PEERS_MAX && sender == NULL; i++) {
        const struct acquaintance *other = &view->others[i];
        if (other->id != 0 && other->heard_ns != 0 && now_ns - other->heard_ns < UP_MS * MS_NS &&
            other->news.copy_to == server->place.id)
            sender = &other->news;
    }
    if (sender == NULL || sender->copy_sent >= sender->copy_size)
        return;
    server->state = SERVER_COPYING;
    server->copied_bytes = sender->copy_sent;
    server->copy_bytes = sender->copy_size;
}

static void describe(struct server_status *server, const struct links_view *view, unsigned member,
                     uint64_t own, uint64_t now_ns)
{
    uint64_t id = view->members[member].id;
    struct server_readiness readiness = readiness_of(&view->readiness, id);
    server->ready = readiness.kind;
    server->every_ms = readiness.every_ms;
    server->vote = view->members[member].role == RAFT_VOTER;
    server->overdue = view->members[member].overdue;
    server->role = view->members[member].witness ? SERVER_WITNESS
                   : id == view->primary         ? SERVER_PRIMARY
                   : server->vote                ? SERVER_SECONDARY
                                                 : SERVER_STANDBY;
    server->preferred = id == view->preferred;
    server->state = SERVER_DOWN;
    const struct acquaintance *other = seen(view, id);
    if (id == own)
        fill(server, &view->own);
    else if (other != NULL && view->members[member].linked &&
             now_ns - other->heard_ns < UP_MS * MS_NS)
        fill(server, &other->news);
    else if (other != NULL) { /* as it was when it was last heard */
        server->term = other->news.term;
        server->index = other->news.applied_index;
        if (view->own.commit_index > server->index)
            server->lag_entries = view->own.commit_index - server->index;
        server->lag_ms = (now_ns - other->heard_ns) / MS_NS;
    }
    if (id == own || other != NULL)
        fill_log(server, id == own ? &view->own : &other->news);
    if (server->state == SERVER_DOWN)
        look_for_copy(server, view, now_ns);
}

static void status_alone(struct replica *replica, struct cluster_status *status)
{
    struct order_status_report report;
    order_report(&replica->order, &report);
    status->own = status->primary = replica->config.id;
    status->count = 1;
    status->servers[0] = (struct server_status){.place = {.id = replica->config.id},
                                                .role = SERVER_PRIMARY,
                                                .vote = true,
                                                .state = SERVER_UP,
                                                .term = report.term,
                                                .index = report.applied_index};
}

void replica_status(struct replica *replica, struct cluster_status *status)
{
    struct links *links = replica->links;
    memset(status, 0, sizeof *status);
    if (links == NULL) {
        status_alone(replica, status);
        return;
    }
    struct links_view *view = malloc(sizeof *view);
    status->cluster = links->config.id;
    status->own = replica->config.id;
    if (view == NULL)
        return;
    pthread_mutex_lock(&links->mutex);
    *view = links->view;
    pthread_mutex_unlock(&links->mutex);
    status->failback = view->readiness.failback;
    /* Whoever is told of a new primary asks it at once: it must know by then that it is it. */
    status->primary = view->primary = atomic_load(&replica->order.primary_id);
    uint64_t now = clock_mono_ns();
    for (unsigned i = 0; i < view->member_count; i++) {
        uint64_t id = view->members[i].id;
        unsigned at = status->count++;
        while (at > 0 && status->servers[at - 1].place.id > id) {
            status->servers[at] = status->servers[at - 1];
            at--;
        }
        struct server_status *server = &status->servers[at];
        *server = (struct server_status){.place = {.id = id}};
        book_find(&links->book, id, &server->place);
        describe(server, view, i, replica->config.id, now);
    }
    free(view);
}

const struct server_status *cluster_primary(const struct cluster_status *status)
{
    for (unsigned i = 0; i < status->count; i++)
        if (status->servers[i].place.id == status->primary)
            return &status->servers[i];
    return NULL;
}
