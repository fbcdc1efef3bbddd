/* Order mail: what a shopper is told by e-mail about an event of an order, from the templates in
 * pages/mail: plain text, whose first line is the subject. Immutable once made; thread: any.
 */
#ifndef STOA_WEB_ORDER_MAIL_H
#define STOA_WEB_ORDER_MAIL_H

#include "base/err.h"
#include "outside/mails.h"

struct order_mails;

/* BASE_URL: the shop's address for links, without a slash at its end; lent. */
int order_mails_new(const char *base_url, struct order_mails **mails, struct failure *failure);
void order_mails_free(struct order_mails *mails); /* NULL is fine */

/* A mail_render whose context is the struct order_mails. */
int order_mails_render(void *context, struct arena *arena, const struct shop_settings *settings,
                       const struct order *order, const struct order_event *event,
                       struct mail_words *words);

#endif
