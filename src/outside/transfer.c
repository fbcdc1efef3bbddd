#include "outside/transfer.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "outside/address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum {
    CONNECTIONS = 16,
    AT_ONCE = 256,
    WAITING_MAX = 16384,
    CONNECT_MS = 3000,
    TOTAL_MS = 10000,
    HEAD_MAX = 64 * 1024,
    HEADER_MAX = 8 * 1024,
    POLL_MS = 1000,
};

/* What runs one transfer at a time: a handle of curl's with what it needs. */
struct line {
    struct line *next; /* among those that are free */
    CURL *curl;
    struct transfer *transfer; /* NULL: free */
    struct curl_slist *headers;
    struct buf text; /* a header or the address, with its NUL */
    struct buf answer;
    size_t head_bytes;
    int err;      /* why one of our own functions ended it */
    bool reached; /* there is a connection, and the request may be on its way */
    bool shunned; /* an address was refused */
    char request_id[128];
    char said[CURL_ERROR_SIZE];
};

struct transfers {
    struct transfers_config config;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    struct transfer *first, **last;
    unsigned waiting;
    bool stopping;
    uint64_t stop_ns; /* when stopping: until then what runs may end by itself */

    /* The thread's own: */
    struct line *lines, *free;
    unsigned running;
};

/* ---- What curl asks ---- */

static bool accepts(const struct transfer *transfer, const struct sockaddr *address)
{
    const struct transfer_trust *trust = transfer->trust;
    if (trust != NULL && trust->public_only)
        return address_is_public(address);
    return (trust != NULL && trust->plain) || !str_starts(transfer->url, STR("http:")) ||
           address_is_loopback(address);
}

/* After the name was resolved, before anything is sent there. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct line *line = context;
    if (purpose != CURLSOCKTYPE_IPCXN || !accepts(line->transfer, &address->addr)) {
        line->shunned = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A connection, new or kept, is there, and the request is next. A kept one may have been opened by
 * a transfer that was less strict. */
static int is_connected(void *context, char *to, char *from, int to_port, int from_port)
{
    struct line *line = context;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    const struct sockaddr *address = (const void *)&four;
    (void)from, (void)to_port, (void)from_port;
    if (inet_pton(AF_INET6, to, &six.sin6_addr) == 1)
        address = (const void *)&six;
    else if (inet_pton(AF_INET, to, &four.sin_addr) != 1)
        return CURL_PREREQFUNC_ABORT;
    if (!accepts(line->transfer, address)) {
        line->shunned = true;
        return CURL_PREREQFUNC_ABORT;
    }
    line->reached = true;
    return CURL_PREREQFUNC_OK;
}

static size_t take_header(char *bytes, size_t one, size_t count, void *context)
{
    struct line *line = context;
    struct transfer *transfer = line->transfer;
    struct str rest = str_make(bytes, one * count), name;
    size_t len = rest.len;
    line->head_bytes += len;
    if (line->head_bytes > HEAD_MAX) {
        line->err = ERR_FULL;
        return 0;
    }
    if (!str_cut(&rest, ':', &name) || rest.at == NULL)
        return len;
    struct str value = str_trim(rest);
    if (str_eq_nocase(name, STR("request-id")))
        str_copy(line->request_id, sizeof line->request_id, value);
    else if (str_eq_nocase(name, STR("idempotent-replayed")))
        transfer->replayed = str_eq_nocase(value, STR("true"));
    if (transfer->header != NULL)
        transfer->header(transfer, name, value);
    return len;
}

static size_t take_body(char *bytes, size_t one, size_t count, void *context)
{
    struct line *line = context;
    buf_put(&line->answer, bytes, one * count);
    if (line->answer.failed)
        line->err = ERR_FULL;
    return line->answer.failed ? 0 : one * count;
}

/* ---- Beginning ---- */

/* The bytes with a NUL, lent until the next call; NULL: too long, or a control character in it,
 * which would begin another header. */
static const char *terminated(struct line *line, struct str a, const char *between, struct str b)
{
    buf_clear(&line->text);
    buf_str(&line->text, a);
    buf_puts(&line->text, between);
    buf_str(&line->text, b);
    for (size_t i = 0; i < line->text.len; i++)
        if ((unsigned char)line->text.at[i] < ' ')
            return NULL;
    buf_byte(&line->text, '\0');
    return line->text.failed ? NULL : line->text.at;
}

static bool add_header(struct line *line, const char *text)
{
    struct curl_slist *longer = text != NULL ? curl_slist_append(line->headers, text) : NULL;
    if (longer == NULL)
        return false;
    line->headers = longer;
    return true;
}

/* The transfer's headers, without those which curl would add by itself. */
static bool set_headers(struct line *line)
{
    const struct transfer *transfer = line->transfer;
    bool typed = false, accepted = false, good = add_header(line, "Expect:");
    for (unsigned i = 0; good && i < transfer->header_count; i++) {
        const struct transfer_header *header = &transfer->headers[i];
        typed |= str_eq_nocase(header->name, STR("content-type"));
        accepted |= str_eq_nocase(header->name, STR("accept"));
        /* "Name;" is curl's way to send a header that is empty. */
        good = add_header(
            line, terminated(line, header->name, header->value.len ? ": " : ";", header->value));
    }
    good = good && (typed || add_header(line, "Content-Type:"));
    good = good && (accepted || add_header(line, "Accept:"));
    curl_easy_setopt(line->curl, CURLOPT_HTTPHEADER, line->headers);
    return good;
}

static void set_trust(CURL *curl, const struct transfer_trust *trust)
{
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (trust == NULL)
        return;
    if (trust->authority_file != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, trust->authority_file);
    if (trust->pin == NULL)
        return;
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, trust->pin);
    if (trust->authority_file == NULL) { /* the key itself is what is trusted */
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static bool set_request(struct line *line)
{
    const struct transfer *transfer = line->transfer;
    CURL *curl = line->curl;
    const char *url = terminated(line, transfer->url, "", STR_NONE);
    if (url == NULL || curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK)
        return false;
    if (transfer->body.at != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, transfer->body.at);
    } else if (str_eq(transfer->method, STR("POST"))) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    }
    const char *method = terminated(line, transfer->method, "", STR_NONE);
    return method != NULL && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
           set_headers(line);
}

static void set_callbacks(struct line *line)
{
    CURL *curl = line->curl;
    curl_easy_setopt(curl, CURLOPT_PRIVATE, line);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, line->said);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, line);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, is_connected);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, line);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, line);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, line);
}

static void set_bounds(CURL *curl, const struct transfer *transfer, uint64_t left_ms)
{
    uint64_t connect = transfer->connect_ms ? transfer->connect_ms : CONNECT_MS;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Else a transfer whose time is over waits for the name server, and all others with it. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(curl, CURLOPT_PIPEWAIT, 1L); /* better a stream than a connection more */
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(connect < left_ms ? connect : left_ms));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
}

/* ---- Ending ---- */

static void wipe_body(const struct transfer *transfer)
{
    if (transfer->wipe_body && transfer->body.at != NULL)
        explicit_bzero((void *)(uintptr_t)transfer->body.at, transfer->body.len);
}

/* TRANSFER never got as far as a line. */
static void end_unsent(struct transfer *transfer, int err, const char *what)
{
    transfer->err =
        fail(&transfer->failure, err, "%.*s: %s; nothing was sent", STR_FMT(transfer->url), what);
    wipe_body(transfer);
    transfer->done(transfer);
}

static bool is_distrust(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR;
}

static int error_of(const struct line *line, CURLcode code)
{
    if (line->err != 0)
        return line->err;
    if (code == CURLE_OK)
        return 0;
    if (is_distrust(code) || (line->shunned && !line->reached))
        return ERR_TRUST;
    if (!line->reached)
        return ERR_UNREACHED;
    return code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO;
}

static const char *reason_of(const struct line *line, int err, CURLcode code)
{
    if (line->err == ERR_CLOSED)
        return "stopping";
    if (line->err == ERR_FULL)
        return "the answer is too long";
    if (err == ERR_TRUST && line->shunned)
        return "the address is not one to which this may be sent";
    return line->said[0] != '\0' ? line->said : curl_easy_strerror(code);
}

/* Back among the free ones, with what may be used again. */
static void put_back(struct transfers *transfers, struct line *line)
{
    curl_slist_free_all(line->headers);
    line->headers = NULL;
    line->transfer = NULL;
    curl_easy_reset(line->curl); /* the connections are the multi handle's, and stay */
    if (line->answer.cap > 64 * 1024)
        buf_close(&line->answer); /* a long answer's memory is not kept for short ones */
    line->next = transfers->free;
    transfers->free = line;
}

static void end(struct transfers *transfers, struct line *line, CURLcode code)
{
    struct transfer *transfer = line->transfer;
    long status = 0;
    curl_off_t retry_after = 0;
    char *type = NULL;
    curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(line->curl, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(line->curl, CURLINFO_CONTENT_TYPE, &type);
    transfer->err = error_of(line, code);
    transfer->status = (int)status;
    transfer->answer = buf_text(&line->answer);
    transfer->retry_after_s = retry_after > 0 ? retry_after : -1;
    transfer->content_type = str_of(type);
    transfer->request_id = str_of(line->request_id);
    if (transfer->err != 0)
        fail(&transfer->failure, transfer->err, "%.*s: %s", STR_FMT(transfer->url),
             reason_of(line, transfer->err, code));
    curl_multi_remove_handle(transfers->multi, line->curl);
    wipe_body(transfer);
    transfer->done(transfer); /* it may be gone now */
    put_back(transfers, line);
    transfers->running--;
}

/* ---- The thread ---- */

/* The answer so far of what has begun anew. */
static void forget_answer(struct transfer *transfer)
{
    transfer->err = transfer->status = 0;
    transfer->failure = (struct failure){0};
    transfer->answer = transfer->content_type = transfer->request_id = STR_NONE;
    transfer->retry_after_s = -1;
    transfer->replayed = false;
}

static void begin(struct transfers *transfers, struct transfer *transfer)
{
    uint64_t total_ms = transfer->total_ms ? transfer->total_ms : TOTAL_MS;
    uint64_t waited_ms = (clock_mono_ns() - transfer->started_ns) / MS_NS;
    if (waited_ms >= total_ms) {
        end_unsent(transfer, ERR_UNREACHED, "its turn did not come in time");
        return;
    }
    struct line *line = transfers->free;
    line->transfer = transfer;
    line->err = 0;
    line->reached = line->shunned = false;
    line->head_bytes = 0;
    line->request_id[0] = line->said[0] = '\0';
    buf_clear(&line->answer);
    line->answer.max = transfer->answer_max ? transfer->answer_max : TRANSFER_ANSWER_MAX;
    set_callbacks(line);
    set_bounds(line->curl, transfer, total_ms - waited_ms);
    set_trust(line->curl, transfer->trust);
    bool good = set_request(line);
    if (good && curl_multi_add_handle(transfers->multi, line->curl) == CURLM_OK) {
        transfers->free = line->next;
        transfers->running++;
        return;
    }
    transfers->free = line->next;
    put_back(transfers, line);
    end_unsent(transfer, good ? ERR_NOMEM : ERR_INVALID,
               good ? "out of memory" : "its address or a header cannot be sent");
}

/* Takes what waits, as far as there are lines. True: stopping, and nothing is left. */
static bool take_waiting(struct transfers *transfers)
{
    pthread_mutex_lock(&transfers->mutex);
    bool stopping = transfers->stopping;
    bool late = stopping && clock_mono_ns() >= transfers->stop_ns;
    while (transfers->first != NULL && (late || transfers->free != NULL)) {
        struct transfer *transfer = transfers->first;
        transfers->first = transfer->next;
        if (transfers->first == NULL)
            transfers->last = &transfers->first;
        transfers->waiting--;
        pthread_mutex_unlock(&transfers->mutex);
        if (late)
            end_unsent(transfer, ERR_CLOSED, "stopping");
        else
            begin(transfers, transfer);
        pthread_mutex_lock(&transfers->mutex);
    }
    bool empty = transfers->first == NULL;
    pthread_mutex_unlock(&transfers->mutex);
    for (unsigned i = 0; late && i < transfers->config.at_once; i++) {
        if (transfers->lines[i].transfer == NULL)
            continue;
        transfers->lines[i].err = ERR_CLOSED;
        end(transfers, &transfers->lines[i], CURLE_ABORTED_BY_CALLBACK);
    }
    return stopping && empty && transfers->running == 0;
}

static void look_at_ended(struct transfers *transfers)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(transfers->multi, &left)) != NULL) {
        char *line = NULL;
        CURLcode code = message->data.result; /* the message goes with its handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &line);
        end(transfers, (struct line *)(void *)line, code);
    }
}

/* While stopping no longer than until its end. */
static int poll_ms(struct transfers *transfers)
{
    int ms = POLL_MS;
    pthread_mutex_lock(&transfers->mutex);
    if (transfers->first != NULL && transfers->free != NULL)
        ms = 0;
    else if (transfers->stopping) {
        uint64_t now = clock_mono_ns();
        uint64_t left = now < transfers->stop_ns ? (transfers->stop_ns - now) / MS_NS + 1 : 0;
        ms = left < POLL_MS ? (int)left : POLL_MS;
    }
    pthread_mutex_unlock(&transfers->mutex);
    return ms;
}

static void *run_transfers(void *context)
{
    struct transfers *transfers = context;
    int running;
    while (!take_waiting(transfers)) {
        curl_multi_perform(transfers->multi, &running);
        look_at_ended(transfers);
        curl_multi_poll(transfers->multi, NULL, 0, poll_ms(transfers), NULL);
    }
    return NULL;
}

/* ---- From outside ---- */

static void close_lines(struct transfers *transfers)
{
    for (unsigned i = 0; transfers->lines != NULL && i < transfers->config.at_once; i++) {
        struct line *line = &transfers->lines[i];
        curl_easy_cleanup(line->curl);
        buf_close(&line->text);
        buf_close(&line->answer);
    }
    free(transfers->lines);
    if (transfers->multi != NULL)
        curl_multi_cleanup(transfers->multi);
    pthread_mutex_destroy(&transfers->mutex);
    free(transfers);
}

static bool open_lines(struct transfers *transfers)
{
    const struct transfers_config *config = &transfers->config;
    transfers->multi = curl_multi_init();
    transfers->lines = calloc(config->at_once, sizeof *transfers->lines);
    if (transfers->multi == NULL || transfers->lines == NULL)
        return false;
    curl_multi_setopt(transfers->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)config->connections);
    curl_multi_setopt(transfers->multi, CURLMOPT_MAXCONNECTS, (long)config->connections * 4);
    for (unsigned i = 0; i < config->at_once; i++) {
        struct line *line = &transfers->lines[i];
        line->curl = curl_easy_init();
        if (line->curl == NULL)
            return false;
        buf_init(&line->text, HEADER_MAX);
        buf_init(&line->answer, TRANSFER_ANSWER_MAX);
        line->next = transfers->free;
        transfers->free = line;
    }
    return true;
}

int transfers_new(const struct transfers_config *config, struct transfers **out)
{
    struct transfers *transfers = calloc(1, sizeof *transfers);
    if (transfers == NULL)
        return ERR_NOMEM;
    if (config != NULL)
        transfers->config = *config;
    if (transfers->config.connections == 0)
        transfers->config.connections = CONNECTIONS;
    if (transfers->config.at_once == 0)
        transfers->config.at_once = AT_ONCE;
    if (transfers->config.waiting_max == 0)
        transfers->config.waiting_max = WAITING_MAX;
    transfers->last = &transfers->first;
    pthread_mutex_init(&transfers->mutex, NULL);
    if (!open_lines(transfers) ||
        thread_start(&transfers->thread, "stoa-transfer", run_transfers, transfers) != 0) {
        close_lines(transfers);
        return ERR_NOMEM;
    }
    *out = transfers;
    return 0;
}

void transfers_stop(struct transfers *transfers, uint32_t grace_ms)
{
    uint64_t stop_ns = clock_mono_ns() + grace_ms * MS_NS;
    pthread_mutex_lock(&transfers->mutex);
    if (!transfers->stopping || stop_ns < transfers->stop_ns)
        transfers->stop_ns = stop_ns;
    transfers->stopping = true;
    pthread_mutex_unlock(&transfers->mutex);
    curl_multi_wakeup(transfers->multi);
}

void transfers_free(struct transfers *transfers, uint32_t grace_ms)
{
    if (transfers == NULL)
        return;
    transfers_stop(transfers, grace_ms);
    pthread_join(transfers->thread, NULL);
    close_lines(transfers);
}

static bool is_sendable(const struct transfer *transfer)
{
    return transfer->done != NULL && transfer->method.len > 0 &&
           transfer->header_count <= TRANSFER_HEADERS_MAX &&
           (str_starts(transfer->url, STR("https://")) ||
            str_starts(transfer->url, STR("http://")));
}

int transfer_start(struct transfers *transfers, struct transfer *transfer)
{
    if (!is_sendable(transfer))
        return ERR_INVALID;
    forget_answer(transfer);
    transfer->started_ns = clock_mono_ns();
    transfer->next = NULL;
    pthread_mutex_lock(&transfers->mutex);
    bool was_empty = transfers->first == NULL;
    int err = transfers->stopping                                   ? ERR_CLOSED
              : transfers->waiting >= transfers->config.waiting_max ? ERR_BUSY
                                                                    : 0;
    if (err == 0) {
        *transfers->last = transfer;
        transfers->last = &transfer->next;
        transfers->waiting++;
        if (was_empty) /* under the lock: transfers_free may come at any time */
            curl_multi_wakeup(transfers->multi);
    }
    pthread_mutex_unlock(&transfers->mutex);
    return err;
}

/* Somebody who waits for a transfer. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    struct buf *answer;
    bool over;
};

static void wake_waiter(struct transfer *transfer)
{
    struct waiter *waiter = transfer->context;
    transfer->content_type = transfer->request_id = STR_NONE;
    if (waiter->answer != NULL) {
        buf_clear(waiter->answer);
        buf_str(waiter->answer, transfer->answer);
        if (waiter->answer->failed && transfer->err == 0)
            transfer->err = fail(&transfer->failure, ERR_FULL, "%.*s: the answer is too long",
                                 STR_FMT(transfer->url));
        transfer->answer = buf_text(waiter->answer);
    } else {
        transfer->answer = STR_NONE;
    }
    pthread_mutex_lock(&waiter->mutex);
    waiter->over = true;
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->mutex);
}

int transfer_wait(struct transfers *transfers, struct transfer *transfer, struct buf *answer)
{
    struct waiter waiter = {.answer = answer};
    pthread_mutex_init(&waiter.mutex, NULL);
    cond_init(&waiter.ended);
    transfer->done = wake_waiter;
    transfer->context = &waiter;
    int err = transfer_start(transfers, transfer);
    if (err == 0) {
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.over)
            pthread_cond_wait(&waiter.ended, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
        err = transfer->err;
    }
    pthread_cond_destroy(&waiter.ended);
    pthread_mutex_destroy(&waiter.mutex);
    transfer->done = NULL;
    transfer->context = NULL;
    return err;
}
