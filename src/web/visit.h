/* Visit: a shopper at one step of a checkout. What the steps' pages share.
 *
 *   address --(valid)--> delivery --(a rate chosen)--> payment --(paid)--> /order/ID
 *      ^                    |                             |
 *      '--- an earlier step is asked for again when what it gave is missing ---'
 *
 * A checkout's address contains its id, which is the right to see and to change it; an
 * agent hands it to its buyer's browser (UCP's continue_url), which has no cookie of ours.
 * Thread: the exchange's.
 */
#ifndef STOA_WEB_VISIT_H
#define STOA_WEB_VISIT_H

#include "shop/command.h"
#include "web/page.h"

enum visit_step { VISIT_ADDRESS, VISIT_DELIVERY, VISIT_PAYMENT };

struct visit {
    struct exchange *x;
    struct id id;
    struct checkout checkout;
};

/* Reads the checkout of the address. False: *VERDICT answers the request (unknown, over,
 * being paid, paid: to its order). */
bool visit_begin(struct exchange *x, struct visit *visit, enum app_verdict *verdict);
/* The same for a POST: the form's token has to fit as well. */
bool visit_take(struct exchange *x, struct visit *visit, enum app_verdict *verdict);

/* The last step that the checkout is ready for. */
enum visit_step visit_step_of(const struct checkout *checkout);

/* Answers with a redirect to STEP. */
enum app_verdict visit_go(const struct visit *visit, enum visit_step step);

/* Begins the page of STEP: its template, steps, summary, token. */
int visit_page(const struct visit *visit, enum visit_step step, struct page *page);

/* The lines of ADDRESS, as on an envelope, onto LIST. */
void visit_address(struct value *list, const struct address *address);

#endif
