#include "web/far_stream.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/thread.h"
#include "web/change_line.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_MAX = 96, SAID_MS = 15000 };
enum { POLL_MS = 50, PAUSE_MS = 100, CONNECT_MS = 1000, URL_MAX = 400, BEARER_MAX = 400 };

struct far_stream {
    struct far_stream_config config;
    CURLM *multi;
    pthread_t thread;
    bool threaded;
    _Atomic bool stopping;
    _Atomic unsigned place;
    _Atomic uint64_t begun;

    /* Of the answer that comes; the thread's own. */
    CURL *curl;
    struct buf line;       /* that is not complete */
    uint64_t heard_ns;     /* when something came last, or it was asked */
    bool beats;            /* some came */
    char silence[WHY_MAX]; /* why nothing was heard, as it was logged; empty: something is */
    uint64_t said_ns;      /* when */
    long status;           /* 0: none has come */
    CURLcode ended;        /* why it has; CURLE_OK also when it was left */
};

/* ---- What curl calls ---- */

static int is_connected(void *context, char *to, char *from, int to_port, int from_port)
{
    struct far_stream *stream = context;
    (void)to, (void)from, (void)to_port, (void)from_port;
    far_follow_ask(stream->config.follow, clock_boot_ns());
    return CURL_PREREQFUNC_OK;
}

static void note_beats(struct far_stream *stream)
{
    if (stream->silence[0])
        log_line(stream->config.log, LOG_INFO, "far", "the changes of %s are heard",
                 stream->config.servers[stream->place]);
    if (!stream->beats)
        atomic_fetch_add(&stream->begun, 1);
    stream->beats = true;
    stream->silence[0] = '\0';
}

static void note_silence(struct far_stream *stream, const char *server)
{
    char status[48];
    snprintf(status, sizeof status, "it answers with status %ld", stream->status);
    const char *why = "it is silent, or reaches no primary";
    if (stream->status == 401)
        why = "it does not know the operator's token";
    else if (stream->status == 404)
        why = "it tells none: is it a server, and of this version?";
    else if (stream->status > 200)
        why = status;
    else if (stream->ended == CURLE_WRITE_ERROR)
        why = "what it says makes no sense";
    else if (stream->ended)
        why = curl_easy_strerror(stream->ended);
    else if (stream->status == 0)
        why = "it does not answer";
    uint64_t now = clock_mono_ns();
    if (strcmp(why, stream->silence) == 0 || now - stream->said_ns < SAID_MS * MS_NS)
        return;
    stream->said_ns = now;
    str_copy(stream->silence, sizeof stream->silence, str_of(why));
    log_line(stream->config.log, LOG_WARN, "far",
             "the changes of %s are not heard (%s): nothing is given out of the cache until "
             "those of a server are",
             server, why);
}

static bool take_lines(struct far_stream *stream)
{
    struct str rest = buf_text(&stream->line);
    ptrdiff_t end;
    while ((end = str_find_byte(rest, '\n')) >= 0) {
        if (far_follow_line(stream->config.follow, str_sub(rest, 0, (size_t)end), clock_boot_ns(),
                            clock_mono_ns()))
            return false;
        rest = str_from(rest, (size_t)end + 1);
    }
    buf_drain(&stream->line, stream->line.len - rest.len);
    if (stream->config.follow->timed)
        note_beats(stream);
    stream->config.look(stream->config.context);
    return true;
}

/* A piece is at most CURL_MAX_WRITE_SIZE, before which at most one line is left. */
static size_t take(char *bytes, size_t one, size_t count, void *context)
{
    struct far_stream *stream = context;
    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &stream->status);
    stream->heard_ns = clock_mono_ns();
    buf_put(&stream->line, bytes, one * count);
    bool good = stream->status == 200 && !stream->line.failed && take_lines(stream);
    return good ? one * count : 0;
}

/* ---- One answer ---- */

static CURL *prepare(struct far_stream *stream, const char *server, struct curl_slist *headers)
{
    const struct far_follow *follow = stream->config.follow;
    char url[URL_MAX];
    CURL *curl = curl_easy_init();
    if (!curl)
        return NULL;
    snprintf(url, sizeof url, "%s/api/v1/changes?ring=%016" PRIx64 "&since=%" PRIu64, server,
             atomic_load(&follow->ring), atomic_load(&follow->told));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    if (stream->config.authority)
        curl_easy_setopt(curl, CURLOPT_CAINFO, stream->config.authority);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, is_connected);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, stream);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
    return curl;
}

/* Until it ends, is silent, or is to be asked for anew, which is true. */
static bool hear(struct far_stream *stream)
{
    uint64_t begun_ns = clock_mono_ns();
    int running = 1;
    stream->heard_ns = begun_ns;
    while (!stream->stopping && curl_multi_perform(stream->multi, &running) == CURLM_OK &&
           running) {
        uint64_t now = clock_mono_ns();
        if (now - begun_ns > FAR_RENEW_MS * MS_NS)
            return true;
        if (now - stream->heard_ns > stream->config.silent_ms * MS_NS)
            return false;
        curl_multi_poll(stream->multi, NULL, 0, POLL_MS, NULL);
        stream->config.look(stream->config.context);
    }
    return false;
}

static void read_messages(struct far_stream *stream)
{
    const CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(stream->multi, &left)))
        if (message->msg == CURLMSG_DONE)
            stream->ended = message->data.result;
}

/* True: the same server is to be asked anew. */
static bool listen_to(struct far_stream *stream, const char *server)
{
    char bearer[BEARER_MAX];
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", stream->config.token);
    struct curl_slist *headers = curl_slist_append(NULL, bearer);
    bool anew = false;
    buf_clear(&stream->line);
    stream->beats = false;
    stream->status = 0;
    stream->ended = CURLE_OK;
    stream->curl = headers ? prepare(stream, server, headers) : NULL;
    if (stream->curl && curl_multi_add_handle(stream->multi, stream->curl) == CURLM_OK) {
        anew = hear(stream);
        read_messages(stream);
        curl_multi_remove_handle(stream->multi, stream->curl);
    }
    if (stream->curl)
        curl_easy_cleanup(stream->curl);
    curl_slist_free_all(headers);
    return anew;
}

static void *run(void *argument)
{
    struct far_stream *stream = argument;
    const struct far_stream_config *config = &stream->config;
    while (!stream->stopping) {
        unsigned place = stream->place;
        if (listen_to(stream, config->servers[place]) || stream->stopping)
            continue;
        far_follow_end(config->follow);
        note_silence(stream, config->servers[place]);
        config->look(config->context);
        stream->place = (place + 1) % config->count;
        curl_multi_poll(stream->multi, NULL, 0, PAUSE_MS, NULL);
    }
    return NULL;
}

/* ---- All of it ---- */

int far_stream_new(const struct far_stream_config *config, struct far_stream **out,
                   struct failure *failure)
{
    struct far_stream *stream = calloc(1, sizeof *stream);
    *out = NULL;
    if (!stream)
        return fail(failure, ERR_NOMEM, "no memory for the changes of a server");
    stream->config = *config;
    buf_init(&stream->line, CURL_MAX_WRITE_SIZE + CHANGE_LINE_MAX);
    stream->multi = curl_multi_init();
    stream->threaded = stream->multi && thread_start(&stream->thread, "stoa-far", run, stream) == 0;
    if (!stream->threaded) {
        far_stream_free(stream);
        return fail(failure, ERR_NOMEM, "cannot start what hears the changes of a server");
    }
    *out = stream;
    return 0;
}

void far_stream_free(struct far_stream *stream)
{
    if (!stream)
        return;
    stream->stopping = true;
    if (stream->threaded) {
        curl_multi_wakeup(stream->multi);
        pthread_join(stream->thread, NULL);
    }
    if (stream->multi)
        curl_multi_cleanup(stream->multi);
    buf_close(&stream->line);
    free(stream);
}

unsigned far_stream_place(const struct far_stream *stream)
{
    return stream->place;
}

uint64_t far_stream_begun(const struct far_stream *stream)
{
    return stream->begun;
}
