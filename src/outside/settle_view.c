#include "outside/settle.h"

static int view_due(void *context, struct arena *arena, int64_t now_ms, struct due *due)
{
    return reader_due(context, arena, now_ms, due);
}

static int view_overdue(void *context, struct arena *arena, int64_t now_ms,
                        const struct overdue_place *after, struct overdue_place **places,
                        unsigned *count)
{
    return reader_overdue(context, arena, now_ms, after, places, count);
}

static int view_checkout(void *context, struct arena *arena, struct id id,
                         struct checkout *checkout)
{
    return reader_checkout(context, arena, id, checkout);
}

static int view_currency(void *context, struct arena *arena, struct str *currency)
{
    struct shop_settings settings;
    int err = reader_settings(context, arena, &settings);
    if (err == 0)
        *currency = settings.currency;
    return err;
}

int settle_view_open(const char *file, struct settle_view *view, struct failure *failure)
{
    struct reader *reader;
    int err = reader_open(file, &reader, failure);
    if (err != 0)
        return err;
    *view = (struct settle_view){.context = reader,
                                 .due = view_due,
                                 .overdue = view_overdue,
                                 .checkout = view_checkout,
                                 .currency = view_currency};
    return 0;
}

void settle_view_close(struct settle_view *view)
{
    reader_close(view->context);
    view->context = NULL;
}
