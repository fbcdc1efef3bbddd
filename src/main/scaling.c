#include "main/scaling.h"

#include "base/clock.h"
#include "base/thread.h"
#include "scale/board.h"
#include "scale/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A record that has grown to this is moved to FILE.1 and begun anew. */
#define RECORD_MAX (64ull << 20)

struct scaling {
    struct scaling_config config;
    struct fleet_choice choice;
    struct fleet *fleet; /* its */
    struct scaler scaler;
    struct scale_measure measure;
    struct scale_look look;
    bool leads;
    uint64_t next_ns;
    int record; /* -1: none */
    struct buf line;
    pthread_t thread;
    bool started;
    int stop_fd;
    uint64_t stop_ns; /* when the members' grace is over; 0: it does not stop */
    struct scale_board board;
};

/* ---- The record ---- */

static void open_record(struct scaling *scaling)
{
    const struct scaling_config *config = &scaling->config;
    if (!config->record[0])
        return;
    scaling->record = open(config->record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (scaling->record < 0) {
        log_line(config->log, LOG_WARN, "scale", "cannot write %s: %s", config->record,
                 strerror(errno));
        return;
    }
    buf_clear(&scaling->line);
    decision_put_head(&scaling->line, config->rule, &config->settings);
    if (write(scaling->record, scaling->line.at, scaling->line.len) < 0)
        log_line(config->log, LOG_WARN, "scale", "cannot write %s: %s", config->record,
                 strerror(errno));
}

static void turn_record(struct scaling *scaling)
{
    char old[4096 + 8];
    off_t size = lseek(scaling->record, 0, SEEK_END);
    if (size < 0 || (uint64_t)size < RECORD_MAX)
        return;
    snprintf(old, sizeof old, "%s.1", scaling->config.record);
    rename(scaling->config.record, old);
    close(scaling->record);
    open_record(scaling);
}

static void write_record(struct scaling *scaling, const struct scale_sample *sample,
                         const struct scale_decision *decision)
{
    if (scaling->record < 0 || (!scaling->config.record_samples && !scale_decision_acts(decision)))
        return;
    buf_clear(&scaling->line);
    decision_put(&scaling->line, sample, decision);
    /* One write a line: two masters in turn append to the same file. */
    if (!scaling->line.failed && write(scaling->record, scaling->line.at, scaling->line.len) < 0) {
        log_line(scaling->config.log, LOG_WARN, "scale", "cannot write %s: %s; it is given up",
                 scaling->config.record, strerror(errno));
        close(scaling->record);
        scaling->record = -1;
        return;
    }
    turn_record(scaling);
}

/* ---- Deciding ---- */

/* For all who look at the tiers, and for the next master. */
static void tell(struct scaling *scaling, const struct scale_sample *sample,
                 const struct scale_decision *decision)
{
    struct scale_board *board = &scaling->board;
    board->told_ns = sample->now_ns;
    board->workers_wanted = decision->workers;
    board->fronts_wanted = decision->fronts;
    for (unsigned i = 0; i < FLEET_TIERS; i++)
        fleet_view(scaling->fleet, i, &board->tiers[i]);
    if (scale_decision_acts(decision)) {
        struct scale_event event = {clock_wall_ms(), *decision, *sample};
        scale_board_add(board, &event);
    }
    scale_board_write(scaling->config.queue, board);
}

static void tell_workers(struct scaling *scaling)
{
    struct queue_polling polling = {
        .poll_ns = scaling->config.poll_ms * MS_NS,
        .queue_long = scaling->config.settings.queue_long,
        .actions = scaling->scaler.actions,
    };
    queue_set_polling(scaling->config.queue, &polling);
}

static void decide(struct scaling *scaling, uint64_t now_ns)
{
    struct scale_sample sample;
    struct scale_decision decision;
    scale_measure(&scaling->measure, &scaling->look, &sample);
    scaler_step(&scaling->scaler, &sample, &decision);
    if (scale_decision_acts(&decision))
        log_line(scaling->config.log, LOG_INFO, "scale", "workers %u to %u, fronts %u to %u: %s",
                 decision.workers_before, decision.workers, decision.fronts_before, decision.fronts,
                 decision.reason);
    tell_workers(scaling);
    fleet_want(scaling->fleet, decision.workers, decision.fronts - 1);
    write_record(scaling, &sample, &decision);
    tell(scaling, &sample, &decision);
    scaling->next_ns = now_ns + SCALING_INTERVAL_MS * MS_NS;
}

/* ---- The fleet ---- */

static enum fleet_tier tier_of(const struct queue_seat_view *seat)
{
    return seat->role == QUEUE_WORKER ? FLEET_WORKER : FLEET_FRONT;
}

static bool is_own(const struct queue_seat_view *seat)
{
    return seat->is_near && seat->pid == (uint32_t)getpid();
}

/* What the queue says of the fleet's members. */
static void tell_fleet(struct scaling *scaling, uint64_t now_ns)
{
    for (unsigned i = 0; i < scaling->look.seat_count; i++) {
        const struct queue_seat_view *seat = &scaling->look.seats[i];
        if (seat->number == 0 || is_own(seat))
            continue;
        fleet_ready(scaling->fleet, tier_of(seat), seat->number, now_ns);
        if (queue_take_wish(scaling->config.queue, seat->seat))
            fleet_leave(scaling->fleet, tier_of(seat), seat->number, now_ns);
    }
}

/* What the masters before have decided is gone on with. */
static void begin_board(struct scaling *scaling)
{
    struct scale_board *board = &scaling->board;
    scale_board_read(scaling->config.queue, board);
    board->master = queue_self(scaling->config.queue);
    str_copy(board->rule, sizeof board->rule, str_of(scaling->config.rule->name));
}

/* This process is the master from now on: what another one has started is its. */
static void take_over(struct scaling *scaling, uint64_t now_ns)
{
    struct failure failure;
    const struct scale_look *look = &scaling->look;
    for (unsigned i = 0; i < look->seat_count; i++) {
        const struct queue_seat_view *seat = &look->seats[i];
        if (seat->number == 0 || !seat->is_near || is_own(seat) || !scale_is_first_seat(look, i))
            continue;
        if (fleet_adopt(scaling->fleet, tier_of(seat), seat->number, (pid_t)seat->pid, now_ns,
                        &failure) != 0)
            log_line(scaling->config.log, LOG_WARN, "scale", "%s", failure.text);
    }
    begin_board(scaling);
    fleet_reserve(scaling->fleet, FLEET_FRONT, scaling->config.number);
    scaling->leads = true;
    open_record(scaling);
}

static void look(struct scaling *scaling, uint64_t now_ns)
{
    struct scale_look *look = &scaling->look;
    look->now_ns = now_ns;
    queue_look(scaling->config.queue, now_ns, &look->stats);
    look->seat_count = queue_seats(scaling->config.queue, look->seats, QUEUE_SEATS);
}

static bool has_seat(const struct scale_look *look, enum fleet_tier tier, unsigned number)
{
    for (unsigned i = 0; i < look->seat_count; i++)
        if (look->seats[i].number == number && tier_of(&look->seats[i]) == tier)
            return true;
    return false;
}

/* Of members whose process nobody here sees, those who have left the queue. */
static void tell_gone(struct scaling *scaling, enum fleet_tier tier,
                      const struct fleet_tier_view *view)
{
    for (unsigned i = 0; i < view->count; i++) {
        const struct fleet_member_view *member = &view->members[i];
        if (member->pid == 0 && member->state == FLEET_READY &&
            !has_seat(&scaling->look, tier, member->number))
            fleet_gone(scaling->fleet, tier, member->number, scaling->look.now_ns);
    }
}

/* Who is wanted of a tier whose members somebody else starts, and has not come to the queue. */
static unsigned count_missing(const struct scale_look *look, enum fleet_tier tier, unsigned wanted)
{
    for (unsigned i = 0; i < look->seat_count; i++)
        if (tier_of(&look->seats[i]) == tier && scale_is_first_seat(look, i) && wanted > 0 &&
            !is_own(&look->seats[i]))
            wanted--;
    return wanted;
}

static void look_at_tier(struct scaling *scaling, enum fleet_tier tier,
                         struct fleet_tier_view *view, struct fleet_sizes *sizes)
{
    fleet_view(scaling->fleet, tier, view);
    tell_gone(scaling, tier, view);
    *sizes = view->sizes;
    if (view->counted)
        sizes->starting = count_missing(&scaling->look, tier, view->wanted);
}

static void look_at_fleet(struct scaling *scaling)
{
    struct fleet_tier_view *view = calloc(1, sizeof *view);
    if (!view)
        return;
    look_at_tier(scaling, FLEET_WORKER, view, &scaling->look.workers);
    look_at_tier(scaling, FLEET_FRONT, view, &scaling->look.fronts);
    free(view);
}

static void turn(struct scaling *scaling)
{
    uint64_t now_ns = clock_mono_ns();
    if (scaling->stop_ns > 0) {
        fleet_want(scaling->fleet, 0, 0);
    } else if (now_ns >= scaling->next_ns) {
        look(scaling, now_ns);
        if (!scaling->leads)
            take_over(scaling, now_ns);
        tell_fleet(scaling, now_ns);
        look_at_fleet(scaling);
        decide(scaling, now_ns);
    }
    fleet_turn(scaling->fleet, clock_mono_ns());
}

/* ---- Its thread ---- */

static int wait_ms(const struct scaling *scaling)
{
    uint64_t now_ns = clock_mono_ns();
    int fleet_ms = fleet_wait_ms(scaling->fleet, now_ns);
    uint64_t left = scaling->next_ns > now_ns ? (scaling->next_ns - now_ns) / MS_NS + 1 : 0;
    if (scaling->stop_ns > 0 || left > (uint64_t)fleet_ms)
        return fleet_ms;
    return (int)left;
}

static bool has_ended(const struct scaling *scaling)
{
    return scaling->stop_ns > 0 &&
           (!scaling->leads || !scaling->choice.is_here || fleet_is_empty(scaling->fleet) ||
            clock_mono_ns() >= scaling->stop_ns);
}

/* Until something is to be done, or the stop was asked for. */
static void rest(struct scaling *scaling, int ms)
{
    bool stopping = scaling->stop_ns > 0;
    struct pollfd fds[2] = {{fleet_fd(scaling->fleet), POLLIN, 0},
                            {stopping ? -1 : scaling->stop_fd, POLLIN, 0}};
    if (poll(fds, 2, ms) > 0 && fds[1].revents)
        scaling->stop_ns = clock_mono_ns() + scaling->config.grace_ms * MS_NS;
}

static void *run(void *argument)
{
    struct scaling *scaling = argument;
    while (!has_ended(scaling)) {
        bool works = scaling->leads || steward_leads(scaling->config.steward);
        if (works)
            turn(scaling);
        rest(scaling, works ? wait_ms(scaling) : SCALING_INTERVAL_MS);
    }
    return NULL;
}

/* ---- Made and freed ---- */

static int make_fleet(struct scaling *scaling, struct failure *failure)
{
    const struct scaling_config *config = &scaling->config;
    const struct fleet_choice_tier tiers[FLEET_TIERS] = {
        [FLEET_WORKER] = {(unsigned)config->settings.workers_max, config->worker_words,
                          "stoa: worker ready"},
        [FLEET_FRONT] = {(unsigned)config->settings.fronts_max - 1, config->front_words,
                         "stoa: front ready"},
    };
    int err = fleet_choice_open(&scaling->choice, config->fleet, tiers, config->log, failure);
    scaling->fleet = scaling->choice.fleet;
    return err;
}

int scaling_new(const struct scaling_config *config, struct scaling **out, struct failure *failure)
{
    struct scaling *scaling = calloc(1, sizeof *scaling);
    *out = NULL;
    if (!scaling)
        return fail(failure, ERR_NOMEM, "no memory for scaling");
    scaling->config = *config;
    scaling->record = -1;
    buf_init(&scaling->line, DECISION_LINE_MAX);
    scaler_init(&scaling->scaler, config->rule, &config->settings);
    scaling->stop_fd = eventfd(0, EFD_CLOEXEC);
    int err = scaling->stop_fd < 0 ? fail_errno(failure, ERR_IO, "no descriptor") : 0;
    err = err ? err : make_fleet(scaling, failure);
    scaling->started = !err && thread_start(&scaling->thread, "stoa-scaling", run, scaling) == 0;
    if (!err && !scaling->started)
        err = fail(failure, ERR_IO, "cannot start a thread");
    if (err)
        scaling_free(scaling);
    else
        *out = scaling;
    return err;
}

void scaling_free(struct scaling *scaling)
{
    uint64_t one = 1;
    if (!scaling)
        return;
    if (scaling->started && write(scaling->stop_fd, &one, sizeof one) == sizeof one)
        pthread_join(scaling->thread, NULL);
    fleet_choice_close(&scaling->choice);
    if (scaling->stop_fd >= 0)
        close(scaling->stop_fd);
    if (scaling->record >= 0)
        close(scaling->record);
    buf_close(&scaling->line);
    free(scaling);
}
