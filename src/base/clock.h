/* Clocks. Only the edge of the program asks them; rules get `now` as an argument.
 * Thread: any.
 */
#ifndef STOA_BASE_CLOCK_H
#define STOA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds on a clock that never goes back (CLOCK_MONOTONIC). */
uint64_t clock_mono_ns(void);

/* The same clock, as it was at the kernel's last tick: up to 10 ms ago. Costs a third. */
uint64_t clock_coarse_ns(void);

/* The same, but it goes on while the machine sleeps (CLOCK_BOOTTIME). */
uint64_t clock_boot_ns(void);

/* Nanoseconds for which this thread has had a processor. */
uint64_t clock_thread_ns(void);

/* Milliseconds since 1970-01-01 UTC by the wall clock, which may jump. */
int64_t clock_wall_ms(void);

#define MS_NS  1000000ull
#define SEC_NS 1000000000ull

/* RFC 3339 UTC, "2026-11-21T19:51:39.123Z", into OUT (at least 25 bytes). */
void clock_rfc3339(int64_t wall_ms, char *out, size_t size);

/* IMF-fixdate of RFC 9110, "Sat, 21 Nov 2026 19:51:39 GMT" (at least 30 bytes). */
void clock_http_date(int64_t wall_ms, char *out, size_t size);

#endif
