/* Forms of the sandbox bank: what was read, written down again in one spelling, is read as the
 * same; and what is shown of it is JSON.
 */
#include "base/check.h"
#include "http/url.h"
#include "outside/sandbox_faults.h"
#include "outside/sandbox_json.h"

#include <yyjson.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const uint64_t all = (1ull << SANDBOX_PARAM_COUNT) - 1;

static void put_pair(struct buf *out, struct str name, struct str value)
{
    if (out->len)
        buf_byte(out, '&');
    url_encode(out, name);
    buf_byte(out, '=');
    url_encode(out, value);
}

static void write_form(const struct sandbox_form *form, struct buf *out)
{
    for (int i = 0; i < SANDBOX_PARAM_COUNT; i++)
        if (form->text[i].at)
            put_pair(out, str_of(sandbox_param_name((enum sandbox_param)i)), form->text[i]);
    for (unsigned i = 0; i < form->item_count; i++) {
        const struct sandbox_item *item = &form->items[i];
        char name[SANDBOX_PARAM + SANDBOX_METADATA_KEY];
        snprintf(name, sizeof name, "%s[%.*s]", sandbox_param_name(item->param),
                 STR_FMT(item->key));
        put_pair(out, str_of(name), item->value);
    }
}

static void check_json(const struct sandbox_form *form, struct buf *out)
{
    buf_clear(out);
    buf_byte(out, '[');
    sandbox_put_metadata(out, form);
    buf_byte(out, ',');
    size_t before = out->len;
    sandbox_put_shipping(out, form);
    if (out->len == before)
        buf_puts(out, "null");
    buf_byte(out, ']');
    yyjson_doc *doc = yyjson_read(out->at, out->len, 0);
    CHECK(doc);
    yyjson_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct arena arena;
    struct buf out;
    struct sandbox_form form, again;
    struct sandbox_error error;
    struct sandbox_faults faults;
    unsigned char digest[SANDBOX_DIGEST], same[SANDBOX_DIGEST];
    struct str text = str_make((const char *)bytes, len);
    arena_init(&arena, 16 << 20);
    buf_init(&out, 16 << 20);
    if (sandbox_form_read(&form, &arena, text, all, 0, &error) == 0) {
        write_form(&form, &out);
        CHECK(sandbox_form_read(&again, &arena, buf_text(&out), all, 0, &error) == 0);
        CHECK(sandbox_form_digest(&form, digest) == 0 && sandbox_form_digest(&again, same) == 0);
        CHECK(memcmp(digest, same, sizeof digest) == 0);
        check_json(&form, &out);
    }
    faults_init(&faults);
    faults_set(&faults, text, &error);
    buf_close(&out);
    arena_close(&arena);
    return 0;
}
