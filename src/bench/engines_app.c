#include "bench/engines_app.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/engines_figures.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PATH_MAX_BYTES = 512,
    WORDS = 8192, /* 64 KiB of working memory for each that computes */
    TRIES = 10,   /* to calibrate, and to time a cold file */
    TRY_NS = 10000000,
    TRY_STEPS = 20000,
};

/* ---- The set of files ---- */

static int file_open(const char *dir, uint64_t number, int flags)
{
    char path[PATH_MAX_BYTES];
    int len = snprintf(path, sizeof path, "%s/page-%llu", dir, (unsigned long long)number);
    return len > 0 && (size_t)len < sizeof path ? open(path, flags | O_CLOEXEC, 0666) : -1;
}

static int file_fill(int fd, const unsigned char *bytes)
{
    for (size_t done = 0; done < ENGINES_FILE_BYTES;) {
        ssize_t wrote = write(fd, bytes + done, ENGINES_FILE_BYTES - done);
        if (wrote <= 0)
            return -1;
        done += (size_t)wrote;
    }
    return fsync(fd); /* what is not on the disk cannot be put out of memory */
}

int engines_files_make(const char *dir, struct failure *failure)
{
    unsigned char *bytes = malloc(ENGINES_FILE_BYTES);
    int err = bytes ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned n = 0; !err && n < ENGINES_FILES; n++) {
        memset(bytes, (int)('A' + n % 26), ENGINES_FILE_BYTES);
        int fd = file_open(dir, n, O_WRONLY | O_CREAT | O_TRUNC);
        if (fd < 0 || file_fill(fd, bytes))
            err = fail_errno(failure, ERR_IO, "cannot write the pages of the disk in %s", dir);
        if (fd >= 0)
            close(fd);
    }
    free(bytes);
    return err;
}

int engines_files_cold_ms(const char *dir, double *ms, struct failure *failure)
{
    double took[TRIES];
    unsigned char *bytes = malloc(ENGINES_FILE_BYTES);
    int err = bytes ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned n = 0; !err && n < TRIES; n++) {
        int fd = file_open(dir, n, O_RDONLY);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        uint64_t begun = clock_mono_ns();
        if (fd < 0 || pread(fd, bytes, ENGINES_FILE_BYTES, 0) != ENGINES_FILE_BYTES)
            err = fail_errno(failure, ERR_IO, "cannot read the pages of the disk in %s", dir);
        took[n] = (double)(clock_mono_ns() - begun) / 1e6;
        if (fd >= 0)
            close(fd);
    }
    free(bytes);
    *ms = err ? 0 : engines_median(took, TRIES);
    return err;
}

/* ---- Computing ---- */

/* STEPS over WORDS of memory, as a page is made: reading and writing here and there. */
static uint64_t compute(uint64_t *words, uint64_t steps)
{
    uint64_t sum = 1;
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t *word = &words[(sum >> 20) % WORDS];
        sum = sum * 6364136223846793005ull + 1442695040888963407ull;
        *word += sum;
        sum ^= *word >> 7;
    }
    return sum;
}

uint64_t engines_calibrate(void)
{
    uint64_t *words = calloc(WORDS, sizeof *words), most = 0;
    CHECK(words);
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t steps = 0, begun = clock_thread_ns(), took = 0;
        for (; took < TRY_NS; took = clock_thread_ns() - begun, steps += TRY_STEPS)
            words[0] += compute(words, TRY_STEPS);
        if (steps * MS_NS / took > most)
            most = steps * MS_NS / took;
    }
    free(words);
    return most;
}

/* ---- The pages ---- */

static uint64_t number(struct exchange *x, struct str name, uint64_t most)
{
    uint64_t value;
    int err = str_to_u64(exchange_query(x, name), &value);
    return err || value > most ? most : value;
}

static void refuse(struct exchange *x, int status, struct str why)
{
    exchange_reply(x, status, STR("text/plain; charset=utf-8"), why);
}

static void give_file(struct engines_app *app, struct exchange *x)
{
    int fd = file_open(app->dir, number(x, STR("n"), UINT32_MAX) % ENGINES_FILES, O_RDONLY);
    if (fd < 0) {
        refuse(x, 500, STR("the file cannot be opened\n"));
        return;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    exchange_reply_file(x, 200, STR("application/octet-stream"), fd, 0, ENGINES_FILE_BYTES);
}

static enum app_verdict app_handle(struct app *base, struct exchange *x)
{
    struct engines_app *app = CONTAINER_OF(base, struct engines_app, app);
    if (str_ends(x->path, STR("/compute")))
        return APP_WORK;
    if (str_eq(x->path, STR("/cached")))
        exchange_page(x, app->page);
    else if (str_eq(x->path, STR("/disk")))
        give_file(app, x);
    else
        refuse(x, 404, STR("there are /cached, /disk and /compute\n"));
    return APP_DONE;
}

/* As for somebody else's answer: it takes the worker's time, and no processor's. */
static void wait_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static enum app_verdict app_work(struct app *base, struct exchange *x)
{
    struct engines_app *app = CONTAINER_OF(base, struct engines_app, app);
    uint64_t us = number(x, STR("us"), ENGINES_COMPUTE_MAX_US);
    bool waits = exchange_query(x, STR("wait")).at != NULL;
    uint64_t *words = calloc(WORDS, sizeof *words);
    if (!words) {
        refuse(x, 503, STR("no memory\n"));
        return APP_DONE;
    }
    uint64_t sum = compute(words, app->steps_ms * us / 1000);
    free(words);
    if (waits)
        wait_us((long)number(x, STR("wait"), ENGINES_COMPUTE_MAX_US - 1));
    exchange_reply(x, 200, STR("text/plain; charset=utf-8"),
                   arena_printf(&x->arena, "%016llx\n", (unsigned long long)sum));
    return APP_DONE;
}

int engines_app_init(struct engines_app *app, const char *dir, uint64_t steps_ms,
                     struct failure *failure)
{
    char text[ENGINES_PAGE_BYTES];
    memset(text, 'x', sizeof text);
    *app = (struct engines_app){
        .app = {.name = "bench", .handle = app_handle, .work = app_work},
        .dir = dir,
        .steps_ms = steps_ms,
    };
    app->page = http_page_new(200, STR("text/plain; charset=utf-8"), STR("max-age=60"),
                              str_make(text, sizeof text), false);
    return app->page ? 0 : fail(failure, ERR_NOMEM, "out of memory");
}

void engines_app_close(struct engines_app *app)
{
    http_page_drop(app->page);
}
