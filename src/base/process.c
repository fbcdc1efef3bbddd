#include "base/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t resident_bytes(void)
{
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

/* When the process started: the system's start and the process's place after it. */
static uint64_t start_seconds(void)
{
    char text[2048];
    unsigned long long boot = 0, ticks = 0;
    FILE *file = fopen("/proc/stat", "re");
    while (file && fgets(text, sizeof text, file))
        if (sscanf(text, "btime %llu", &boot) == 1)
            break;
    if (file)
        fclose(file);
    file = fopen("/proc/self/stat", "re");
    if (file && fgets(text, sizeof text, file)) {
        const char *after_name = strrchr(text, ')');
        if (!after_name || sscanf(after_name + 1,
                                  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                                  "%*d %*d %*d %*d %llu",
                                  &ticks) != 1)
            ticks = 0;
    }
    if (file)
        fclose(file);
    return boot + ticks / (unsigned long long)sysconf(_SC_CLK_TCK);
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_usec * 1000ull;
}

void process_look(struct process_figures *process)
{
    struct rusage usage;
    struct rlimit limit;
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    *process = (struct process_figures){
        .resident_bytes = resident_bytes(),
        .cpu_ns = ns_of(usage.ru_utime) + ns_of(usage.ru_stime),
        .open_fds = open_fds(),
        .max_fds = limit.rlim_cur,
        .start_s = start_seconds(),
    };
}
