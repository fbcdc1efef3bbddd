/* What servers say to each other about copies, a backup's last line, records of a tail. */
#include "replica/copy_wire.h"
#include "replica/tail.h"
#include "web/backup_end.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_line(struct str input)
{
    struct backup_end end, again;
    struct failure failure;
    char line[BACKUP_END], same[BACKUP_END];
    memset(line, ' ', sizeof line);
    memcpy(line, input.at, input.len < BACKUP_END ? input.len : BACKUP_END);
    if (backup_end_get(&end, line, &failure) != 0)
        return;
    backup_end_put(same, &end);
    if (backup_end_get(&again, same, &failure) != 0 || memcmp(&end, &again, sizeof end) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make((const char *)data, size), rest = input, batch;
    struct copy_ask ask;
    struct copy_begin begin;
    enum copy_refusal refusal;
    char sentence[64];
    uint64_t index;
    bool damaged = false;
    size_t sum = 0;
    while (tail_next(&rest, &index, &batch, &damaged))
        for (size_t i = 0; i < batch.len; i++)
            sum += batch.at[i] != 0 || 1; /* touches every byte */
    if (sum > size || (!damaged && rest.len != 0))
        abort();
    if (copy_begin_get(&begin, input) == 0 && begin.offset > begin.size)
        abort();
    (void)copy_ask_get(&ask, input);
    (void)copy_refused_get(&refusal, sentence, sizeof sentence, input);
    try_line(input);
    return 0;
}
