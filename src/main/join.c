/* The newcomer's side of a join; the member's is welcome.c. */
#include "main/join.h"

#include "base/clock.h"
#include "main/cluster.h"
#include "main/file.h"
#include "main/join_words.h"
#include "net/authority.h"
#include "net/channel.h"
#include "replica/greet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOPS_MAX = 8, WHOLE_MS = 30000, STEP_MS = 15000, BOOK_MAX = 64 << 10 };

struct joining {
    struct token token;
    const char *dir, *listen, *address;
    struct buf key, request, words;
    struct tls_context *tls;
    uint64_t deadline_ns;
    uint64_t id;               /* as we were called */
    char next[SERVER_ADDRESS]; /* whom to ask next, by JOIN_ELSEWHERE; empty: nobody */
    struct failure *failure;
};

static uint64_t step_deadline(const struct joining *joining)
{
    uint64_t step = clock_mono_ns() + STEP_MS * MS_NS;
    return step < joining->deadline_ns ? step : joining->deadline_ns;
}

/* ---- The directory ---- */

/* Whether the directory can be made and written to: a token is spent before it is. */
static int try_dir(const struct joining *joining)
{
    bool made = false;
    int err = file_make_dir(joining->dir, 0700, &made, joining->failure);
    if (!err && access(joining->dir, W_OK | X_OK))
        err = file_failed(joining->failure, "write to", joining->dir);
    if (made)
        rmdir(joining->dir);
    return err;
}

/* A join makes a server from nothing, so that nothing is lost by it. */
static int check_dir(const struct joining *joining)
{
    char path[FILE_PATH];
    const char *const taken[] = {"shop.db", "raft", "cluster/cluster.json", "demo.json"};
    int err = 0;
    for (unsigned i = 0; !err && i < sizeof taken / sizeof taken[0]; i++) {
        err = file_join(path, joining->dir, taken[i], joining->failure);
        if (!err && access(path, F_OK) == 0)
            err = fail(joining->failure, ERR_EXISTS,
                       "%s has data already (%s): a server joins with an empty directory, and gets "
                       "the cluster's; give another --dir",
                       joining->dir, taken[i]);
    }
    return err ? err : try_dir(joining);
}

struct written {
    bool dir, cluster_dir; /* made by us */
};

static int write_in(const char *dir, const char *name, struct str bytes, struct failure *failure)
{
    char path[FILE_PATH];
    int err = file_join(path, dir, name, failure);
    return err ? err : file_write(path, bytes, failure);
}

static void remove_in(const char *dir, const char *name)
{
    char path[FILE_PATH];
    if (file_join(path, dir, name, NULL) == 0)
        unlink(path);
}

static void clean_up(const struct joining *joining, const struct cluster *own,
                     const struct written *written)
{
    remove_in(joining->dir, "cluster/cluster.json");
    remove_in(joining->dir, "secret");
    remove_in(joining->dir, "operator.token");
    remove_in(joining->dir, "lock");
    unlink(own->certificate);
    unlink(own->key);
    unlink(own->authority);
    unlink(own->authority_key);
    unlink(own->book);
    if (written->cluster_dir)
        rmdir(own->dir);
    if (written->dir)
        rmdir(joining->dir);
}

static int write_files(const struct joining *joining, const struct join_welcome *welcome,
                       struct cluster *own, struct written *written)
{
    struct failure *failure = joining->failure;
    int err = file_make_dir(joining->dir, 0700, &written->dir, failure);
    err = err ? err : file_make_dir(own->dir, 0700, &written->cluster_dir, failure);
    if (!own->witness) {
        err = err ? err : write_in(joining->dir, "secret", welcome->secret, failure);
        err =
            err ? err : write_in(joining->dir, "operator.token", welcome->operator_token, failure);
        err = err ? err : file_write(own->authority_key, welcome->authority_key, failure);
    }
    err = err ? err : file_write(own->authority, welcome->authority, failure);
    err = err ? err : file_write(own->key, buf_text(&joining->key), failure);
    err = err ? err : file_write(own->certificate, welcome->certificate, failure);
    err = err ? err : file_write(own->book, welcome->book, failure);
    return err ? err : cluster_write(own, failure);
}

/* All that we were given, into the directory; or nothing. */
static int settle_in(struct joining *joining, const struct join_welcome *welcome)
{
    struct written written = {0};
    struct cluster *own = malloc(sizeof *own);
    if (!own)
        return fail(joining->failure, ERR_NOMEM, "out of memory");
    int err = cluster_paths(joining->dir, own, joining->failure);
    if (!err) {
        own->id = welcome->cluster;
        own->generation = welcome->generation;
        own->own = welcome->id;
        own->witness = joining->token.witness;
        str_copy(own->name, sizeof own->name, welcome->name);
        str_copy(own->listen, sizeof own->listen, str_of(joining->listen));
        str_copy(own->address, sizeof own->address, str_of(joining->address));
        err = write_files(joining, welcome, own, &written);
        if (err)
            clean_up(joining, own, &written);
    }
    free(own);
    return err;
}

/* ---- Talking ---- */

static int say_sorry(const struct joining *joining, struct str sentence)
{
    char text[JOIN_SENTENCE];
    str_copy(text, sizeof text, str_clip_utf8(sentence, sizeof text - 1));
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?';
    return fail(joining->failure, ERR_DENIED, "the cluster does not take this server in: %s", text);
}

static int take_welcome(struct joining *joining, struct channel *channel, struct str payload)
{
    struct join_welcome welcome;
    if (join_welcome_decode(&welcome, payload) || !id_eq(welcome.cluster, joining->token.cluster))
        return fail(joining->failure, ERR_INVALID, "%s answers what cannot be read",
                    channel->where);
    if (joining->token.witness != (welcome.secret.len == 0))
        return fail(joining->failure, ERR_INVALID, "%s answers for another kind of server",
                    channel->where);
    int err = settle_in(joining, &welcome);
    if (err)
        return err;
    joining->id = welcome.id;
    /* It takes us out again if it never hears that all is written. */
    if (channel_send(channel, JOIN_DONE, STR(""), step_deadline(joining)) == 0)
        channel_finish(channel, step_deadline(joining));
    return 0;
}

static int take_answer(struct joining *joining, struct channel *channel)
{
    struct frame frame;
    channel->frame_max = JOIN_WORDS_MAX;
    int err = channel_receive(channel, &frame, step_deadline(joining));
    if (err)
        return fail(joining->failure, err, "%s has not answered: %s", channel->where,
                    err_sentence(err));
    if (frame.kind == JOIN_WELCOME)
        return take_welcome(joining, channel, frame.payload);
    if (frame.kind == JOIN_SORRY)
        return say_sorry(joining, frame.payload);
    if (frame.kind != JOIN_ELSEWHERE || frame.payload.len == 0 ||
        frame.payload.len >= sizeof joining->next)
        return fail(joining->failure, ERR_INVALID, "%s answers what cannot be read",
                    channel->where);
    str_copy(joining->next, sizeof joining->next, frame.payload);
    return ERR_STATE;
}

static int ask(struct joining *joining, struct channel *channel)
{
    struct hello answer, hello = {.purpose = HELLO_JOIN, .cluster = joining->token.cluster};
    enum refusal refusal;
    str_copy(hello.place.address, sizeof hello.place.address, str_of(joining->address));
    int err = greet(channel, &hello, &answer, &refusal, step_deadline(joining), joining->failure);
    if (err)
        return err;
    struct join_ask words = {.request = buf_text(&joining->request),
                             .address = str_of(joining->address)};
    memcpy(words.secret, joining->token.secret, sizeof words.secret);
    buf_clear(&joining->words);
    join_ask_encode(&joining->words, &words);
    err = joining->words.failed
              ? ERR_FULL
              : channel_send(channel, JOIN_ASK, buf_text(&joining->words), step_deadline(joining));
    if (err)
        return fail(joining->failure, err, "%s: %s", channel->where, err_sentence(err));
    return take_answer(joining, channel);
}

/* Asks the member at ADDRESS. ERR_STATE: joining->next is to be asked. */
static int ask_at(struct joining *joining, const char *address)
{
    struct channel channel;
    int err = channel_connect(&channel, address, joining->tls, -1, step_deadline(joining),
                              joining->failure);
    if (err)
        return err;
    err = ask(joining, &channel);
    channel_close(&channel);
    return err;
}

/* Whether there is sense in asking another member after ERR. */
static bool may_ask_on(int err)
{
    return err == ERR_STATE || err == ERR_TIMEOUT || err == ERR_CLOSED || err == ERR_IO ||
           err == ERR_NOTFOUND;
}

static int ask_members(struct joining *joining)
{
    int err = ERR_STATE;
    unsigned at = 0;
    for (unsigned hops = 0; hops < HOPS_MAX && may_ask_on(err); hops++) {
        char address[SERVER_ADDRESS];
        if (clock_mono_ns() >= joining->deadline_ns)
            break;
        if (joining->next[0]) {
            strcpy(address, joining->next);
            joining->next[0] = 0;
        } else if (at < joining->token.address_count) {
            strcpy(address, joining->token.addresses[at++]);
        } else {
            break;
        }
        err = ask_at(joining, address);
    }
    if (err == ERR_STATE)
        return fail(joining->failure, ERR_NOPRIMARY,
                    "the servers of the cluster do not agree on a primary now; try again");
    return err;
}

static int prepare(struct joining *joining, const char *token)
{
    int err = token_decode(str_of(token), &joining->token, joining->failure);
    err = err ? err : check_dir(joining);
    if (!err && joining->token.expires_ms <= clock_wall_ms())
        err = fail(joining->failure, ERR_DENIED,
                   "the token has expired; make another by `stoa token`");
    err = err ? err : authority_request(&joining->key, &joining->request, joining->failure);
    if (err)
        return err;
    joining->tls = tls_context_pinned(joining->token.fingerprint, joining->failure);
    return joining->tls ? 0 : ERR_INTERNAL;
}

int join_cluster(const char *token, const char *dir, const char *listen, const char *address,
                 uint64_t *id, bool *witness, struct failure *failure)
{
    struct failure here = {0};
    struct joining *joining = calloc(1, sizeof *joining);
    if (!joining)
        return fail(failure, ERR_NOMEM, "out of memory");
    joining->dir = dir;
    joining->listen = listen;
    joining->address = address;
    joining->failure = failure ? failure : &here;
    joining->deadline_ns = clock_mono_ns() + WHOLE_MS * MS_NS;
    buf_init(&joining->key, CLUSTER_PEM_MAX);
    buf_init(&joining->request, CLUSTER_PEM_MAX);
    buf_init(&joining->words, JOIN_WORDS_MAX);
    int err = prepare(joining, token);
    err = err ? err : ask_members(joining);
    *id = joining->id;
    if (witness)
        *witness = joining->token.witness;
    if (joining->tls)
        tls_context_free(joining->tls);
    buf_close(&joining->key);
    buf_close(&joining->request);
    buf_close(&joining->words);
    free(joining);
    return err;
}
