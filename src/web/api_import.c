#include "outside/import.h"
#include "web/api.h"
#include "web/desk.h"
#include "web/upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAME_BYTES = 200, LINE_BYTES = 64 * 1024 };

/* An import on its way; freed by its job. */
struct importing {
    struct desk *desk;
    struct import_options options;
    char name[NAME_BYTES + 1];
    int file;
};

/* What an exchange has got between its head and its handler. */
struct arriving {
    struct desk_claim *claim;
    struct upload *upload;
};

/* ---- The job: writes lines ---- */

static void put_quoted(struct buf *out, const char *text)
{
    buf_byte(out, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf(out, "\\%c", *c);
        else if (*c < 0x20)
            buf_printf(out, "\\u%04x", *c);
        else
            buf_byte(out, (char)*c);
    }
    buf_byte(out, '"');
}

static void put_counts(struct buf *out, const struct import_progress *p)
{
    buf_printf(out,
               "\"bytes\":%llu,\"bytes_total\":%llu,\"rows\":%llu,\"products\":%llu,"
               "\"variants\":%llu,\"bad_rows\":%llu}\n",
               (unsigned long long)p->bytes, (unsigned long long)p->bytes_total,
               (unsigned long long)p->rows, (unsigned long long)p->products,
               (unsigned long long)p->variants, (unsigned long long)p->bad_rows);
}

static void on_progress(void *context, const struct import_progress *p)
{
    struct importing *importing = context;
    struct buf line;
    buf_init(&line, LINE_BYTES);
    buf_printf(&line, "{\"deciding\":%s,", p->deciding ? "true" : "false");
    put_counts(&line, p);
    desk_tell(importing->desk, buf_text(&line));
    buf_close(&line);
}

static void on_bad(void *context, const char *sentence)
{
    struct importing *importing = context;
    struct buf line;
    buf_init(&line, LINE_BYTES);
    buf_puts(&line, "{\"bad\":");
    put_quoted(&line, sentence);
    buf_puts(&line, "}\n");
    if (!line.failed)
        desk_tell(importing->desk, buf_text(&line));
    buf_close(&line);
}

static void job(struct desk *desk, void *context)
{
    struct importing *importing = context;
    struct import_progress progress = {0};
    struct failure failure = {0};
    struct buf line;
    char path[64];
    importing->desk = desk;
    importing->options.stop = desk_stopping(desk);
    snprintf(path, sizeof path, "/proc/self/fd/%d", importing->file);
    int err = import_run(&importing->options, path, &progress, &failure);
    buf_init(&line, LINE_BYTES);
    if (err) {
        buf_puts(&line, "{\"error\":");
        put_quoted(&line, failure.text[0] ? failure.text : err_sentence(err));
        buf_byte(&line, ',');
    } else {
        buf_puts(&line, "{\"done\":true,");
    }
    put_counts(&line, &progress);
    desk_tell(desk, buf_text(&line));
    buf_close(&line);
    close(importing->file);
    free(importing);
}

/* ---- The exchange ---- */

void api_import_accept(struct exchange *x)
{
    struct failure failure = {.text = "out of memory"};
    const struct web_settings *settings = &call_web(x)->settings;
    struct arriving *arriving = ARENA_NEW(&x->arena, struct arriving);
    if (!arriving) {
        call_fail_err(x, ERR_NOMEM);
        return;
    }
    call_of(x)->own = arriving;
    arriving->claim = desk_take(x, call_web(x)->api->importing);
    if (!arriving->claim) {
        api_refuse(x, 409, "import_running", STR("An import is running. Wait for its end."),
                   STR(""));
        return;
    }
    arriving->upload = upload_begin(x, call_web(x)->api->uploads, settings->spool_dir,
                                    settings->upload_max, &failure);
    if (!arriving->upload)
        api_refuse(x, 507, "no_room", arena_str(&x->arena, str_of(failure.text)), STR(""));
}

static struct importing *importing_new(struct exchange *x, struct upload *upload, struct str name)
{
    const struct web_settings *settings = &call_web(x)->settings;
    struct str skip = exchange_query(x, STR("skip_bad"));
    struct importing *importing = calloc(1, sizeof *importing);
    if (!importing)
        return NULL;
    str_copy(importing->name, sizeof importing->name, name);
    importing->options = (struct import_options){
        .order = settings->order,
        .database = settings->database,
        .name = importing->name,
        .skip_bad = str_eq(skip, STR("1")) || str_eq(skip, STR("true")),
        .progress = on_progress,
        .bad = on_bad,
        .context = importing,
    };
    importing->file = upload_take(upload);
    return importing;
}

/* On a helper thread, once the body is complete. */
enum app_verdict api_import(struct exchange *x)
{
    struct arriving *arriving = call_of(x)->own;
    struct failure failure;
    struct str name = exchange_query(x, STR("name"));
    if (upload_end(arriving->upload, &failure))
        return api_refuse(x, 507, "no_room", arena_str(&x->arena, str_of(failure.text)), STR(""));
    if (name.len > NAME_BYTES)
        return api_refuse(x, 422, "invalid", STR("the name of the file is too long"), STR("name"));
    struct importing *importing =
        importing_new(x, arriving->upload, name.len ? name : STR("upload.csv"));
    if (!importing)
        return call_fail_err(x, ERR_NOMEM);
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    if (desk_start(x, arriving->claim, job, importing, STR("application/x-ndjson"))) {
        close(importing->file);
        free(importing);
        return call_fail_err(x, ERR_NOMEM);
    }
    return APP_DONE;
}
