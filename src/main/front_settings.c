#include "main/front_settings.h"

#include "base/check.h"
#include "engine/settings.h"
#include "main/config.h"
#include "main/scale_rows.h"
#include "main/tier_far.h"
#include "scale/fleet_step.h"

#include <string.h>

#define AT(field)  offsetof(struct front_settings, field)
#define SCALE_BASE AT(scale)

/* clang-format off */
static const struct option_row rows[] = {
    {"config", OPTION_TEXT, AT(config), NULL, 0, 0, NULL, "FILE",
     "configuration file with these same settings; flags win over it"},

    /* Its place among the others. */
    {"master", OPTION_SWITCH, AT(master), NULL, 0, 0, NULL, NULL,
     "make the queue of the shop in --dir, and look after it"},
    {"follow", OPTION_TEXT, AT(follow), NULL, 0, 0, NULL, "DIR",
     "put requests into the queue that a master front has made for the shop in DIR, and become "
     "master when that one has gone"},
    {"dir", OPTION_TEXT, AT(dir), NULL, 0, 0, NULL, "DIR",
     "with --master: the shop's data directory, that of `stoa serve --shared` on this machine "
     "[data]"},
    {"listen", OPTION_LIST, AT(listen), "127.0.0.1:8080", 0, 0, NULL, "ADDR:PORT",
     "where to take HTTP; several fronts may have the same"},
    {"listen-tls", OPTION_LIST, AT(listen_tls), NULL, 0, 0, NULL, "ADDR:PORT",
     "where to take HTTPS"},
    {"certificate", OPTION_TEXT, AT(certificate), NULL, 0, 0, NULL, "FILE",
     "certificate chain (PEM) for HTTPS; without it a self-signed one is made, kept in --dir"},
    {"key", OPTION_TEXT, AT(key), NULL, 0, 0, NULL, "FILE", "private key (PEM) of the certificate"},

    {"status", OPTION_TEXT, AT(status), NULL, 0, 0, NULL, "ADDR:PORT",
     "where to serve the status page, /tiers.json for `stoa top` and /metrics; several fronts may "
     "have the same. Others than this machine need the operator's token there [nowhere]"},

    /* Other machines. */
    {"link", OPTION_TEXT, AT(link), NULL, 0, 0, NULL, "ADDR:PORT",
     "where workers and fronts of other machines come to this queue, who have what `stoa token "
     "--tiers` prints; several fronts may have the same [nowhere]"},
    {"token-file", OPTION_TEXT, AT(token_file), NULL, 0, 0, NULL, "FILE",
     "with --follow HOST:PORT, where fronts of another machine have their --link (several with "
     "commas): file with what `stoa token --tiers` has printed there"},

    /* The queue. */
    {"queue", OPTION_COUNT, AT(slots), "512", 8, QUEUE_SLOTS_MAX, NULL, "N",
     "most requests at once, waiting or at work; above it 503"},
    {"pipe", OPTION_SIZE, AT(pipe_bytes), "32K", 16 << 10, 1 << 20, NULL, "SIZE",
     "memory for each request's way, and as much for its answer's; a power of two"},
    {"wait", OPTION_DURATION, AT(wait_ms), "2s", 1, 3600000, NULL, "TIME",
     "how long a request may wait for a worker; then 503"},
    {"worker-kill-after", OPTION_DURATION, AT(silent_ms), "5s", 0, 3600000, NULL, "TIME",
     "a worker or front that hangs for so long, the master too, is killed, and others go on with "
     "what it had (0: never)"},
    {"share", OPTION_LIST, AT(shares), NULL, 0, SHARE_CLASSES, NULL, "CLASS=N",
     "what part of the workers' time operator, buys, carts and pages have when all ask for more "
     "[operator=1 buys=4 carts=3 pages=2]"},

    /* Growing and shrinking. */
    {"scale", OPTION_CHOICE, AT(rule), "off", 0, 0, "off slope target busy poll", "RULE",
     "start and end workers and fronts as they are needed, by this rule"},
    {"scale-poll", OPTION_DURATION, AT(poll_ms), "100ms", 1, 3600000, NULL, "TIME",
     "how long a worker's poll waits for a request before it counts as empty"},
    {"scale-record", OPTION_TEXT, AT(record), NULL, 0, 0, NULL, "FILE",
     "log each decision there with all that it was made from, for `stoa replay-scale`"},
    {"scale-record-samples", OPTION_SWITCH, AT(record_samples), NULL, 0, 0, NULL, NULL,
     "log there what was measured, too, when nothing was decided"},
    {"worker-option", OPTION_LIST, AT(worker_options), NULL, 0, 0, NULL, "WORD",
     "one more word for the command line of the workers that are started, like --helpers=1"},
    {"number", OPTION_COUNT, AT(number), "0", 0, FLEET_SLOTS, NULL, "N",
     "what the fleet calls this front; given by a master that starts it"},
    SCALE_SETTINGS(SCALE_ROW)
    FLEET_ROWS(AT(fleet)),

    {"stop-grace", OPTION_DURATION, AT(stop_grace_ms), "10s", 0, 3600000, NULL, "TIME",
     "at a stop: how long requests in flight may take"},
    LISTENING_ROWS(AT(limits)),
    {"log-level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "least important lines to be logged"},
};
/* clang-format on */

const struct option_table front_settings_table = {rows, COUNT_OF(rows), "stoa front"};

static const uint32_t usual_weights[SHARE_CLASSES] = {
    [SHARE_OPERATOR] = 1,
    [SHARE_BUYS] = 4,
    [SHARE_CARTS] = 3,
    [SHARE_PAGES] = 2,
};

static int read_share(const char *text, uint32_t weight[static SHARE_CLASSES],
                      struct failure *failure)
{
    struct str number = str_of(text), name;
    uint64_t value = 0;
    if (str_cut(&number, '=', &name) && number.at && str_to_u64(number, &value) == 0 &&
        value >= 1 && value <= SHARE_WEIGHT_MAX)
        for (unsigned i = 0; i < SHARE_CLASSES; i++)
            if (str_eq(name, str_of(share_names[i]))) {
                weight[i] = (uint32_t)value;
                return 0;
            }
    return fail(failure, ERR_INVALID,
                "--share %s: give operator, buys, carts or pages, and a number from 1 to %d, like "
                "buys=4",
                text, SHARE_WEIGHT_MAX);
}

static int read_shares(const struct front_settings *settings, uint32_t weight[static SHARE_CLASSES],
                       struct failure *failure)
{
    int err = 0;
    memcpy(weight, usual_weights, sizeof usual_weights);
    for (unsigned i = 0; !err && i < settings->shares.count; i++)
        err = read_share(settings->shares.items[i], weight, failure);
    return err;
}

/* How many the fleet may have to look after. */
static void fleet_most(const struct front_settings *settings, unsigned most[FLEET_TIERS])
{
    most[FLEET_WORKER] = (unsigned)settings->scale.workers_max;
    most[FLEET_FRONT] = (unsigned)settings->scale.fronts_max - 1; /* the master is none of them */
}

/* Each loop of a front has a place at the queue, and each worker one. */
static int check_places(const struct front_settings *settings, struct failure *failure)
{
    unsigned loops = engine_loops((unsigned)settings->limits.loops);
    unsigned fronts = (unsigned)settings->scale.fronts_max;
    unsigned workers = (unsigned)settings->scale.workers_max;
    if (!front_settings_rule(settings) || fronts * loops + workers <= QUEUE_SEATS)
        return 0;
    return fail(failure, ERR_INVALID,
                "%u fronts of %u loops each and %u workers need %u places at the queue, which has "
                "%d: choose a lower --scale-fronts-max, --loops (0: one a core) or "
                "--scale-workers-max",
                fronts, loops, workers, fronts * loops + workers, QUEUE_SEATS);
}

static int check(const struct front_settings *settings, struct failure *failure)
{
    uint32_t weight[SHARE_CLASSES];
    if (settings->master == (settings->follow[0] != 0))
        return fail(failure, ERR_INVALID,
                    "either --master, which makes the queue, or --follow DIR, which uses that of "
                    "another front");
    if (settings->token_file[0] &&
        (settings->master || settings->link[0] || front_settings_rule(settings)))
        return fail(failure, ERR_INVALID,
                    "a front with --token-file follows one of another machine: without --master, "
                    "--link and --scale");
    if (settings->token_file[0] && settings->dir[0])
        return fail(failure, ERR_INVALID,
                    "--dir belongs to --master: a front with --token-file has no shop here");
    if (settings->follow[0] &&
        tier_far_check("--follow", settings->follow, settings->token_file, failure))
        return ERR_INVALID;
    if (settings->pipe_bytes & (settings->pipe_bytes - 1))
        return fail(failure, ERR_INVALID, "--pipe must be a power of two, like 32K or 64K");
    if (2 * settings->limits.head_bytes > settings->pipe_bytes)
        return fail(failure, ERR_INVALID,
                    "a request's head (--head-bytes) may have half of --pipe at most, so that it "
                    "can go to a worker whole");
    unsigned most[FLEET_TIERS];
    fleet_most(settings, most);
    int err = scale_settings_check(&settings->scale, failure);
    err = err ? err : check_places(settings, failure);
    err = err ? err : fleet_choice_check(&settings->fleet, most, failure);
    return err ? err : read_shares(settings, weight, failure);
}

const struct scale_rule *front_settings_rule(const struct front_settings *settings)
{
    return scale_rule_find(settings->rule);
}

int front_settings_read(struct front_settings *settings, int count, char **words,
                        struct failure *failure)
{
    int err = config_read(&front_settings_table, settings, count, words, failure);
    if (!err && settings->master && !settings->dir[0])
        str_copy(settings->dir, sizeof settings->dir, STR("data"));
    return err ? err : check(settings, failure);
}

void front_settings_queue(const struct front_settings *settings, struct queue_config *config)
{
    *config = (struct queue_config){
        .slots = (uint32_t)settings->slots,
        .pipe_bytes = (uint32_t)settings->pipe_bytes,
    };
    CHECK(read_shares(settings, config->weight, NULL) == 0);
}

const char *front_settings_dir(const struct front_settings *settings)
{
    return settings->master ? settings->dir : settings->follow;
}
