/* Mails: tell shoppers what happens to their orders, as the lane "mail" of the outbox.
 *
 * What is told is rendered from the order as of the event, so that a repeat is the same mail: its
 * Message-ID, and its name in a maildir, are the event's id. An address that is none is given up at
 * once; a server that is away is tried again until it is back; a mail that it does not take for now
 * is tried again by the schedule of outside/retry_schedule.h.
 *
 * Threads: the sender's `begin` is called on the outbox's thread, which reads and renders; one
 * thread of our own talks to the mail box.
 */
#ifndef STOA_OUTSIDE_MAILS_H
#define STOA_OUTSIDE_MAILS_H

#include "outside/mail_box.h"
#include "outside/outbox.h"

enum { MAIL_MEMORY = 2 << 20, MAIL_BYTES_MAX = 1 << 20, MAILS_AT_ONCE = 16 };

/* What a mail says; web/ knows how (web/order_mail.h). */
struct mail_words {
    struct str subject; /* empty: nobody is told of such an event */
    struct str body;    /* UTF-8, lines end in LF */
};
/* 0, ERR_NOMEM, or ERR_INVALID. CONTEXT is the config's. */
typedef int mail_render(void *context, struct arena *arena, const struct shop_settings *settings,
                        const struct order *order, const struct order_event *event,
                        struct mail_words *words);

struct mails_config {
    const char *database; /* lent, as all here, until mails_free */
    struct mail_box *box;
    const char *from;          /* the shop's address */
    const _Atomic bool *ready; /* whether mails can be rendered; NULL: they can */
    mail_render *render;
    void *render_context;
    const struct log *log;
};

struct mails;

int mails_start(const struct mails_config *config, struct mails **mails, struct failure *failure);
/* After outbox_stop: what is on its way is ended, what waits is not begun; and then freed, after
 * the outbox is. NULL is fine for both. */
void mails_stop(struct mails *mails);
void mails_free(struct mails *mails);
const struct outbox_sender *mails_sender(struct mails *mails);

#endif
