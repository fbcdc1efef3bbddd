/* Call: what a handler knows of its request besides the exchange, and how it answers.
 *
 * Used by every handler in web/. A struct call is made when the route is known, in
 * the exchange's arena, and found again by call_of(x). Thread: the exchange's own,
 * or the helper's while it works.
 */
#ifndef STOA_WEB_CALL_H
#define STOA_WEB_CALL_H

#include "http/exchange.h"
#include "http/template.h"
#include "shop/command.h"
#include "web/far_tags.h"
#include "web/routes.h"
#include "web/traffic.h"
#include "web/web.h"

enum { WEB_TEMPLATES_MAX = 64, SETTINGS_MEMORY = 1 << 20 };

struct api;
struct fetch_line;
struct gate;
struct home_signer;
struct media;
struct once;
struct outcome;
struct passes;
struct signer;
struct wait;
struct wayback_view;

struct web {
    struct app app;
    struct api *api;
    struct media *media;
    struct passes *passes; /* a reader's; else NULL */
    struct web_settings settings;
    char names[WEB_TEMPLATES_MAX][48]; /* of the templates */
    struct template_set *templates;
    char far_key[FAR_KEY]; /* of those who keep pages elsewhere; empty: there are none */
    struct traffic traffic;
    struct traffic_thread *counts; /* a client's process's; NULL: each thread's own */
    _Atomic uint64_t pages, commands, commands_failed, gate_waits, gate_barriers, relayed;
};

struct web_thread {
    struct web *web;
    struct reader *reader;
    struct traffic_thread *traffic;
    struct signer *signer;
    struct home_signer *homes;
    struct wayback_view *wayback; /* call_wayback */
    struct fetch_line *line;      /* call_line */

    /* call_settings: as read when settings_index was cache_settings_index. */
    bool settings_known;
    uint64_t settings_index;
    struct shop_settings settings;
    struct arena settings_memory;
};

struct call {
    struct web *web;
    const struct route *route; /* NULL: none fits */
    enum route_face face;
    struct str params[ROUTE_PARAMS_MAX];
    void *own;            /* the handler's own state, from one step to the next */
    struct wait *waiting; /* submit.c's */
    enum app_verdict (*step)(struct exchange *x, struct outcome *outcome); /* submit.c's */

    struct once *once; /* once.c's */

    /* call_is_by_proxy's, once it was asked for. */
    bool proxy_known, by_proxy;

    /* gate.c's: log indexes that X's token gave, and that X was shown; 0: none. */
    uint64_t given, seen;
    bool token_read;
    bool far; /* X is from a process elsewhere that keeps pages (far_tags.h) */
    struct gate *gate;
    enum app_verdict (*read)(struct exchange *x);
};

static inline struct call *call_of(const struct exchange *x)
{
    return x->state;
}
/* Of the thread that runs X now. */
static inline struct web_thread *call_thread(const struct exchange *x)
{
    return x->thread_state;
}
static inline struct web *call_web(const struct exchange *x)
{
    return call_thread(x)->web;
}
/* NULL: the database cannot be opened, at a client's process (inner.h), which opens it at the first
 * need and passes on what it cannot read. Never elsewhere. */
struct reader *call_reader(const struct exchange *x);
/* As reader_settings, but without looking into the database while nothing has changed; within a
 * view they may be newer than it. */
int call_settings(struct exchange *x, struct shop_settings *settings);
/* The way back to a load manager in direct mode, as this thread knows it now. */
const struct wayback_view *call_wayback(const struct exchange *x);
/* For fetch.h; a helper's thread. NULL: no memory. */
struct fetch_line *call_line(const struct exchange *x);

/* The pattern's parameter INDEX, as it stands in the path (percent-encoded). */
struct str call_param(const struct exchange *x, unsigned index);
/* The same, percent-decoded into the arena; at == NULL when it is not proper UTF-8 or
 * contains a control character. */
struct str call_param_text(struct exchange *x, unsigned index);
/* The same as an id; 0 or ERR_INVALID. */
int call_param_id(const struct exchange *x, unsigned index, struct id *id);

/* "https://shop.example": the setting, or else made from scheme and host. */
struct str call_base_url(struct exchange *x);
/* Whether X comes from a load manager that has announced itself, or from another peer that the
 * setting `trust` names: what it says of the client is believed. */
bool call_is_by_proxy(const struct exchange *x);
/* Whether the shopper's side speaks https: by the setting `url`, or else as whoever X comes from
 * says, if that is believed, or else as X itself came. */
bool call_is_https(const struct exchange *x);

/* Answers 303 See Other to LOCATION (a path of ours). */
enum app_verdict call_redirect(struct exchange *x, struct str location);

/* Answers STATUS with JSON (lives as long as the exchange; at == NULL: 500), not to be stored. */
enum app_verdict call_json(struct exchange *x, int status, struct str json);

/* Answers STATUS with a page (or, where the route is of another face or the client asks
 * for JSON, a small JSON object) that says what to do. 503 gets a Retry-After. TEXT may
 * be empty: the status has a sentence of its own. */
enum app_verdict call_fail(struct exchange *x, int status, struct str text);
/* The same for an error of our list (ERR_NOTFOUND: 404, ERR_BUSY: 503, …). */
enum app_verdict call_fail_err(struct exchange *x, int err);

/* Says in Stoa-Try, for load managers, when what could not be done here for ERR, and is answered
 * with 503, may be done by another server. call_fail_err does it by itself. */
void call_try_elsewhere(struct exchange *x, int err);

/* Adds the headers that each answer of ours has: nosniff, Referrer-Policy, for HTML the
 * content security policy. Called by page.h and call_fail; JSON faces call it as well. */
void call_security_headers(struct exchange *x, bool html);

/* A page to be kept ready in the cache, which has these headers in it, BODY in its gzip form too.
 * With HTML its entry must have a round from before the call (cache.h), as it depends on the way
 * back. One reference; NULL without memory. */
struct http_page *call_page_new(struct exchange *x, bool html, struct str type,
                                struct str cache_control, struct str body);
/* X's answer may be kept under its path, and shows TAGS: whoever else keeps pages hears it. */
void call_tell_tags(struct exchange *x, const struct cache_tags *tags);
/* What is kept ready under KEY, with a reference for the caller, and its TAGS (may be NULL); or
 * NULL: nothing that names a load manager which is known to be silent by now. */
struct http_page *call_page_kept(const struct exchange *x, struct str key, struct cache_tags *tags);

#endif
