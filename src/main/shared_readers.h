/* Shared readers: the processes that read a directory's database besides the one that writes:
 *
 *     DIR/readers/PID.json   {"pid", "url"}, locked by that process while it reads
 *
 * What a process that was killed left there is not locked, and so is nobody's. Thread: any.
 */
#ifndef STOA_MAIN_SHARED_READERS_H
#define STOA_MAIN_SHARED_READERS_H

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

enum { SHARED_READERS_MAX = 32, SHARED_URL = 256 };

struct shared_reader {
    uint64_t pid;
    char url[SHARED_URL];
};

/* This process reads DIR and serves at URL; until *HELD is given to shared_readers_leave. Removes
 * what nobody holds any more. */
int shared_readers_enter(const char *dir, const char *url, int *held, struct failure *failure);
void shared_readers_leave(const char *dir, int *held); /* harmless for -1 */

/* Who reads DIR, by process id; how many. */
unsigned shared_readers_list(const char *dir, struct shared_reader *list, unsigned max);

/* For `stoa status`: as the member "readers" of an object that goes on; for people, as a table. */
void shared_readers_json(const struct shared_reader *list, unsigned count, FILE *out);
void shared_readers_print(const struct shared_reader *list, unsigned count, FILE *out);

#endif
