/* Clocks, secrets and logs of the simulated machines: what is linked in the place of
 * base/clock.h's, base/random.h's and base/log.h's. Each server's wall clock is off by something of
 * its own, and may jump. */
#include "clock.h"

#include "base/clock.h"
#include "base/log.h"
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/types.h>

enum { EPOCH_MS = 1700000000 }; /* in seconds; any day */

static int64_t offsets_ms[CLOCK_SERVERS_MAX];

uint64_t __wrap_clock_mono_ns(void);
uint64_t __wrap_clock_boot_ns(void);
int64_t __wrap_clock_wall_ms(void);
void __wrap_random_secret(void *out, size_t len);
pid_t __wrap_getpid(void);
void __wrap_log_line(const struct log *log, enum log_level level, const char *area,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
pid_t __real_getpid(void);

void clock_set_offset(unsigned server, int64_t offset_ms)
{
    offsets_ms[server % CLOCK_SERVERS_MAX] = offset_ms;
}

uint64_t __wrap_clock_mono_ns(void)
{
    return SEC_NS + world.now_ns; /* 0 means "never" to some */
}

uint64_t __wrap_clock_boot_ns(void)
{
    return __wrap_clock_mono_ns();
}

int64_t __wrap_clock_wall_ms(void)
{
    int64_t offset = 0;
    if (fiber_current() != NULL)
        offset = offsets_ms[fiber_life(fiber_current())->server % CLOCK_SERVERS_MAX];
    return (int64_t)EPOCH_MS * 1000 + (int64_t)(world.now_ns / MS_NS) + offset;
}

void __wrap_random_secret(void *out, size_t len)
{
    unsigned char *at = out;
    for (size_t i = 0; i < len; i++)
        at[i] = (unsigned char)world_pick(256);
}

pid_t __wrap_getpid(void)
{
    return fiber_current() == NULL ? __real_getpid()
                                   : (pid_t)(1000 + fiber_life(fiber_current())->server);
}

/* What the servers log is shown with a seed's history; it is no part of it. */
void __wrap_log_line(const struct log *log, enum log_level level, const char *area,
                     const char *format, ...)
{
    char text[600];
    va_list args;
    (void)log;
    if (!world.trace || level < LOG_INFO || fiber_current() == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("%10.3f    server %u logs: %s: %s\n", (double)world.now_ns / (double)MS_NS,
           fiber_life(fiber_current())->server + 1, area, text);
}
