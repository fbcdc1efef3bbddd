/* Post: what a server sends to platforms and shoppers, put together: the outbox's lanes "webhook"
 * and "mail" with all they need. Transfers of its own, so that platforms which hang never stand in
 * the bank's way. Thread: main.
 */
#ifndef STOA_MAIN_POST_H
#define STOA_MAIN_POST_H

#include "main/datadir.h"
#include "main/settings.h"
#include "outside/outbox.h"

struct post;

struct post_config {
    const struct settings *settings; /* lent, as all here */
    const struct datadir *dir;
    const struct log *log;
};

/* What is wrong with the settings for mail. */
int post_check(const struct settings *settings, struct failure *failure);

int post_open(const struct post_config *config, struct post **post, struct failure *failure);
/* This server serves at URL, which is the shop's address unless the settings name one. Until then
 * webhooks and mail, in which it stands, wait. */
void post_serves(struct post *post, const char *url);
/* For the outbox. Mail: NULL when none is configured; its rows wait until it is. */
const struct outbox_sender *post_webhook(const struct post *post);
const struct outbox_sender *post_mail(const struct post *post);
/* Between outbox_stop and outbox_free: ends what is on its way. NULL is fine for both. */
void post_stop(struct post *post);
/* After outbox_free. */
void post_free(struct post *post);

#endif
