#include "base/check.h"
#include "base/cond.h"
#include "base/thread.h"
#include "replica/door_inner.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    ROOM_MS = 100,    /* how long a newcomer waits for the place of one who is turned out */
    GOODBYE_MS = 500, /* for a refusal to arrive */
    COMPLAIN_S = 60,
};

/* ---- What is said about strangers ---- */

static void complain(struct door *door, enum complaint kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct door *door, enum complaint kind, const char *format, ...)
{
    char text[sizeof((struct failure *)0)->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&door->mutex);
    uint64_t now = clock_mono_ns(), said = door->complaints[kind].said_ns;
    bool say = !door->stopping && (said == 0 || now - said >= COMPLAIN_S * SEC_NS);
    unsigned withheld = say ? door->complaints[kind].withheld : 0;
    door->complaints[kind].withheld = say ? 0 : door->complaints[kind].withheld + 1;
    if (say)
        door->complaints[kind].said_ns = now;
    pthread_mutex_unlock(&door->mutex);
    if (say && withheld > 0)
        log_line(door->config.log, LOG_WARN, "cluster",
                 "turned away: %s (and %u more since this was said last)", text, withheld);
    else if (say)
        log_line(door->config.log, LOG_WARN, "cluster", "turned away: %s", text);
}

/* ---- One guest ---- */

static void refuse(struct door *door, struct channel *channel, enum refusal code,
                   const char *sentence)
{
    struct buf out;
    uint64_t deadline = clock_mono_ns() + GOODBYE_MS * MS_NS;
    buf_init(&out, HELLO_MAX);
    refusal_encode(&out, code, sentence);
    if (channel_send(channel, FRAME_REFUSED, buf_text(&out), deadline) == ERR_OK)
        channel_finish(channel, deadline);
    buf_close(&out);
    complain(door, COMPLAIN_REFUSED + code, "%s%s%s%s: %s", channel->where,
             channel->peer[0] ? " (" : "", channel->peer, channel->peer[0] ? ")" : "", sentence);
}

static enum refusal judge_member(struct door *door, const struct hello *hello,
                                 const struct hello *own, const char *peer, char *why, size_t size)
{
    char name[SERVER_NAME];
    if (strcmp(peer, server_name(hello->place.id, name)) != 0) {
        snprintf(why, size, "it says that it is %s, and its certificate says %s", name,
                 peer[0] ? peer : "nothing");
        return REFUSED_NAME;
    }
    if (hello->place.id == own->place.id) {
        snprintf(why, size, "%s is this server itself: two run with the same number", name);
        return REFUSED_NAME;
    }
    if (hello->generation != own->generation) {
        snprintf(why, size, "it belongs to generation %llu of the cluster, this server to %llu",
                 (unsigned long long)hello->generation, (unsigned long long)own->generation);
        return REFUSED_CLUSTER;
    }
    if (!door->config.known(door->config.context, hello->place.id)) {
        snprintf(why, size, "%s is not one of the cluster's servers (any more)", name);
        return REFUSED_REMOVED;
    }
    return 0;
}

/* 0, or why HELLO of one with PEER in its certificate is refused, with WHY as a sentence. */
static enum refusal judge(struct door *door, const struct hello *hello, const struct hello *own,
                          const char *peer, char *why, size_t size)
{
    if (!id_eq(hello->cluster, own->cluster)) {
        snprintf(why, size, "it belongs to another cluster");
        return REFUSED_CLUSTER;
    }
    bool join = hello->purpose == HELLO_JOIN;
    if (join ? !door->config.join : hello->purpose == HELLO_COPY && !door->config.copy) {
        snprintf(why, size, "this server gives no copies and takes in nobody now");
        return REFUSED_BUSY;
    }
    return join ? 0 : judge_member(door, hello, own, peer, why, size);
}

/* Whether there is a place for one who stays. */
static bool let_stay(struct guest *guest, bool joins)
{
    struct door *door = guest->door;
    unsigned visits = 0, newcomers = 0;
    pthread_mutex_lock(&door->mutex);
    for (size_t i = 0; i < COUNT_OF(door->guests); i++) {
        visits += door->guests[i].phase == PHASE_VISIT;
        newcomers += door->guests[i].phase == PHASE_VISIT && door->guests[i].joins;
    }
    bool stays = visits < DOOR_VISITS && !(joins && newcomers >= DOOR_JOINS);
    if (stays) {
        guest->phase = PHASE_VISIT;
        guest->joins = joins;
        pthread_cond_signal(&door->freed);
    }
    pthread_mutex_unlock(&door->mutex);
    return stays;
}

static int answer(struct channel *channel, const struct hello *own, uint64_t deadline_ns)
{
    struct buf out;
    buf_init(&out, HELLO_MAX);
    hello_encode(&out, own);
    int err =
        out.failed ? ERR_FULL : channel_send(channel, FRAME_HELLO, buf_text(&out), deadline_ns);
    buf_close(&out);
    return err;
}

/* What the guest came for. */
static void admit(struct guest *guest, struct channel *channel, const struct hello *hello,
                  const struct hello *own, uint64_t deadline_ns)
{
    struct door *door = guest->door;
    void *context = door->config.context;
    if (hello->purpose != HELLO_LINK && !let_stay(guest, hello->purpose == HELLO_JOIN)) {
        refuse(door, channel, REFUSED_BUSY, "as many copies and joins as may be are under way");
        return;
    }
    int err = answer(channel, own, deadline_ns);
    if (err) {
        complain(door, COMPLAIN_HELLO, "%s went away during the greeting: %s", channel->where,
                 err_sentence(err));
    } else if (hello->purpose == HELLO_LINK) {
        door_hand_over(door, &hello->place, false, channel);
        door_dial_hurry(door, hello->place.id);
    } else if (hello->purpose == HELLO_COPY) {
        door->config.copy(context, &hello->place, channel);
    } else {
        door->config.join(context, channel);
    }
}

static void welcome(struct guest *guest, struct channel *channel, uint64_t deadline_ns)
{
    struct door *door = guest->door;
    struct frame frame;
    struct hello hello, own;
    channel->frame_max = HELLO_MAX;
    int err = channel_receive(channel, &frame, deadline_ns);
    channel->frame_max = FRAME_PAYLOAD_MAX;
    if (!err)
        err = frame.kind == FRAME_HELLO ? hello_decode(&hello, frame.payload) : ERR_INVALID;
    if (err == ERR_UNSUPPORTED) {
        refuse(door, channel, REFUSED_VERSION,
               "it speaks another version of the servers' protocol: run the same version of stoa "
               "on all servers");
    } else if (err == ERR_DENIED) {
        complain(door, COMPLAIN_HELLO, "%s does not believe our certificate: %s", channel->where,
                 tls_problem(channel->tls));
    } else if (err) {
        complain(door, COMPLAIN_HELLO, "%s did not say who it is: %s", channel->where,
                 err_sentence(err));
    } else {
        char why[REFUSAL_TEXT];
        door_hello(door, hello.purpose, &own);
        enum refusal code = judge(door, &hello, &own, channel->peer, why, sizeof why);
        if (code)
            refuse(door, channel, code, why);
        else
            admit(guest, channel, &hello, &own, deadline_ns);
    }
}

static void *guest_run(void *argument)
{
    struct guest *guest = argument;
    struct door *door = guest->door;
    struct failure failure;
    struct channel channel;
    uint64_t deadline = guest->since_ns + door->config.patience_ms * MS_NS;
    int err =
        channel_accept(&channel, guest->fd, door->config.tls, guest->interrupt, deadline, &failure);
    if (err) {
        complain(door, COMPLAIN_HANDSHAKE, "%s", failure.text);
    } else {
        welcome(guest, &channel, deadline);
        channel_close(&channel);
    }
    pthread_mutex_lock(&door->mutex);
    guest->phase = PHASE_DONE;
    pthread_cond_signal(&door->freed);
    pthread_mutex_unlock(&door->mutex);
    return NULL;
}

/* ---- Places for guests. The mutex is held in all of these ---- */

static void reap(struct guest *guest)
{
    pthread_join(guest->thread, NULL);
    close(guest->interrupt);
    guest->phase = PHASE_FREE;
}

/* A free place, or NULL while DOOR_GUESTS shake hands. */
static struct guest *find_place(struct door *door)
{
    struct guest *found = NULL;
    unsigned busy = 0;
    for (size_t i = 0; i < COUNT_OF(door->guests); i++) {
        struct guest *guest = &door->guests[i];
        if (guest->phase == PHASE_DONE)
            reap(guest);
        if (guest->phase == PHASE_FREE)
            found = guest;
        busy += guest->phase == PHASE_BUSY;
    }
    return busy < DOOR_GUESTS ? found : NULL;
}

static bool same_host(const struct guest *a, const struct guest *b)
{
    return a->host.len == b->host.len && memcmp(&a->host.at, &b->host.at, a->host.len) == 0;
}

/* The one to be turned out when there are too many. */
static struct guest *find_least_welcome(struct door *door)
{
    struct guest *chosen = NULL;
    unsigned most = 0;
    for (size_t i = 0; i < COUNT_OF(door->guests); i++) {
        struct guest *guest = &door->guests[i];
        unsigned same = 0;
        if (guest->phase != PHASE_BUSY)
            continue;
        for (size_t k = 0; k < COUNT_OF(door->guests); k++)
            same += door->guests[k].phase == PHASE_BUSY && same_host(guest, &door->guests[k]);
        if (same > most || (same == most && guest->since_ns < chosen->since_ns)) {
            most = same;
            chosen = guest;
        }
    }
    return chosen;
}

/* A place, made free if need be. */
static struct guest *make_place(struct door *door)
{
    struct guest *place = find_place(door);
    if (place)
        return place;
    door_interrupt(find_least_welcome(door)->interrupt);
    uint64_t until_ns = clock_mono_ns() + ROOM_MS * MS_NS;
    bool in_time = true;
    while (!(place = find_place(door)) && in_time)
        in_time = cond_wait_until(&door->freed, &door->mutex, until_ns);
    return place;
}

static void begin_guest(struct door *door, struct guest *guest, int fd,
                        const struct endpoint *other)
{
    *guest = (struct guest){.door = door,
                            .fd = fd,
                            .interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                            .since_ns = clock_mono_ns(),
                            .host = *other};
    endpoint_set_port(&guest->host, 0);
    guest->phase = PHASE_BUSY;
    if (guest->interrupt >= 0 && thread_start(&guest->thread, "stoa-guest", guest_run, guest) == 0)
        return;
    close(fd);
    if (guest->interrupt >= 0)
        close(guest->interrupt);
    guest->phase = PHASE_FREE;
}

/* ---- Accepting ---- */

/* Without descriptors or memory, asking again at once would only burn the processor. */
static void wait_a_moment(struct door *door)
{
    struct pollfd interrupt = {.fd = door->interrupt, .events = POLLIN};
    (void)poll(&interrupt, 1, ROOM_MS);
}

static void accept_one(struct door *door)
{
    struct endpoint other = {.len = sizeof other.at};
    int fd = accept4(door->listen_fd, (struct sockaddr *)&other.at, &other.len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            complain(door, COMPLAIN_ACCEPT, "a server that connects: %s", strerror(errno));
            wait_a_moment(door);
        }
        return;
    }
    pthread_mutex_lock(&door->mutex);
    struct guest *place = make_place(door);
    if (place)
        begin_guest(door, place, fd, &other);
    pthread_mutex_unlock(&door->mutex);
    if (!place) {
        char text[ADDRESS_TEXT];
        endpoint_text(&other, true, text, sizeof text);
        close(fd);
        complain(door, COMPLAIN_CROWD, "%s: %d others are shaking hands", text, DOOR_GUESTS);
    }
}

void *door_accept_run(void *argument)
{
    struct door *door = argument;
    for (;;) {
        struct pollfd polled[] = {{.fd = door->listen_fd, .events = POLLIN},
                                  {.fd = door->interrupt, .events = POLLIN}};
        (void)poll(polled, COUNT_OF(polled), -1);
        if (polled[1].revents)
            return NULL;
        if (polled[0].revents)
            accept_one(door);
    }
}

static bool is_there(struct guest *guest)
{
    pthread_mutex_lock(&guest->door->mutex);
    bool there = guest->phase != PHASE_FREE;
    pthread_mutex_unlock(&guest->door->mutex);
    return there;
}

void door_guests_stop(struct door *door)
{
    /* The accepting thread has ended: who is not there now never will be. */
    for (size_t i = 0; i < COUNT_OF(door->guests); i++)
        if (door->guests[i].door && is_there(&door->guests[i]))
            door_interrupt(door->guests[i].interrupt);
    for (size_t i = 0; i < COUNT_OF(door->guests); i++)
        if (door->guests[i].door && is_there(&door->guests[i]))
            reap(&door->guests[i]);
}
