/* Log entries and snapshots come from disk and, later, from other servers. */
#include "replica/batch.h"
#include "replica/snapshot.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch batch;
    struct snapshot snapshot;
    struct str input = str_make(data, size), command;
    if (batch_open(&batch, input) == 0) {
        uint32_t count = 0;
        size_t sum = 0;
        while (batch_next(&batch, &command)) {
            count++;
            for (size_t i = 0; i < command.len; i++)
                sum += command.at[i] != 0 || 1; /* touches every byte */
        }
        if (count != batch.count || batch_size(count, sum) != size)
            abort();
    }
    (void)snapshot_decode(&snapshot, input);
    return 0;
}
