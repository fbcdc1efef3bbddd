/* OpenSSL's headers, for every file of ours that uses them.
 *
 * OpenSSL has a type named ERR_STATE, and base/err.h a constant of that name. Here
 * the type gets out of the way.
 */
#ifndef STOA_NET_OPENSSL_H
#define STOA_NET_OPENSSL_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
