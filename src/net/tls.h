/* TLS without I/O: ciphertext in, plain text out, and back.
 *
 * A server's context holds the certificate and is shared by all its connections
 * and threads. A session belongs to one connection and one thread at a time; who
 * owns it moves the bytes between it and the socket:
 *
 *   from the socket --> tls_receive --> tls_read  --> the connection core
 *   to the socket   <-- tls_output  <-- tls_write <-- the connection core
 *                       tls_sent
 *
 * TLS 1.2 (RFC 5246, with forward secrecy and AEAD only) and 1.3 (RFC 8446) by
 * OpenSSL; ALPN (RFC 7301) offers h2 and http/1.1; resumption by stateless tickets.
 */
#ifndef STOA_NET_TLS_H
#define STOA_NET_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum { TLS_PATH = 256, TLS_NAME = 64 };

struct tls_context;
struct tls;

/* A server's context from a PEM file with the certificate and its chain, and one
 * with the key (they may be the same file). NULL with FAILURE saying which file is
 * wrong and in what way. */
struct tls_context *tls_context_new(const char *certificate, const char *key,
                                    struct failure *failure);
void tls_context_free(struct tls_context *context); /* NULL is fine */

/* For trying out: a self-signed certificate (ECDSA P-256; localhost, 127.0.0.1, ::1
 * and this machine's name) with its key in one file in DIR, mode 0600. Made when it
 * is not there; renewed, with the same key, when it expires within a week. Its path goes to PATH
 * (TLS_PATH bytes). */
int tls_self_signed(const char *dir, char *path, struct failure *failure);

/* The pin of the first certificate in the PEM file: "sha256//" and the base64 of its public key's
 * SHA-256 (RFC 7469 §2.4 has the same digest, curl this notation). */
enum { TLS_PIN = 64 };
int tls_pin(const char *certificate, char pin[static TLS_PIN], struct failure *failure);

/* Among the servers of one cluster: CERTIFICATE with KEY is what this side shows; the other side
 * is believed when its certificate is signed by AUTHORITY (all PEM files). TLS 1.3 only. One
 * context accepts and connects. A side that accepts lets the other show no certificate, and
 * whoever asks tls_peer_name decides what such a one may do. */
struct tls_context *tls_context_cluster(const char *certificate, const char *key,
                                        const char *authority, struct failure *failure);
/* For one who does not belong to the cluster yet: shows nothing, and believes a server whose
 * chain ends in the authority with this SHA-256 FINGERPRINT (hexadecimal). */
struct tls_context *tls_context_pinned(const char *fingerprint, struct failure *failure);
/* For one who connects to servers that it does not belong to: believes those whose certificates
 * end in one of the PEM file AUTHORITY (NULL: in one of the system's authorities; a server's own
 * certificate may stand in the file itself), or, without VERIFY, everybody, which leaves only
 * listeners out, not impostors. Asks for HTTP/1.1. */
struct tls_context *tls_context_client(const char *authority, bool verify, struct failure *failure);

/* NULL without memory. The context must outlive it. tls_new accepts, tls_new_connecting
 * connects. */
struct tls *tls_new(struct tls_context *context);
struct tls *tls_new_connecting(struct tls_context *context);
/* Of tls_context_client, before the first byte: the certificate has to be one for HOST ("HOST" or
 * "HOST:PORT", a name or an address), and a name is told to the server (SNI, RFC 6066). False
 * without memory. */
bool tls_expect(struct tls *tls, const char *host);
/* The common name of the other side's verified certificate; empty: it showed none. After
 * tls_ready. */
void tls_peer_name(const struct tls *tls, char out[TLS_NAME]);
/* Why it is TLS_FAILED, for a person: "certificate has expired", … */
const char *tls_problem(const struct tls *tls);
void tls_free(struct tls *tls); /* NULL is fine */

enum { TLS_RECORD = 16 * 1024 }; /* plain text of one record, at the most */

enum tls_verdict {
    TLS_OK,     /* *LEN bytes were read */
    TLS_WAIT,   /* everything received has been used */
    TLS_CLOSED, /* the client has said that nothing more comes */
    TLS_FAILED, /* broken; send what tls_output still has (an alert) and close */
};

/* Lends LEN bytes of ciphertext. They stay lent until tls_read has answered other
 * than TLS_OK; so call it until then. */
void tls_receive(struct tls *tls, const void *bytes, size_t len);
enum tls_verdict tls_read(struct tls *tls, void *out, size_t room, size_t *len);
/* All there is, appended to TO. TLS_OK: TO has no room for more, and the session is of no use. */
enum tls_verdict tls_read_all(struct tls *tls, struct buf *to);
/* Whether something that was received has not been read: whoever stops reading before TLS_WAIT
 * must not use the session again. */
bool tls_has_unread(const struct tls *tls);

/* True when the handshake is done. Then: whether HTTP/2 or HTTP/1.1 was agreed on by
 * ALPN (neither: the client did not ask). */
bool tls_ready(const struct tls *tls);
bool tls_agreed(const struct tls *tls, struct str protocol);

/* Encrypts LEN bytes (one record is at most 16 KiB) into the output. False: broken. */
bool tls_write(struct tls *tls, const void *bytes, size_t len);
/* Adds the notice that nothing more will be sent. */
void tls_close(struct tls *tls);

/* What is to be sent to the socket, lent until the next call of another function. */
struct str tls_output(const struct tls *tls);
void tls_sent(struct tls *tls, size_t len);

#endif
