#include "main/remote.h"

#include "base/buf.h"
#include "main/server_dirs.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <yyjson.h>

enum { LINE_MAX_BYTES = 64 << 10 };

struct answer {
    remote_line *line;
    void *context;
    FILE *out;
    struct buf *all;    /* gets a good answer as it is; may be NULL */
    struct buf pending; /* of a line that is not complete, or of an error's text */
    long status;
    CURL *curl;
    int err;
};

int remote_find(const char *dir, struct remote *remote, struct failure *failure)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return fail(failure, ERR_NOMEM, "out of memory");
    /* What DIR lacks to be either is said by the search for a server. */
    if (server_dirs_find(dir, dirs, NULL) || !dirs->demo) {
        free(dirs);
        return datadir_find_server(dir, remote->url, sizeof remote->url, remote->token, failure);
    }
    int err = fail(failure, ERR_NOTFOUND, "none of the servers of %s runs", dir);
    for (unsigned i = 0; err && i < dirs->count; i++)
        if (datadir_find_server(dirs->at[i].path, remote->url, sizeof remote->url, remote->token,
                                NULL) == 0)
            err = 0;
    free(dirs);
    return err;
}

static int give_lines(struct answer *answer)
{
    struct str rest = buf_text(&answer->pending);
    ptrdiff_t end;
    while ((end = str_find_byte(rest, '\n')) >= 0) {
        struct str line = str_sub(rest, 0, (size_t)end);
        if (line.len && (answer->err = answer->line(answer->context, line)))
            return answer->err;
        rest = str_from(rest, (size_t)end + 1);
    }
    buf_drain(&answer->pending, answer->pending.len - rest.len);
    return 0;
}

static size_t take(char *bytes, size_t one, size_t count, void *context)
{
    struct answer *answer = context;
    size_t len = one * count;
    curl_easy_getinfo(answer->curl, CURLINFO_RESPONSE_CODE, &answer->status);
    if (answer->status == 200 && answer->out)
        return fwrite(bytes, 1, len, answer->out);
    buf_put(&answer->pending, bytes, len);
    if (answer->pending.failed || (answer->status == 200 && answer->line && give_lines(answer)))
        return 0;
    return len;
}

/* What the server says about it, which is JSON if it is the operator's API that says it. */
static int refusal(struct answer *answer, const struct remote *remote, struct failure *failure)
{
    struct str text = buf_text(&answer->pending);
    yyjson_doc *doc = text.len ? yyjson_read(text.at, text.len, 0) : NULL;
    yyjson_val *error = yyjson_obj_get(yyjson_doc_get_root(doc), "error");
    const char *message = yyjson_get_str(yyjson_obj_get(error, "message"));
    int err = answer->status == 404 ? ERR_NOTFOUND : ERR_STATE;
    if (message)
        fail(failure, err, "%s", message);
    else
        fail(failure, err, "the server at %s answered %ld: %.*s", remote->url, answer->status,
             (int)(text.len < 300 ? text.len : 300), text.len ? text.at : "");
    yyjson_doc_free(doc);
    return err;
}

static int conclude(struct answer *answer, CURLcode code, const struct remote *remote,
                    struct failure *failure)
{
    if (answer->err)
        return answer->err;
    if (code != CURLE_OK)
        return fail(failure, ERR_IO, "the server at %s: %s", remote->url, curl_easy_strerror(code));
    if (answer->status == 200)
        return 0;
    return refusal(answer, remote, failure);
}

/* How a request is made, beyond where it goes. */
struct asking {
    FILE *in;            /* what is uploaded; NULL: nothing */
    const char *json;    /* what is posted; NULL: nothing */
    bool put;            /* it is put there instead */
    unsigned timeout_ms; /* of the whole; 0: as long as something happens */
};

static void set_body(CURL *curl, const struct asking *asking)
{
    struct stat about;
    if (asking->json)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, asking->json);
    if (asking->put)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
    if (!asking->in)
        return;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_READDATA, asking->in);
    if (fstat(fileno(asking->in), &about) == 0)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)about.st_size);
}

static void set_patience(CURL *curl, const struct asking *asking)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (asking->timeout_ms) {
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)asking->timeout_ms);
        return;
    }
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    /* A server that says and takes nothing for that long is not coming back. */
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 300L);
}

static int perform(const struct remote *remote, const char *path, const struct asking *asking,
                   struct answer *answer, struct failure *failure)
{
    char url[1024], bearer[128];
    CURL *curl = curl_easy_init();
    if (!curl)
        return fail(failure, ERR_NOMEM, "out of memory");
    snprintf(url, sizeof url, "%s%s", remote->url, path);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", remote->token);
    struct curl_slist *headers = curl_slist_append(NULL, bearer);
    headers = curl_slist_append(headers, asking->json ? "Content-Type: application/json"
                                                      : "Content-Type: text/csv");
    buf_init(&answer->pending, LINE_MAX_BYTES);
    answer->curl = curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    /* Servers are asked directly, whatever the environment says of proxies. */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    /* An https address of this machine with a certificate that signs itself. */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    set_patience(curl, asking);
    set_body(curl, asking);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    int err = conclude(answer, code, remote, failure);
    if (!err && answer->all)
        buf_str(answer->all, buf_text(&answer->pending));
    buf_close(&answer->pending);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return err;
}

int remote_upload(const struct remote *remote, const char *path, FILE *in, remote_line *line,
                  void *context, struct failure *failure)
{
    struct answer answer = {.line = line, .context = context};
    return perform(remote, path, &(struct asking){.in = in}, &answer, failure);
}

int remote_download(const struct remote *remote, const char *path, FILE *out,
                    struct failure *failure)
{
    struct answer answer = {.out = out};
    return perform(remote, path, &(struct asking){0}, &answer, failure);
}

int remote_call(const struct remote *remote, const char *path, const char *body,
                unsigned timeout_ms, struct buf *all, struct failure *failure)
{
    struct answer answer = {.all = all};
    struct asking asking = {.json = body, .timeout_ms = timeout_ms};
    return perform(remote, path, &asking, &answer, failure);
}

int remote_put(const struct remote *remote, const char *path, const char *body, unsigned timeout_ms,
               struct buf *all, struct failure *failure)
{
    struct answer answer = {.all = all};
    struct asking asking = {.json = body, .put = true, .timeout_ms = timeout_ms};
    return perform(remote, path, &asking, &answer, failure);
}

void remote_escape(const char *text, char *out, size_t size)
{
    size_t at = 0;
    for (; *text && at + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain)
            out[at++] = (char)c;
        else
            at += (size_t)snprintf(out + at, size - at, "%%%02X", c);
    }
    out[at] = 0;
}
