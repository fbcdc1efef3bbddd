#include "base/check.h"
#include "base/cond.h"
#include "base/random.h"
#include "base/thread.h"
#include "replica/door_inner.h"
#include "replica/greet.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One attempt to connect to ADDRESS. The channel is open when it returns 0. */
static int attempt(struct dial *dial, const char *address, struct channel *channel,
                   struct server_place *other, enum refusal *refusal, struct failure *failure)
{
    struct door *door = dial->door;
    struct hello own, theirs;
    uint64_t deadline = clock_mono_ns() + door->config.patience_ms * MS_NS;
    *refusal = (enum refusal)0;
    int err =
        channel_connect(channel, address, door->config.tls, dial->interrupt, deadline, failure);
    if (err)
        return err;
    char name[SERVER_NAME];
    if (strcmp(channel->peer, server_name(dial->id, name)) != 0)
        err = fail(failure, ERR_CONFLICT, "at %s is %s, not %s", channel->where,
                   channel->peer[0] ? channel->peer : "somebody without a name", name);
    door_hello(door, HELLO_LINK, &own);
    if (!err)
        err = greet(channel, &own, &theirs, refusal, deadline, failure);
    if (!err) {
        *other = theirs.place;
        return ERR_OK;
    }
    channel_close(channel);
    /* Refused connections, and nothing else, are what ERR_CLOSED says here. */
    return err == ERR_CLOSED ? ERR_IO : err;
}

/* ---- What is said about it: when it changes ---- */

static void say_missed(struct dial *dial, int err, enum refusal refusal, const char *why)
{
    char kind[sizeof dial->said];
    snprintf(kind, sizeof kind, "%d/%d", err, (int)refusal);
    if (strcmp(kind, dial->said) == 0)
        return;
    str_copy(dial->said, sizeof dial->said, str_of(kind));
    log_line(dial->door->config.log, LOG_WARN, "cluster", "no link to server %llu: %s",
             (unsigned long long)dial->id, why);
}

static void say_linked(struct dial *dial, const char *address)
{
    log_line(dial->door->config.log, LOG_INFO, "cluster", "linked to server %llu at %s",
             (unsigned long long)dial->id, address);
    dial->said[0] = '\0';
}

/* ---- The thread ---- */

static bool ends(const struct dial *dial)
{
    return dial->forgotten || dial->door->stopping;
}

/* Until the next attempt is due, or something is new. The mutex is held. */
static void back_off(struct dial *dial, uint64_t round)
{
    const struct door_config *config = &dial->door->config;
    uint64_t delay = dial->delay_ms ? dial->delay_ms : config->retry_ms;
    dial->delay_ms =
        (uint32_t)(delay * 2 < config->retry_max_ms ? delay * 2 : config->retry_max_ms);
    uint64_t wait_ns = delay * MS_NS - random_below(&dial->random, delay * MS_NS / 2 + 1);
    uint64_t until_ns = clock_mono_ns() + wait_ns;
    bool in_time = true;
    while (!ends(dial) && !dial->hurry && dial->round == round && in_time)
        in_time = cond_wait_until(&dial->changed, &dial->door->mutex, until_ns);
    if (dial->hurry || dial->round != round)
        dial->delay_ms = 0;
}

/* Who asked for a link until now has it; who asks from now on wants another: this one broke. The
 * mutex is held afterwards. */
static void hand_over(struct dial *dial, const char *address, const struct server_place *other,
                      struct channel *channel)
{
    struct door *door = dial->door;
    pthread_mutex_lock(&door->mutex);
    dial->delay_ms = 0;
    dial->wanted = strcmp(address, dial->address) != 0;
    pthread_mutex_unlock(&door->mutex);
    say_linked(dial, address);
    door_hand_over(door, other, true, channel);
    pthread_mutex_lock(&door->mutex);
}

/* One attempt and what follows. The mutex is held before and after. */
static void dial_once(struct dial *dial)
{
    struct door *door = dial->door;
    char address[SERVER_ADDRESS];
    struct channel channel;
    struct server_place other;
    struct failure failure = {0};
    enum refusal refusal;
    uint64_t interrupts, round = dial->round;
    str_copy(address, sizeof address, str_of(dial->address));
    dial->hurry = false;
    (void)!read(dial->interrupt, &interrupts, sizeof interrupts);
    pthread_mutex_unlock(&door->mutex);
    int err = attempt(dial, address, &channel, &other, &refusal, &failure);
    if (!err) {
        hand_over(dial, address, &other, &channel);
        return;
    }
    pthread_mutex_lock(&door->mutex);
    /* What an interrupted attempt came to says nothing. */
    if (ends(dial) || dial->round != round)
        return;
    pthread_mutex_unlock(&door->mutex);
    say_missed(dial, err, refusal, failure.text);
    door->config.missed(door->config.context, dial->id, err == ERR_CLOSED,
                        refusal == REFUSED_REMOVED, failure.text);
    pthread_mutex_lock(&door->mutex);
    back_off(dial, round);
}

static void *dial_run(void *argument)
{
    struct dial *dial = argument;
    struct door *door = dial->door;
    pthread_mutex_lock(&door->mutex);
    while (!ends(dial)) {
        if (dial->wanted)
            dial_once(dial);
        else
            pthread_cond_wait(&dial->changed, &door->mutex);
    }
    dial->phase = PHASE_DONE;
    pthread_mutex_unlock(&door->mutex);
    return NULL;
}

/* ---- Who is dialled. The mutex is held in these ---- */

static struct dial *find(struct door *door, uint64_t id)
{
    for (size_t i = 0; i < COUNT_OF(door->dials); i++) {
        struct dial *dial = &door->dials[i];
        if (dial->phase == PHASE_BUSY && dial->id == id && !dial->forgotten)
            return dial;
    }
    return NULL;
}

static void reap(struct dial *dial)
{
    pthread_join(dial->thread, NULL);
    close(dial->interrupt);
    dial->phase = PHASE_FREE;
}

static int begin_dial(struct door *door, uint64_t id, struct dial **out)
{
    struct dial *dial = NULL;
    for (size_t i = 0; i < COUNT_OF(door->dials); i++) {
        if (door->dials[i].phase == PHASE_DONE)
            reap(&door->dials[i]);
        if (!dial && door->dials[i].phase == PHASE_FREE)
            dial = &door->dials[i];
    }
    if (!dial)
        return ERR_FULL;
    uint64_t seed;
    random_secret(&seed, sizeof seed);
    random_seed(&dial->random, seed);
    dial->door = door;
    dial->id = id;
    dial->wanted = dial->forgotten = dial->hurry = false;
    dial->delay_ms = 0;
    dial->said[0] = dial->address[0] = '\0';
    dial->interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dial->interrupt < 0)
        return ERR_IO;
    if (thread_start(&dial->thread, "stoa-dial", dial_run, dial) != 0) {
        close(dial->interrupt);
        return ERR_IO;
    }
    dial->phase = PHASE_BUSY;
    *out = dial;
    return ERR_OK;
}

int door_dial(struct door *door, uint64_t id, const char *address)
{
    CHECK(strlen(address) < SERVER_ADDRESS);
    pthread_mutex_lock(&door->mutex);
    struct dial *dial = find(door, id);
    int err = door->stopping ? ERR_CLOSED : dial ? ERR_OK : begin_dial(door, id, &dial);
    if (!err) {
        if (strcmp(dial->address, address) != 0)
            door_interrupt(dial->interrupt);
        str_copy(dial->address, sizeof dial->address, str_of(address));
        dial->wanted = true;
        dial->round++;
        pthread_cond_signal(&dial->changed);
    }
    pthread_mutex_unlock(&door->mutex);
    return err;
}

void door_dial_hurry(struct door *door, uint64_t id)
{
    pthread_mutex_lock(&door->mutex);
    struct dial *dial = find(door, id);
    if (dial && dial->wanted) {
        dial->hurry = true;
        pthread_cond_signal(&dial->changed);
    }
    pthread_mutex_unlock(&door->mutex);
}

void door_forget(struct door *door, uint64_t id)
{
    pthread_mutex_lock(&door->mutex);
    struct dial *dial = find(door, id);
    if (dial) {
        dial->forgotten = true;
        door_interrupt(dial->interrupt);
        pthread_cond_signal(&dial->changed);
    }
    pthread_mutex_unlock(&door->mutex);
}

void door_dials_stop(struct door *door)
{
    for (size_t i = 0; i < COUNT_OF(door->dials); i++) {
        struct dial *dial = &door->dials[i];
        pthread_mutex_lock(&door->mutex);
        bool there = dial->phase != PHASE_FREE;
        if (there) {
            door_interrupt(dial->interrupt);
            pthread_cond_signal(&dial->changed);
        }
        pthread_mutex_unlock(&door->mutex);
        if (there)
            reap(dial);
        pthread_cond_destroy(&dial->changed);
    }
}
