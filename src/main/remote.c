#include "main/remote.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <sys/stat.h>

enum { LINE_MAX_BYTES = 64 << 10 };

struct answer {
    remote_line *line;
    void *context;
    FILE *out;
    struct buf pending; /* of a line that is not complete, or of an error's text */
    long status;
    CURL *curl;
    int err;
};

int remote_find(const char *dir, struct remote *remote, struct failure *failure)
{
    return datadir_find_server(dir, remote->url, sizeof remote->url, remote->token, failure);
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

static int conclude(struct answer *answer, CURLcode code, const struct remote *remote,
                    struct failure *failure)
{
    if (answer->err)
        return answer->err;
    if (code != CURLE_OK)
        return fail(failure, ERR_IO, "the server at %s: %s", remote->url, curl_easy_strerror(code));
    if (answer->status == 200)
        return 0;
    struct str text = buf_text(&answer->pending);
    return fail(failure, ERR_STATE, "the server at %s answered %ld: %.*s", remote->url,
                answer->status, (int)(text.len < 300 ? text.len : 300), text.len ? text.at : "");
}

static int perform(const struct remote *remote, const char *path, FILE *in, struct answer *answer,
                   struct failure *failure)
{
    char url[1024], bearer[128];
    struct stat about;
    CURL *curl = curl_easy_init();
    if (!curl)
        return fail(failure, ERR_NOMEM, "out of memory");
    snprintf(url, sizeof url, "%s%s", remote->url, path);
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", remote->token);
    struct curl_slist *headers = curl_slist_append(NULL, bearer);
    headers = curl_slist_append(headers, "Content-Type: text/csv");
    buf_init(&answer->pending, LINE_MAX_BYTES);
    answer->curl = curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    /* A server that says and takes nothing for that long is not coming back. */
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 300L);
    /* An https address of this machine with a certificate that signs itself. */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    if (in) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_READDATA, in);
        if (fstat(fileno(in), &about) == 0)
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)about.st_size);
    }
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    int err = conclude(answer, code, remote, failure);
    buf_close(&answer->pending);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return err;
}

int remote_upload(const struct remote *remote, const char *path, FILE *in, remote_line *line,
                  void *context, struct failure *failure)
{
    struct answer answer = {.line = line, .context = context};
    return perform(remote, path, in, &answer, failure);
}

int remote_download(const struct remote *remote, const char *path, FILE *out,
                    struct failure *failure)
{
    struct answer answer = {.out = out};
    return perform(remote, path, NULL, &answer, failure);
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
