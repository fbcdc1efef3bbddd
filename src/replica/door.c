#include "replica/door.h"

#include "base/check.h"
#include "base/cond.h"
#include "base/thread.h"
#include "replica/door_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void door_interrupt(int interrupt)
{
    uint64_t one = 1;
    while (write(interrupt, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void door_hello(const struct door *door, enum hello_purpose purpose, struct hello *hello)
{
    *hello = (struct hello){
        .purpose = purpose, .cluster = door->config.cluster, .generation = door->config.generation};
    door->config.place(door->config.context, &hello->place);
}

void door_hand_over(const struct door *door, const struct server_place *other, bool connected,
                    struct channel *channel)
{
    int fd;
    struct tls *tls;
    struct buf rest;
    socket_set_patience(channel->fd, DOOR_LINK_PATIENCE_MS);
    channel_release(channel, &fd, &tls, &rest);
    door->config.linked(door->config.context, other, connected, fd, tls, &rest);
}

static void set_defaults(struct door_config *config)
{
    if (config->patience_ms == 0)
        config->patience_ms = DOOR_PATIENCE_MS;
    if (config->retry_ms == 0)
        config->retry_ms = DOOR_RETRY_MS;
    if (config->retry_max_ms == 0)
        config->retry_max_ms = DOOR_RETRY_MAX_MS;
}

static int listen_on(struct door *door, uint16_t *port, struct failure *failure)
{
    struct endpoint address;
    struct failure here = {0};
    const char *text = door->config.listen;
    int err = endpoint_resolve(str_of(text), true, &address, &here);
    if (!err)
        err = socket_listen(&address, text, false, &door->listen_fd, &here);
    if (err)
        return fail(failure, err, "the address for the other servers: %s", here.text);
    *port = endpoint_port(&address);
    return ERR_OK;
}

static void door_free(struct door *door)
{
    if (door->listen_fd >= 0)
        close(door->listen_fd);
    if (door->interrupt >= 0)
        close(door->interrupt);
    pthread_cond_destroy(&door->freed);
    pthread_mutex_destroy(&door->mutex);
    free(door);
}

static struct door *door_new(const struct door_config *config)
{
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return NULL;
    door->config = *config;
    set_defaults(&door->config);
    door->listen_fd = -1;
    door->interrupt = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&door->mutex, NULL);
    cond_init(&door->freed);
    for (size_t i = 0; i < COUNT_OF(door->dials); i++)
        cond_init(&door->dials[i].changed);
    return door;
}

int door_start(const struct door_config *config, struct door **out, uint16_t *port,
               struct failure *failure)
{
    struct door *door = door_new(config);
    if (!door)
        return fail(failure, ERR_NOMEM, "no memory for the connections between servers");
    int err = door->interrupt < 0 ? fail_errno(failure, ERR_IO, "cannot make an eventfd") : ERR_OK;
    if (!err)
        err = listen_on(door, port, failure);
    if (!err && thread_start(&door->thread, "stoa-door", door_accept_run, door) != 0)
        err = fail(failure, ERR_IO, "cannot start a thread for the connections between servers");
    if (err) {
        door_free(door);
        return err;
    }
    *out = door;
    return ERR_OK;
}

void door_stop(struct door *door)
{
    if (!door)
        return;
    pthread_mutex_lock(&door->mutex);
    door->stopping = true;
    pthread_mutex_unlock(&door->mutex);
    door_interrupt(door->interrupt);
    pthread_join(door->thread, NULL);
    door_dials_stop(door);
    door_guests_stop(door);
    door_free(door);
}
