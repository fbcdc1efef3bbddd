#include "outside/mail_box.h"

#include "outside/mail_dir.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CONNECT_MS = 10000,
    TOTAL_MS = 60000,
    NAME_SIZE = 400,
    TEXT_SIZE = 256,
    ADDRESS_SIZE = 400,
};

struct mail_box {
    char dir[ADDRESS_SIZE]; /* of a maildir, else empty */
    char url[ADDRESS_SIZE], user[TEXT_SIZE], password[TEXT_SIZE], authority[ADDRESS_SIZE];
    bool needs_tls;
    uint32_t total_ms;
    CURL *curl; /* its connection is kept from one mail to the next */
    char said[CURL_ERROR_SIZE];
    atomic_bool stopping;
};

static const struct str maildir = {"maildir:", 8}, smtp = {"smtp://", 7}, smtps = {"smtps://", 8};

/* ---- The address ---- */

/* "smtp://user@host:port" taken apart. */
struct smtp_address {
    struct str scheme, user, host, rest; /* rest: host and port */
};

static bool take_smtp(struct str text, struct smtp_address *address)
{
    *address = (struct smtp_address){0};
    if (str_starts(text, smtp))
        address->scheme = smtp;
    else if (str_starts(text, smtps))
        address->scheme = smtps;
    else
        return false;
    struct str rest = str_from(text, address->scheme.len);
    ptrdiff_t at = -1;
    for (size_t i = 0; i < rest.len; i++) { /* a user is often an address itself: the last '@' */
        if (rest.at[i] <= ' ' || rest.at[i] > '~' || strchr("/?#\\%", rest.at[i]))
            return false;
        if (rest.at[i] == '@')
            at = (ptrdiff_t)i;
    }
    if (at >= 0)
        address->user = str_sub(rest, 0, (size_t)at);
    address->rest = str_from(rest, (size_t)(at + 1));
    ptrdiff_t bracket = str_find_byte(address->rest, ']');
    size_t name = bracket < 0 ? 0 : (size_t)bracket + 1;
    ptrdiff_t colon = str_find_byte(str_from(address->rest, name), ':');
    address->host = colon < 0 ? address->rest : str_sub(address->rest, 0, name + (size_t)colon);
    return address->host.len && address->user.len < TEXT_SIZE;
}

int mail_box_check(const char *address, struct failure *failure)
{
    struct str text = str_of(address);
    struct smtp_address ignored;
    if (text.len < ADDRESS_SIZE - 16 &&
        ((str_starts(text, maildir) && text.len > maildir.len) || take_smtp(text, &ignored)))
        return 0;
    return fail(failure, ERR_INVALID,
                "mail goes to smtp://user@host:587, smtps://user@host or maildir:DIR, not to "
                "\"%.100s\"",
                address);
}

bool mail_box_needs_tls(const char *address)
{
    struct smtp_address parts;
    if (!take_smtp(str_of(address), &parts))
        return false;
    return !str_eq_nocase(parts.host, STR("localhost")) && !str_eq(parts.host, STR("[::1]")) &&
           !(str_starts(parts.host, STR("127.")) &&
             strspn(parts.host.at, "0123456789.") >= parts.host.len);
}

int mail_box_new(const struct mail_box_config *config, struct mail_box **box,
                 struct failure *failure)
{
    struct smtp_address parts;
    int err = mail_box_check(config->address, failure);
    *box = NULL;
    if (err)
        return err;
    struct mail_box *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "out of memory");
    made->total_ms = config->total_ms ? config->total_ms : TOTAL_MS;
    if (take_smtp(str_of(config->address), &parts)) {
        snprintf(made->url, sizeof made->url, "%.*s%.*s", STR_FMT(parts.scheme),
                 STR_FMT(parts.rest));
        str_copy(made->user, sizeof made->user, parts.user);
        str_copy(made->password, sizeof made->password, str_of(config->password));
        str_copy(made->authority, sizeof made->authority, str_of(config->authority_file));
        made->needs_tls = mail_box_needs_tls(config->address);
        made->curl = curl_easy_init();
        err = made->curl ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    } else {
        str_copy(made->dir, sizeof made->dir, str_from(str_of(config->address), maildir.len));
        err = mail_dir_make(made->dir, failure);
    }
    if (err)
        mail_box_free(made);
    else
        *box = made;
    return err;
}

/* So that nobody waits for the answer to QUIT. */
static void hang_up(const struct mail_box *box)
{
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (box->curl && !curl_easy_getinfo(box->curl, CURLINFO_ACTIVESOCKET, &socket) &&
        socket != CURL_SOCKET_BAD)
        shutdown(socket, SHUT_RD);
}

void mail_box_stop(struct mail_box *box)
{
    atomic_store(&box->stopping, true);
}

void mail_box_free(struct mail_box *box)
{
    if (!box)
        return;
    hang_up(box);
    curl_easy_cleanup(box->curl); /* says QUIT */
    explicit_bzero(box, sizeof *box);
    free(box);
}

/* ---- SMTP ---- */

static size_t give(char *bytes, size_t one, size_t count, void *context)
{
    struct str *rest = context;
    size_t len = one * count < rest->len ? one * count : rest->len;
    memcpy(bytes, rest->at, len);
    *rest = str_from(*rest, len);
    return len;
}

/* Called by curl each second at least. */
static int look_for_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct mail_box *box = context;
    (void)a, (void)b, (void)c, (void)d; /* how far it is */
    return atomic_load(&box->stopping);
}

static void set_stop(struct mail_box *box)
{
    curl_easy_setopt(box->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(box->curl, CURLOPT_XFERINFOFUNCTION, look_for_stop);
    curl_easy_setopt(box->curl, CURLOPT_XFERINFODATA, box);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(box->curl, CURLOPT_QUICK_EXIT, 1L); /* nor is a name server waited for */
#endif
}

static void set_up(struct mail_box *box, const char *from, struct curl_slist *to,
                   struct str *message)
{
    CURL *curl = box->curl;
    curl_easy_reset(curl); /* the connection stays */
    curl_easy_setopt(curl, CURLOPT_URL, box->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_USE_SSL,
                     (long)(box->needs_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (box->authority[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, box->authority);
    if (box->user[0] && box->password[0]) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, box->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, box->password);
    }
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
    curl_easy_setopt(curl, CURLOPT_READDATA, message);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)box->total_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, box->said);
    set_stop(box);
}

/* What an SMTP server's refusal means: of this mail, or of us (greeting, login: GIVEN, whether it
 * has asked for the mail's text, tells a refused greeting from a refused text, which curl calls
 * alike); for now (4xx), or for good (5xx). */
static enum mail_fate fate_of(CURLcode code, long status, bool given)
{
    bool about_mail = code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && given);
    bool about_us = status == 421 || status == 530 || status == 535 || status == 538;
    if (!about_mail || about_us || status < 400 || status > 599)
        return MAIL_AWAY;
    return status < 500 ? MAIL_LATER : MAIL_REFUSED;
}

static enum mail_fate send_smtp(struct mail_box *box, struct str from, struct str to,
                                struct str message, struct failure *failure)
{
    char sender[TEXT_SIZE + 8], recipient[TEXT_SIZE + 8];
    snprintf(sender, sizeof sender, "<%.*s>", STR_FMT(str_sub(from, 0, TEXT_SIZE)));
    snprintf(recipient, sizeof recipient, "<%.*s>", STR_FMT(str_sub(to, 0, TEXT_SIZE)));
    struct curl_slist *list = curl_slist_append(NULL, recipient);
    if (!list) {
        fail(failure, ERR_NOMEM, "out of memory");
        return MAIL_AWAY;
    }
    struct str rest = message;
    box->said[0] = '\0';
    set_up(box, sender, list, &rest);
    CURLcode code = curl_easy_perform(box->curl);
    long status = 0;
    curl_easy_getinfo(box->curl, CURLINFO_RESPONSE_CODE, &status);
    enum mail_fate fate =
        code == CURLE_OK ? MAIL_TAKEN : fate_of(code, status, rest.len < message.len);
    curl_slist_free_all(list);
    if (fate != MAIL_TAKEN)
        fail(failure, ERR_IO, "%.200s: %.200s (last answer: %ld)", box->url,
             box->said[0] ? box->said : curl_easy_strerror(code), status);
    return fate;
}

/* ---- Either ---- */

enum mail_fate mail_box_put(struct mail_box *box, struct str from, struct str to,
                            struct str message, struct id id, int64_t time_ms,
                            struct failure *failure)
{
    char name[NAME_SIZE], hex[ID_TEXT];
    if (!box->dir[0])
        return send_smtp(box, from, to, message, failure);
    /* The part that says who delivers is the shop's own domain, whichever server does it. */
    struct str domain = str_from(from, (size_t)(str_find_byte(from, '@') + 1));
    snprintf(name, sizeof name, "%lld.E%s.%.*s", (long long)(time_ms / 1000), id_text(id, hex),
             STR_FMT(domain));
    return mail_dir_put(box->dir, name, message, failure) ? MAIL_AWAY : MAIL_TAKEN;
}
