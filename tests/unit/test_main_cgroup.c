/* Control groups: where they are, and what is written there. A folder of plain files stands in for
 * them; what the kernel makes of it is not tried here. */
#include "main/cgroup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct bed {
    struct log log;
    char folder[64], text[4096];
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    strcpy(bed->folder, "/tmp/stoa-cgroup-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    char name[] = "/tmp/stoa-cgroup-log-XXXXXX";
    bed->log = (struct log){.fd = mkstemp(name), .least = LOG_DEBUG};
    unlink(name);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", bed->folder);
    assert_int_equal(system(command), 0);
    close(bed->log.fd);
    free(bed);
    return 0;
}

static void put(const struct bed *bed, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", bed->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void make(const struct bed *bed, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", bed->folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static const char *read_at(struct bed *bed, int fd)
{
    ssize_t len = pread(fd, bed->text, sizeof bed->text - 1, 0);
    bed->text[len > 0 ? len : 0] = '\0';
    return bed->text;
}

static const char *get(struct bed *bed, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", bed->folder, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    read_at(bed, fd);
    close(fd);
    return bed->text;
}

static const struct cgroup_limits both = {.memory_bytes = 256 << 20, .cpu_share = 1500};

static struct cgroup *open_divided(const struct bed *bed)
{
    put(bed, "cgroup.controllers", "cpuset cpu io memory pids\n");
    put(bed, "cgroup.subtree_control", "cpu memory\n");
    return cgroup_open_at(bed->folder, &both, &bed->log);
}

static void a_member_gets_its_limits(void **state)
{
    struct bed *bed = *state;
    struct cgroup *cgroup = open_divided(bed);
    assert_non_null(cgroup);
    make(bed, "stoa-worker-1");
    put(bed, "stoa-worker-1/cpu.max", "");
    put(bed, "stoa-worker-1/memory.max", "");
    put(bed, "stoa-worker-1/cgroup.procs", "");
    int procs = cgroup_member(cgroup, "worker-1");
    assert_true(procs >= 0);
    close(procs);
    assert_string_equal(get(bed, "stoa-worker-1/cpu.max"), "150000 100000");
    assert_string_equal(get(bed, "stoa-worker-1/memory.max"), "268435456");
    cgroup_close(cgroup);
}

static void who_needed_too_much_memory_is_known(void **state)
{
    struct bed *bed = *state;
    struct cgroup *cgroup = open_divided(bed);
    make(bed, "stoa-worker-1");
    put(bed, "stoa-worker-1/memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n");
    make(bed, "stoa-worker-2");
    put(bed, "stoa-worker-2/memory.events", "low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n");
    make(bed, "stoa-worker-3");
    put(bed, "stoa-worker-3/memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n");
    assert_int_equal(cgroup_gone(cgroup, "worker-1"), CGROUP_KILLED_BY_LIMIT);
    assert_int_equal(cgroup_gone(cgroup, "worker-2"), CGROUP_NO_KILL);
    assert_int_equal(cgroup_gone(cgroup, "worker-3"), CGROUP_KILLED_FOR_OTHERS);
    assert_int_equal(cgroup_gone(cgroup, "worker-4"), CGROUP_NO_KILL);
    cgroup_close(cgroup);
}

static void what_members_have_left_is_swept(void **state)
{
    struct bed *bed = *state;
    make(bed, "stoa-worker-7");
    make(bed, "other");
    struct cgroup *cgroup = open_divided(bed);
    assert_int_equal(cgroup_member(cgroup, "worker-1"), -1);
    cgroup_close(cgroup);
    char path[256];
    snprintf(path, sizeof path, "%s/stoa-worker-7", bed->folder);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof path, "%s/other", bed->folder);
    assert_int_equal(access(path, F_OK), 0);
}

/* Moves into the leaf, then has the controllers for those beside it. */
static void a_group_that_is_not_divided_yet_is(void **state)
{
    struct bed *bed = *state;
    char pid[32];
    put(bed, "cgroup.controllers", "cpu memory");
    put(bed, "cgroup.subtree_control", "");
    make(bed, "stoa");
    put(bed, "stoa/cgroup.procs", "");
    struct cgroup *cgroup = cgroup_open_at(bed->folder, &both, &bed->log);
    assert_non_null(cgroup);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_string_equal(get(bed, "stoa/cgroup.procs"), pid);
    cgroup_close(cgroup);
}

static void without_controllers_there_are_no_limits_and_that_is_said(void **state)
{
    struct bed *bed = *state;
    put(bed, "cgroup.controllers", "cpuset memory_other cpu");
    assert_null(cgroup_open_at(bed->folder, &both, &bed->log));
    assert_non_null(strstr(read_at(bed, bed->log.fd), "has not the controllers for it"));
    const struct cgroup_limits cpu = {.cpu_share = 500};
    put(bed, "cgroup.subtree_control", "cpu");
    struct cgroup *cgroup = cgroup_open_at(bed->folder, &cpu, &bed->log);
    assert_non_null(cgroup);
    cgroup_close(cgroup);
}

static void who_wants_no_limits_needs_no_groups(void **state)
{
    struct bed *bed = *state;
    assert_null(cgroup_open(&(struct cgroup_limits){0}, &bed->log));
    assert_string_equal(read_at(bed, bed->log.fd), "");
}

static void a_member_that_has_to_go_without_is_said_once(void **state)
{
    struct bed *bed = *state;
    struct cgroup *cgroup = open_divided(bed); /* plain folders have no cpu.max */
    assert_int_equal(cgroup_member(cgroup, "worker-1"), -1);
    assert_int_equal(cgroup_member(cgroup, "worker-2"), -1);
    const char *said = read_at(bed, bed->log.fd);
    assert_non_null(strstr(said, "worker-1 goes without limits"));
    assert_null(strstr(said, "worker-2"));
    cgroup_close(cgroup);
}

/* The bed's folder is where the tree is mounted; OWN is this process's group. */
static bool is_taken(struct bed *bed, const char *own)
{
    char mounts[256];
    snprintf(mounts, sizeof mounts, "30 23 0:26 / %s rw - cgroup2 cgroup2 rw\n", bed->folder);
    struct cgroup *cgroup = cgroup_open_by(mounts, own, &both, &bed->log);
    cgroup_close(cgroup);
    return cgroup != NULL;
}

static void the_top_of_a_container_is_taken_and_that_of_the_system_is_not(void **state)
{
    struct bed *bed = *state;
    put(bed, "cgroup.controllers", "cpu memory");
    put(bed, "cgroup.subtree_control", "cpu memory");
    assert_false(is_taken(bed, "0::/\n"));
    assert_false(is_taken(bed, "0::/stoa-front-1\n"));
    assert_non_null(strstr(read_at(bed, bed->log.fd), "is not its own"));
    put(bed, "cgroup.events", "populated 1\nfrozen 0\n"); /* as all but the system's have */
    assert_true(is_taken(bed, "0::/\n"));
    assert_true(is_taken(bed, "0::/stoa\n"));
    assert_true(is_taken(bed, "0::/stoa-front-1\n")); /* a member that is master now */
}

/* Its name begins as a member's does; what is above it is not ours. */
static void the_group_of_a_unit_is_not_taken_for_a_members(void **state)
{
    struct bed *bed = *state;
    make(bed, "stoa-tiers.service");
    put(bed, "stoa-tiers.service/cgroup.controllers", "cpu memory");
    put(bed, "stoa-tiers.service/cgroup.subtree_control", "");
    assert_false(is_taken(bed, "0::/stoa-tiers.service\n"));
    const char *said = read_at(bed, bed->log.fd);
    assert_non_null(strstr(said, geteuid() == 0 ? "is not its own" : "/stoa-tiers.service cannot"));
    make(bed, "stoa-tiers.service/stoa");
    put(bed, "stoa-tiers.service/stoa/cgroup.procs", "");
    assert_int_equal(is_taken(bed, "0::/stoa-tiers.service\n"), geteuid() != 0);
    assert_int_equal(is_taken(bed, "0::/stoa-tiers.service/stoa-front-12\n"), geteuid() != 0);
}

static void assert_found(const char *mounts, const char *groups, const char *expected)
{
    char out[256];
    assert_int_equal(cgroup_find(mounts, groups, out, sizeof out), expected ? 0 : ERR_NOTFOUND);
    if (expected)
        assert_string_equal(out, expected);
}

static void its_place_is_found_in_what_the_system_says(void **state)
{
    (void)state;
    static const char one[] =
        "22 1 0:20 / /proc rw - proc proc rw\n"
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
    static const char both_kinds[] =
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";
    static const char part[] = "30 23 0:26 /kube/pod7 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    static const char outside[] = "30 23 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
                                  "31 23 0:26 / /own rw - cgroup2 cgroup rw\n";
    assert_found(one, "0::/system.slice/stoa.service\n",
                 "/sys/fs/cgroup/system.slice/stoa.service");
    assert_found(one, "0::/\n", "/sys/fs/cgroup");
    assert_found(both_kinds, "9:name=systemd:/x\n4:memory:/y\n0::/user\n",
                 "/sys/fs/cgroup/unified/user");
    assert_found(part, "0::/kube/pod7/app\n", "/sys/fs/cgroup/app");
    assert_found(part, "0::/kube/pod7\n", "/sys/fs/cgroup");
    assert_found(part, "0::/elsewhere\n", NULL);
    assert_found(part, "0::/kube/pod70\n", NULL);
    assert_found(outside, "0::/\n", "/own");
    assert_found("", "0::/\n", NULL);
    assert_found(one, "4:memory:/y\n", NULL);
    assert_found("nonsense\n - cgroup2\n", "0::", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_member_gets_its_limits),
        TEST(who_needed_too_much_memory_is_known),
        TEST(what_members_have_left_is_swept),
        TEST(a_group_that_is_not_divided_yet_is),
        TEST(without_controllers_there_are_no_limits_and_that_is_said),
        TEST(who_wants_no_limits_needs_no_groups),
        TEST(a_member_that_has_to_go_without_is_said_once),
        TEST(the_group_of_a_unit_is_not_taken_for_a_members),
        TEST(the_top_of_a_container_is_taken_and_that_of_the_system_is_not),
        cmocka_unit_test(its_place_is_found_in_what_the_system_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
