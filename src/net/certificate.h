/* Certificate: the steps that making any X.509 certificate takes. For net/ alone. */
#ifndef STOA_NET_CERTIFICATE_H
#define STOA_NET_CERTIFICATE_H

#include "net/openssl.h"

#include <stdbool.h>

/* Version, a random serial number, the subject's common NAME (UTF-8), KEY as its key, valid since
 * a day ago (clocks differ). */
bool certificate_begin(X509 *certificate, const char *name, EVP_PKEY *key);
/* Adds the extension NID with VALUE in OpenSSL's notation. */
bool certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value);

#endif
