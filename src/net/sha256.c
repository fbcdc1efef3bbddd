#include "net/sha256.h"

#include "base/check.h"
#include "net/openssl.h"

void sha256_of(struct str bytes, unsigned char out[static SHA256_SIZE])
{
    unsigned size = 0;
    int good = EVP_Digest(bytes.at ? bytes.at : "", bytes.len, out, &size, EVP_sha256(), NULL);
    CHECK(good == 1 && size == SHA256_SIZE);
}
