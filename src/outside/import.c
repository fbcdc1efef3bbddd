#include "outside/import.h"

#include "base/clock.h"
#include "outside/import_stage.h"
#include "shop/money.h"
#include "shop/read.h"
#include "shop/shopify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10 };

struct run {
    const struct import_options *options;
    struct stage stage;
    struct shopify *shopify;
    struct import_progress *progress;
    uint64_t told_ns;
    struct failure *failure;
    uint64_t first_bad_line;
    char first_bad[400];
};

/* Digits of the shop's currency after the point. */
static int currency_digits(const char *database, unsigned *digits, struct failure *failure)
{
    struct reader *reader;
    struct arena arena;
    struct shop_settings settings;
    int err = reader_open(database, &reader, failure);
    if (err)
        return err;
    arena_init(&arena, 1 << 20);
    err = reader_settings(reader, &arena, &settings);
    *digits = err ? 2 : money_digits(settings.currency);
    arena_close(&arena);
    reader_close(reader);
    return err ? fail(failure, err, "cannot read the shop's settings: %s", err_sentence(err)) : 0;
}

static void tell(struct run *run, bool now)
{
    uint64_t time = clock_mono_ns();
    if (!run->options->progress || (!now && time - run->told_ns < SEC_NS))
        return;
    run->told_ns = time;
    run->options->progress(run->options->context, run->progress);
}

/* The catalogue takes its time with a large import: whoever waits must not take it for dead. */
static void stepped(void *context)
{
    tell(context, false);
}

static void bad_row(void *context, uint64_t line, const char *reason)
{
    struct run *run = context;
    char sentence[sizeof run->first_bad];
    snprintf(sentence, sizeof sentence, "%s:%llu: %s", run->options->name, (unsigned long long)line,
             reason);
    if (!run->progress->bad_rows++)
        str_copy(run->first_bad, sizeof run->first_bad, str_of(sentence));
    if (run->options->bad)
        run->options->bad(run->options->context, sentence);
}

static int take_product(void *context, const struct product *product)
{
    struct run *run = context;
    /* Nothing will come of it: only the other bad rows are still of interest. */
    if (run->progress->bad_rows && !run->options->skip_bad)
        return 0;
    return stage_product(&run->stage, product, run->failure);
}

static int read_file(struct run *run, int fd)
{
    char *bytes = malloc(READ_SIZE);
    int err = bytes ? 0 : fail(run->failure, ERR_NOMEM, "out of memory");
    for (ssize_t got = 1; !err && got > 0;) {
        got = read(fd, bytes, READ_SIZE);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0) {
            err = fail_errno(run->failure, ERR_IO, "cannot read %s", run->options->name);
            break;
        }
        if (run->options->stop && *run->options->stop) {
            err = fail(run->failure, ERR_CLOSED, "the server stops; nothing was imported");
            break;
        }
        run->failure->err = 0;
        err = shopify_feed(run->shopify, str_make(bytes, (size_t)got));
        struct shopify_counts counts = shopify_counts(run->shopify);
        run->progress->bytes += (uint64_t)got;
        run->progress->rows = counts.rows;
        run->progress->products = counts.products;
        run->progress->variants = counts.variants;
        tell(run, false);
    }
    free(bytes);
    if (err && !run->failure->err)
        fail(run->failure, err, "%s", err == ERR_INVALID ? run->first_bad : err_sentence(err));
    return err;
}

/* Every row is read: decides. */
static int decide(struct run *run)
{
    struct import_progress *p = run->progress;
    if (p->bad_rows && !run->options->skip_bad) {
        stage_abort(&run->stage);
        return fail(run->failure, ERR_INVALID,
                    "nothing was imported: %llu bad rows in %s, the first at %s",
                    (unsigned long long)p->bad_rows, run->options->name, run->first_bad);
    }
    p->deciding = true;
    tell(run, true);
    int err = stage_commit(&run->stage, run->failure);
    tell(run, true);
    return err;
}

static int import_csv(struct run *run, int fd)
{
    unsigned digits;
    struct shopify_listener listener = {take_product, bad_row, run};
    int err = currency_digits(run->options->database, &digits, run->failure);
    if (err)
        return err;
    if (shopify_new(&listener, digits, &run->shopify))
        return fail(run->failure, ERR_NOMEM, "out of memory");
    err = read_file(run, fd);
    if (err)
        stage_abort(&run->stage);
    else
        err = decide(run);
    shopify_free(run->shopify);
    return err;
}

int import_run(const struct import_options *options, const char *path,
               struct import_progress *result, struct failure *failure)
{
    struct failure scratch;
    struct stat about;
    *result = (struct import_progress){0};
    struct run run = {
        .options = options,
        .progress = result,
        .failure = failure ? failure : &scratch,
        .told_ns = clock_mono_ns(),
    };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(failure, ERR_NOTFOUND, "cannot open %s", options->name);
    int err = fstat(fd, &about) ? fail_errno(failure, ERR_IO, "cannot read %s", options->name) : 0;
    if (!err) {
        result->bytes_total = (uint64_t)about.st_size;
        stage_init(&run.stage, options->order);
        run.stage.stop = options->stop;
        run.stage.stepped = stepped;
        run.stage.context = &run;
        if (S_ISDIR(about.st_mode))
            err = import_flower_shop(options, path, &run.stage, result, run.failure);
        else
            err = import_csv(&run, fd);
        stage_close(&run.stage);
    }
    close(fd);
    return err;
}
