/* A copy of one server's list, through a real door and real TLS, while the list grows. */
#include "base/random.h"
#include "net_fixture.h"
#include "proxy_fixture.h"
#include "replica/batch.h"
#include "replica/copy_fetching.h"
#include "replica/door.h"
#include "replica/ordering.h"
#include "replica_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { FILE_NUMBERS = 1 << 20, FILE_BYTES = FILE_NUMBERS * 8, SOURCE = 1, NEEDY = 2, OTHER = 3 };
enum { PATIENCE_MS = 60000 };

/* ---- The server that has the list ---- */

struct scene {
    struct pki pki;
    struct id cluster;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 16];
    char needy_dir[FOLDER_PATH + 16], needy_file[FOLDER_PATH + 32];
    struct list_machine list;
    struct ordering order;
    struct applier *applier;
    struct copies *copies;
    struct copy_sender *sender;
    struct door *door;
    struct tls_context *tls;
    struct proxy proxy;
    bool primary;
    atomic_uint_fast64_t fed;
    pthread_t feeder;
    atomic_bool feeding;

    struct server_place source; /* behind the proxy */
    struct list_machine needy_list;
    struct ordering needy_order;
    struct applier *needy_applier;
    struct copy_tail *tail;
};

static void never(void *context, const char *reason)
{
    (void)context;
    fprintf(stderr, "fatal: %s\n", reason);
    abort();
}

static void nothing(void *context)
{
    (void)context;
}

static void durable(void *context, uint64_t index)
{
    (void)context, (void)index;
}

static bool scene_primary(void *context)
{
    return ((struct scene *)context)->primary;
}

static void door_place(void *context, struct server_place *place)
{
    (void)context;
    *place = (struct server_place){.id = SOURCE};
}

static bool door_known(void *context, uint64_t id)
{
    (void)context, (void)id;
    return true;
}

static void door_copy(void *context, const struct server_place *other, struct channel *channel)
{
    copy_send(((struct scene *)context)->sender, other, channel);
}

static struct applier *start_applier(struct list_machine *list, struct ordering *order,
                                     const char *file)
{
    struct applier *applier;
    struct failure failure;
    list_open(list, file);
    ordering_init(order, 1024, 1 << 20, 1000, nothing, NULL);
    struct applier_config config = {.machine = list_machine_of(list),
                                    .order = order,
                                    .fatal = never,
                                    .marked = nothing,
                                    .durable = durable};
    CHECK(applier_start(&config, &applier, &failure) == 0);
    return applier;
}

static void write_list(const char *file)
{
    uint64_t *numbers = malloc(FILE_BYTES);
    random_secret(numbers, FILE_BYTES);
    FILE *out = fopen(file, "w");
    struct block block = {BLOCK_MAGIC, 1000, 5, FILE_NUMBERS};
    CHECK(out && fwrite(&block, sizeof block, 1, out) == 1 &&
          fwrite(numbers, 8, FILE_NUMBERS, out) == FILE_NUMBERS && fclose(out) == 0);
    free(numbers);
}

static void feed_one(struct scene *scene, uint64_t number)
{
    _Alignas(8) unsigned char room[64];
    struct batch_writer writer;
    size_t size = batch_size(1, 8);
    CHECK(size <= sizeof room);
    batch_begin(&writer, room, size, 1, 6, 0);
    batch_put(&writer, str_make((char *)&number, 8));
    batch_end(&writer);
    struct applier_entry *entry = applier_entry_new(str_make((char *)room, size));
    entry->index = 1000 + ++scene->fed;
    entry->time_ms = 6;
    applier_push(scene->applier, &entry, false);
}

static void *feed(void *context)
{
    struct scene *scene = context;
    while (atomic_load(&scene->feeding)) {
        feed_one(scene, scene->fed * 7);
        usleep(500); /* no wait: the pace of what comes */
    }
    return NULL;
}

static void open_with(struct scene *scene, uint64_t rate, uint32_t kept_ms)
{
    struct failure failure = {0};
    uint16_t port;
    memset(scene, 0, sizeof *scene);
    pki_open(&scene->pki, "copy");
    scene->cluster = id_new(clock_wall_ms());
    folder_make(scene->dir);
    snprintf(scene->file, sizeof scene->file, "%s/list.db", scene->dir);
    snprintf(scene->needy_dir, sizeof scene->needy_dir, "%s/needy", scene->dir);
    snprintf(scene->needy_file, sizeof scene->needy_file, "%s/list.db", scene->needy_dir);
    CHECK(mkdir(scene->needy_dir, 0700) == 0);
    write_list(scene->file);
    scene->applier = start_applier(&scene->list, &scene->order, scene->file);
    CHECK(copies_new(scene->applier, scene->dir, rate, &scene->copies, &failure) == 0);
    struct copy_sender_config sender = {
        .copies = scene->copies, .primary = scene_primary, .context = scene, .kept_ms = kept_ms};
    CHECK(copy_sender_new(&sender, &scene->sender, &failure) == 0);
    scene->tls = pki_context(&scene->pki, "server-1");
    struct door_config door = {.listen = "127.0.0.1:0",
                               .tls = scene->tls,
                               .cluster = scene->cluster,
                               .generation = 1,
                               .context = scene,
                               .place = door_place,
                               .known = door_known,
                               .copy = door_copy};
    CHECK(door_start(&door, &scene->door, &port, &failure) == 0);
    proxy_open(&scene->proxy, port);
    scene->source.id = SOURCE;
    snprintf(scene->source.address, sizeof scene->source.address, "%s", scene->proxy.address);
    CHECK(copy_want(scene->needy_dir, 0, &failure) == 0);
}

static void start_feeding(struct scene *scene)
{
    atomic_store(&scene->feeding, true);
    CHECK(pthread_create(&scene->feeder, NULL, feed, scene) == 0);
}

static void stop_feeding(struct scene *scene)
{
    if (atomic_exchange(&scene->feeding, false))
        pthread_join(scene->feeder, NULL);
}

static void close_scene(struct scene *scene)
{
    stop_feeding(scene);
    copy_tail_free(scene->tail);
    if (scene->needy_applier) {
        applier_stop(scene->needy_applier);
        list_close(&scene->needy_list);
        ordering_destroy(&scene->needy_order);
    }
    proxy_close(&scene->proxy);
    copies_stop(scene->copies);
    door_stop(scene->door);
    copy_sender_free(scene->sender);
    copies_free(scene->copies);
    applier_stop(scene->applier);
    assert_false(scene->list.frozen);
    list_close(&scene->list);
    ordering_destroy(&scene->order);
    tls_context_free(scene->tls);
    pki_close(&scene->pki);
    folder_remove(scene->dir);
}

/* ---- The server that needs it ---- */

static struct copy_need need_of(struct scene *scene, uint64_t id)
{
    static const struct log log = {.fd = 2};
    char name[SERVER_NAME];
    return (struct copy_need){.dir = scene->needy_dir,
                              .database = scene->needy_file,
                              .cluster = scene->cluster,
                              .generation = 1,
                              .own = {.id = id},
                              .others = &scene->source,
                              .other_count = 1,
                              .tls = pki_context(&scene->pki, server_name(id, name)),
                              .log = getenv("STOA_TEST_LOG") ? &log : NULL};
}

static void fetch(struct scene *scene)
{
    struct failure failure = {0};
    struct copy_need need = need_of(scene, NEEDY);
    if (copy_fetch_first(&need, &scene->tail, &failure) != 0)
        fail_msg("%s", failure.text);
}

static void follow(struct scene *scene)
{
    struct failure failure = {0};
    scene->needy_applier =
        start_applier(&scene->needy_list, &scene->needy_order, scene->needy_file);
    assert_int_equal(copy_tail_start(scene->tail, scene->needy_applier, &failure), 0);
}

static void wait_until_same(struct scene *scene)
{
    uint64_t deadline = within_ms(PATIENCE_MS);
    while (applier_applied(scene->needy_applier) < 1000 + scene->fed)
        if (clock_mono_ns() > deadline)
            fail_msg("only entry %llu of %llu has come",
                     (unsigned long long)applier_applied(scene->needy_applier),
                     (unsigned long long)(1000 + scene->fed));
    while (applier_applied(scene->applier) < 1000 + scene->fed)
        ;
    assert_int_equal(scene->needy_list.count, scene->list.count);
    assert_memory_equal(scene->needy_list.numbers, scene->list.numbers, scene->list.count * 8);
}

static void wait_until_let_go(struct scene *scene)
{
    struct copy_progress progress;
    uint64_t deadline = within_ms(PATIENCE_MS);
    do {
        CHECK(clock_mono_ns() < deadline);
        copy_sender_look(scene->sender, &progress);
    } while (progress.to != 0);
}

/* A process of its own fetches; it is killed when so much has come, and it does not get much more
 * however late that is seen. */
static void fetch_and_be_killed(struct scene *scene, uint64_t bytes)
{
    char part[160];
    struct stat about;
    atomic_store(&scene->proxy.hold_at, bytes + FILE_BYTES / 4);
    pid_t child = fork();
    if (child == 0) {
        fetch(scene);
        _exit(0);
    }
    snprintf(part, sizeof part, "%s/copy/part", scene->needy_dir);
    uint64_t deadline = within_ms(PATIENCE_MS);
    while (stat(part, &about) != 0 || (uint64_t)about.st_size < bytes)
        CHECK(clock_mono_ns() < deadline && waitpid(child, NULL, WNOHANG) == 0);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    atomic_store(&scene->proxy.hold_at, 0);
}

/* ---- The promises ---- */

static void a_copy_arrives_with_all_that_came_since(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 0, 0);
    start_feeding(&scene);
    fetch(&scene);
    assert_true(copy_is_ahead(scene.needy_dir));
    follow(&scene);
    uint64_t deadline = within_ms(PATIENCE_MS), begun = scene.fed;
    while (scene.fed < begun + 200)
        CHECK(clock_mono_ns() < deadline);
    stop_feeding(&scene);
    wait_until_same(&scene);
    assert_false(scene.list.frozen);
    assert_true(copy_tail_running(scene.tail));
    copy_caught_up(scene.needy_dir);
    assert_false(copy_is_ahead(scene.needy_dir));
    copy_tail_stop(scene.tail); /* then the next one may have its copy at once */
    wait_until_let_go(&scene);
    close_scene(&scene);
}

static void a_broken_connection_goes_on_where_it_was(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 0, 0);
    start_feeding(&scene);
    atomic_store(&scene.proxy.break_at, FILE_BYTES / 2);
    fetch(&scene);
    assert_int_equal(atomic_load(&scene.proxy.connections), 2);
    assert_true(atomic_load(&scene.proxy.bytes) < FILE_BYTES * 3 / 2);
    follow(&scene);
    /* The tail too. */
    atomic_store(&scene.proxy.break_at, atomic_load(&scene.proxy.bytes) + 1000);
    uint64_t deadline = within_ms(PATIENCE_MS);
    while (atomic_load(&scene.proxy.connections) < 3)
        CHECK(clock_mono_ns() < deadline);
    stop_feeding(&scene);
    wait_until_same(&scene);
    close_scene(&scene);
}

static void a_file_that_is_whole_is_not_fetched_again(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 0, 0);
    start_feeding(&scene);
    atomic_store(&scene.proxy.reset_at, FILE_BYTES - 20000);
    fetch(&scene);
    assert_int_equal(atomic_load(&scene.proxy.reset_at), 0);
    assert_int_equal(atomic_load(&scene.proxy.connections), 1);
    follow(&scene);
    uint64_t begun = scene.fed, deadline = within_ms(PATIENCE_MS);
    while (scene.fed < begun + 20)
        CHECK(clock_mono_ns() < deadline);
    stop_feeding(&scene);
    wait_until_same(&scene);
    assert_int_equal(atomic_load(&scene.proxy.connections), 2);
    assert_true(atomic_load(&scene.proxy.bytes) < FILE_BYTES * 3 / 2);
    close_scene(&scene);
}

static void a_killed_receiver_goes_on_where_it_was(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 16 << 20, 0);
    fetch_and_be_killed(&scene, FILE_BYTES / 2);
    start_feeding(&scene);
    fetch(&scene);
    assert_true(atomic_load(&scene.proxy.bytes) < FILE_BYTES * 3 / 2);
    follow(&scene);
    stop_feeding(&scene);
    wait_until_same(&scene);
    close_scene(&scene);
}

static void a_tail_is_gone_on_with_after_a_restart(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    open_with(&scene, 0, 0);
    start_feeding(&scene);
    pid_t child = fork();
    if (child == 0) {
        fetch(&scene);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    uint64_t bytes = atomic_load(&scene.proxy.bytes);
    uint64_t least;
    assert_false(copy_wanted(scene.needy_dir, &least));
    fetch(&scene); /* nothing to fetch, but a tail */
    assert_non_null(scene.tail);
    follow(&scene);
    stop_feeding(&scene);
    wait_until_same(&scene);
    assert_true(atomic_load(&scene.proxy.bytes) - bytes < FILE_BYTES / 2);
    (void)failure;
    close_scene(&scene);
}

/* Killed when the file was in its place, and before it was noted that no copy is wanted. */
static void a_copy_that_was_put_in_place_and_not_noted_is_begun_anew(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct copy_record record;
    open_with(&scene, 0, 0);
    pid_t child = fork();
    if (child == 0) {
        fetch(&scene);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(copy_record_read(scene.needy_dir, "copied", &record));
    assert_int_equal(copy_record_write(scene.needy_dir, "state", &record, &failure), 0);
    assert_int_equal(copy_want(scene.needy_dir, 0, &failure), 0);
    start_feeding(&scene);
    fetch(&scene);
    follow(&scene);
    stop_feeding(&scene);
    wait_until_same(&scene);
    close_scene(&scene);
}

static void a_damaged_byte_is_found_and_the_copy_begun_anew(void **state)
{
    (void)state;
    struct scene scene;
    char part[160];
    open_with(&scene, 16 << 20, 0);
    fetch_and_be_killed(&scene, FILE_BYTES / 2);
    snprintf(part, sizeof part, "%s/copy/part", scene.needy_dir);
    int fd = open(part, O_RDWR | O_CLOEXEC);
    unsigned char byte;
    assert_int_equal(pread(fd, &byte, 1, 123456), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, 123456), 1);
    close(fd);
    fetch(&scene);
    assert_true(atomic_load(&scene.proxy.bytes) > FILE_BYTES * 3 / 2);
    follow(&scene);
    wait_until_same(&scene);
    close_scene(&scene);
}

static void a_copy_that_is_no_longer_kept_is_begun_anew(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 16 << 20, 100);
    fetch_and_be_killed(&scene, FILE_BYTES / 2);
    wait_until_let_go(&scene);
    feed_one(&scene, 1);
    fetch(&scene);
    assert_true(atomic_load(&scene.proxy.bytes) > FILE_BYTES * 5 / 4);
    follow(&scene);
    wait_until_same(&scene);
    close_scene(&scene);
}

static void one_copy_is_sent_at_a_time(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct channel first, second;
    struct copy_begin begin;
    enum copy_refusal refusal;
    struct copy_ask ask = {0};
    struct machine_frozen frozen;
    open_with(&scene, 0, 100);
    struct copy_need need = need_of(&scene, NEEDY), other = need_of(&scene, OTHER);
    assert_int_equal(
        copy_connect(&need, &scene.source, &ask, -1, &first, &begin, &refusal, &failure), 0);
    assert_int_equal(begin.size, FILE_BYTES + sizeof(struct block));
    assert_int_equal(
        copy_connect(&other, &scene.source, &ask, -1, &second, &begin, &refusal, &failure),
        ERR_DENIED);
    assert_int_equal(refusal, COPY_BUSY);
    /* A backup takes the same place. */
    assert_int_equal(copies_begin(scene.copies, &frozen, NULL, &failure), ERR_BUSY);
    channel_close(&first);
    wait_until_let_go(&scene);
    assert_int_equal(
        copy_connect(&other, &scene.source, &ask, -1, &second, &begin, &refusal, &failure), 0);
    channel_close(&second);
    tls_context_free(need.tls);
    tls_context_free(other.tls);
    close_scene(&scene);
}

static void a_primary_is_asked_last(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct channel channel;
    struct copy_begin begin;
    enum copy_refusal refusal;
    struct copy_ask ask = {0};
    open_with(&scene, 0, 100);
    scene.primary = true;
    struct copy_need need = need_of(&scene, NEEDY);
    assert_int_equal(
        copy_connect(&need, &scene.source, &ask, -1, &channel, &begin, &refusal, &failure),
        ERR_DENIED);
    assert_int_equal(refusal, COPY_PRIMARY);
    tls_context_free(need.tls);
    fetch(&scene); /* asks again, as nobody else is there */
    assert_int_equal(atomic_load(&scene.proxy.connections), 3);
    close_scene(&scene);
}

static void the_rate_is_kept(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 16 << 20, 0);
    uint64_t begun = clock_mono_ns();
    fetch(&scene);
    uint64_t ms = (clock_mono_ns() - begun) / MS_NS;
    assert_true(ms >= 400); /* 8 MiB at 16 a second, but for the burst at the begin */
    close_scene(&scene);
}

static void an_entry_that_comes_twice_is_applied_once(void **state)
{
    (void)state;
    struct scene scene;
    open_with(&scene, 0, 0);
    uint64_t before = scene.list.count;
    for (unsigned i = 0; i < 100; i++) {
        feed_one(&scene, i);
        feed_one(&scene, i);
        scene.fed -= 2; /* both once more, from the other side, and a new one */
        feed_one(&scene, i);
        feed_one(&scene, i);
        feed_one(&scene, i);
    }
    uint64_t deadline = within_ms(PATIENCE_MS);
    while (applier_backlog(scene.applier) > 0 || applier_applied(scene.applier) < 1000 + scene.fed)
        CHECK(clock_mono_ns() < deadline);
    assert_int_equal(scene.list.count - before, 300);
    assert_int_equal(applier_applied(scene.applier), 1300);
    close_scene(&scene);
}

static void a_disk_with_too_little_room_makes_no_copies(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct machine_frozen frozen;
    struct copies *copies;
    char command[300], small[FOLDER_PATH + 16];
    open_with(&scene, 0, 0);
    snprintf(small, sizeof small, "%s/small", scene.dir);
    CHECK(mkdir(small, 0700) == 0);
    snprintf(command, sizeof command, "mount -t tmpfs -o size=4m none %s 2>/dev/null", small);
    if (system(command) != 0) {
        close_scene(&scene);
        skip(); /* only root may mount */
    }
    CHECK(copies_new(scene.applier, small, 0, &copies, &failure) == 0);
    assert_int_equal(copies_begin(copies, &frozen, NULL, &failure), 0);
    copies_end(copies);
    snprintf(command, sizeof command, "head -c 3900000 /dev/zero > %s/much", small);
    CHECK(system(command) == 0);
    assert_int_equal(copies_begin(copies, &frozen, NULL, &failure), ERR_FULL);
    assert_non_null(strstr(failure.text, "make room"));
    assert_false(scene.list.frozen);
    copies_free(copies);
    snprintf(command, sizeof command, "umount %s", small);
    CHECK(system(command) == 0);
    close_scene(&scene);
}

static void a_stop_ends_what_is_being_sent(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct channel channel;
    struct copy_begin begin;
    enum copy_refusal refusal;
    struct copy_ask ask = {0};
    open_with(&scene, 1 << 20, 0);
    struct copy_need need = need_of(&scene, NEEDY);
    assert_int_equal(
        copy_connect(&need, &scene.source, &ask, -1, &channel, &begin, &refusal, &failure), 0);
    uint64_t begun = clock_mono_ns();
    close_scene(&scene);
    assert_true(clock_mono_ns() - begun < 6 * SEC_NS); /* of the 8 that the file would take */
    channel_close(&channel);
    tls_context_free(need.tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_arrives_with_all_that_came_since),
        cmocka_unit_test(a_broken_connection_goes_on_where_it_was),
        cmocka_unit_test(a_file_that_is_whole_is_not_fetched_again),
        cmocka_unit_test(a_killed_receiver_goes_on_where_it_was),
        cmocka_unit_test(a_tail_is_gone_on_with_after_a_restart),
        cmocka_unit_test(a_copy_that_was_put_in_place_and_not_noted_is_begun_anew),
        cmocka_unit_test(a_damaged_byte_is_found_and_the_copy_begun_anew),
        cmocka_unit_test(a_copy_that_is_no_longer_kept_is_begun_anew),
        cmocka_unit_test(one_copy_is_sent_at_a_time),
        cmocka_unit_test(a_primary_is_asked_last),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(an_entry_that_comes_twice_is_applied_once),
        cmocka_unit_test(a_disk_with_too_little_room_makes_no_copies),
        cmocka_unit_test(a_stop_ends_what_is_being_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
