/* Join: a new server is taken into a cluster, with a token that the operator made.
 *
 *   newcomer                                        a member (replica/door.h brings them together)
 *     TLS; the authority's fingerprint is in the token
 *     HELLO_JOIN  ───────────────────────────────▶  the door hands the connection over
 *     JOIN_ASK: the token's secret, a certificate request, where it will listen  ──▶
 *                                    the primary spends the token (registry), takes the next id,
 *                                    signs the certificate, adds the server without a vote
 *     ◀── JOIN_WELCOME: id, cluster, certificates, authority's key, secret, operator's token, book;
 *         a witness does not get the key, the secret and the operator's token
 *     ◀── or JOIN_ELSEWHERE: where the primary is
 *     ◀── or JOIN_SORRY: a sentence
 *
 * The newcomer writes cluster.json last: a join that died half-way has left nothing that counts,
 * and is repeated with a fresh token (the id that was given is then skipped, and a member that
 * never came up is to be removed).
 */
#ifndef STOA_MAIN_JOIN_H
#define STOA_MAIN_JOIN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Joins with TOKEN: DIR becomes the data directory of server *ID of its cluster, or, as *WITNESS
 * says (it may be NULL), of a witness, as the token is; which listens for the others at LISTEN and
 * is reached by them at ADDRESS. On failure DIR is as it was. Blocks, at most 30 s. Thread: any. */
int join_cluster(const char *token, const char *dir, const char *listen, const char *address,
                 uint64_t *id, bool *witness, struct failure *failure);

#endif
