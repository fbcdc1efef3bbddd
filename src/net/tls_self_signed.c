#include "net/certificate.h"
#include "net/sha256.h"
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { DAY = 86400, VALID_DAYS = 365, RENEW_DAYS = 7 };

/* True when PATH has a certificate that stays valid for some time. */
static bool still_good(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    time_t soon = time(NULL) + RENEW_DAYS * DAY;
    bool good = certificate && X509_cmp_time(X509_get0_notAfter(certificate), &soon) > 0;
    X509_free(certificate);
    return good;
}

/* "DNS:localhost,IP:127.0.0.1,IP:::1", and this machine's name when it is a plain one. */
static void write_names(char *out, size_t size)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    size_t plain = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    bool use = plain > 0 && host[plain] == '\0';
    snprintf(out, size, "DNS:localhost,IP:127.0.0.1,IP:::1%s%s", use ? ",DNS:" : "",
             use ? host : "");
}

static bool fill_in(X509 *certificate, EVP_PKEY *key)
{
    char names[400];
    write_names(names, sizeof names);
    return certificate_begin(certificate, "localhost", key) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) &&
           certificate_extend(certificate, certificate, NID_subject_alt_name, names) &&
           certificate_extend(certificate, certificate, NID_basic_constraints,
                              "critical,CA:FALSE") &&
           certificate_extend(certificate, certificate, NID_ext_key_usage, "serverAuth") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

static int save(const char *path, X509 *certificate, EVP_PKEY *key, struct failure *failure)
{
    char temporary[TLS_PATH + 16];
    snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
    unlink(temporary);
    int fd = open(temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        int err = fail_errno(failure, ERR_IO, "cannot write the self-signed certificate %s", path);
        if (fd >= 0)
            close(fd);
        return err;
    }
    bool written = PEM_write_X509(file, certificate) == 1 &&
                   PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (fclose(file) != 0 || !written || rename(temporary, path) < 0) {
        int err = fail_errno(failure, ERR_IO, "cannot write the self-signed certificate %s", path);
        unlink(temporary);
        return err;
    }
    return ERR_OK;
}

/* The key stays when the certificate is renewed, for those who have pinned it. */
static EVP_PKEY *kept_key(const char *path)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file)
        fclose(file);
    return key ? key : EVP_EC_gen("P-256");
}

int tls_self_signed(const char *dir, char *path, struct failure *failure)
{
    int len = snprintf(path, TLS_PATH, "%s/self-signed.pem", dir);
    if (len < 0 || len >= TLS_PATH)
        return fail(failure, ERR_INVALID, "the path of the folder %.60s... is too long", dir);
    if (still_good(path))
        return ERR_OK;
    EVP_PKEY *key = kept_key(path);
    X509 *certificate = X509_new();
    int err;
    if (!key || !certificate || !fill_in(certificate, key))
        err = fail(failure, ERR_INTERNAL, "OpenSSL cannot make a self-signed certificate");
    else
        err = save(path, certificate, key, failure);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return err;
}

/* ---- Its pin ---- */

static const char pin_prefix[] = "sha256//";

static bool write_pin(X509 *certificate, char *pin)
{
    unsigned char *der = NULL, digest[SHA256_SIZE];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (len <= 0)
        return false;
    sha256_of(str_make(der, (size_t)len), digest);
    OPENSSL_free(der);
    size_t prefix = sizeof pin_prefix - 1;
    memcpy(pin, pin_prefix, prefix);
    return EVP_EncodeBlock((unsigned char *)pin + prefix, digest, sizeof digest) > 0;
}

int tls_pin(const char *certificate, char pin[static TLS_PIN], struct failure *failure)
{
    FILE *file = fopen(certificate, "re");
    if (!file)
        return fail_errno(failure, ERR_IO, "cannot open the certificate %s", certificate);
    X509 *read = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    bool written = read && write_pin(read, pin);
    X509_free(read);
    return written ? 0
                   : fail(failure, ERR_INVALID, "%s does not begin with a certificate (PEM)",
                          certificate);
}
