#include "web/call.h"
#include "web/page.h"
#include "web/pages.h"

/* Pages of fixed text: a template each. */
static const struct {
    const char *path, *template, *title;
} texts[] = {
    {"/about", "about", "About this shop"},
    {"/terms", "terms", "Terms of sale"},
    {"/privacy", "privacy", "Privacy"},
};

enum app_verdict page_text(struct exchange *x)
{
    unsigned row = 0;
    while (!str_eq(x->path, str_of(texts[row].path)))
        row++; /* routes.c has no other path for this handler */
    struct page page;
    int err = page_begin(x, &page, texts[row].template);
    if (err)
        return call_fail_err(x, err);
    page_title(&page, str_of(texts[row].title), STR(""));
    return page_keep(&page, x->path);
}
