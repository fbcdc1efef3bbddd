#include "web/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct fetch_line {
    CURL *curl;
};

/* One fetch while it runs. */
struct run {
    struct fetch *fetch;
    struct arena *arena;
    struct buf body;
    uint64_t sent;
    int err; /* why a callback ended it */
};

struct fetch_line *fetch_line_new(void)
{
    struct fetch_line *line = calloc(1, sizeof *line);
    if (line)
        line->curl = curl_easy_init();
    if (line && line->curl)
        return line;
    free(line);
    return NULL;
}

void fetch_line_free(struct fetch_line *line)
{
    if (line)
        curl_easy_cleanup(line->curl);
    free(line);
}

/* ---- What curl gives and takes ---- */

static size_t take_header(char *bytes, size_t one, size_t count, void *context)
{
    struct run *run = context;
    struct fetch *fetch = run->fetch;
    struct str line = str_make(bytes, one * count), name;
    if (str_starts(line, STR("HTTP/"))) /* after a 1xx a new head begins */
        fetch->answer_header_count = 0;
    struct str rest = line;
    if (!str_cut(&rest, ':', &name) || !rest.at || fetch->answer_header_count == FETCH_HEADERS_MAX)
        return line.len;
    struct http_header *header = &fetch->answer_headers[fetch->answer_header_count];
    header->name = arena_str(run->arena, name);
    header->value = arena_str(run->arena, str_trim(rest));
    if (!header->name.at || !header->value.at) {
        run->err = ERR_NOMEM;
        return 0;
    }
    fetch->answer_header_count++;
    return line.len;
}

/* All of BYTES into the file; false: errno. */
static bool write_out(int file, struct str bytes)
{
    while (bytes.len) {
        ssize_t count = write(file, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0)
            bytes = str_from(bytes, (size_t)count);
    }
    return true;
}

static size_t take_body(char *bytes, size_t one, size_t count, void *context)
{
    struct run *run = context;
    struct fetch *fetch = run->fetch;
    struct str piece = str_make(bytes, one * count);
    fetch->answer_bytes += piece.len;
    if (fetch->answer_bytes > fetch->answer_max)
        run->err = ERR_FULL;
    else if (fetch->answer_file < 0)
        buf_str(&run->body, piece);
    else if (!write_out(fetch->answer_file, piece))
        run->err = ERR_IO;
    if (run->body.failed)
        run->err = ERR_FULL;
    return run->err ? 0 : piece.len;
}

static size_t give_body(char *bytes, size_t one, size_t count, void *context)
{
    struct run *run = context;
    ssize_t got = pread(run->fetch->body_file, bytes, one * count, (off_t)run->sent);
    if (got < 0) {
        run->err = ERR_IO;
        return CURL_READFUNC_ABORT;
    }
    run->sent += (uint64_t)got;
    return (size_t)got;
}

/* ---- Setting up ---- */

static struct curl_slist *add_header(struct curl_slist *list, struct str name, struct str value,
                                     struct arena *arena, bool *failed)
{
    /* "Name;" is curl's way to send a header that is empty. */
    struct str line = value.len ? arena_printf(arena, "%.*s: %.*s", STR_FMT(name), STR_FMT(value))
                                : arena_printf(arena, "%.*s;", STR_FMT(name));
    struct curl_slist *longer = line.at ? curl_slist_append(list, line.at) : NULL;
    *failed |= !longer;
    return longer ? longer : list;
}

/* The headers, and without those that curl would add by itself. */
static struct curl_slist *headers_of(const struct fetch *fetch, struct arena *arena, bool *failed)
{
    static const char *const none[] = {"Expect:", "Accept:"};
    struct curl_slist *list = NULL;
    bool typed = false;
    for (unsigned i = 0; i < fetch->header_count; i++) {
        const struct http_header *header = &fetch->headers[i];
        typed |= str_eq_nocase(header->name, STR("content-type"));
        list = add_header(list, header->name, header->value, arena, failed);
    }
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
        struct curl_slist *longer = curl_slist_append(list, none[i]);
        *failed |= !longer;
        list = longer ? longer : list;
    }
    if (!typed) {
        struct curl_slist *longer = curl_slist_append(list, "Content-Type:");
        *failed |= !longer;
        list = longer ? longer : list;
    }
    return list;
}

static void set_body(CURL *curl, struct run *run)
{
    const struct fetch *fetch = run->fetch;
    if (fetch->body_file >= 0) {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(curl, CURLOPT_READDATA, run);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)fetch->body_bytes);
    } else if (fetch->body.at) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, fetch->body.at);
    }
}

static void set_bounds(CURL *curl, const struct fetch *fetch)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)fetch->connect_ms);
    if (fetch->total_ms)
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)fetch->total_ms);
    if (fetch->silent_s) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)fetch->silent_s);
    }
}

static int error_of(CURLcode code, const struct run *run)
{
    if (run->err)
        return run->err;
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

static CURLcode perform(CURL *curl, struct run *run, struct curl_slist *headers)
{
    struct fetch *fetch = run->fetch;
    struct str method = arena_str(run->arena, fetch->method);
    curl_easy_reset(curl); /* the connections stay */
    set_body(curl, run);
    set_bounds(curl, fetch);
    curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.at);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, run);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, run);
    return method.at ? curl_easy_perform(curl) : CURLE_OUT_OF_MEMORY;
}

int fetch_run(struct fetch_line *line, struct fetch *fetch, struct arena *arena,
              struct failure *failure)
{
    struct run run = {.fetch = fetch, .arena = arena};
    bool failed = false;
    long status = 0;
    fetch->status = 0;
    fetch->answer_header_count = 0;
    fetch->answer_bytes = 0;
    fetch->answer = STR("");
    buf_init(&run.body, (size_t)fetch->answer_max);
    struct curl_slist *headers = headers_of(fetch, arena, &failed);
    CURLcode code = failed ? CURLE_OUT_OF_MEMORY : perform(line->curl, &run, headers);
    int err = error_of(code, &run);
    curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
    fetch->status = (int)status;
    if (!err && fetch->answer_file < 0) {
        fetch->answer = arena_str(arena, buf_text(&run.body));
        err = fetch->answer.at ? 0 : ERR_NOMEM;
    }
    buf_close(&run.body);
    curl_slist_free_all(headers);
    if (err)
        fail(failure, err, "%s: %s", fetch->url,
             run.err ? err_sentence(run.err) : curl_easy_strerror(code));
    return err;
}

struct str fetch_header(const struct fetch *fetch, struct str name)
{
    for (unsigned i = 0; i < fetch->answer_header_count; i++)
        if (str_eq_nocase(fetch->answer_headers[i].name, name))
            return fetch->answer_headers[i].value;
    return STR_NONE;
}
