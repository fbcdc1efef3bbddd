/* Bank choice: which bank a server's shoppers pay at, by the settings: one that speaks Stripe's API
 * (--bank), or the sandbox within the process.
 *
 * Thread: main; who the shop is, is read on the bank's.
 */
#ifndef STOA_MAIN_BANK_CHOICE_H
#define STOA_MAIN_BANK_CHOICE_H

#include "base/crash.h"
#include "base/log.h"
#include "main/secret_file.h"
#include "main/settings.h"
#include "outside/bank.h"

struct bank_choice {
    struct bank *bank;
    const char *database;     /* lent */
    struct crash_plan *crash; /* of --crash-at; NULL: none */
    char event_secret[SECRET_FILE_SIZE];
};

/* SETTINGS, DATABASE and LOG are lent until bank_choice_close. */
int bank_choice_open(struct bank_choice *choice, const struct settings *settings,
                     const char *database, const struct log *log, struct failure *failure);
/* What the bank signs its events with; empty: it tells nothing. Lent by CHOICE. */
struct str bank_choice_event_secret(const struct bank_choice *choice);
/* Harmless on one that was never opened. */
void bank_choice_close(struct bank_choice *choice);

#endif
