#include "outside/settle.h"

static int view_due(void *context, struct arena *arena, int64_t now_ms, struct due *due)
{
    return reader_due(context, arena, now_ms, due);
}

static int view_checkout(void *context, struct arena *arena, struct id id,
                         struct checkout *checkout)
{
    return reader_checkout(context, arena, id, checkout);
}

int settle_view_open(const char *file, struct settle_view *view, struct failure *failure)
{
    struct reader *reader;
    int err = reader_open(file, &reader, failure);
    if (err != 0)
        return err;
    *view = (struct settle_view){.context = reader, .due = view_due, .checkout = view_checkout};
    return 0;
}

void settle_view_close(struct settle_view *view)
{
    reader_close(view->context);
    view->context = NULL;
}
