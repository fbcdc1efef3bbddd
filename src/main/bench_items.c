#include "main/bench_items.h"

#include <stdlib.h>

/* ---- Handles ---- */

int bench_items_name(struct bench_items *items, unsigned count, struct failure *failure)
{
    *items = (struct bench_items){.count = count};
    items->texts = calloc(count, sizeof *items->texts);
    items->names = calloc(count, sizeof *items->names);
    if (!items->texts || !items->names)
        return fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < count; i++) {
        snprintf(items->texts[i], sizeof items->texts[i], "bench-%06u", i);
        items->names[i] = items->texts[i];
    }
    return 0;
}

void bench_items_close(struct bench_items *items)
{
    free(items->names);
    free(items->texts);
    *items = (struct bench_items){0};
}

/* ---- Products ---- */

struct upload {
    bool done;
    struct failure *failure;
};

static int take_line(void *context, struct str line)
{
    struct upload *upload = context;
    if (str_find(line, STR("\"error\"")) >= 0)
        return fail(upload->failure, ERR_INVALID, "the server refused the bench's products: %.*s",
                    STR_FMT(str_clip_utf8(line, 300)));
    upload->done = upload->done || str_find(line, STR("\"done\"")) >= 0;
    return 0;
}

int bench_items_make(const struct remote *remote, const char *const *names, unsigned count,
                     unsigned units, struct failure *failure)
{
    struct upload upload = {false, failure};
    FILE *file = tmpfile();
    if (!file)
        return fail_errno(failure, ERR_IO, "cannot write a temporary file");
    fprintf(file, "Title,URL handle,Type,Price,Inventory tracker,Inventory quantity\n");
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "Bench product %u,%s,Bench,%u.%02u,stoa,%u\n", i, names[i], 5 + i % 95,
                i % 100, units);
    fflush(file);
    rewind(file);
    int err = remote_upload(remote, "/admin/api/import?name=bench.csv&skip_bad=0", file, take_line,
                            &upload, failure);
    fclose(file);
    if (!err && !upload.done)
        err = fail(failure, ERR_STATE, "the server did not take the bench's products");
    return err;
}
