/* Settings of a front: what `stoa front` takes as flags and in its configuration file. The one
 * table makes both, and the help. Thread: main.
 */
#ifndef STOA_MAIN_FRONT_SETTINGS_H
#define STOA_MAIN_FRONT_SETTINGS_H

#include "main/listening.h"
#include "main/option.h"
#include "tier/queue.h"

struct front_settings {
    char config[OPTION_TEXT_SIZE];
    bool master;
    char follow[OPTION_TEXT_SIZE], dir[OPTION_TEXT_SIZE];
    struct option_list listen, listen_tls;
    char certificate[OPTION_TEXT_SIZE], key[OPTION_TEXT_SIZE];
    uint64_t slots, pipe_bytes, wait_ms;
    struct option_list shares;
    uint64_t stop_grace_ms;
    struct listening_limits limits;
    char log_level[OPTION_TEXT_SIZE];
};

extern const struct option_table front_settings_table;

/* Defaults, then the file named by --config (if any), then the flags; then what only makes sense
 * together. */
int front_settings_read(struct front_settings *settings, int count, char **words,
                        struct failure *failure);

/* What they say of the queue. */
void front_settings_queue(const struct front_settings *settings, struct queue_config *config);
/* Whose queue it is. */
const char *front_settings_dir(const struct front_settings *settings);

#endif
