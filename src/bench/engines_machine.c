#include "bench/engines_machine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/str.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- What it is ---- */

/* The value of the first line of FILE that begins with KEY; "" when there is none. */
static void read_value(const char *file, const char *key, char *out, size_t size)
{
    char line[256];
    FILE *in = fopen(file, "re");
    out[0] = 0;
    while (in && !out[0] && fgets(line, sizeof line, in)) {
        const char *colon = strchr(line, ':');
        if (colon && strncmp(line, key, strlen(key)) == 0)
            str_copy(out, size, str_trim(str_of(colon + 1)));
    }
    if (in)
        fclose(in);
}

static double load_average(void)
{
    double load[1];
    return getloadavg(load, 1) == 1 ? load[0] : 0;
}

static void read_ticks(uint64_t ticks[2])
{
    unsigned long long part[8] = {0};
    FILE *in = fopen("/proc/stat", "re");
    ticks[0] = ticks[1] = 0;
    if (!in)
        return;
    /* user nice system idle iowait irq softirq steal */
    if (fscanf(in, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &part[0], &part[1], &part[2],
               &part[3], &part[4], &part[5], &part[6], &part[7]) == 8) {
        ticks[0] = part[7];
        for (unsigned i = 0; i < COUNT_OF(part); i++)
            ticks[1] += part[i];
    }
    fclose(in);
}

void engines_machine_look(struct engines_machine *machine)
{
    struct utsname names;
    char now[32], memory[64];
    *machine = (struct engines_machine){.load_before = load_average()};
    read_value("/proc/cpuinfo", "model name", machine->processor, sizeof machine->processor);
    read_value("/proc/meminfo", "MemTotal", memory, sizeof memory);
    machine->memory_mb = strtoull(memory, NULL, 10) / 1024;
    if (uname(&names) == 0)
        snprintf(machine->kernel, sizeof machine->kernel, "%.30s %.60s", names.sysname,
                 names.release);
    clock_rfc3339(clock_wall_ms(), now, sizeof now);
    str_copy(machine->date, sizeof machine->date, str_sub(str_of(now), 0, 10));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    machine->cores = cores > 0 ? (unsigned)cores : 1;
    read_ticks(machine->ticks);
}

void engines_machine_look_again(struct engines_machine *machine)
{
    uint64_t now[2];
    machine->load_after = load_average();
    read_ticks(now);
    uint64_t all = now[1] - machine->ticks[1];
    machine->stolen = all ? (double)(now[0] - machine->ticks[0]) / (double)all : 0;
}

void engines_machine_print(const struct engines_machine *machine, unsigned server_cores, FILE *out)
{
    fputs("\"machine\":{\"processor\":", out);
    json_text_print(machine->processor, out);
    fputs(",\"kernel\":", out);
    json_text_print(machine->kernel, out);
    fprintf(out,
            ",\"processors\":%u,\"server_processors\":%u,\"memory_mb\":%llu,\"load_before\":%.2f,"
            "\"load_after\":%.2f,\"stolen\":%.4f}",
            machine->cores, server_cores, (unsigned long long)machine->memory_mb,
            machine->load_before, machine->load_after, machine->stolen);
}

/* ---- Who computes where ---- */

void engines_cores_look(struct engines_cores *cores)
{
    CPU_ZERO(&cores->all);
    sched_getaffinity(0, sizeof cores->all, &cores->all);
    int count = CPU_COUNT(&cores->all);
    cores->server = count > 1 ? (unsigned)count / 2 : 1;
}

void engines_cores_take(const struct engines_cores *cores, unsigned from, unsigned count)
{
    cpu_set_t mine;
    unsigned seen = 0;
    CPU_ZERO(&mine);
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &cores->all))
            continue;
        if (seen >= from && seen - from < count)
            CPU_SET(i, &mine);
        seen++;
    }
    if (CPU_COUNT(&mine) > 0)
        sched_setaffinity(0, sizeof mine, &mine);
}

/* ---- Memory of a family of processes ---- */

enum { FAMILY_MAX = 65536, LOOKED_AT = 64 };

struct person {
    pid_t pid, parent;
    unsigned threads;
    bool belongs;
};

/* "PID (NAME) STATE PARENT …", where the number of threads is the 20th. */
static bool read_person(const char *pid, struct person *person)
{
    char path[300], text[600];
    snprintf(path, sizeof path, "/proc/%.200s/stat", pid);
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    size_t got = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[got] = 0;
    const char *rest = strrchr(text, ')');
    int parent = 0;
    long threads = 0;
    bool good = rest && sscanf(rest + 1,
                               " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %ld",
                               &parent, &threads) == 2;
    *person = (struct person){
        .pid = (pid_t)strtol(pid, NULL, 10), .parent = parent, .threads = (unsigned)threads};
    return good;
}

static unsigned read_people(struct person *people)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && count < FAMILY_MAX && (entry = readdir(folder));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            count += read_person(entry->d_name, &people[count]);
    if (folder)
        closedir(folder);
    return count;
}

static bool belongs(const struct person *people, unsigned count, pid_t pid)
{
    for (unsigned i = 0; i < count; i++)
        if (people[i].pid == pid)
            return people[i].belongs;
    return false;
}

/* ROOT first, then the others; how many. Most are children of one that is found in the first pass,
 * so that passes are few. */
static unsigned find_family(struct person *people, unsigned count, pid_t root)
{
    unsigned members = 0;
    for (unsigned i = 0; i < count; i++)
        people[i].belongs = people[i].pid == root;
    for (bool more = true; more;) {
        more = false;
        pid_t last = 0;
        bool last_belongs = false;
        for (unsigned i = 0; i < count; i++) {
            if (people[i].belongs)
                continue;
            if (people[i].parent != last) {
                last = people[i].parent;
                last_belongs = belongs(people, count, last);
            }
            people[i].belongs = last_belongs;
            more |= last_belongs;
        }
    }
    for (unsigned i = 0; i < count; i++)
        if (people[i].belongs) {
            struct person member = people[i];
            unsigned place = member.pid == root ? 0 : members;
            people[i] = people[members];
            people[members] = people[place];
            people[place] = member;
            members++;
        }
    return members;
}

static void add_memory(pid_t pid, double weight, struct engines_memory *memory)
{
    char path[64], value[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    read_value(path, "Rss:", value, sizeof value);
    memory->rss_mb += weight * strtod(value, NULL) / 1024;
    read_value(path, "Pss:", value, sizeof value);
    memory->pss_mb += weight * strtod(value, NULL) / 1024;
}

void engines_memory_look(pid_t root, struct engines_memory *memory)
{
    struct person *people = calloc(FAMILY_MAX, sizeof *people);
    *memory = (struct engines_memory){0};
    if (!people)
        return;
    memory->processes = find_family(people, read_people(people), root);
    for (unsigned i = 0; i < memory->processes; i++)
        memory->threads += people[i].threads;
    unsigned others = memory->processes > 0 ? memory->processes - 1 : 0;
    unsigned looked_at = others < LOOKED_AT ? others : LOOKED_AT;
    if (memory->processes > 0)
        add_memory(root, 1, memory);
    for (unsigned i = 0; i < looked_at; i++)
        add_memory(people[1 + (uint64_t)i * others / looked_at].pid, (double)others / looked_at,
                   memory);
    free(people);
}
