/* A machine to try replica/ with: a list of numbers in a file, one block per transaction.
 *
 * A command is 8 bytes, a number; its result is how many numbers there were before it.
 * The file is the machine's whole state, read again at each open, so that a killed
 * process can be looked at. Also: starting a replica on a fresh directory.
 */
#ifndef STOA_TESTS_REPLICA_FIXTURE_H
#define STOA_TESTS_REPLICA_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "folder_fixture.h"
#include "replica/replica.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
/* Tests fork after libuv's helper threads were made; libuv makes new ones in the child. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
#endif

struct block {
    uint64_t magic, index;
    int64_t time_ms;
    uint64_t count; /* numbers that follow */
};
enum { BLOCK_MAGIC = 0x57074 };

struct list_machine {
    int fd;
    uint64_t applied;
    int64_t applied_time;
    uint64_t *numbers;
    size_t count, cap;
    size_t committed; /* of them in the file */
    unsigned transactions, durables;
    bool fail_commit;
    bool frozen;
    bool once; /* a number has one place however often it comes: in a cluster it may come again */
    unsigned again; /* so often one did */
};

static inline void list_add(struct list_machine *m, uint64_t number)
{
    if (m->count == m->cap) {
        m->cap = m->cap == 0 ? 1024 : m->cap * 2;
        m->numbers = realloc(m->numbers, m->cap * sizeof *m->numbers);
        CHECK(m->numbers != NULL);
    }
    m->numbers[m->count++] = number;
}

/* Reads what FILE holds; a block cut short by a kill is dropped. */
static inline void list_open(struct list_machine *m, const char *file)
{
    memset(m, 0, sizeof *m);
    m->fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(m->fd >= 0);
    off_t whole = 0;
    struct block block;
    while (read(m->fd, &block, sizeof block) == (ssize_t)sizeof block) {
        CHECK(block.magic == BLOCK_MAGIC && block.index > m->applied);
        uint64_t *numbers = malloc(block.count * 8 + 8);
        bool complete = read(m->fd, numbers, block.count * 8) == (ssize_t)(block.count * 8);
        for (uint64_t i = 0; complete && i < block.count; i++)
            list_add(m, numbers[i]);
        free(numbers);
        if (!complete)
            break;
        m->applied = block.index;
        m->applied_time = block.time_ms;
        whole += (off_t)(sizeof block + block.count * 8);
    }
    CHECK(ftruncate(m->fd, whole) == 0);
    CHECK(lseek(m->fd, whole, SEEK_SET) == whole);
    m->committed = m->count;
}

static inline void list_close(struct list_machine *m)
{
    close(m->fd);
    free(m->numbers);
}

static inline uint64_t list_applied(void *context)
{
    return ((struct list_machine *)context)->applied;
}

static inline int64_t list_applied_time(void *context)
{
    return ((struct list_machine *)context)->applied_time;
}

static inline int list_begin(void *context, struct failure *failure)
{
    struct list_machine *m = context;
    (void)failure;
    CHECK(m->count == m->committed);
    return 0;
}

static inline int list_apply(void *context, uint64_t index, int64_t time_ms, struct str command,
                             struct buf *result, struct failure *failure)
{
    struct list_machine *m = context;
    (void)failure;
    CHECK(index > m->applied && time_ms >= m->applied_time && command.len >= 8);
    uint64_t number, place = m->count;
    memcpy(&number, command.at, 8);
    for (uint64_t i = m->once ? m->count : 0; i-- > 0;)
        if (m->numbers[i] == number)
            place = i;
    if (result)
        buf_put(result, &place, sizeof place);
    if (place == m->count)
        list_add(m, number);
    else
        m->again++;
    return 0;
}

static inline int list_commit(void *context, uint64_t index, int64_t time_ms,
                              struct failure *failure)
{
    struct list_machine *m = context;
    if (m->fail_commit)
        return fail(failure, ERR_IO, "list.db: no space left on device");
    struct block block = {BLOCK_MAGIC, index, time_ms, m->count - m->committed};
    size_t len = sizeof block + block.count * 8;
    char *bytes = malloc(len);
    memcpy(bytes, &block, sizeof block);
    memcpy(bytes + sizeof block, m->numbers + m->committed, block.count * 8);
    ssize_t n = write(m->fd, bytes, len);
    free(bytes);
    CHECK(n == (ssize_t)len);
    __atomic_store_n(&m->committed, m->count, __ATOMIC_RELEASE); /* tests look meanwhile */
    m->applied = index;
    m->applied_time = time_ms;
    m->transactions++;
    return 0;
}

static inline int list_make_durable(void *context, uint64_t *index, struct failure *failure)
{
    struct list_machine *m = context;
    __atomic_add_fetch(&m->durables, 1, __ATOMIC_RELEASE);
    if (fdatasync(m->fd) != 0)
        return fail_errno(failure, ERR_IO, "list.db");
    *index = m->applied;
    return 0;
}

/* Blocks are only added at the end: what is there now stays as it is. */
static inline int list_freeze(void *context, struct machine_frozen *frozen, struct failure *failure)
{
    struct list_machine *m = context;
    struct stat about;
    (void)failure;
    CHECK(!m->frozen && fstat(m->fd, &about) == 0);
    m->frozen = true;
    *frozen = (struct machine_frozen){(uint64_t)about.st_size, m->applied, m->applied_time};
    return 0;
}

static inline void list_thaw(void *context)
{
    struct list_machine *m = context;
    CHECK(m->frozen);
    m->frozen = false;
}

static inline int list_frozen_read(void *context, uint64_t offset, void *out, size_t len,
                                   struct failure *failure)
{
    struct list_machine *m = context;
    (void)failure;
    CHECK(m->frozen && pread(m->fd, out, len, (off_t)offset) == (ssize_t)len);
    return 0;
}

static inline struct machine list_machine_of(struct list_machine *m)
{
    return (struct machine){.context = m,
                            .applied = list_applied,
                            .applied_time = list_applied_time,
                            .begin = list_begin,
                            .apply = list_apply,
                            .commit = list_commit,
                            .make_durable = list_make_durable,
                            .freeze = list_freeze,
                            .thaw = list_thaw,
                            .frozen_read = list_frozen_read};
}

/* ---- A replica with it ---- */

struct one_server {
    char dir[FOLDER_PATH];
    struct list_machine machine;
    struct replica *replica;
    struct ordering *order;
    char fatal_reason[700];
    int fatal_pipe; /* where fatal writes its reason before it exits with 3; 0: abort */
};

static inline void server_fatal(void *context, const char *reason)
{
    struct one_server *server = context;
    if (server->fatal_pipe == 0) {
        fprintf(stderr, "fatal: %s\n", reason);
        abort();
    }
    CHECK(write(server->fatal_pipe, reason, strlen(reason)) > 0);
    _exit(3);
}

static inline void server_dir(struct one_server *server)
{
    memset(server, 0, sizeof *server);
    folder_make(server->dir);
}

static inline void server_file(const struct one_server *server, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", server->dir, name);
}

static inline struct replica_config server_config(struct one_server *server)
{
    return (struct replica_config){
        .dir = server->dir, .id = 1, .fatal = server_fatal, .fatal_context = server};
}

static inline int server_start_with(struct one_server *server, const struct replica_config *config,
                                    struct failure *failure)
{
    char file[256];
    server_file(server, "list.db", file);
    list_open(&server->machine, file);
    server->machine.once = config->cluster != NULL;
    struct machine machine = list_machine_of(&server->machine);
    int err = replica_start(config, &machine, &server->replica, failure);
    if (err == 0)
        server->order = replica_order(server->replica);
    else
        list_close(&server->machine);
    return err;
}

static inline void server_start(struct one_server *server)
{
    struct failure failure = {0};
    struct replica_config config = server_config(server);
    if (server_start_with(server, &config, &failure) != 0) {
        fprintf(stderr, "start: %s\n", failure.text);
        abort();
    }
}

static inline void server_stop(struct one_server *server)
{
    replica_stop(server->replica);
    list_close(&server->machine);
}

static inline void server_remove(struct one_server *server)
{
    folder_remove(server->dir);
}

/* Submits NUMBER and waits; the position it got. */
static inline uint64_t server_add(struct one_server *server, uint64_t number)
{
    char room[8];
    memcpy(room, &number, 8);
    struct buf result;
    buf_init(&result, 64);
    int err = order_submit_wait(server->order, str_make(room, 8), &result, NULL);
    CHECK(err == 0 && result.len == 8);
    uint64_t position;
    memcpy(&position, result.at, 8);
    buf_close(&result);
    return position;
}

#endif
