/* Token: how far a shopper has seen, told to whichever server they go to next.
 *
 *     1-INDEX-MAC    version, highest log index in decimal, 32 hexadecimal digits
 *
 * The MAC is HMAC-SHA-256 under the shop's secret, cut to its first 16 bytes (RFC 2104 §5), over
 * the version, the cluster's id and generation and the index: a token of another cluster, or of
 * before a recovery that lost the log's end, is none of ours. It names nobody and opens nothing:
 * whoever has it learns an index, and whoever makes one up is not believed, as servers wait for
 * what a token has seen.
 *
 * Shoppers' browsers keep it in the cookie `seen`, programs in the header Stoa-Session. gate.h
 * acts on it. Pure; a signer belongs to one thread.
 */
#ifndef STOA_WEB_TOKEN_H
#define STOA_WEB_TOKEN_H

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

#include <stdint.h>

struct signer;

enum { TOKEN_TEXT = 1 + 1 + 20 + 1 + 32 + 1 };

/* Whose indexes these are. All zero: of a server that is alone. */
struct token_scope {
    struct id cluster;
    uint64_t generation;
};

/* Into OUT; returns OUT. Empty text when it could not be signed. */
char *token_write(struct signer *signer, const struct token_scope *scope, uint64_t index,
                  char out[static TOKEN_TEXT]);

/* The index that TEXT names, whoever made it; 0: none. For who acts safely on any. */
uint64_t token_claims(struct str text);

/* 0 and *INDEX; ERR_INVALID: no token; ERR_DENIED: not signed here, or of another cluster. */
int token_read(struct signer *signer, const struct token_scope *scope, struct str text,
               uint64_t *index);

#endif
