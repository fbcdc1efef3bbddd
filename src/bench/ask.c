#include "bench/ask.h"

#include "base/clock.h"
#include "base/id.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_SIZE = 512, ANSWER_MAX = 1 << 20, PATIENCE_MS = 20000 };

struct ask {
    CURL *curl;
    char url[URL_SIZE / 2], bearer[128];
    char last[URL_SIZE], key[ID_TEXT];
    char *body;
    struct buf answer;
};

static size_t take(char *bytes, size_t one, size_t count, void *context)
{
    struct buf *answer = context;
    buf_put(answer, bytes, one * count);
    return answer->failed ? 0 : one * count;
}

struct ask *ask_new(const char *url, const char *bearer)
{
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return NULL;
    buf_init(&ask->answer, ANSWER_MAX);
    snprintf(ask->url, sizeof ask->url, "%s", url);
    if (bearer)
        snprintf(ask->bearer, sizeof ask->bearer, "Authorization: Bearer %s", bearer);
    ask->curl = curl_easy_init();
    if (!ask->curl) {
        ask_free(ask);
        return NULL;
    }
    curl_easy_setopt(ask->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(ask->curl, CURLOPT_WRITEDATA, &ask->answer);
    curl_easy_setopt(ask->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(ask->curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(ask->curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    return ask;
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    if (ask->curl)
        curl_easy_cleanup(ask->curl);
    buf_close(&ask->answer);
    free(ask->body);
    free(ask);
}

static int perform(struct ask *ask)
{
    char key[64];
    long status = 0;
    struct curl_slist *headers =
        curl_slist_append(NULL, "UCP-Agent: profile=\"https://platform.example/profile.json\"");
    if (ask->bearer[0])
        headers = curl_slist_append(headers, ask->bearer);
    if (ask->body) {
        snprintf(key, sizeof key, "Idempotency-Key: %s", ask->key);
        headers = curl_slist_append(headers, key);
        headers = curl_slist_append(headers, "Content-Type: application/json");
        headers = curl_slist_append(headers, "Expect:");
        curl_easy_setopt(ask->curl, CURLOPT_POSTFIELDS, ask->body);
    } else {
        curl_easy_setopt(ask->curl, CURLOPT_HTTPGET, 1L);
    }
    buf_clear(&ask->answer);
    curl_easy_setopt(ask->curl, CURLOPT_URL, ask->last);
    curl_easy_setopt(ask->curl, CURLOPT_HTTPHEADER, headers);
    if (curl_easy_perform(ask->curl) == CURLE_OK)
        curl_easy_getinfo(ask->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    return (int)status;
}

int ask_for(struct ask *ask, const char *path, const char *body)
{
    snprintf(ask->last, sizeof ask->last, "%s%s", ask->url, path);
    free(ask->body);
    ask->body = body ? strdup(body) : NULL;
    if (body && !ask->body)
        return 0;
    id_text(id_new(clock_wall_ms()), ask->key);
    return perform(ask);
}

int ask_again(struct ask *ask)
{
    return perform(ask);
}

struct str ask_text(const struct ask *ask)
{
    return buf_text(&ask->answer);
}
