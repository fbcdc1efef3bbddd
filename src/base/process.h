/* Process: what the system says of this process, for /metrics. Thread: any; reads /proc.
 */
#ifndef STOA_BASE_PROCESS_H
#define STOA_BASE_PROCESS_H

#include <stdint.h>

struct process_figures {
    uint64_t resident_bytes, cpu_ns, open_fds, max_fds;
    uint64_t start_s; /* seconds since 1970 */
};

/* What cannot be read is 0. */
void process_look(struct process_figures *process);

#endif
