#include "engine/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int take_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int doors_open(struct doors *doors, struct engine *engine, unsigned sharer)
{
    *doors = (struct doors){.engine = engine, .sharer = sharer, .spare_fd = take_spare()};
    return doors->spare_fd < 0 ? ERR_FULL : 0;
}

int doors_fd(const struct doors *doors, unsigned index)
{
    return *engine_door(doors->engine, index, doors->sharer);
}

/* The process has no descriptors left. */
static void refuse_one(struct doors *doors, int door_fd)
{
    if (doors->spare_fd >= 0)
        close(doors->spare_fd);
    int fd = accept4(door_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        socket_reset_on_close(fd);
        close(fd);
        engine_count(&doors->engine->counters.refused, 1);
    }
    doors->spare_fd = take_spare();
}

enum doors_verdict doors_accept(struct doors *doors, unsigned index, int *fd, struct endpoint *peer)
{
    int door = doors_fd(doors, index);
    if (!engine_has_room(doors->engine))
        return DOORS_FULL;
    peer->len = sizeof peer->at;
    *fd = accept4(door, (struct sockaddr *)&peer->at, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd >= 0)
        return DOORS_TAKEN;
    switch (errno) {
    case EMFILE:
    case ENFILE:
        refuse_one(doors, door);
        return DOORS_FULL;
    case ENOBUFS:
    case ENOMEM:
        return DOORS_FULL;
    case EAGAIN:
        return DOORS_EMPTY;
    default: /* ECONNABORTED, EPROTO ...: it concerns that one client only */
        return DOORS_AGAIN;
    }
}

void doors_close_one(struct doors *doors, unsigned index)
{
    int *fd = engine_door(doors->engine, index, doors->sharer);
    if (*fd < 0)
        return;
    close(*fd);
    *fd = -1;
    atomic_fetch_sub_explicit(&doors->engine->doors_open, 1, memory_order_release);
}

void doors_close(struct doors *doors)
{
    unsigned count = doors->engine->doors ? doors->engine->config.listen_count : 0;
    for (unsigned i = 0; i < count; i++)
        doors_close_one(doors, i);
    if (doors->spare_fd >= 0)
        close(doors->spare_fd);
    doors->spare_fd = -1;
}
