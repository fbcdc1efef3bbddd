/* Mail text: a message of plain text as bytes to be sent (RFC 5322, MIME): UTF-8 as
 * quoted-printable (RFC 2045 §6.7), words of headers encoded where they are not ASCII (RFC 2047),
 * lines ending in CRLF.
 *
 * What shoppers wrote goes into headers and bodies, and cannot become a header, a recipient or a
 * second message: addresses have the few characters that plain addresses have, control characters
 * in texts become blanks, and everything else is encoded. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_MAIL_TEXT_H
#define STOA_OUTSIDE_MAIL_TEXT_H

#include "base/buf.h"
#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAIL_ADDRESS_MAX = 254 }; /* RFC 5321 §4.5.3.1.3 */

/* Whether TEXT is an address that can be written to without quoting: "local@domain", dot-atoms of
 * ASCII letters, digits and a few signs. */
bool mail_is_address(struct str text);

struct mail {
    struct str from, from_name; /* the name may be empty */
    struct str to;
    struct str subject, body; /* UTF-8; the body's lines end in LF */
    struct id id;             /* of what it tells: a repeat has the same Message-ID */
    int64_t time_ms;
};

/* Appends the message. ERR_INVALID: from or to is no address; ERR_NOMEM. */
int mail_compose(const struct mail *mail, struct buf *out);

/* ---- Its parts ---- */

/* Appends the header "NAME: TEXT", folded, with a line end; nothing of TEXT can end it. */
void mail_put_header(struct buf *out, const char *name, struct str text);
/* Appends BODY as quoted-printable. */
void mail_put_quoted(struct buf *out, struct str body);

#endif
