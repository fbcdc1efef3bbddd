/* Tier token: the text by which workers and fronts of other machines come to a shop's queue
 * (`stoa token --tiers`), and the files that belong to it, in the folder "link" of the shop's data
 * directory:
 *
 *     authority.pem, authority-key.pem, server.pem, server-key.pem   what the door shows (30 years)
 *     key     what who comes has to know, in hexadecimal, mode 0600. Deleting it revokes the token:
 *             links that have it are cut, and the next `stoa token --tiers` makes another
 *
 *   "stoa-tiers-" and in hexadecimal: SHA-256 of the authority's certificate, the key, and the
 * first four bytes of both's SHA-256, by which a text that was not copied whole is recognised
 *
 * Thread: any.
 */
#ifndef STOA_MAIN_TIER_TOKEN_H
#define STOA_MAIN_TIER_TOKEN_H

#include "main/file.h"
#include "net/authority.h"
#include "net/tls.h"
#include "tier/bridge_frame.h"

enum { TIER_TOKEN_TEXT = 160 };

struct tier_token {
    char fingerprint[FINGERPRINT_TEXT];
    unsigned char key[BRIDGE_KEY];
};

void tier_token_encode(const struct tier_token *token, char out[static TIER_TOKEN_TEXT]);
/* ERR_INVALID with what is wrong about it. */
int tier_token_decode(struct str text, struct tier_token *token, struct failure *failure);

/* That of the shop in DIR, made if need be. */
int tier_token_of(const char *dir, struct tier_token *token, struct failure *failure);
/* What the door of the shop in DIR shows, made if need be. */
int tier_token_context(const char *dir, struct tls_context **context, struct failure *failure);
/* Whether KEY is the one of the shop in DIR. */
bool tier_token_knows(const char *dir, const unsigned char key[static BRIDGE_KEY]);

#endif
