#include "outside/profile.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <yyjson.h>

#define CAPABILITY  "dev.ucp.shopping.order"
#define UCP_VERSION "2026-04-08"

enum profile_state { PROFILE_EMPTY, PROFILE_FETCHING, PROFILE_KNOWN, PROFILE_FAILED };

struct profile {
    struct profiles *profiles;
    enum profile_state state;
    char url[PROFILE_URL_MAX + 1], webhook_url[PROFILE_URL_MAX + 1];
    uint64_t until_ns; /* KNOWN: fresh so long; FAILED: the pause's end */
    uint64_t asked_ns;
    uint32_t pause_ms; /* the last one; 0: the last fetch went well */
    struct failure failure;
    struct profile_question *first, **last; /* FETCHING: who waits */
    struct transfer transfer;
};

struct profiles {
    struct profiles_config config;
    struct transfer_trust trust;
    pthread_mutex_t mutex; /* guards all below */
    struct profile kept[PROFILE_KEPT_MAX];
};

/* ---- Addresses ---- */

static bool is_this_machine(struct str host)
{
    return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("127.0.0.1")) ||
           str_eq(host, STR("[::1]"));
}

bool profile_is_address(struct str url, bool allow_private)
{
    bool https = str_starts(url, STR("https://")), http = str_starts(url, STR("http://"));
    if ((!https && !(http && allow_private)) || url.len > PROFILE_URL_MAX)
        return false;
    struct str rest = str_from(url, https ? 8 : 7);
    size_t end = 0;
    while (end < rest.len && !strchr("/?#", rest.at[end]))
        end++;
    struct str host = str_sub(rest, 0, end);
    for (size_t i = 0; i < url.len; i++)
        if (url.at[i] <= ' ' || url.at[i] > '~' || url.at[i] == '#' || url.at[i] == '\\')
            return false;
    if (str_find_byte(host, '@') >= 0)
        return false;
    ptrdiff_t bracket = str_find_byte(host, ']');
    size_t name = bracket < 0 ? 0 : (size_t)bracket + 1;
    ptrdiff_t colon = str_find_byte(str_from(host, name), ':');
    if (colon >= 0)
        host = str_sub(host, 0, name + (size_t)colon);
    return host.len && (https || is_this_machine(host));
}

/* ---- What a profile says ---- */

/* The address in one entry of the capability; NULL: it has none. */
static const char *url_of(yyjson_val *entry)
{
    return yyjson_get_str(yyjson_obj_get(yyjson_obj_get(entry, "config"), "webhook_url"));
}

/* The entry of our version goes before others. */
static const char *find_url(yyjson_val *root)
{
    const char *found = NULL;
    size_t at, count;
    yyjson_val *each;
    yyjson_val *capabilities = yyjson_obj_get(yyjson_obj_get(root, "ucp"), "capabilities");
    yyjson_arr_foreach(yyjson_obj_get(capabilities, CAPABILITY), at, count, each)
    {
        const char *url = url_of(each);
        bool ours = yyjson_equals_str(yyjson_obj_get(each, "version"), UCP_VERSION);
        if (url && (ours || !found))
            found = url;
        if (url && ours)
            break;
    }
    return found;
}

int profile_webhook_url(struct str text, bool allow_private, char out[static PROFILE_URL_MAX + 1],
                        struct failure *failure)
{
    yyjson_doc *doc = yyjson_read(text.at ? text.at : "", text.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *url = find_url(root);
    int err = 0;
    if (!yyjson_is_obj(yyjson_obj_get(root, "ucp")))
        err =
            fail(failure, ERR_INVALID, "what is there is no profile (a JSON object with \"ucp\")");
    else if (!url)
        err = fail(failure, ERR_NOTFOUND,
                   "the profile names no webhook_url for the capability " CAPABILITY);
    else if (!profile_is_address(str_of(url), allow_private))
        err = fail(failure, ERR_INVALID,
                   "the profile's webhook_url \"%.100s\" is no https:// address that may be used",
                   url);
    else
        str_copy(out, PROFILE_URL_MAX + 1, str_of(url));
    yyjson_doc_free(doc);
    return err;
}

/* ---- Keeping ---- */

static void answer(struct profile_question *question, const struct profile *profile,
                   uint64_t now_ns)
{
    question->err = profile->state == PROFILE_KNOWN ? 0 : profile->failure.err;
    question->failure = profile->failure;
    memcpy(question->webhook_url, profile->webhook_url, sizeof question->webhook_url);
    question->wait_ms = 0;
    if (question->err && profile->until_ns > now_ns)
        question->wait_ms = (uint32_t)((profile->until_ns - now_ns) / MS_NS) + 1;
}

/* The profile of URL, or the one whose place it can have: empty, or not asked for longest. NULL:
 * all are being fetched. */
static struct profile *place_of(struct profiles *profiles, struct str url)
{
    struct profile *oldest = NULL;
    for (unsigned i = 0; i < PROFILE_KEPT_MAX; i++) {
        struct profile *profile = &profiles->kept[i];
        if (profile->state != PROFILE_EMPTY && str_eq(str_of(profile->url), url))
            return profile;
        if (profile->state == PROFILE_FETCHING)
            continue;
        if (!oldest || profile->state == PROFILE_EMPTY ||
            (oldest->state != PROFILE_EMPTY && profile->asked_ns < oldest->asked_ns))
            oldest = profile;
    }
    if (oldest) {
        oldest->state = PROFILE_EMPTY;
        oldest->pause_ms = 0;
        str_copy(oldest->url, sizeof oldest->url, url);
    }
    return oldest;
}

/* ---- Fetching ---- */

/* What is wrong with the profile itself is wrong for longer than a network that is away. */
static void note_failure(struct profile *profile, uint64_t now_ns)
{
    bool final = profile->failure.err == ERR_NOTFOUND || profile->failure.err == ERR_INVALID;
    uint32_t pause = profile->pause_ms * 2;
    if (pause < PROFILE_PAUSE_LEAST_MS)
        pause = PROFILE_PAUSE_LEAST_MS;
    if (pause > PROFILE_PAUSE_MOST_MS || final)
        pause = PROFILE_PAUSE_MOST_MS;
    profile->pause_ms = pause;
    profile->state = PROFILE_FAILED;
    profile->until_ns = now_ns + pause * MS_NS;
}

/* What came of the fetch, for all who wait. Unlocked: they may ask again within it. */
static void finish(struct profile *profile, int err)
{
    struct profiles *profiles = profile->profiles;
    uint64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&profiles->mutex);
    profile->failure.err = err;
    if (err) {
        note_failure(profile, now_ns);
    } else {
        profile->state = PROFILE_KNOWN;
        profile->pause_ms = 0;
        profile->until_ns = now_ns + PROFILE_KEEP_S * SEC_NS;
    }
    struct profile_question *list = profile->first;
    profile->first = NULL;
    for (struct profile_question *each = list; each; each = each->next)
        answer(each, profile, now_ns);
    pthread_mutex_unlock(&profiles->mutex);
    while (list) {
        struct profile_question *next = list->next;
        list->done(list);
        list = next;
    }
}

static void take_profile(struct transfer *transfer)
{
    struct profile *profile = transfer->context;
    struct failure why = {0};
    int err = transfer->err;
    if (err)
        why = transfer->failure;
    else if (transfer->status != 200)
        err = fail(&why, ERR_IO, "it is answered with status %d", transfer->status);
    else
        err = profile_webhook_url(transfer->answer, profile->profiles->config.allow_private,
                                  profile->webhook_url, &why);
    if (err)
        fail(&profile->failure, err, "the profile %.200s: %.220s", profile->url, why.text);
    finish(profile, err);
}

static void fetch_profile(struct profile *profile)
{
    profile->transfer = (struct transfer){
        .method = STR("GET"),
        .url = str_of(profile->url),
        .headers = {{STR("Accept"), STR("application/json")}},
        .header_count = 1,
        .trust = &profile->profiles->trust,
        .answer_max = PROFILE_BYTES_MAX,
        .done = take_profile,
        .context = profile,
    };
    int err = transfer_start(profile->profiles->config.transfers, &profile->transfer);
    if (err) {
        fail(&profile->failure, err, "the profile %.200s cannot be fetched now: %s", profile->url,
             err_sentence(err));
        finish(profile, err);
    }
}

/* Asks, waits, or has the answer. Locked. True: it is to be fetched. */
static bool look_up(struct profile *profile, struct profile_question *question, bool *answered)
{
    uint64_t now_ns = clock_mono_ns();
    profile->asked_ns = now_ns;
    *answered = profile->state != PROFILE_EMPTY && profile->state != PROFILE_FETCHING &&
                profile->until_ns > now_ns;
    if (*answered) {
        answer(question, profile, now_ns);
        return false;
    }
    bool begins = profile->state != PROFILE_FETCHING;
    if (begins) {
        profile->state = PROFILE_FETCHING;
        profile->first = NULL;
        profile->last = &profile->first;
    }
    question->next = NULL;
    *profile->last = question;
    profile->last = &question->next;
    return begins;
}

void profile_ask(struct profiles *profiles, struct profile_question *question)
{
    bool answered = true, begins = false;
    question->wait_ms = 0;
    if (!profile_is_address(question->url, profiles->config.allow_private)) {
        question->err = fail(&question->failure, ERR_UNSUPPORTED,
                             "no profile is fetched from \"%.*s\": from https:// addresses alone",
                             STR_FMT(str_sub(question->url, 0, 200)));
        question->done(question);
        return;
    }
    pthread_mutex_lock(&profiles->mutex);
    struct profile *profile = place_of(profiles, question->url);
    if (profile)
        begins = look_up(profile, question, &answered);
    pthread_mutex_unlock(&profiles->mutex);
    if (!profile) {
        question->wait_ms = PROFILE_PAUSE_LEAST_MS;
        question->err = fail(&question->failure, ERR_BUSY, "too many profiles are being fetched");
    }
    if (begins)
        fetch_profile(profile);
    else if (answered)
        question->done(question);
}

int profiles_new(const struct profiles_config *config, struct profiles **profiles,
                 struct failure *failure)
{
    struct profiles *made = calloc(1, sizeof *made);
    *profiles = made;
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for platforms' profiles");
    made->config = *config;
    made->trust = (struct transfer_trust){.authority_file = config->authority_file,
                                          .public_only = !config->allow_private};
    pthread_mutex_init(&made->mutex, NULL);
    for (unsigned i = 0; i < PROFILE_KEPT_MAX; i++)
        made->kept[i].profiles = made;
    return 0;
}

void profiles_free(struct profiles *profiles)
{
    if (!profiles)
        return;
    pthread_mutex_destroy(&profiles->mutex);
    free(profiles);
}
