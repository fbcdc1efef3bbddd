#include "main/bench_tiers.h"

#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATH = 64, TEXT = 512 };

/* Of /proc/PID/NAME; "" when it has gone. */
static void read_text(pid_t pid, const char *name, char text[TEXT])
{
    char path[PATH];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *in = fopen(path, "re");
    size_t got = in ? fread(text, 1, TEXT - 1, in) : 0;
    if (in)
        fclose(in);
    text[got] = 0;
}

/* "PID (NAME) STATE PARENT …" */
static bool is_child(pid_t pid, pid_t parent)
{
    char text[TEXT];
    int found = 0;
    read_text(pid, "stat", text);
    const char *rest = strrchr(text, ')');
    return rest && sscanf(rest + 1, " %*c %d", &found) == 1 && found == parent;
}

/* Its second word is "worker" or "front". */
static bool is_worker(pid_t pid)
{
    char text[TEXT];
    read_text(pid, "cmdline", text);
    return strcmp(text + strlen(text) + 1, "worker") == 0;
}

static uint64_t used_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
        return 0;
    return (uint64_t)used.tv_sec * SEC_NS + (uint64_t)used.tv_nsec;
}

void bench_tiers_add_usage(pid_t master, struct tiers_usage *usage)
{
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !is_child(pid, master))
            continue;
        *(is_worker(pid) ? &usage->workers_ns : &usage->fronts_ns) += used_ns(pid);
    }
    if (folder)
        closedir(folder);
}
