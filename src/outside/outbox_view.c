#include "outside/identity.h"
#include "outside/outbox.h"

static int view_rows(void *context, struct arena *arena, struct str lane, uint64_t after,
                     unsigned limit, struct outbox_row **rows, unsigned *count)
{
    return reader_outbox(context, arena, lane, after, limit, rows, count);
}

static int view_lanes(void *context, struct arena *arena, struct outbox_lane_count **lanes,
                      unsigned *count)
{
    return reader_outbox_lanes(context, arena, lanes, count);
}

static int view_warehouses(void *context, struct arena *arena, struct warehouse **list,
                           unsigned *count)
{
    return reader_warehouses(context, arena, list, count);
}

static int view_identity(void *context, struct id *shop, uint64_t *epoch)
{
    return identity_read(context, shop, epoch);
}

static int view_order(void *context, struct arena *arena, struct id id, struct order *order)
{
    return reader_order(context, arena, id, order);
}

int outbox_view_open(const char *file, struct outbox_view *view, struct failure *failure)
{
    struct reader *reader;
    int err = reader_open(file, &reader, failure);
    if (err != 0)
        return err;
    *view = (struct outbox_view){.context = reader,
                                 .rows = view_rows,
                                 .lanes = view_lanes,
                                 .warehouses = view_warehouses,
                                 .identity = view_identity,
                                 .order = view_order};
    return 0;
}

void outbox_view_close(struct outbox_view *view)
{
    if (view->context != NULL)
        reader_close(view->context);
    view->context = NULL;
}
