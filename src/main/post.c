#include "main/post.h"

#include "main/secret_file.h"
#include "outside/mail_text.h"
#include "outside/mails.h"
#include "outside/webhook.h"
#include "web/order_mail.h"
#include "web/ucp_order.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { GRACE_MS = 2000, PLATFORM_CONNECTIONS = 8 };

struct post {
    char base_url[OPTION_TEXT_SIZE], from[OPTION_TEXT_SIZE];
    _Atomic bool ready; /* base_url is there, and does not change any more */
    unsigned char secret[DATADIR_SECRET];
    struct transfers *transfers;
    struct profiles *profiles;
    struct webhooks *webhooks;
    struct order_mails *words;
    struct mail_box *box;
    struct mails *mails;
};

_Static_assert((int)DATADIR_SECRET == (int)SIGNING_SECRET,
               "keys are sealed under the cluster's secret");

/* ---- Webhooks ---- */

static int open_webhooks(struct post *post, const struct post_config *config,
                         struct failure *failure)
{
    const struct settings *s = config->settings;
    const char *authority = s->profile_authority[0] ? s->profile_authority : NULL;
    struct transfers_config transfers = {.connections = PLATFORM_CONNECTIONS};
    if (transfers_new(&transfers, &post->transfers))
        return fail(failure, ERR_NOMEM, "no memory for webhooks");
    struct profiles_config profiles = {.transfers = post->transfers,
                                       .allow_private = s->profile_private,
                                       .authority_file = authority};
    int err = profiles_new(&profiles, &post->profiles, failure);
    struct webhooks_config webhooks = {
        .database = config->dir->database,
        .ready = &post->ready,
        .base_url = post->base_url,
        .secret = post->secret,
        .transfers = post->transfers,
        .profiles = post->profiles,
        .allow_private = s->profile_private,
        .authority_file = authority,
        .render = ucp_order_text,
        .log = config->log,
    };
    return err ? err : webhooks_new(&webhooks, &post->webhooks, failure);
}

/* ---- Mail ---- */

int post_check(const struct settings *settings, struct failure *failure)
{
    if (!settings->mail[0])
        return 0;
    int err = mail_box_check(settings->mail, failure);
    if (!err && !mail_is_address(str_of(settings->mail_from)))
        err = fail(failure, ERR_INVALID,
                   "mail-from is \"%.100s\", but must be the shop's address, like "
                   "orders@shop.example",
                   settings->mail_from);
    return err;
}

static int open_box(struct post *post, const struct settings *s, struct failure *failure)
{
    char password[SECRET_FILE_SIZE] = "";
    int err = s->mail_password_file[0]
                  ? secret_file_read("mail-password-file", s->mail_password_file, password,
                                     sizeof password, failure)
                  : 0;
    struct mail_box_config config = {
        .address = s->mail, .password = password, .authority_file = s->mail_authority};
    err = err ? err : mail_box_new(&config, &post->box, failure);
    explicit_bzero(password, sizeof password);
    return err;
}

static int open_mail(struct post *post, const struct post_config *config, struct failure *failure)
{
    const struct settings *s = config->settings;
    if (!s->mail[0])
        return 0;
    str_copy(post->from, sizeof post->from, str_of(s->mail_from));
    int err = open_box(post, s, failure);
    err = err ? err : order_mails_new(post->base_url, &post->words, failure);
    struct mails_config mails = {
        .database = config->dir->database,
        .box = post->box,
        .from = post->from,
        .ready = &post->ready,
        .render = order_mails_render,
        .render_context = post->words,
        .log = config->log,
    };
    return err ? err : mails_start(&mails, &post->mails, failure);
}

/* ---- Both ---- */

void post_serves(struct post *post, const char *url)
{
    struct str text = str_of(url);
    if (!post || atomic_load(&post->ready))
        return;
    while (str_ends(text, STR("/")))
        text.len--;
    str_copy(post->base_url, sizeof post->base_url, text);
    atomic_store(&post->ready, true);
}

int post_open(const struct post_config *config, struct post **post, struct failure *failure)
{
    struct post *made = calloc(1, sizeof *made);
    *post = NULL;
    if (!made)
        return fail(failure, ERR_NOMEM, "out of memory");
    if (config->settings->url[0])
        post_serves(made, config->settings->url);
    memcpy(made->secret, config->dir->secret, sizeof made->secret);
    int err = open_webhooks(made, config, failure);
    err = err ? err : open_mail(made, config, failure);
    if (err) {
        post_stop(made);
        post_free(made);
        return err;
    }
    *post = made;
    return 0;
}

const struct outbox_sender *post_webhook(const struct post *post)
{
    return webhooks_sender(post->webhooks);
}

const struct outbox_sender *post_mail(const struct post *post)
{
    return post->mails ? mails_sender(post->mails) : NULL;
}

void post_stop(struct post *post)
{
    if (!post)
        return;
    if (post->transfers)
        transfers_free(post->transfers, GRACE_MS);
    post->transfers = NULL;
    mails_stop(post->mails);
}

void post_free(struct post *post)
{
    if (!post)
        return;
    mails_free(post->mails);
    mail_box_free(post->box);
    order_mails_free(post->words);
    webhooks_free(post->webhooks);
    profiles_free(post->profiles);
    explicit_bzero(post->secret, sizeof post->secret);
    free(post);
}
