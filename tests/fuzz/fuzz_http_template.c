/* Templates: three of them, separated by NUL bytes, compiled and filled with odd values. */
#include "base/check.h"
#include "http/template.h"

static struct value *values(struct arena *arena)
{
    struct value *root = value_root(arena);
    value_text(root, "a", STR("<&\"'>javascript:"));
    value_int(root, "b", -7);
    value_bool(root, "c", true);
    struct value *list = value_list(root, "l");
    for (unsigned i = 0; i < 3; i++)
        value_text(value_add_map(list), "a", STR("javascript:alert(1)"));
    value_add_text(list, STR("\"><script>"));
    value_text(value_map(root, "m"), "a", STR("' onload='"));
    return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const names[] = {"x", "y", "z"};
    struct template_source sources[3];
    struct template_set *set = NULL;
    struct failure failure = {0};
    struct str rest = str_make(bytes, len);
    for (unsigned i = 0; i < 3; i++) {
        struct str text = STR("");
        if (i < 2)
            str_cut(&rest, 0, &text);
        else if (rest.at)
            text = rest;
        sources[i] = (struct template_source){names[i], text};
    }
    if (template_set_new(sources, 3, &set, &failure)) {
        CHECK(failure.text[0] != 0);
        return 0;
    }
    struct arena arena;
    struct buf out;
    arena_init(&arena, 1 << 16);
    buf_init(&out, 1 << 16); /* templates may include each other without measure */
    int err = template_render(template_find(set, STR("x")), values(&arena), &out);
    CHECK(err == 0 || err == ERR_NOMEM || err == ERR_INVALID);
    buf_close(&out);
    arena_close(&arena);
    template_set_free(set);
    return 0;
}
