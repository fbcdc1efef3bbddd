/* Session tokens: what is accepted is what we would have written ourselves. */
#include "base/check.h"
#include "net/sign.h"
#include "web/token.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const unsigned char secret[32] = {1, 2, 3};
    const struct token_scope scope = {{{7}}, 1};
    struct signer *signer = signer_new(secret, sizeof secret);
    struct str text = str_make((const char *)bytes, len);
    uint64_t index = 0;
    CHECK(signer);
    if (token_read(signer, &scope, text, &index) == 0) {
        char own[TOKEN_TEXT], mac[33];
        token_write(signer, &scope, index, own);
        /* Zeros may stand before the number. */
        CHECK(text.len >= strlen(own));
        str_copy(mac, sizeof mac, str_from(text, text.len - 32));
        CHECK(strcmp(mac, own + strlen(own) - 32) == 0);
        CHECK(str_starts(text, STR("1-")));
    }
    signer_free(signer);
    return 0;
}
