#include "main/cgroup.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, FILE_SIZE = 64 << 10 };
enum { PERIOD_US = 100000, QUOTA_LEAST_US = 1000 /* the kernel takes no less */ };

static const char own_leaf[] = "stoa", front_of_members[] = "stoa-";

struct cgroup {
    struct cgroup_limits limits;
    const struct log *log;
    bool said;  /* that a member goes without */
    bool swept; /* what an earlier master's members have left */
    char folder[PATH_SIZE];
};

/* ---- Where it is ---- */

/* Field NUMBER of LINE, from 0 on. */
static struct str field(struct str line, unsigned number)
{
    struct str part = STR_NONE;
    for (unsigned i = 0; i <= number; i++)
        if (!str_cut(&line, ' ', &part))
            return STR_NONE;
    return part;
}

/* The line "0::PATH". */
static bool find_own(struct str cgroups, struct str *own)
{
    struct str line;
    while (str_cut(&cgroups, '\n', &line))
        if (str_starts(line, STR("0::"))) {
            *own = str_from(line, 3);
            return true;
        }
    return false;
}

/* What of OWN is below ROOT, "" if they are the same. A root "/../pod" is outside of our namespace,
 * and nothing is below it. */
static bool is_below(struct str own, struct str root, struct str *rest)
{
    size_t len = root.len > 1 ? root.len : 0; /* else all of the tree is mounted */
    if (!str_starts(root, STR("/")) || !str_starts(own, root))
        return false;
    *rest = str_from(own, len);
    if (str_eq(*rest, STR("/")))
        *rest = STR_NONE;
    return rest->len == 0 || str_starts(*rest, STR("/"));
}

/* "31 23 0:28 ROOT POINT options … - cgroup2 source options", the first with OWN in sight. */
static bool find_mount(struct str mountinfo, struct str own, struct str *point, struct str *rest)
{
    struct str line;
    while (str_cut(&mountinfo, '\n', &line)) {
        ptrdiff_t dash = str_find(line, STR(" - "));
        if (dash < 0 || !str_eq(field(str_from(line, (size_t)dash + 3), 0), STR("cgroup2")))
            continue;
        *point = field(line, 4);
        if (str_starts(*point, STR("/")) && is_below(own, field(line, 3), rest))
            return true;
    }
    return false;
}

int cgroup_find(const char *mountinfo, const char *cgroups, char *out, size_t size)
{
    struct str point, own, rest;
    if (!find_own(str_of(cgroups), &own) || !find_mount(str_of(mountinfo), own, &point, &rest))
        return ERR_NOTFOUND;
    int len = snprintf(out, size, "%.*s%.*s", STR_FMT(point), STR_FMT(rest));
    return len < 0 || (size_t)len >= size ? ERR_NOTFOUND : 0;
}

/* ---- Its files ---- */

static bool path_of(char *out, const char *folder, const char *name, const char *file)
{
    int len = snprintf(out, PATH_SIZE, "%s%s%s%s%s", folder, *name ? "/" : "", name,
                       *file ? "/" : "", file);
    return len > 0 && len < PATH_SIZE;
}

static bool write_file(const char *folder, const char *name, const char *file, const char *text)
{
    char path[PATH_SIZE];
    int fd = path_of(path, folder, name, file) ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return done;
}

/* TEXT is empty when it cannot be read. */
static void read_file(const char *path, char *text, size_t size)
{
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && len + 1 < size) {
        ssize_t got = read(fd, text + len, size - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    text[len] = '\0';
}

static bool has_word(const char *text, const char *word)
{
    struct str rest = str_trim(str_of(text)), part;
    while (str_cut(&rest, ' ', &part))
        if (str_eq(part, str_of(word)))
            return true;
    return false;
}

/* Whether FILE of FOLDER names the controllers that the limits need. */
static bool has_controllers(const struct cgroup *cgroup, const char *file)
{
    char path[PATH_SIZE], text[512];
    if (!path_of(path, cgroup->folder, "", file))
        return false;
    read_file(path, text, sizeof text);
    return (!cgroup->limits.cpu_share || has_word(text, "cpu")) &&
           (!cgroup->limits.memory_bytes || has_word(text, "memory"));
}

/* ---- Taking it ---- */

static void say_none(const struct log *log, const char *why)
{
    log_line(log, LOG_WARN, "fleet",
             "no limits of processor and memory for the members of tiers: %s. docs/fleet.md says "
             "what allows them",
             why);
}

/* Into the leaf, so that the group above it may have members. Undone when that is in vain. */
static bool move_down(struct cgroup *cgroup)
{
    char leaf[PATH_SIZE], pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    return path_of(leaf, cgroup->folder, own_leaf, "") &&
           (mkdir(leaf, 0755) == 0 || errno == EEXIST) &&
           write_file(cgroup->folder, own_leaf, "cgroup.procs", pid);
}

static void move_up(struct cgroup *cgroup)
{
    char leaf[PATH_SIZE], pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    write_file(cgroup->folder, "", "cgroup.procs", pid);
    if (path_of(leaf, cgroup->folder, own_leaf, ""))
        rmdir(leaf);
}

static bool enable(struct cgroup *cgroup)
{
    if (has_controllers(cgroup, "cgroup.subtree_control"))
        return true;
    return (!cgroup->limits.cpu_share ||
            write_file(cgroup->folder, "", "cgroup.subtree_control", "+cpu")) &&
           (!cgroup->limits.memory_bytes ||
            write_file(cgroup->folder, "", "cgroup.subtree_control", "+memory"));
}

/* "stoa-worker-1"; but not "stoa-tiers.service", a unit's. */
static bool is_member(const char *name)
{
    const char *number = strrchr(name, '-');
    return strncmp(name, front_of_members, strlen(front_of_members)) == 0 && !strchr(name, '.') &&
           number[1] && strspn(number + 1, "0123456789") == strlen(number + 1);
}

/* Groups that members of an earlier master have left; those in use stay. */
static void sweep(const struct cgroup *cgroup)
{
    DIR *folder = opendir(cgroup->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        char path[PATH_SIZE];
        if (is_member(entry->d_name) && path_of(path, cgroup->folder, entry->d_name, ""))
            rmdir(path);
    }
    if (folder)
        closedir(folder);
}

struct cgroup *cgroup_open_at(const char *folder, const struct cgroup_limits *limits,
                              const struct log *log)
{
    char why[256];
    struct cgroup *cgroup = calloc(1, sizeof *cgroup);
    if (!cgroup || strlen(folder) >= sizeof cgroup->folder) {
        free(cgroup);
        return NULL;
    }
    cgroup->limits = *limits;
    cgroup->log = log;
    strcpy(cgroup->folder, folder);
    if (!has_controllers(cgroup, "cgroup.controllers")) {
        snprintf(why, sizeof why, "%.150s has not the controllers for it", folder);
    } else if (!has_controllers(cgroup, "cgroup.subtree_control") &&
               (!move_down(cgroup) || !enable(cgroup))) {
        snprintf(why, sizeof why, "%.150s cannot be divided (%s)", folder, strerror(errno));
        move_up(cgroup);
    } else {
        return cgroup;
    }
    say_none(log, why);
    free(cgroup);
    return NULL;
}

/* Whether FOLDER is all of the tree that this process can see. */
static bool is_top(const char *folder, const char *mountinfo)
{
    char top[PATH_SIZE];
    return cgroup_find(mountinfo, "0::/", top, sizeof top) == 0 && strcmp(folder, top) == 0;
}

/* The group above, if this one is one of ours. */
static void climb(char *folder)
{
    char *last = strrchr(folder, '/');
    if (last && last != folder && (strcmp(last + 1, own_leaf) == 0 || is_member(last + 1)))
        *last = '\0';
}

/* The top of a namespace is a container's own. The system's is nobody's; it alone has no events.
 * Of the others systemd marks what it has given away; whoever is not root could not write to
 * anything else. */
static bool is_given(const char *folder, const char *mountinfo)
{
    char value[8], events[PATH_SIZE];
    if (access(folder, W_OK))
        return false;
    if (is_top(folder, mountinfo))
        return path_of(events, folder, "", "cgroup.events") && access(events, F_OK) == 0;
    return geteuid() != 0 || getxattr(folder, "trusted.delegate", value, sizeof value) > 0 ||
           getxattr(folder, "user.delegate", value, sizeof value) > 0;
}

struct cgroup *cgroup_open_by(const char *mountinfo, const char *cgroups,
                              const struct cgroup_limits *limits, const struct log *log)
{
    char folder[PATH_SIZE];
    if (cgroup_find(mountinfo, cgroups, folder, sizeof folder)) {
        say_none(log, "no cgroup v2 is mounted in which this process could see its own");
        return NULL;
    }
    if (!is_top(folder, mountinfo))
        climb(folder);
    if (is_given(folder, mountinfo))
        return cgroup_open_at(folder, limits, log);
    say_none(log, "this process's control group is not its own");
    return NULL;
}

struct cgroup *cgroup_open(const struct cgroup_limits *limits, const struct log *log)
{
    char own[PATH_SIZE];
    struct cgroup *cgroup = NULL;
    char *mountinfo = limits->memory_bytes || limits->cpu_share ? malloc(FILE_SIZE) : NULL;
    if (mountinfo) {
        read_file("/proc/self/mountinfo", mountinfo, FILE_SIZE);
        read_file("/proc/self/cgroup", own, sizeof own);
        cgroup = cgroup_open_by(mountinfo, own, limits, log);
    }
    free(mountinfo);
    return cgroup;
}

void cgroup_close(struct cgroup *cgroup)
{
    free(cgroup);
}

/* ---- Members ---- */

static bool set_limits(const struct cgroup *cgroup, const char *name)
{
    char text[64];
    const struct cgroup_limits *limits = &cgroup->limits;
    uint64_t quota = limits->cpu_share * PERIOD_US / 1000;
    snprintf(text, sizeof text, "%llu %d",
             (unsigned long long)(quota > QUOTA_LEAST_US ? quota : QUOTA_LEAST_US), PERIOD_US);
    if (limits->cpu_share && !write_file(cgroup->folder, name, "cpu.max", text))
        return false;
    snprintf(text, sizeof text, "%llu", (unsigned long long)limits->memory_bytes);
    return !limits->memory_bytes || write_file(cgroup->folder, name, "memory.max", text);
}

int cgroup_member(struct cgroup *cgroup, const char *name)
{
    char group[64], path[PATH_SIZE];
    int fd = -1;
    if (!cgroup
             ->swept) /* not before: whoever follows may not touch what the master has just made */
        sweep(cgroup);
    cgroup->swept = true;
    snprintf(group, sizeof group, "%s%s", front_of_members, name);
    if (path_of(path, cgroup->folder, group, ""))
        rmdir(path); /* with what its events have counted of another member */
    if (path_of(path, cgroup->folder, group, "") && (mkdir(path, 0755) == 0 || errno == EEXIST) &&
        set_limits(cgroup, group) && path_of(path, cgroup->folder, group, "cgroup.procs"))
        fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && !cgroup->said) {
        log_line(cgroup->log, LOG_WARN, "fleet", "%s goes without limits: %s (%s)", name, path,
                 strerror(errno));
        cgroup->said = true;
    }
    return fd;
}

/* The number after NAME in "NAME NUMBER" lines. */
static unsigned long event_count(const char *events, const char *name)
{
    struct str rest = str_of(events), line, word;
    while (str_cut(&rest, '\n', &line))
        if (str_cut(&line, ' ', &word) && str_eq(word, str_of(name)))
            return strtoul(line.at, NULL, 10);
    return 0;
}

enum cgroup_kill cgroup_gone(struct cgroup *cgroup, const char *name)
{
    char group[64], path[PATH_SIZE], events[512];
    snprintf(group, sizeof group, "%s%s", front_of_members, name);
    if (!path_of(path, cgroup->folder, group, "memory.events"))
        return CGROUP_NO_KILL;
    read_file(path, events, sizeof events);
    if (path_of(path, cgroup->folder, group, ""))
        rmdir(path); /* EBUSY: somebody is still in it; the next member of that name uses it on */
    if (event_count(events, "oom_kill") == 0)
        return CGROUP_NO_KILL;
    return event_count(events, "oom") > 0 ? CGROUP_KILLED_BY_LIMIT : CGROUP_KILLED_FOR_OTHERS;
}
