/* Settings of a load manager: what `stoa balance` takes as flags and in its configuration file.
 * The one table (balance_settings.c) makes both, and the help. What the words mean to the load
 * manager is balance_config.h's. Thread: main.
 */
#ifndef STOA_MAIN_BALANCE_SETTINGS_H
#define STOA_MAIN_BALANCE_SETTINGS_H

#include "main/listening.h"
#include "main/option.h"

struct balance_settings {
    char config[OPTION_TEXT_SIZE];
    struct option_list listen, listen_tls, listen_proxy;
    char certificate[OPTION_TEXT_SIZE], key[OPTION_TEXT_SIZE];
    struct option_list servers, upstreams;
    char token[OPTION_TEXT_SIZE], token_file[OPTION_TEXT_SIZE], dir[OPTION_TEXT_SIZE];
    char authority[OPTION_TEXT_SIZE];
    bool insecure;
    char policy[OPTION_TEXT_SIZE], mode[OPTION_TEXT_SIZE];
    char url[OPTION_TEXT_SIZE], status[OPTION_TEXT_SIZE];
    uint64_t aways;
    bool server_header, via, proxy_out;
    struct option_list trust;

    uint64_t limit, queue, queue_per_client, queue_ms;
    uint64_t connect_ms, answer_ms, answer_idle_ms;
    uint64_t retries, hedge, replay_bytes; /* retries, hedge: thousandths */
    uint64_t backup_connections, idle_connections;

    uint64_t check_ms, silent_ms;
    char check_path[OPTION_TEXT_SIZE];
    uint64_t failures, checks_lost, checks_fine, eject_ms, eject_max_ms, forgive_ms;
    uint64_t slow_start_ms, slow_start_min, out_max, panic; /* the last three: thousandths */

    uint64_t stop_grace_ms;
    struct listening_limits limits;
    char log_level[OPTION_TEXT_SIZE];
};

extern const struct option_table balance_settings_table;

/* Defaults, then the file named by --config (if any), then the flags; then what only makes sense
 * together. A list given by flags takes the place of the file's. */
int balance_settings_read(struct balance_settings *settings, int count, char **words,
                          struct failure *failure);

/* What only makes sense together; balance_settings_read has asked it. */
int balance_settings_check(const struct balance_settings *settings, struct failure *failure);

#endif
