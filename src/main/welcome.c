#include "main/welcome.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "main/file.h"
#include "main/join_words.h"
#include "main/register.h"
#include "replica/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Behind the time in the registry, where a token is a witness's. Whoever wrote the token's text
 * anew is given no more by it. */
#define WITNESS_END " witness"

enum { STEP_MS = 10000, DONE_MS = 10000, ID_TRIES = 20, VALUE = 32, STALE_MAX = 16 };

/* ---- Tokens ---- */

static int read_pem(const char *path, struct buf *out, struct failure *failure)
{
    int err = file_read_all(path, out, failure);
    return err == ERR_NOTFOUND ? fail(failure, err, "%s is not there", path) : err;
}

/* The members' addresses: our own first, as it is up; then those that are, then the others. */
static void list_addresses(const struct welcome *welcome, struct token *token)
{
    struct cluster_status *status = malloc(sizeof *status);
    if (!status)
        return;
    replica_status(welcome->replica, status);
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < status->count; i++) {
            const struct server_status *server = &status->servers[i];
            bool own = server->place.id == status->own, up = server->state == SERVER_UP;
            int its_round = own ? 0 : up ? 1 : 2;
            if (its_round == round && server->place.address[0] &&
                token->address_count < TOKEN_ADDRESSES)
                strcpy(token->addresses[token->address_count++], server->place.address);
        }
    free(status);
}

struct stale {
    int64_t now_ms;
    unsigned count;
    char keys[STALE_MAX][TOKEN_KEY];
};

static int read_kept(struct str value, int64_t *expires, bool *witness)
{
    struct str end = STR(WITNESS_END);
    *witness = value.len > end.len && str_eq(str_from(value, value.len - end.len), end);
    return str_to_i64(*witness ? str_make(value.at, value.len - end.len) : value, expires);
}

static int note_stale(void *context, struct str key, struct str value)
{
    struct stale *stale = context;
    int64_t expires;
    bool witness;
    if (key.len < TOKEN_KEY && stale->count < STALE_MAX &&
        (read_kept(value, &expires, &witness) || expires <= stale->now_ms))
        str_copy(stale->keys[stale->count++], TOKEN_KEY, key);
    return 0;
}

/* Tokens that nobody used in time, so that they do not pile up. */
static void forget_stale(const struct welcome *welcome)
{
    struct stale *stale = calloc(1, sizeof *stale);
    if (!stale)
        return;
    stale->now_ms = clock_wall_ms();
    if (register_each(welcome->dir->database, "token/", note_stale, stale, NULL) == 0)
        for (unsigned i = 0; i < stale->count; i++) {
            struct registration what = {.key = stale->keys[i]};
            register_put(replica_order(welcome->replica), &what, NULL);
        }
    free(stale);
}

static int keep_token(const struct welcome *welcome, const struct token *token,
                      struct failure *failure)
{
    char key[TOKEN_KEY], expires[VALUE];
    token_key(token->secret, key);
    snprintf(expires, sizeof expires, "%lld%s", (long long)token->expires_ms,
             token->witness ? WITNESS_END : "");
    struct registration what = {.key = key, .value = str_of(expires), .condition = REGISTRY_ABSENT};
    return register_put(replica_order(welcome->replica), &what, failure);
}

int welcome_token(const struct welcome *welcome, uint64_t lifetime_s, bool witness,
                  struct buf *text, struct failure *failure)
{
    struct buf authority;
    struct token *token = calloc(1, sizeof *token);
    if (!token)
        return fail(failure, ERR_NOMEM, "out of memory");
    buf_init(&authority, CLUSTER_PEM_MAX);
    token->cluster = welcome->cluster->id;
    token->witness = witness;
    token->expires_ms = clock_wall_ms() + (int64_t)lifetime_s * 1000;
    random_secret(token->secret, sizeof token->secret);
    list_addresses(welcome, token);
    int err = read_pem(welcome->cluster->authority, &authority, failure);
    err = err ? err : authority_fingerprint(buf_text(&authority), token->fingerprint, failure);
    if (!err && token->address_count == 0)
        err = fail(failure, ERR_STATE, "this server does not know yet where the cluster is");
    if (!err)
        forget_stale(welcome);
    err = err ? err : keep_token(welcome, token, failure);
    if (!err)
        token_encode(text, token);
    buf_close(&authority);
    free(token);
    return err;
}

/* ---- A visit ---- */

struct visit {
    const struct welcome *welcome;
    struct channel *channel;
    struct join_ask ask; /* lent from `asked` */
    struct buf asked, certificate, authority, authority_key, book, words;
    uint64_t id;
    bool witness; /* as the token was made */
    struct failure failure;
};

static uint64_t step_deadline(void)
{
    return clock_mono_ns() + STEP_MS * MS_NS;
}

/* The token is spent: nobody else can use it, and nobody can try it twice. */
static int spend_token(struct visit *visit)
{
    char key[TOKEN_KEY], value[VALUE];
    int64_t expires = 0;
    struct ordering *order = replica_order(visit->welcome->replica);
    token_key(visit->ask.secret, key);
    int err = register_get(order, visit->welcome->dir->database, key, true, value, sizeof value,
                           &visit->failure);
    if (err == ERR_NOTFOUND)
        return fail(&visit->failure, ERR_DENIED,
                    "the token was used already, has expired, or is not of this cluster; make "
                    "another by `stoa token`");
    if (err)
        return err;
    struct registration what = {.key = key, .condition = REGISTRY_SAME, .expected = str_of(value)};
    err = register_put(order, &what, &visit->failure);
    if (err == ERR_CONFLICT)
        return fail(&visit->failure, ERR_DENIED,
                    "the token was used by another server just now; make another by `stoa token`");
    if (!err && (read_kept(str_of(value), &expires, &visit->witness) || expires <= clock_wall_ms()))
        err = fail(&visit->failure, ERR_DENIED,
                   "the token has expired; make another by `stoa token`");
    return err;
}

/* The highest id that was ever removed: the others refuse it for good. */
static uint64_t most_removed(const struct cluster *cluster)
{
    uint64_t most = 0;
    struct book *book = malloc(sizeof *book);
    if (!book)
        return 0;
    book_open(book, cluster->book);
    for (unsigned i = 0; i < book->removed_count; i++)
        if (book->removed[i] > most)
            most = book->removed[i];
    book_close(book);
    free(book);
    return most;
}

/* Above every id that there is, or was. */
static uint64_t least_id(const struct visit *visit)
{
    uint64_t most = visit->welcome->cluster->founder_count;
    uint64_t removed = most_removed(visit->welcome->cluster);
    if (removed > most)
        most = removed;
    struct cluster_status *status = malloc(sizeof *status);
    if (!status)
        return 0;
    replica_status(visit->welcome->replica, status);
    for (unsigned i = 0; i < status->count; i++)
        if (status->servers[i].place.id > most)
            most = status->servers[i].place.id;
    free(status);
    return most + 1;
}

/* Ids are never given twice, not even to one whose join failed. */
static int take_id(struct visit *visit)
{
    struct ordering *order = replica_order(visit->welcome->replica);
    for (unsigned i = 0; i < ID_TRIES; i++) {
        char was[VALUE], next[VALUE];
        uint64_t id = 0, least = least_id(visit);
        int err = register_get(order, visit->welcome->dir->database, "cluster/next", true, was,
                               sizeof was, &visit->failure);
        if (err && err != ERR_NOTFOUND)
            return err;
        if (err || str_to_u64(str_of(was), &id) || id < least)
            id = least;
        snprintf(next, sizeof next, "%llu", (unsigned long long)(id + 1));
        struct registration what = {.key = "cluster/next",
                                    .value = str_of(next),
                                    .condition = err ? REGISTRY_ABSENT : REGISTRY_SAME,
                                    .expected = str_of(was)};
        visit->id = id;
        err = register_put(order, &what, &visit->failure);
        if (err != ERR_CONFLICT)
            return err;
    }
    return fail(&visit->failure, ERR_BUSY, "too many servers join at once; try again");
}

static int sign(struct visit *visit)
{
    const struct cluster *cluster = visit->welcome->cluster;
    char name[SERVER_NAME];
    int err = read_pem(cluster->authority, &visit->authority, &visit->failure);
    err = err ? err : read_pem(cluster->authority_key, &visit->authority_key, &visit->failure);
    return err ? err
               : authority_sign(buf_text(&visit->authority), buf_text(&visit->authority_key),
                                visit->ask.request, server_name(visit->id, name),
                                &visit->certificate, &visit->failure);
}

static int add_server(struct visit *visit)
{
    struct server_place place = {.id = visit->id, .since_ms = clock_wall_ms()};
    str_copy(place.address, sizeof place.address, visit->ask.address);
    return visit->witness ? replica_add_witness(visit->welcome->replica, &place, &visit->failure)
                          : replica_add(visit->welcome->replica, &place, &visit->failure);
}

/* Where all are, so that the newcomer finds them. */
static void write_book(struct visit *visit)
{
    struct book *book = malloc(sizeof *book);
    struct cluster_status *status = malloc(sizeof *status);
    if (book && status) {
        replica_status(visit->welcome->replica, status);
        book_open(book, "");
        for (unsigned i = 0; i < status->count; i++)
            if (status->servers[i].place.address[0])
                book_note(book, &status->servers[i].place);
        book_text(book, &visit->book);
        book_close(book);
    }
    free(book);
    free(status);
}

static int send_welcome(struct visit *visit)
{
    const struct cluster *cluster = visit->welcome->cluster;
    char secret[2 * DATADIR_SECRET + 2], token[DATADIR_TOKEN + 1];
    hex_encode(visit->welcome->dir->secret, DATADIR_SECRET, secret);
    strcat(secret, "\n");
    snprintf(token, sizeof token, "%s\n", visit->welcome->dir->token);
    write_book(visit);
    struct join_welcome words = {
        .id = visit->id,
        .cluster = cluster->id,
        .generation = cluster->generation,
        .name = str_of(cluster->name),
        .certificate = buf_text(&visit->certificate),
        .authority = buf_text(&visit->authority),
        .book = buf_text(&visit->book),
    };
    if (!visit->witness) {
        words.authority_key = buf_text(&visit->authority_key);
        words.secret = str_of(secret);
        words.operator_token = str_of(token);
    }
    buf_clear(&visit->words);
    join_welcome_encode(&visit->words, &words);
    if (visit->words.failed)
        return fail(&visit->failure, ERR_NOMEM, "out of memory");
    int err = channel_send(visit->channel, JOIN_WELCOME, buf_text(&visit->words), step_deadline());
    struct frame frame;
    err = err ? err : channel_receive(visit->channel, &frame, clock_mono_ns() + DONE_MS * MS_NS);
    if (!err && frame.kind != JOIN_DONE)
        err = ERR_INVALID;
    return err ? fail(&visit->failure, err, "the newcomer did not say that it has all: %s",
                      err_sentence(err))
               : 0;
}

/* The Raft thread looks again; here, so that no token is spent in vain. */
static int look_for_room(struct visit *visit)
{
    struct cluster_status *status = malloc(sizeof *status);
    if (!status)
        return fail(&visit->failure, ERR_NOMEM, "out of memory");
    replica_status(visit->welcome->replica, status);
    unsigned count = status->count;
    free(status);
    return count < COUNT_OF(status->servers)
               ? 0
               : fail(&visit->failure, ERR_FULL,
                      "the cluster has %u servers, and more it cannot have; take one out first "
                      "(stoa remove). The token was not used",
                      count);
}

/* The primary's part, with all that can go wrong. */
static int take_in(struct visit *visit)
{
    int err = look_for_room(visit);
    err = err ? err : spend_token(visit);
    err = err ? err : take_id(visit);
    err = err ? err : sign(visit);
    err = err ? err : add_server(visit);
    if (err)
        return err;
    err = send_welcome(visit);
    if (!err)
        return 0;
    struct failure ignored;
    replica_remove(visit->welcome->replica, visit->id, &ignored);
    return err;
}

/* Where the primary is; false: nobody knows. */
static bool find_primary(const struct welcome *welcome, bool *own, char address[SERVER_ADDRESS])
{
    struct cluster_status *status = malloc(sizeof *status);
    if (!status)
        return false;
    replica_status(welcome->replica, status);
    *own = status->primary && status->primary == status->own;
    const struct server_status *primary = cluster_primary(status);
    strcpy(address, primary ? primary->place.address : "");
    free(status);
    return *own || address[0];
}

static int receive_ask(struct visit *visit)
{
    struct frame frame;
    visit->channel->frame_max = JOIN_WORDS_MAX;
    int err = channel_receive(visit->channel, &frame, step_deadline());
    if (err || frame.kind != JOIN_ASK)
        return err ? err : ERR_INVALID;
    buf_str(&visit->asked, frame.payload);
    return visit->asked.failed ? ERR_NOMEM : join_ask_decode(&visit->ask, buf_text(&visit->asked));
}

static void run_visit(struct visit *visit)
{
    const struct log *log = visit->welcome->log;
    char address[SERVER_ADDRESS] = "";
    bool own = false;
    if (receive_ask(visit)) {
        log_line(log, LOG_WARN, "join", "%s asks to join in a way that cannot be read",
                 visit->channel->where);
        return;
    }
    if (!find_primary(visit->welcome, &own, address)) {
        channel_send(visit->channel, JOIN_SORRY,
                     STR("there is no primary now, so nobody can be taken in; try again"),
                     step_deadline());
        return;
    }
    if (!own) {
        channel_send(visit->channel, JOIN_ELSEWHERE, str_of(address), step_deadline());
        return;
    }
    if (take_in(visit) == 0) {
        log_line(log, LOG_INFO, "join", "%s %llu at %.*s has joined",
                 visit->witness ? "witness" : "server", (unsigned long long)visit->id,
                 STR_FMT(visit->ask.address));
        return;
    }
    log_line(log, LOG_WARN, "join", "%s was not taken in: %s", visit->channel->where,
             visit->failure.text);
    channel_send(visit->channel, JOIN_SORRY,
                 str_clip_utf8(str_of(visit->failure.text), JOIN_SENTENCE - 1), step_deadline());
}

void welcome_newcomer(const struct welcome *welcome, struct channel *channel)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (!visit)
        return;
    visit->welcome = welcome;
    visit->channel = channel;
    buf_init(&visit->asked, JOIN_WORDS_MAX);
    buf_init(&visit->certificate, CLUSTER_PEM_MAX);
    buf_init(&visit->authority, CLUSTER_PEM_MAX);
    buf_init(&visit->authority_key, CLUSTER_PEM_MAX);
    buf_init(&visit->book, JOIN_WORDS_MAX);
    buf_init(&visit->words, JOIN_WORDS_MAX);
    run_visit(visit);
    channel_finish(channel, step_deadline());
    buf_close(&visit->asked);
    buf_close(&visit->certificate);
    buf_close(&visit->authority);
    buf_close(&visit->authority_key);
    buf_close(&visit->book);
    buf_close(&visit->words);
    free(visit);
}
