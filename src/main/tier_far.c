#include "main/tier_far.h"

#include "base/clock.h"
#include "main/secret_file.h"
#include "main/tier_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 128, LOOK_MS = 5, WORD_MS = 5000 };

struct tier_far {
    struct tier_far_config config;
    char dir[FILE_PATH];
    int lock; /* of DIR */
    struct tier_token token;
    struct tls_context *tls;
    struct queue *queue;
    struct bridge *bridge;
};

/* ---- Its place ---- */

/* Nobody else's, or others could put a queue there. */
static bool is_own(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
           (about.st_mode & 077) == 0;
}

static int lock_place(struct tier_far *far, const char *folder, unsigned number,
                      struct failure *failure)
{
    char name[16];
    snprintf(name, sizeof name, "%u", number);
    int err = file_join(far->dir, folder, name, failure);
    err = err ? err : file_make_dir(far->dir, 0700, NULL, failure);
    if (err)
        return err;
    far->lock = open(far->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (far->lock < 0)
        return file_failed(failure, "open", far->dir);
    if (flock(far->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    close(far->lock);
    far->lock = -1;
    return ERR_BUSY;
}

static int find_place(struct tier_far *far, struct failure *failure)
{
    const char *parent = getenv("TMPDIR");
    char folder[FILE_PATH], name[32];
    snprintf(name, sizeof name, "stoa-far-%lu", (unsigned long)geteuid());
    int err = file_join(folder, parent && parent[0] ? parent : "/tmp", name, failure);
    err = err ? err : file_make_dir(folder, 0700, NULL, failure);
    if (!err && !is_own(folder))
        err = fail(failure, ERR_DENIED, "%s is not a directory of this user alone: remove it",
                   folder);
    for (unsigned i = 0; !err && i < PLACES; i++) {
        int taken = lock_place(far, folder, i, failure);
        if (taken != ERR_BUSY)
            return taken;
    }
    return err ? err
               : fail(failure, ERR_FULL,
                      "all %d places in %s are taken: too many workers and "
                      "fronts of other machines' queues run here",
                      PLACES, folder);
}

/* ---- The command line ---- */

static bool is_directory(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

int tier_far_check(const char *option, const char *place, const char *token_file,
                   struct failure *failure)
{
    struct failure why = {0};
    bool calls = bridge_check(place, &why) == 0;
    if (token_file[0] && !calls)
        return fail(failure, ERR_INVALID, "%s: %s", option, why.text);
    if (!token_file[0] && calls && !strchr(place, '/') && !is_directory(place))
        return fail(failure, ERR_INVALID,
                    "%s %s is no directory. If it is the address of a queue on another machine, "
                    "--token-file is missing: a file with what `stoa token --tiers` has printed "
                    "there",
                    option, place);
    return 0;
}

/* ---- Open and close ---- */

static int read_token(struct tier_far *far, struct failure *failure)
{
    char text[SECRET_FILE_SIZE];
    int err = secret_file_read("--token-file", far->config.token_file, text, sizeof text, failure);
    struct failure why = {0};
    if (!err && (err = tier_token_decode(str_of(text), &far->token, &why)))
        fail(failure, err, "--token-file: %s: %s", far->config.token_file, why.text);
    explicit_bzero(text, sizeof text);
    return err;
}

int tier_far_open(const struct tier_far_config *config, struct tier_far **out,
                  struct failure *failure)
{
    struct tier_far *far = calloc(1, sizeof *far);
    *out = NULL;
    if (!far)
        return fail(failure, ERR_NOMEM, "no memory for a queue");
    far->config = *config;
    far->lock = -1;
    int err = read_token(far, failure);
    if (!err && !(far->tls = tls_context_pinned(far->token.fingerprint, failure)))
        err = ERR_INVALID;
    err = err ? err : find_place(far, failure);
    err = err ? err : queue_open(far->dir, &far->config.queue, &far->queue, failure);
    if (err)
        tier_far_close(far);
    else
        *out = far;
    return err;
}

struct queue *tier_far_queue(const struct tier_far *far)
{
    return far->queue;
}

const char *tier_far_dir(const struct tier_far *far)
{
    return far->dir;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * (long)MS_NS}, NULL);
}

int tier_far_link(struct tier_far *far, struct failure *failure)
{
    const struct tier_far_config *config = &far->config;
    struct bridge_dial dial = {
        .queue = far->queue,
        .tls = far->tls,
        .addresses = config->addresses,
        .number = config->number,
        .works = config->works,
        .appetite = config->appetite,
        .deserted = config->deserted,
        .hangs = config->hangs,
        .log = config->log,
    };
    memcpy(dial.key, far->token.key, sizeof dial.key);
    int err = bridge_connect(&dial, &far->bridge, failure);
    explicit_bzero(dial.key, sizeof dial.key);
    if (err)
        return err;
    uint64_t word_ns = clock_mono_ns() + WORD_MS * MS_NS;
    while (bridge_state(far->bridge) == BRIDGE_CONNECTING) {
        if (clock_mono_ns() >= word_ns) {
            log_line(config->log, LOG_INFO, "bridge", "waiting for %s", config->addresses);
            word_ns = clock_mono_ns() + WORD_MS * MS_NS;
        }
        pause_ms(LOOK_MS);
    }
    if (bridge_state(far->bridge) == BRIDGE_DENIED_THERE)
        return fail(failure, ERR_DENIED, "%s with %s: not let in there: %s", config->addresses,
                    config->token_file, bridge_denied(far->bridge));
    return 0;
}

void tier_far_drain(struct tier_far *far, uint64_t grace_ms)
{
    uint64_t end_ns = clock_mono_ns() + grace_ms * MS_NS;
    if (!far->bridge)
        return;
    bridge_drain(far->bridge);
    while (bridge_state(far->bridge) == BRIDGE_UP && clock_mono_ns() < end_ns)
        pause_ms(LOOK_MS);
}

void tier_far_close(struct tier_far *far)
{
    if (!far)
        return;
    bridge_free(far->bridge);
    queue_close(far->queue);
    tls_context_free(far->tls);
    if (far->lock >= 0)
        close(far->lock);
    explicit_bzero(&far->token, sizeof far->token);
    free(far);
}
