/* Outbox, lane "bank": captures, cancels and refunds, through the seam of outside/bank.h. Each
 * bears its effect's id, so that the bank does it once, and the primary's fence.
 *
 * Thread: the outbox's; the bank answers on any.
 */
#ifndef STOA_OUTSIDE_OUTBOX_BANK_H
#define STOA_OUTSIDE_OUTBOX_BANK_H

#include "outside/bank.h"
#include "outside/outbox.h"

struct outbox_bank;

/* Lent, VIEW for the outbox's thread, until outbox_bank_free: after outbox_free. */
int outbox_bank_new(struct bank *bank, const struct outbox_view *view, struct crash_plan *crash,
                    struct outbox_bank **outbox_bank);
void outbox_bank_free(struct outbox_bank *outbox_bank); /* NULL is fine */
const struct outbox_sender *outbox_bank_sender(const struct outbox_bank *outbox_bank);

#endif
