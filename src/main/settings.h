/* Settings of a server: what `stoa serve` takes as flags and in its configuration file.
 * The one table (settings.c) makes both, and the help.
 */
#ifndef STOA_MAIN_SETTINGS_H
#define STOA_MAIN_SETTINGS_H

#include "main/listening.h"
#include "main/option.h"

struct settings {
    char config[OPTION_TEXT_SIZE];
    struct option_list listen, listen_tls;
    char dir[OPTION_TEXT_SIZE];
    char catalogue[OPTION_TEXT_SIZE];
    char media[OPTION_TEXT_SIZE];
    bool shared;             /* several processes have the directory: main/shared.h */
    uint64_t shared_kill_ms; /* a writer that is silent for so long is killed; 0: never */
    char url[OPTION_TEXT_SIZE], cookie_domain[OPTION_TEXT_SIZE];
    struct option_list trust;
    bool server_header;
    bool io_uring;
    char certificate[OPTION_TEXT_SIZE], key[OPTION_TEXT_SIZE];
    char engine[OPTION_TEXT_SIZE];
    char log_level[OPTION_TEXT_SIZE];
    char peer_listen[OPTION_TEXT_SIZE], peer_address[OPTION_TEXT_SIZE];
    char voters[OPTION_TEXT_SIZE];
    uint64_t election_ms, heartbeat_ms, replace_ms, copy_rate;
    struct option_list wake; /* see waker.h */
    uint64_t wake_after_ms;
    uint64_t helpers, helper_queue, workers, admission_ms;
    uint64_t cache_bytes;
    uint64_t stop_grace_ms;
    struct listening_limits limits;
    uint64_t body_bytes, upload_bytes;
    uint64_t answer_ms, wait_ms;
    uint64_t log_entries;
    char bank[OPTION_TEXT_SIZE], bank_key_file[OPTION_TEXT_SIZE], bank_pin[OPTION_TEXT_SIZE],
        bank_authority[OPTION_TEXT_SIZE], bank_webhook_secret_file[OPTION_TEXT_SIZE];
    struct option_list crash_at;
    char mail[OPTION_TEXT_SIZE], mail_from[OPTION_TEXT_SIZE], mail_password_file[OPTION_TEXT_SIZE],
        mail_authority[OPTION_TEXT_SIZE];
    bool profile_private;
    char profile_authority[OPTION_TEXT_SIZE];
};

extern const struct option_table settings_table;

/* Defaults, then the file named by --config (if any), then the flags; then what only
 * makes sense together. A list given by flags takes the place of the file's. */
int settings_read(struct settings *settings, int count, char **words, struct failure *failure);

/* Of it, what belongs to pages: checks dir, url and cookie_domain, and says where media are if they
 * have no place of their own. For other processes that serve the same pages. */
int settings_check_pages(struct settings *settings, struct failure *failure);

#endif
