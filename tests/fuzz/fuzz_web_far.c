/* What a server says to who keeps its pages elsewhere: lines of changes, one after the other, as
 * they are followed; and the tags of an answer. Whatever is read is written the same again. */
#include "base/check.h"
#include "base/err.h"
#include "web/change_line.h"
#include "web/far_follow.h"
#include "web/far_tags.h"

#include <stdlib.h>

enum { NOW_NS = 1000000 };

static void check_line(struct str text)
{
    struct change_line line, again;
    struct buf out;
    if (change_line_read(text, &line))
        return;
    buf_init(&out, text.len + CHANGE_LINE_MAX);
    change_line_put(&out, &line);
    CHECK(!out.failed && change_line_read(str_sub(buf_text(&out), 0, out.len - 1), &again) == 0);
    CHECK(again.kind == line.kind && again.index == line.index && again.ring == line.ring &&
          again.change == line.change && again.product_id == line.product_id &&
          str_eq(again.handle, line.handle) && again.round == line.round &&
          again.time_ns == line.time_ns);
    buf_close(&out);
}

static void check_tags(struct str text)
{
    struct cache_tags tags, again;
    uint64_t ring, ring_again;
    struct buf out;
    if (far_tags_read(text, NOW_NS, &ring, &tags))
        return;
    buf_init(&out, FAR_TAGS_MAX);
    if (far_tags_write(&out, ring, &tags, NOW_NS)) {
        CHECK(far_tags_read(buf_text(&out), NOW_NS, &ring_again, &again) == 0);
        CHECK(ring_again == ring && again.index == tags.index && again.round == tags.round &&
              again.until_ns == tags.until_ns && again.catalogue == tags.catalogue &&
              again.product_count == tags.product_count);
    }
    buf_close(&out);
}

/* What is known never goes back while it is of one ring, nor is it younger than the asking. */
static void follow(struct str text)
{
    struct cache_changes *changes = calloc(1, cache_changes_size());
    struct cache *cache = changes ? cache_new_over(1 << 16, changes) : NULL;
    struct far_follow state;
    struct str line;
    CHECK(cache);
    far_follow_init(&state, cache, changes);
    far_follow_ask(&state, NOW_NS);
    while (str_cut(&text, '\n', &line)) {
        uint64_t ring = state.ring, told = state.told;
        if (far_follow_line(&state, line, NOW_NS, 1))
            break;
        CHECK(state.ring != ring || state.told >= told);
        CHECK(far_follow_age_ns(&state, NOW_NS) == 0 ||
              far_follow_age_ns(&state, NOW_NS) == UINT64_MAX);
    }
    cache_free(cache);
    free(changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    check_line(text);
    check_tags(text);
    follow(text);
    return 0;
}
