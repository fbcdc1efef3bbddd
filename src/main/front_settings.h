/* Settings of a front: what `stoa front` takes as flags and in its configuration file. The one
 * table makes both, and the help. Thread: main.
 */
#ifndef STOA_MAIN_FRONT_SETTINGS_H
#define STOA_MAIN_FRONT_SETTINGS_H

#include "main/fleet_choice.h"
#include "main/listening.h"
#include "main/option.h"
#include "scale/rule.h"
#include "tier/queue.h"

struct front_settings {
    char config[OPTION_TEXT_SIZE];
    bool master;
    char follow[OPTION_TEXT_SIZE], dir[OPTION_TEXT_SIZE];
    struct option_list listen, listen_tls;
    char certificate[OPTION_TEXT_SIZE], key[OPTION_TEXT_SIZE];
    char status[OPTION_TEXT_SIZE];
    char link[OPTION_TEXT_SIZE], token_file[OPTION_TEXT_SIZE];
    uint64_t slots, pipe_bytes, wait_ms, silent_ms;
    struct option_list shares;
    char rule[OPTION_TEXT_SIZE], record[OPTION_TEXT_SIZE];
    bool record_samples;
    uint64_t poll_ms, number;
    struct option_list worker_options;
    struct scale_settings scale;
    struct fleet_settings fleet;
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
/* NULL: the tiers stay as they are. */
const struct scale_rule *front_settings_rule(const struct front_settings *settings);
/* Whose queue it is; with --token-file where. */
const char *front_settings_dir(const struct front_settings *settings);

#endif
