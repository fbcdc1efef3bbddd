#include "replica/raft_copy.h"
#include "replica/raft_links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A server that knows the whole servers 1 and 2, and the witness 3. What it says is read again. */
struct scene {
    struct replica replica;
    struct links links;
    struct raft_copying copying; /* it has no sender: whoever may have a copy is told nothing */
    struct log log;
};

static struct scene *scene_new(void)
{
    char name[] = "/tmp/stoa-asked-XXXXXX";
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->log.fd = mkstemp(name);
    assert_true(scene->log.fd >= 0);
    unlink(name);
    scene->replica.config.log = &scene->log;
    scene->replica.links = &scene->links;
    scene->replica.copying = &scene->copying;
    pthread_mutex_init(&scene->links.mutex, NULL);
    scene->links.view.member_count = 3;
    for (unsigned i = 0; i < 3; i++)
        scene->links.view.members[i].id = i + 1;
    scene->links.view.members[2].witness = true;
    return scene;
}

static void scene_free(struct scene *scene)
{
    pthread_mutex_destroy(&scene->links.mutex);
    close(scene->log.fd);
    free(scene);
}

/* Whether server ID, which asks for a copy, is turned away. */
static bool refuses(struct scene *scene, uint64_t id)
{
    struct server_place place = {.id = id};
    struct channel channel = {.fd = -1};
    off_t before = lseek(scene->log.fd, 0, SEEK_END);
    raft_copy_serve(&scene->replica, &place, &channel);
    return lseek(scene->log.fd, 0, SEEK_END) > before;
}

static void a_whole_server_may_have_a_copy(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    assert_false(refuses(scene, 2));
    scene_free(scene);
}

static void a_witness_gets_none_also_when_it_is_not_known_yet(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    assert_true(refuses(scene, 3));
    assert_true(refuses(scene, 4));
    scene->links.view.member_count = 0; /* before this server has seen its own members */
    assert_true(refuses(scene, 2));
    scene->replica.links = NULL;
    assert_true(refuses(scene, 2));
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_server_may_have_a_copy),
        cmocka_unit_test(a_witness_gets_none_also_when_it_is_not_known_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
