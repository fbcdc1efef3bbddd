#include "bench/page_part.h"

#include "base/buf.h"

#include <errno.h>
#include <string.h>

enum { PAGE_MAX = 1 << 20 };

static int read_page(const char *file, struct buf *page, struct failure *failure)
{
    char piece[4096];
    size_t got;
    FILE *in = fopen(file, "re");
    if (!in)
        return errno == ENOENT ? 0 : fail_errno(failure, ERR_IO, "cannot read %s", file);
    while ((got = fread(piece, 1, sizeof piece, in)) > 0)
        buf_put(page, piece, got);
    bool lost = ferror(in);
    fclose(in);
    if (lost || page->failed)
        return fail(failure, ERR_IO, "cannot read %s, or it is larger than 1 MiB", file);
    return 0;
}

/* What is before and after the part. */
static int split_page(const struct page_part *part, struct str page, const char *file,
                      struct str *before, struct str *after, struct failure *failure)
{
    *before = *after = STR("");
    if (page.len == 0)
        return 0;
    ptrdiff_t begin = str_find(page, str_of(part->begin));
    ptrdiff_t end = str_find(page, str_of(part->end));
    size_t beyond = end < 0 ? 0 : (size_t)end + strlen(part->end);
    if (begin < 0 || end < begin || beyond >= page.len || page.at[beyond] != '\n')
        return fail(failure, ERR_INVALID,
                    "%s has not the two lines \"%s\" and \"%s\", between which the results are "
                    "written: put them in, or give another file",
                    file, part->begin, part->end);
    *before = str_sub(page, 0, (size_t)begin);
    *after = str_from(page, beyond + 1);
    return 0;
}

/* BEFORE and AFTER are PAGE's, which the caller closes whatever is returned. */
static int open_page(const struct page_part *part, const char *file, struct buf *page,
                     struct str *before, struct str *after, struct failure *failure)
{
    buf_init(page, PAGE_MAX);
    int err = read_page(file, page, failure);
    return err ? err : split_page(part, buf_text(page), file, before, after, failure);
}

int page_part_check(const struct page_part *part, const char *file, struct failure *failure)
{
    struct buf page;
    struct str before, after;
    int err = open_page(part, file, &page, &before, &after, failure);
    buf_close(&page);
    return err;
}

int page_part_write(const struct page_part *part, const char *file, struct failure *failure)
{
    struct buf page;
    struct str before, after;
    int err = open_page(part, file, &page, &before, &after, failure);
    FILE *out = err ? NULL : fopen(file, "we");
    if (!err && !out)
        err = fail_errno(failure, ERR_IO, "cannot write %s", file);
    if (out) {
        if (before.len == 0)
            fprintf(out, "%s\n\n", part->title);
        fwrite(before.at, 1, before.len, out);
        part->write(part->context, out);
        fwrite(after.at, 1, after.len, out);
        bool lost = ferror(out);
        if (fclose(out) || lost)
            err = fail_errno(failure, ERR_IO, "cannot write %s", file);
    }
    buf_close(&page);
    return err;
}
