/* Response time: the peak-sensitive moving average of Finagle's load balancer (peak EWMA).
 *
 * A time above a server's cost replaces it at once; one below moves it by how long ago the last
 * one was: cost·e^(−Δt/τ) + time·(1 − e^(−Δt/τ)), τ 10 s. While nothing is heard the cost decays
 * alone, so that a server that was slow is tried again. Its load is cost × (in flight + 1),
 * divided by the weight; the least wins, and among equals chance. One that was never measured
 * costs nothing until it has a request, and very much until that is answered.
 *
 * Two bounds are ours. A single time counts for at most twice the cost before: a shop has rare
 * requests that take a thousand times as long as others (they wait for a bank), and each would
 * drive all away from its server for a minute; who has really become slow is known after some
 * answers all the same. And a failure counts for eight times the cost, or who fails fast would get
 * everything.
 *
 * A home is another matter: the choice holds for a visit, and is made most often when nothing is in
 * flight and the last answer, by chance slow or quick, would decide. There the time is the
 * geometric mean of the last answers (up to 500, fading e-fold in 30 s): the rare long ones say
 * little of a server. It is taken together with ten answers of the usual time of all: who was
 * hardly heard is taken for usual. And it is weighed with the shoppers who live there
 * (place_home_load). */
#include "balance/policy_place.h"

#include <math.h>

static const double DECAY_NS = 10e9, FAILED_NS = 1e9, UNKNOWN_NS = 1e12, COST_MAX_NS = 60e9;
static const double SLOWER_TIMES = 2, FAILED_TIMES = 8;
static const double BELIEVED_NS = 30e9, BELIEVED_MAX = 500, DOUBT = 10;

struct row {
    double cost_ns;
    double mean_log, answers; /* of the times in ns, and of how many */
    uint64_t at_ns;           /* 0: never measured */
    bool usable;
};

struct memory {
    struct place_ids ids;
    struct row rows[POLICY_SERVERS_MAX];
};

static void prepare(void *context, const struct policy_view *view, uint64_t now_ns)
{
    struct memory *memory = context;
    (void)now_ns;
    places_follow(&memory->ids, view, memory->rows, sizeof *memory->rows);
    for (unsigned i = 0; i < view->count; i++) {
        struct row *row = &memory->rows[i];
        if (view->servers[i].usable && !row->usable)
            *row = (struct row){.at_ns = 0};
        row->usable = view->servers[i].usable;
    }
}

static double fade(const struct row *row, uint64_t now_ns, double time_ns)
{
    return now_ns > row->at_ns ? exp(-(double)(now_ns - row->at_ns) / time_ns) : 1;
}

static double keeps(const struct row *row, uint64_t now_ns)
{
    return fade(row, now_ns, DECAY_NS);
}

/* ---- Homes ---- */

/* The mean logarithm of all times that are known of PLACES. */
static double usual_time(const struct memory *memory, uint64_t places, uint64_t now_ns)
{
    double sum = 0, answers = 0;
    while (places) {
        const struct row *row = &memory->rows[places_next(&places)];
        double count = row->answers * fade(row, now_ns, BELIEVED_NS);
        sum += row->mean_log * count;
        answers += count;
    }
    return answers > 0 ? sum / answers : 0;
}

static double home_load(const struct row *row, const struct policy_server *server, double usual_log,
                        uint64_t now_ns)
{
    double answers = row->answers * fade(row, now_ns, BELIEVED_NS);
    double time_log = (row->mean_log * answers + usual_log * DOUBT) / (answers + DOUBT);
    return place_home_load(server, exp(time_log), server->in_flight);
}

/* ---- Requests ---- */

static double load_of(const struct row *row, const struct policy_server *server, uint64_t now_ns)
{
    double load;
    if (row->at_ns)
        load = row->cost_ns * keeps(row, now_ns) * (server->in_flight + 1.0);
    else
        load = server->in_flight ? UNKNOWN_NS + server->in_flight : 0;
    return load / server->weight;
}

static int pick(void *context, const struct policy_view *view, uint64_t key, uint64_t tried,
                uint64_t now_ns, struct random *random)
{
    struct memory *memory = context;
    uint64_t places = places_warm(view, places_candidates(view, tried), random);
    double least = INFINITY;
    double usual_log = view->settling ? usual_time(memory, places, now_ns) : 0;
    unsigned equals = 0;
    int best = -1;
    (void)key;
    while (places) {
        unsigned at = places_next(&places);
        const struct row *row = &memory->rows[at];
        const struct policy_server *server = &view->servers[at];
        double load = view->settling ? home_load(row, server, usual_log, now_ns)
                                     : load_of(row, server, now_ns);
        equals = load == least ? equals + 1 : 1;
        if (load < least || (load == least && random_below(random, equals) == 0))
            best = (int)at;
        if (load < least)
            least = load;
    }
    return best;
}

/* What TOOK_NS counts for. */
static double time_of(const struct row *row, double took_ns, bool failed)
{
    double time = took_ns;
    if (failed && !row->at_ns)
        time = took_ns > FAILED_NS ? took_ns : FAILED_NS;
    else if (failed)
        time = FAILED_TIMES * row->cost_ns;
    else if (row->at_ns && time > SLOWER_TIMES * row->cost_ns)
        time = SLOWER_TIMES * row->cost_ns;
    return time < 1 ? 1 : time < COST_MAX_NS ? time : COST_MAX_NS;
}

static void done(void *context, unsigned at, uint64_t took_ns, bool failed, uint64_t now_ns)
{
    struct memory *memory = context;
    if (at >= memory->ids.count)
        return;
    struct row *row = &memory->rows[at];
    double time = time_of(row, (double)took_ns, failed), kept = keeps(row, now_ns);
    row->answers = fmin(row->answers * fade(row, now_ns, BELIEVED_NS) + 1, BELIEVED_MAX);
    row->mean_log += (log(time) - row->mean_log) / row->answers;
    row->cost_ns = time > row->cost_ns ? time : row->cost_ns * kept + time * (1 - kept);
    row->at_ns = now_ns ? now_ns : 1;
}

const struct policy policy_response_time = {
    .name = "response-time",
    .about = "who answers fastest for what it has to do (peak EWMA)",
    .memory = sizeof(struct memory),
    .prepare = prepare,
    .pick = pick,
    .done = done,
};
