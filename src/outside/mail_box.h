/* Mail box: where mail leaves: an SMTP server, or a maildir for trying out.
 *
 *   smtp://user@host:587   by STARTTLS, without which nothing is sent; on loopback it may be
 * missing smtps://user@host      by TLS from the start maildir:DIR            a file for each mail
 * in DIR/new, as the maildir protocol has it: written in DIR/tmp, made durable, then linked into
 * DIR/new under a name that follows from what the mail tells, so that a repeat finds it there
 *
 * SMTP cannot promise once: the answer to a mail that was taken may be lost. A repeat has the same
 * Message-ID. One recipient a mail, so that one that is refused keeps nobody else's.
 *
 * Thread: one at a time, but for mail_box_stop; all calls block.
 */
#ifndef STOA_OUTSIDE_MAIL_BOX_H
#define STOA_OUTSIDE_MAIL_BOX_H

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct mail_box;

struct mail_box_config {
    const char *address;        /* as above */
    const char *password;       /* SMTP; empty: no login */
    const char *authority_file; /* by whom the server's certificate must be signed; NULL or empty:
                                   the system's authorities */
    uint32_t total_ms;          /* for one mail; 0: 60 s */
};

/* What may be wrong with ADDRESS, without doing anything. */
int mail_box_check(const char *address, struct failure *failure);
/* Whether what is sent to the SMTP server of ADDRESS must be encrypted. Pure. */
bool mail_box_needs_tls(const char *address);

/* CONFIG is copied, its strings too. A maildir is made if need be. */
int mail_box_new(const struct mail_box_config *config, struct mail_box **box,
                 struct failure *failure);
void mail_box_free(struct mail_box *box); /* NULL is fine */

enum mail_fate {
    MAIL_TAKEN,   /* now or earlier */
    MAIL_REFUSED, /* this one, for good */
    MAIL_LATER,   /* this one, not now */
    MAIL_AWAY,    /* the server takes nothing now */
};

/* MESSAGE: its bytes, with CRLF line ends. ID and TIME_MS: of what it tells. FAILURE says why not.
 */
enum mail_fate mail_box_put(struct mail_box *box, struct str from, struct str to,
                            struct str message, struct id id, int64_t time_ms,
                            struct failure *failure);
/* On any thread: what is on its way to an SMTP server is broken off within about a second, as
 * MAIL_AWAY, and so is all that comes later. */
void mail_box_stop(struct mail_box *box);

#endif
