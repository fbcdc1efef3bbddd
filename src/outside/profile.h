/* Profiles: what platforms say about themselves at the address in their UCP-Agent (UCP, "Profile
 * requirements"): fetched when asked for, and kept for a while.
 *
 * The addresses come from strangers, so: https alone, no redirects, public addresses alone
 * (judged after the name was resolved), a bounded answer, a bounded number of profiles kept (the
 * one that was not asked for longest goes first), one fetch of a profile at a time, and after
 * failures growing pauses in which nothing is fetched. What was found is kept for five minutes,
 * whatever Cache-Control says: not for less than the minute that UCP demands.
 *
 *   state      arrow                                                                       to
 *   EMPTY      asked for (profile_ask)                                                     FETCHING
 *   FETCHING   found (take_profile)                                                        KNOWN
 *              not found, or not as it must be (take_profile)                              FAILED
 *   KNOWN      asked for after its time                                                    FETCHING
 *   FAILED     asked for after the pause; before it the error is given again               FETCHING
 *
 * Thread: any.
 */
#ifndef STOA_OUTSIDE_PROFILE_H
#define STOA_OUTSIDE_PROFILE_H

#include "outside/transfer.h"

enum {
    PROFILE_URL_MAX = 1000,
    PROFILE_KEPT_MAX = 256,
    PROFILE_KEEP_S = 300,
    PROFILE_PAUSE_LEAST_MS = 1000,
    PROFILE_PAUSE_MOST_MS = 300 * 1000,
    PROFILE_BYTES_MAX = 256 * 1024,
};

struct profiles;

struct profiles_config {
    struct transfers *transfers; /* lent */
    bool allow_private;          /* private and loopback addresses, and http to loopback: for tests,
                                    and for platforms in the same house */
    const char *authority_file;  /* besides whom certificates are trusted; NULL: the system's */
};

int profiles_new(const struct profiles_config *config, struct profiles **profiles,
                 struct failure *failure);
/* After the transfers' end. NULL is fine. */
void profiles_free(struct profiles *profiles);

/* A question. The asker's, lent until `done` was called, which is once, on any thread, maybe within
 * profile_ask, and must not block. */
struct profile_question {
    struct str url; /* of the profile */
    void (*done)(struct profile_question *question);
    /* The answer: */
    int err;          /* ERR_UNSUPPORTED: nothing is fetched from such an address; ERR_NOTFOUND: the
                         profile names no address for webhooks: both for good. Else: not now */
    uint32_t wait_ms; /* after an error that may pass: no sooner than this */
    char webhook_url[PROFILE_URL_MAX + 1]; /* config.webhook_url of dev.ucp.shopping.order */
    struct failure failure;
    struct profile_question *next; /* profiles' own */
};
void profile_ask(struct profiles *profiles, struct profile_question *question);

/* Whether a profile, or a webhook's receiver, may be at URL: https, or, with ALLOW_PRIVATE, http on
 * this machine. Pure. */
bool profile_is_address(struct str url, bool allow_private);

/* The webhook's address in the profile TEXT (JSON). Pure. ERR_INVALID: it is no profile, or the
 * address is none; ERR_NOTFOUND: it has none. */
int profile_webhook_url(struct str text, bool allow_private, char out[static PROFILE_URL_MAX + 1],
                        struct failure *failure);

#endif
