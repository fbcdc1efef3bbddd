#include "admin/health.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/statvfs.h>

/* Commands wait and none is applied: longer than any healthy disk needs for one write. */
static const uint64_t STUCK_NS = 5 * SEC_NS;
/* The log writes into segments of 8 MiB that are made ahead; two of them, and the
 * database's own growth. */
static const uint64_t DISK_LEAST = 32ull << 20;
enum { MISSING_MAX = 1024 };

struct health {
    const struct watched *watched;
    pthread_mutex_t lock;
    struct health_memory memory;
};

bool health_judge(const struct health_view *view, struct health_memory *memory, struct buf *reason)
{
    if (!view->waiting || view->applied_index != memory->applied_index || !memory->moved_ns) {
        memory->applied_index = view->applied_index;
        memory->moved_ns = view->now_ns;
    }
    if (!view->primary)
        buf_puts(reason,
                 view->missing != NULL && view->missing[0] ? view->missing : "there is no primary");
    else if (!view->ready)
        buf_puts(reason, "this server's copy is catching up with the primary");
    else if (view->now_ns - memory->moved_ns > STUCK_NS)
        buf_printf(reason, "%llu commands wait and the log has not moved for %llu s",
                   (unsigned long long)view->waiting,
                   (unsigned long long)((view->now_ns - memory->moved_ns) / SEC_NS));
    else if (view->dir_gone)
        buf_puts(reason, "the data directory is gone: what is sold now is lost at a restart");
    else if (view->disk_free < DISK_LEAST)
        buf_printf(reason, "only %llu MiB are free on the disk of the data directory",
                   (unsigned long long)(view->disk_free >> 20));
    else if (view->purchases >= BUY_OPEN_MAX)
        buf_puts(reason, "as many purchases are on their way as there can be");
    else
        return true;
    return false;
}

struct health *health_new(const struct watched *watched)
{
    struct health *health = calloc(1, sizeof *health);
    if (!health)
        return NULL;
    health->watched = watched;
    pthread_mutex_init(&health->lock, NULL);
    return health;
}

void health_free(struct health *health)
{
    if (!health)
        return;
    pthread_mutex_destroy(&health->lock);
    free(health);
}

static void look_at_disk(const char *dir, struct health_view *view)
{
    struct statvfs disk;
    if (!statvfs(dir, &disk))
        view->disk_free = (uint64_t)disk.f_bavail * disk.f_frsize;
    else
        view->dir_gone = errno == ENOENT || errno == ENOTDIR;
}

bool health_look(void *context, struct buf *reason)
{
    struct health *health = context;
    struct order_status_report order;
    struct buy_report buying;
    order_report(health->watched->order, &order);
    buying_report(health->watched->buying, &buying);
    struct health_view view = {
        .primary = order.primary || order.primary_id,
        .ready = order.ready || order.primary,
        .waiting = order.waiting,
        .applied_index = order.applied_index,
        .purchases = buying.open,
        .disk_free = UINT64_MAX,
        .now_ns = clock_mono_ns(),
    };
    struct buf missing;
    buf_init(&missing, MISSING_MAX);
    if (!view.primary && health->watched->missing)
        health->watched->missing(health->watched->missing_context, &missing);
    buf_byte(&missing, '\0');
    view.missing = missing.failed ? "" : missing.at;
    look_at_disk(health->watched->data_dir, &view);
    pthread_mutex_lock(&health->lock);
    bool healthy = health_judge(&view, &health->memory, reason);
    pthread_mutex_unlock(&health->lock);
    buf_close(&missing);
    return healthy;
}
