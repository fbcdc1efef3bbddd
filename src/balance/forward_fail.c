#include "balance/forward.h"
#include "base/check.h"

static struct str title_of(int status)
{
    return status == 502   ? STR("The server's answer could not be used")
           : status == 504 ? STR("The server took too long")
                           : STR("Busy at the moment");
}

static bool wants_json(const struct exchange *x)
{
    struct str accept = x->known[HTTP_FIELD_ACCEPT];
    return str_find(accept, STR("text/html")) < 0;
}

/* SENTENCE and the id have no character that HTML or JSON would have escaped: the one is ours,
 * the other is checked. */
static bool is_plain(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '+' ||
                    c == '=';
        if (!fine)
            return false;
    }
    return id.len > 0 && id.len <= 128;
}

static struct str write_text(struct forward *f, int status, struct str sentence, struct str id)
{
    struct exchange *x = f->x;
    if (wants_json(x))
        return arena_printf(&x->arena,
                            "{\"error\":{\"code\":\"%s\",\"message\":\"%.*s\","
                            "\"request_id\":\"%.*s\"}}\n",
                            status == 502   ? "bad_gateway"
                            : status == 504 ? "gateway_timeout"
                                            : "unavailable",
                            STR_FMT(sentence), STR_FMT(id));
    struct str title = title_of(status);
    return arena_printf(&x->arena,
                        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                        "<meta name=\"viewport\" content=\"width=device-width\">"
                        "<title>%.*s</title>\n<h1>%.*s</h1>\n<p>%.*s Please try again in a "
                        "moment.</p>\n<p><small>%d, request %.*s</small></p>\n",
                        STR_FMT(title), STR_FMT(title), STR_FMT(sentence), status, STR_FMT(id));
}

void forward_fail(struct forward *f, int status, const char *sentence)
{
    struct exchange *x = f->x;
    struct str id = hop_request_id(x);
    if (!is_plain(id))
        id = id.len ? STR("") : str_of(f->request_id);
    struct str body = write_text(f, status, str_of(sentence), id);
    CHECK(!f->given);
    f->state = FORWARD_ANSWERED;
    f->complete = true;
    lane_count(&f->lane->figures.failed, 1);
    if (status == 503)
        exchange_add_header(x, STR("Retry-After"),
                            arena_printf(&x->arena, "%u", admission_retry_s(&f->lane->admission)));
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    if (id.len)
        exchange_add_header(x, STR("X-Request-Id"), id);
    exchange_reply(x, status, wants_json(x) ? STR("application/json") : STR("text/html"),
                   body.at ? body : STR(""));
    f->given = true;
    forward_give(f);
}

/* ---- Direct mode ---- */

struct str forward_home_cookie(struct forward *f, const char *text)
{
    bool https = str_eq(hop_scheme(f->x, lane_trusts(f->lane, f->x->peer)), STR("https"));
    return arena_printf(&f->x->arena, "%s=%s; Path=/; HttpOnly; SameSite=Lax%s", HOME_COOKIE, text,
                        https ? "; Secure" : "");
}

void forward_note_home(struct forward *f)
{
    bool had_one = f->plan.reason == ROUTE_HOME || f->plan.reason == ROUTE_AWAY;
    lane_note_home(f->lane, f->plan.home.servers[0]);
    lane_count(&f->lane->figures.moved, had_one);
}

/* A browser that opens a page; not one of the page's parts, and not a program. */
static bool is_navigation(const struct exchange *x)
{
    struct str mode = exchange_header(x, STR("sec-fetch-mode"));
    return x->method == HTTP_GET && !x->wants_upgrade &&
           (!mode.at || str_eq(mode, STR("navigate"))) &&
           str_find(x->known[HTTP_FIELD_ACCEPT], STR("text/html")) >= 0;
}

bool forward_redirect(struct forward *f)
{
    struct lane *lane = f->lane;
    struct exchange *x = f->x;
    char text[HOME_TEXT];
    if (lane->config->mode != BALANCE_DIRECT || !lane->router.signer || f->plan.home.count == 0 ||
        f->plan.count == 0 || f->plan.ask || !is_navigation(x))
        return false;
    const struct backend *backend = lane->set->at[f->plan.places[0]];
    if (!backend->url[0])
        return false;
    /* Not the target, which may be in absolute form: the path always begins with '/'. */
    struct str location = arena_printf(&x->arena, "%s%.*s%s%.*s", backend->url, STR_FMT(x->path),
                                       x->query.len ? "?" : "", STR_FMT(x->query));
    home_write(lane->router.signer, &f->plan.home, text);
    struct str cookie = forward_home_cookie(f, text);
    if (!location.at || !cookie.at || !text[0])
        return false;
    exchange_add_header(x, STR("Location"), location);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_add_header(x, STR("Set-Cookie"), cookie);
    exchange_reply(x, 307, STR("text/plain; charset=utf-8"), STR(""));
    f->state = FORWARD_ANSWERED;
    f->complete = f->given = true;
    if (f->plan.set_cookie)
        forward_note_home(f);
    lane_count(&lane->figures.answers, 1);
    forward_give(f);
    return true;
}
