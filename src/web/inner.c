#include "web/inner.h"

#include "base/random.h"
#include "net/sign.h"
#include "web/api.h"
#include "web/call.h"
#include "web/fetch.h"
#include "web/relay.h"
#include "web/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CONNECT_MS = 5000,
    ANSWER_MS = 60000, /* the server has deadlines of its own, all of them shorter */
    SILENT_S = 600,    /* of what is long: an import says nothing until it is done */
};

/* An upload on its way through this process. */
struct spooled {
    int file;
    uint64_t bytes;
};

void inner_key_new(char key[static INNER_KEY])
{
    unsigned char bytes[INNER_KEY / 2];
    random_secret(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, key);
}

bool inner_is_client(const struct exchange *x)
{
    return call_web(x)->settings.writer.inner;
}

bool inner_is_server(const struct exchange *x)
{
    const struct web_settings *settings = &call_web(x)->settings;
    return settings->inner_key && !settings->writer.inner;
}

bool inner_is_long(const struct route *route)
{
    return (route->face == FACE_OPERATOR && route->kind == ROUTE_WORK) ||
           str_starts(str_of(route->pattern), STR("/media/"));
}

/* ---- Files without a name ---- */

static void close_file(void *argument)
{
    struct spooled *spooled = argument;
    if (spooled->file >= 0)
        close(spooled->file);
    spooled->file = -1;
}

/* -1: errno. */
static int open_file(struct exchange *x)
{
    const char *dir = call_web(x)->settings.spool_dir;
    char name[UPLOAD_HIDDEN];
    upload_hidden_name(name);
    struct str path = arena_printf(&x->arena, "%s/%s", dir, name);
    if (!path.at || (mkdir(dir, 0700) && errno != EEXIST))
        return -1;
    int file = open(path.at, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0)
        unlink(path.at);
    return file;
}

static struct spooled *spooled_new(struct exchange *x)
{
    struct spooled *spooled = ARENA_NEW(&x->arena, struct spooled);
    if (!spooled)
        return NULL;
    spooled->file = open_file(x);
    if (spooled->file < 0 || exchange_at_end(x, close_file, spooled)) {
        close_file(spooled);
        return NULL;
    }
    return spooled;
}

static enum app_verdict refuse_room(struct exchange *x)
{
    return api_refuse(x, 507, "no_room", STR("There is no room on the disk for this."), STR(""));
}

static enum sink_verdict take_piece(struct exchange *x, struct str bytes)
{
    struct spooled *spooled = call_of(x)->own;
    while (bytes.len) {
        ssize_t count = write(spooled->file, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR) {
            refuse_room(x);
            return SINK_STOP;
        }
        size_t done = count > 0 ? (size_t)count : 0;
        spooled->bytes += done;
        bytes = str_from(bytes, done);
    }
    return SINK_MORE;
}

static const struct body_sink into_file = {take_piece};

void inner_accept(struct exchange *x)
{
    struct spooled *spooled = spooled_new(x);
    if (!spooled) {
        refuse_room(x);
        return;
    }
    call_of(x)->own = spooled;
    x->sink = &into_file;
    x->body_limit = call_web(x)->settings.upload_max;
}

/* ---- There and back ---- */

/* What the server is to know besides what the client sent. A server of the cluster may have relayed
 * it here: then it is not to be relayed again. */
static const struct http_header *headers_for_server(struct exchange *x, unsigned *count)
{
    struct str client = arena_printf(&x->arena, "%s %.*s %.*s", call_web(x)->settings.inner_key,
                                     STR_FMT(x->scheme), STR_FMT(x->peer));
    struct http_header more[] = {{.name = STR(INNER_HEADER), .value = client},
                                 {.name = STR(RELAY_HEADER), .value = STR("1")}};
    return client.at ? relay_headers(x, more, relay_has_come(x) ? 2 : 1, count) : NULL;
}

static int prepare(struct exchange *x, struct fetch *fetch)
{
    const struct web_writer *writer = &call_web(x)->settings.writer;
    const struct spooled *upload = call_of(x)->own;
    bool get = x->method == HTTP_GET || x->method == HTTP_HEAD;
    bool is_long = inner_is_long(call_of(x)->route);
    char url[256];
    if (!writer->find(writer->context, false, url, sizeof url))
        return ERR_STATE;
    struct str address = arena_printf(&x->arena, "%s%.*s", url, STR_FMT(x->target));
    *fetch = (struct fetch){
        .method = get ? STR("GET") : x->method_name,
        .url = address.at,
        .body = x->body.len     ? x->body
                : get || upload ? STR_NONE
                                : STR(""),
        .body_file = upload ? upload->file : -1,
        .body_bytes = upload ? upload->bytes : 0,
        .connect_ms = CONNECT_MS,
        .total_ms = is_long ? 0 : ANSWER_MS,
        .silent_s = SILENT_S,
        .answer_file = -1,
        .answer_max = is_long ? UINT64_MAX : RELAY_ANSWER_MAX,
    };
    fetch->headers = headers_for_server(x, &fetch->header_count);
    return fetch->headers && address.at ? 0 : ERR_NOMEM;
}

/* The exchange closes the file of LONG_ANSWER, if that is where it is. */
static void answer_as(struct exchange *x, const struct fetch *fetch, struct spooled *long_answer)
{
    struct str type = relay_answer_type(fetch);
    relay_answer_headers(x, fetch);
    if (long_answer) {
        exchange_reply_file(x, fetch->status, type, long_answer->file, 0, fetch->answer_bytes);
        long_answer->file = -1;
    } else {
        exchange_reply(x, fetch->status, type, fetch->answer);
        x->compressible = true;
    }
}

static int ask(struct exchange *x, struct failure *failure)
{
    struct fetch *fetch = ARENA_NEW(&x->arena, struct fetch);
    struct fetch_line *line = call_line(x);
    int err = fetch && line ? prepare(x, fetch) : ERR_NOMEM;
    if (err)
        return fail(failure, err, "%s", err_sentence(err));
    struct spooled *answer = inner_is_long(call_of(x)->route) ? spooled_new(x) : NULL;
    fetch->answer_file = answer ? answer->file : -1;
    if (!answer && fetch->answer_max > RELAY_ANSWER_MAX)
        return fail_errno(failure, ERR_FULL, "no file for the answer in %s",
                          call_web(x)->settings.spool_dir);
    err = fetch_run(line, fetch, &x->arena, failure);
    if (err)
        return err;
    answer_as(x, fetch, answer);
    return 0;
}

static void run(struct exchange *x)
{
    struct failure failure = {0};
    int err = ask(x, &failure);
    if (!err)
        return;
    relay_note(x, &failure);
    bool read = x->method == HTTP_GET || x->method == HTTP_HEAD;
    call_fail_err(x, read ? ERR_NOPRIMARY : err == ERR_IO ? ERR_TIMEOUT : err);
}

static void answered(struct exchange *x)
{
    exchange_finish(x);
}

enum app_verdict inner_pass(struct exchange *x)
{
    atomic_fetch_add_explicit(&call_web(x)->relayed, 1, memory_order_relaxed);
    exchange_offload(x, run, answered);
    return APP_LATER;
}

/* ---- At the inner door ---- */

bool inner_take(struct exchange *x)
{
    struct str key = str_of(call_web(x)->settings.inner_key);
    struct str rest = exchange_header(x, STR(INNER_HEADER)), given, scheme;
    bool whole = rest.at && str_cut(&rest, ' ', &given) && rest.at &&
                 str_cut(&rest, ' ', &scheme) && rest.at;
    if (!whole || given.len != key.len || !sign_same(given.at, key.at, key.len)) {
        exchange_reply(x, 403, STR("text/plain"),
                       STR("This address is for the server's own processes.\n"));
        return false;
    }
    x->scheme = scheme;
    x->peer = rest;
    return true;
}
