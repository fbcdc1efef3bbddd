#include "replica/message.h"

#include "base/err.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, ADDRESS_MAX = 64 };

/* Terms and indexes count up from 1; a number beyond this one is no count. */
static const uint64_t COUNT_MAX = INT64_MAX;

/* ---- Encoding ---- */

/* How many entries from FROM on go into one payload. */
static unsigned piece_of(const struct raft_append_entries *append, unsigned from)
{
    size_t bytes = 0;
    unsigned at = from;
    while (at < append->n_entries && at - from < MESSAGE_ENTRIES_MAX) {
        const struct raft_entry *entry = &append->entries[at];
        if (at > from && (entry->type == RAFT_CHANGE || bytes + entry->buf.len > MESSAGE_PIECE))
            break;
        bytes += entry->buf.len;
        at++;
    }
    return at - from;
}

static bool put_append_entries(struct buf *out, const struct raft_append_entries *append,
                               unsigned *next)
{
    unsigned from = *next, count = piece_of(append, from);
    wire_put_u64(out, append->term);
    wire_put_u64(out, append->prev_log_index + from);
    wire_put_u64(out, from == 0 ? append->prev_log_term : append->entries[from - 1].term);
    wire_put_u64(out, append->leader_commit);
    wire_put_u64(out, count);
    for (unsigned i = from; i < from + count; i++) {
        const struct raft_entry *entry = &append->entries[i];
        wire_put_u64(out, entry->term);
        wire_put_u64(out, (uint64_t)entry->type);
        wire_put_str(out, str_make(entry->buf.base, entry->buf.len));
    }
    *next = from + count;
    return *next < append->n_entries;
}

static void put_install_snapshot(struct buf *out, const struct raft_install_snapshot *install)
{
    wire_put_u64(out, install->term);
    wire_put_u64(out, install->last_index);
    wire_put_u64(out, install->last_term);
    wire_put_u64(out, install->conf_index);
    wire_put_u64(out, install->conf.n);
    for (unsigned i = 0; i < install->conf.n; i++) {
        const struct raft_server *server = &install->conf.servers[i];
        wire_put_u64(out, server->id);
        wire_put_str(out, str_of(server->address));
        wire_put_u64(out, (uint64_t)server->role);
    }
    wire_put_str(out, str_make(install->data.base, install->data.len));
}

static unsigned char version_of(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        return message->request_vote.version;
    case RAFT_REQUEST_VOTE_RESULT:
        return message->request_vote_result.version;
    case RAFT_APPEND_ENTRIES:
        return message->append_entries.version;
    case RAFT_APPEND_ENTRIES_RESULT:
        return message->append_entries_result.version;
    case RAFT_INSTALL_SNAPSHOT:
        return message->install_snapshot.version;
    case RAFT_TIMEOUT_NOW:
        return message->timeout_now.version;
    }
    return 0;
}

static void put_vote(struct buf *out, const struct raft_request_vote *vote)
{
    wire_put_u64(out, vote->term);
    wire_put_u64(out, vote->candidate_id);
    wire_put_u64(out, vote->last_log_index);
    wire_put_u64(out, vote->last_log_term);
    wire_put_bool(out, vote->disrupt_leader);
    wire_put_bool(out, vote->pre_vote);
}

static void put_vote_result(struct buf *out, const struct raft_request_vote_result *result)
{
    wire_put_u64(out, result->term);
    wire_put_bool(out, result->vote_granted);
    wire_put_bool(out, result->pre_vote);
    wire_put_u64(out, result->features);
    wire_put_u64(out, result->capacity);
}

static void put_append_result(struct buf *out, const struct raft_append_entries_result *result)
{
    wire_put_u64(out, result->term);
    wire_put_u64(out, result->rejected);
    /* To a primary of a former term libraft says no index: what is in its place may be no count. */
    wire_put_u64(out, result->last_log_index > COUNT_MAX ? 0 : result->last_log_index);
    wire_put_u64(out, result->features);
    wire_put_u64(out, result->capacity);
}

bool message_encode(struct buf *out, const struct raft_message *message, unsigned *next)
{
    wire_put_u64(out, FORMAT);
    wire_put_u64(out, (uint64_t)message->type);
    wire_put_u64(out, version_of(message));
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        put_vote(out, &message->request_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        put_vote_result(out, &message->request_vote_result);
        break;
    case RAFT_APPEND_ENTRIES:
        return put_append_entries(out, &message->append_entries, next);
    case RAFT_APPEND_ENTRIES_RESULT:
        put_append_result(out, &message->append_entries_result);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        put_install_snapshot(out, &message->install_snapshot);
        break;
    case RAFT_TIMEOUT_NOW:
        wire_put_u64(out, message->timeout_now.term);
        wire_put_u64(out, message->timeout_now.last_log_index);
        wire_put_u64(out, message->timeout_now.last_log_term);
        break;
    }
    return false;
}

/* ---- Decoding ---- */

static uint64_t get_count(struct wire *in)
{
    return wire_u64_max(in, COUNT_MAX);
}

static unsigned short get_short(struct wire *in)
{
    return (unsigned short)wire_u64_max(in, UINT16_MAX);
}

/* The content of an entry of type RAFT_CHANGE in libraft's own format, which libraft reads without
 * looking where it ends: u8 1, u64 count, each server's u64 id, text with its NUL, u8 role. */
static bool is_configuration(struct str content)
{
    const unsigned char *at = (const unsigned char *)content.at, *end = at + content.len;
    uint64_t count;
    if (content.len < 9 || at[0] != 1)
        return false;
    memcpy(&count, at + 1, sizeof count);
    count = le64toh(count);
    at += 9;
    if (count == 0 || count > MESSAGE_SERVERS_MAX)
        return false;
    for (; count > 0; count--) {
        if (end - at < 8)
            return false;
        at += 8;
        const unsigned char *nul = memchr(at, 0, (size_t)(end - at));
        if (nul == NULL || nul - at >= ADDRESS_MAX || end - nul < 2 || nul[1] > RAFT_SPARE)
            return false;
        at = nul + 2;
    }
    return true;
}

/* One entry; false when it is none. */
static bool get_entry(struct wire *in, struct raft_entry *entry, struct str *content)
{
    entry->term = get_count(in);
    entry->type = (enum raft_entry_type)wire_u64_max(in, RAFT_CHANGE);
    *content = wire_str(in);
    return !in->bad && entry->term > 0 && entry->type >= RAFT_COMMAND && content->len > 0 &&
           content->len % 8 == 0 && (entry->type != RAFT_CHANGE || is_configuration(*content));
}

static int get_entries(struct wire *in, struct raft_append_entries *append)
{
    struct wire again = *in;
    raft_term term = append->prev_log_term;
    struct raft_entry entry;
    struct str content;
    size_t sum = 0;
    for (unsigned i = 0; i < append->n_entries; i++) {
        if (!get_entry(in, &entry, &content) || entry.term < term || entry.term > append->term)
            return ERR_INVALID;
        term = entry.term;
        sum += content.len;
    }
    append->entries = raft_malloc(append->n_entries * sizeof *append->entries);
    char *batch = raft_malloc(sum);
    if (append->entries == NULL || batch == NULL) {
        raft_free(append->entries);
        raft_free(batch);
        return ERR_NOMEM;
    }
    char *at = batch;
    for (unsigned i = 0; i < append->n_entries; i++) {
        get_entry(&again, &entry, &content);
        memcpy(at, content.at, content.len);
        entry.buf = (struct raft_buffer){.base = at, .len = content.len};
        entry.batch = batch;
        append->entries[i] = entry;
        at += content.len;
    }
    return 0;
}

static int get_append_entries(struct wire *in, struct raft_append_entries *append)
{
    append->term = get_count(in);
    append->prev_log_index = get_count(in);
    append->prev_log_term = get_count(in);
    append->leader_commit = get_count(in);
    append->n_entries = (unsigned)wire_u64_max(in, MESSAGE_ENTRIES_MAX);
    if (in->bad || append->term == 0 || append->prev_log_term > append->term ||
        (append->prev_log_index == 0) != (append->prev_log_term == 0))
        return ERR_INVALID;
    return append->n_entries == 0 ? 0 : get_entries(in, append);
}

static int get_configuration(struct wire *in, struct raft_configuration *configuration)
{
    char address[ADDRESS_MAX];
    raft_configuration_init(configuration);
    uint64_t count = wire_u64_max(in, MESSAGE_SERVERS_MAX);
    if (in->bad || count == 0)
        return ERR_INVALID;
    for (; count > 0; count--) {
        uint64_t id = get_count(in);
        struct str text = wire_str(in);
        int role = (int)wire_u64_max(in, RAFT_SPARE);
        if (in->bad || id == 0 || text.len == 0 || text.len >= sizeof address ||
            memchr(text.at, 0, text.len) != NULL)
            return ERR_INVALID;
        memcpy(address, text.at, text.len);
        address[text.len] = 0;
        int status = raft_configuration_add(configuration, id, address, role);
        if (status != 0)
            return status == RAFT_NOMEM ? ERR_NOMEM : ERR_INVALID;
    }
    return 0;
}

static int get_install_snapshot(struct wire *in, struct raft_install_snapshot *install)
{
    install->term = get_count(in);
    install->last_index = get_count(in);
    install->last_term = get_count(in);
    install->conf_index = get_count(in);
    int err = get_configuration(in, &install->conf);
    struct str data = wire_str(in);
    if (err == 0 &&
        (in->bad || install->term == 0 || install->last_index == 0 || install->last_term == 0 ||
         install->last_term > install->term || install->conf_index > install->last_index ||
         data.len == 0 || data.len > MESSAGE_SNAPSHOT_MAX))
        err = ERR_INVALID;
    if (err == 0) {
        install->data.len = data.len;
        install->data.base = raft_malloc(data.len);
        if (install->data.base != NULL)
            memcpy(install->data.base, data.at, data.len);
        else
            err = ERR_NOMEM;
    }
    if (err != 0)
        raft_configuration_close(&install->conf);
    return err;
}

static void get_vote(struct wire *in, struct raft_request_vote *vote)
{
    vote->term = get_count(in);
    vote->candidate_id = get_count(in);
    vote->last_log_index = get_count(in);
    vote->last_log_term = get_count(in);
    vote->disrupt_leader = wire_bool(in);
    vote->pre_vote = wire_bool(in);
    if (vote->candidate_id == 0 || vote->term == 0)
        in->bad = true;
}

static void get_vote_result(struct wire *in, struct raft_request_vote_result *result)
{
    result->term = get_count(in);
    result->vote_granted = wire_bool(in);
    result->pre_vote = wire_bool(in);
    result->features = get_short(in);
    result->capacity = get_short(in);
}

static void get_append_result(struct wire *in, struct raft_append_entries_result *result)
{
    result->term = get_count(in);
    result->rejected = get_count(in);
    result->last_log_index = get_count(in);
    result->features = get_short(in);
    result->capacity = get_short(in);
}

static void get_timeout_now(struct wire *in, struct raft_timeout_now *timeout)
{
    timeout->term = get_count(in);
    timeout->last_log_index = get_count(in);
    timeout->last_log_term = get_count(in);
}

static int get_fields(struct wire *in, struct raft_message *message, unsigned char version)
{
    int err = 0;
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        message->request_vote.version = version;
        get_vote(in, &message->request_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        message->request_vote_result.version = version;
        get_vote_result(in, &message->request_vote_result);
        break;
    case RAFT_APPEND_ENTRIES:
        message->append_entries.version = version;
        err = get_append_entries(in, &message->append_entries);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        message->append_entries_result.version = version;
        get_append_result(in, &message->append_entries_result);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        message->install_snapshot.version = version;
        err = get_install_snapshot(in, &message->install_snapshot);
        break;
    case RAFT_TIMEOUT_NOW:
        message->timeout_now.version = version;
        get_timeout_now(in, &message->timeout_now);
        break;
    }
    if (err == 0 && (in->bad || wire_left(in) > 0)) {
        message_free(message);
        err = ERR_INVALID;
    }
    return err;
}

int message_decode(struct raft_message *message, struct str payload)
{
    struct wire in = wire_of(payload);
    memset(message, 0, sizeof *message);
    uint64_t format = wire_u64(&in);
    uint64_t type = wire_u64(&in);
    unsigned char version = (unsigned char)wire_u64_max(&in, UINT8_MAX);
    if (in.bad || format == 0)
        return ERR_INVALID;
    if (format > FORMAT)
        return ERR_UNSUPPORTED;
    if (type < RAFT_APPEND_ENTRIES || type > RAFT_TIMEOUT_NOW)
        return ERR_INVALID;
    message->type = (enum raft_message_type)type;
    return get_fields(&in, message, version);
}

void message_free(struct raft_message *message)
{
    if (message->type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message->install_snapshot.conf);
        raft_free(message->install_snapshot.data.base);
    } else if (message->type == RAFT_APPEND_ENTRIES && message->append_entries.n_entries > 0) {
        /* What came in one message is in one piece of memory. */
        raft_free(message->append_entries.entries[0].batch);
        raft_free(message->append_entries.entries);
    }
}
