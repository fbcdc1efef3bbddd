/* The outbox's thread: what it sends, when, how often, and what it tells the log. */
#include "outbox_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PATIENCE_MS = 60000, RECEIVED_MAX = 40000 };

/* A receiver of all lanes. Answers within `begin`, unless it holds. */
struct receiver {
    pthread_mutex_t mutex;
    /* '.' taken; 'a' away; 'l' later; 'n' never; 'o' it has seen a newer primary. One letter a row,
     * then all is well. */
    const char *plan;
    const char *dark_lane; /* always away */
    uint64_t dark_number;  /* orders of that remainder mod 10 are of a receiver that is away */
    uint64_t dark_below;   /* orders of lower numbers are, too */
    uint64_t dark_seq;     /* every batch that has this row fails */
    bool dark_batch;
    bool holds; /* keeps what comes until release() */
    struct outbox_send *held;
    unsigned batches, most_in_batch, held_count, announced;
    unsigned count;
    struct received {
        uint64_t seq, number, term, epoch, ns;
        char lane[32];
    } * received;
};

struct scene {
    struct ordering order;
    struct receiver receiver;
    struct outbox_sender sender, batching;
    struct outbox *outbox;
};

static char next_fault(struct receiver *receiver, const struct outbox_send *send)
{
    if (receiver->dark_lane != NULL && strcmp(receiver->dark_lane, send->lane) == 0)
        return 'a';
    if (receiver->dark_number != 0 && send->row != NULL &&
        send->row->order_number % 10 == receiver->dark_number)
        return 'a';
    if (send->row != NULL && send->row->order_number < receiver->dark_below)
        return 'a';
    if (receiver->dark_batch)
        return 'a';
    return *receiver->plan != 0 ? *receiver->plan++ : '.';
}

static void answer(struct receiver *receiver, struct outbox_send *send)
{
    static const enum outbox_sent sent[] = {['.'] = OUTBOX_SENT,
                                            ['a'] = OUTBOX_SENT_AWAY,
                                            ['l'] = OUTBOX_SENT_LATER,
                                            ['n'] = OUTBOX_SENT_NEVER,
                                            ['o'] = OUTBOX_SENT_OLD};
    pthread_mutex_lock(&receiver->mutex);
    char fault = next_fault(receiver, send);
    if (send->row == NULL) {
        receiver->announced++;
    } else {
        CHECK(receiver->count < RECEIVED_MAX);
        struct received *received = &receiver->received[receiver->count++];
        *received = (struct received){.seq = send->row->seq,
                                      .number = send->row->order_number,
                                      .term = send->fence->term,
                                      .epoch = send->fence->epoch,
                                      .ns = clock_mono_ns()};
        snprintf(received->lane, sizeof received->lane, "%s", send->lane);
    }
    pthread_mutex_unlock(&receiver->mutex);
    send->done(send, &(struct outbox_said){.sent = sent[(unsigned char)fault],
                                           .text = fault == '.' ? STR("re_1") : STR("because"),
                                           .lines = &(struct order_quantity){1, 1},
                                           .line_count = 1});
}

static void begin(void *context, struct outbox_send *first)
{
    struct receiver *receiver = context;
    unsigned rows = 0;
    pthread_mutex_lock(&receiver->mutex);
    receiver->dark_batch = false;
    for (struct outbox_send *send = first; send != NULL; send = send->next)
        if (send->row != NULL && send->row->seq == receiver->dark_seq)
            receiver->dark_batch = true;
    pthread_mutex_unlock(&receiver->mutex);
    while (first != NULL) {
        struct outbox_send *next = first->next;
        rows++;
        pthread_mutex_lock(&receiver->mutex);
        bool holds = receiver->holds;
        if (holds) {
            first->next = receiver->held;
            receiver->held = first;
            receiver->held_count++;
        }
        pthread_mutex_unlock(&receiver->mutex);
        if (!holds)
            answer(receiver, first);
        first = next;
    }
    pthread_mutex_lock(&receiver->mutex);
    receiver->batches++;
    if (rows > receiver->most_in_batch)
        receiver->most_in_batch = rows;
    pthread_mutex_unlock(&receiver->mutex);
}

static void release(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    struct outbox_send *held = receiver->held;
    receiver->held = NULL;
    receiver->holds = false;
    pthread_mutex_unlock(&receiver->mutex);
    while (held != NULL) {
        struct outbox_send *next = held->next;
        answer(receiver, held);
        held = next;
    }
}

/* Ten of them, whose keys have the same remainder whatever they are divided by. */
static uint64_t receiver_of(void *context, const struct outbox_row *row)
{
    (void)context;
    return row->order_number % 10 * 256 * 81 * 125 * 49;
}

static uint64_t receiver_each(void *context, const struct outbox_row *row)
{
    (void)context;
    return row->order_number;
}

static void open_scene(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    order_open(&scene->order);
    pthread_mutex_init(&scene->receiver.mutex, NULL);
    scene->receiver.plan = "";
    scene->receiver.received = calloc(RECEIVED_MAX, sizeof *scene->receiver.received);
    scene->sender = (struct outbox_sender){
        .name = "test", .context = &scene->receiver, .begin = begin, .receiver = receiver_of};
    scene->batching = (struct outbox_sender){.name = "test",
                                             .context = &scene->receiver,
                                             .begin = begin,
                                             .announce = begin,
                                             .batch_max = 100,
                                             .at_once = 1};
}

static void start_waiting(struct scene *scene, uint32_t least_ms, uint32_t most_ms)
{
    struct failure failure = {0};
    struct outbox_config config = {.order = &scene->order,
                                   .view = fixture_view(&scene->order),
                                   .bank = &scene->sender,
                                   .webhook = &scene->sender,
                                   .mail = &scene->sender,
                                   .warehouse = &scene->batching,
                                   .interval_ms = 20,
                                   .wait_least_ms = least_ms,
                                   .wait_most_ms = most_ms};
    if (outbox_start(&config, &scene->outbox, &failure) != 0)
        fail_msg("%s", failure.text);
}

static void start(struct scene *scene)
{
    start_waiting(scene, 2, 40);
}

static void close_scene(struct scene *scene)
{
    outbox_stop(scene->outbox);
    release(&scene->receiver);
    outbox_free(scene->outbox);
    order_close(&scene->order);
    free(scene->receiver.received);
    pthread_mutex_destroy(&scene->receiver.mutex);
}

#define UNTIL(scene, what)                                         \
    do {                                                           \
        uint64_t deadline = clock_mono_ns() + PATIENCE_MS * MS_NS; \
        while (!(what)) {                                          \
            if (clock_mono_ns() > deadline)                        \
                fail_msg("not in time: %s", #what);                \
            usleep(500); /* no wait: the pace of looking */        \
        }                                                          \
    } while (0)

static unsigned received(struct scene *scene)
{
    pthread_mutex_lock(&scene->receiver.mutex);
    unsigned count = scene->receiver.count;
    pthread_mutex_unlock(&scene->receiver.mutex);
    return count;
}

static unsigned announced(struct scene *scene)
{
    pthread_mutex_lock(&scene->receiver.mutex);
    unsigned count = scene->receiver.announced;
    pthread_mutex_unlock(&scene->receiver.mutex);
    return count;
}

static unsigned barriers(struct scene *scene)
{
    pthread_mutex_lock(&scene->order.mutex);
    unsigned count = scene->order.barriers;
    pthread_mutex_unlock(&scene->order.mutex);
    return count;
}

static unsigned held(struct scene *scene)
{
    pthread_mutex_lock(&scene->receiver.mutex);
    unsigned count = scene->receiver.held_count;
    pthread_mutex_unlock(&scene->receiver.mutex);
    return count;
}

static struct outbox_lane_report lane_report(struct scene *scene, const char *lane)
{
    static struct outbox_report report;
    outbox_report(scene->outbox, &report);
    for (unsigned i = 0; i < report.lane_count; i++)
        if (strcmp(report.lanes[i].lane, lane) == 0)
            return report.lanes[i];
    return (struct outbox_lane_report){0};
}

/* ---- Sending ---- */

static void what_is_in_the_table_is_sent_once_and_leaves_it(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    table_add(&scene.order, "mail", OUTBOX_MAIL, 1001);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    table_add(&scene.order, "webhook", OUTBOX_WEBHOOK, 1002);
    outbox_wake(scene.outbox);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(received(&scene), 3);
    assert_int_equal(barriers(&scene), 1);
    assert_int_equal(scene.receiver.received[0].term, 5);
    assert_int_equal(scene.receiver.received[0].epoch, 3);
    assert_string_equal(scene.order.table[0].text, "re_1");
    close_scene(&scene);
}

static void being_woken_it_sends_at_once(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure;
    open_scene(&scene);
    struct outbox_config config = {.order = &scene.order,
                                   .view = fixture_view(&scene.order),
                                   .bank = &scene.sender,
                                   .interval_ms = 600000};
    assert_int_equal(outbox_start(&config, &scene.outbox, &failure), 0);
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    outbox_wake(scene.outbox);
    UNTIL(&scene, table_left(&scene.order) == 0);
    close_scene(&scene);
}

static void rows_of_one_order_go_one_after_the_other(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.holds = true;
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    table_add(&scene.order, "bank", OUTBOX_REFUND, 1001);
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1002);
    start(&scene);
    UNTIL(&scene, held(&scene) == 2); /* of two orders, side by side */
    release(&scene.receiver);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(scene.receiver.received[2].seq, 2);
    close_scene(&scene);
}

static void a_failed_row_holds_back_those_of_its_order_alone(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.plan = "ll"; /* the first of 1001, and 1002 */
    table_add(&scene.order, "mail", OUTBOX_MAIL, 1001);
    table_add(&scene.order, "mail", OUTBOX_MAIL, 1002);
    table_add(&scene.order, "mail", OUTBOX_MAIL, 1001);
    table_add(&scene.order, "mail", OUTBOX_MAIL, 1003);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    uint64_t first = 0, second = 0;
    for (unsigned i = 0; i < scene.receiver.count; i++) {
        if (scene.receiver.received[i].seq == 1)
            first = i;
        if (scene.receiver.received[i].seq == 3 && second == 0)
            second = i;
    }
    assert_true(second > first);
    assert_int_equal(scene.receiver.received[2].seq, 4);
    close_scene(&scene);
}

static void a_batch_has_many_rows_of_one_kind_after_the_fence(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.warehouses[0] = "main";
    for (unsigned i = 0; i < 250; i++)
        table_add(&scene.order, "warehouse/main", i < 240 ? OUTBOX_SHIP : OUTBOX_CANCEL, 1001 + i);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(received(&scene), 250);
    assert_int_equal(scene.receiver.announced, 1);
    assert_int_equal(scene.receiver.most_in_batch, 100);
    assert_int_equal(scene.receiver.batches, 5); /* the fence; 100, 100, 40; 10 */
    assert_int_equal(scene.order.table[249].line_count, 1);
    close_scene(&scene);
}

static void a_large_table_is_sent_window_by_window(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    for (unsigned i = 0; i < 6000; i++)
        table_add(&scene.order, i % 2 ? "mail" : "bank", OUTBOX_MAIL, 1001 + i / 4);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(received(&scene), 6000);
    uint64_t last[2000][2] = {{0}};
    for (unsigned i = 0; i < scene.receiver.count; i++) {
        const struct received *one = &scene.receiver.received[i];
        uint64_t *before = &last[one->number - 1001][one->lane[0] == 'm'];
        assert_true(one->seq > *before);
        *before = one->seq;
    }
    close_scene(&scene);
}

/* ---- Failures ---- */

static void what_was_not_taken_is_sent_again_until_it_is(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.plan = "alalaaaal";
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(received(&scene), 10);
    assert_int_equal(scene.order.table[0].outcome, OUTBOX_DELIVERED);
    close_scene(&scene);
}

static void what_is_refused_for_good_is_told_and_not_sent_again(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.plan = "n";
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(received(&scene), 1);
    assert_int_equal(scene.order.table[0].outcome, OUTBOX_REFUSED);
    assert_string_equal(scene.order.table[0].text, "because");
    close_scene(&scene);
}

static void one_that_is_away_does_not_slow_the_others(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.dark_number = 3;
    scene.receiver.dark_lane = "bank";
    for (unsigned i = 0; i < 4000; i++)
        table_add(&scene.order, "webhook", OUTBOX_WEBHOOK, i < 3000 ? 3 + 10 * i : i);
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 3101); /* all but the 3 of the ten, and the bank's */
    UNTIL(&scene, lane_report(&scene, "webhook").rows == 3100);
    assert_true(lane_report(&scene, "webhook").failed > 0);
    assert_string_equal(lane_report(&scene, "webhook").error, "because");
    pthread_mutex_lock(&scene.receiver.mutex);
    scene.receiver.dark_number = 0;
    scene.receiver.dark_lane = NULL;
    pthread_mutex_unlock(&scene.receiver.mutex);
    UNTIL(&scene, table_left(&scene.order) == 0);
    UNTIL(&scene, lane_report(&scene, "webhook").rows == 0);
    assert_string_equal(lane_report(&scene, "webhook").error, "");
    close_scene(&scene);
}

/* More than there are places: then some share one, and all get their turn nevertheless. */
static void any_number_of_receivers_that_are_away_leave_room_for_one_that_is_not(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.sender.receiver = receiver_each;
    scene.receiver.dark_below = 1000;
    for (unsigned i = 0; i < 3000; i++)
        table_add(&scene.order, "webhook", OUTBOX_WEBHOOK, 100 + i % 900);
    for (unsigned i = 0; i < 300; i++)
        table_add(&scene.order, "webhook", OUTBOX_WEBHOOK, 1000 + i % 3);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 3000);
    pthread_mutex_lock(&scene.receiver.mutex);
    scene.receiver.dark_below = 0;
    pthread_mutex_unlock(&scene.receiver.mutex);
    UNTIL(&scene, table_left(&scene.order) == 0);
    for (unsigned i = 0; i < scene.order.count; i++)
        assert_int_equal(scene.order.table[i].answered, 1);
    close_scene(&scene);
}

static void one_row_that_is_never_taken_stops_none_but_those_of_its_order(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.dark_seq = 1;
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, lane_report(&scene, "bank").failed > 4); /* the bank counts as away */
    table_add(&scene.order, "bank", OUTBOX_REFUND, 1001);
    for (unsigned i = 0; i < 9; i++)
        table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1011 + 10 * i); /* of one receiver */
    outbox_wake(scene.outbox);
    UNTIL(&scene, table_left(&scene.order) == 2);
    for (unsigned i = 0; i < received(&scene); i++)
        assert_int_not_equal(scene.receiver.received[i].seq, 2);
    pthread_mutex_lock(&scene.receiver.mutex);
    scene.receiver.dark_seq = 0;
    pthread_mutex_unlock(&scene.receiver.mutex);
    UNTIL(&scene, table_left(&scene.order) == 0);
    close_scene(&scene);
}

static void one_row_that_spoils_each_batch_stops_none_of_the_others(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.warehouses[0] = "main";
    scene.receiver.dark_seq = 7;
    for (unsigned i = 0; i < 250; i++)
        table_add(&scene.order, "warehouse/main", OUTBOX_SHIP, 1001 + i);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 1);
    assert_int_equal(scene.order.table[6].answered, 0);
    close_scene(&scene);
}

static void a_warehouse_that_is_put_elsewhere_is_tried_at_once(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.warehouses[0] = "main";
    scene.receiver.dark_lane = "warehouse/main";
    table_add(&scene.order, "warehouse/main", OUTBOX_SHIP, 1001);
    start_waiting(&scene, 3600000, 3600000);
    UNTIL(&scene, lane_report(&scene, "warehouse/main").failed > 0);
    pthread_mutex_lock(&scene.receiver.mutex);
    scene.receiver.dark_lane = NULL;
    pthread_mutex_unlock(&scene.receiver.mutex);
    pthread_mutex_lock(&scene.order.mutex);
    scene.order.url = "https://127.0.0.1:2";
    pthread_mutex_unlock(&scene.order.mutex);
    UNTIL(&scene, table_left(&scene.order) == 0);
    close_scene(&scene);
}

static void answers_are_gathered_and_told_until_the_log_has_them(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.plan = "btltb";
    scene.receiver.holds = true;
    for (unsigned i = 0; i < 64; i++)
        table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001 + i);
    start(&scene);
    UNTIL(&scene, held(&scene) > 0);
    release(&scene.receiver);
    UNTIL(&scene, table_left(&scene.order) == 0);
    UNTIL(&scene, lane_report(&scene, "bank").sent == 64);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(scene.order.table[i].answered, 1);
    assert_int_equal(received(&scene), 64); /* whatever the log did, nothing was sent twice */
    close_scene(&scene);
}

static void an_answer_that_the_shop_refuses_does_not_stop_the_others(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.plan = "rr"; /* all of them, then the first by itself */
    scene.order.warehouses[0] = "main";
    for (unsigned i = 0; i < 20; i++)
        table_add(&scene.order, "warehouse/main", OUTBOX_SHIP, 1001 + i);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 1);
    close_scene(&scene);
}

/* ---- Terms ---- */

static void nothing_is_sent_by_one_that_does_not_lead(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.term = 0;
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, lane_report(&scene, "bank").rows == 1); /* it has looked, and tells of it */
    assert_int_equal(received(&scene), 0);
    assert_int_equal(barriers(&scene), 0);
    order_lead(&scene.order, 9);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(scene.receiver.received[0].term, 9);
    close_scene(&scene);
}

static void nothing_is_sent_before_the_barrier_has_come_through(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.stuck = true;
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, barriers(&scene) > 2);
    assert_int_equal(received(&scene), 0);
    pthread_mutex_lock(&scene.order.mutex);
    scene.order.stuck = false;
    pthread_mutex_unlock(&scene.order.mutex);
    UNTIL(&scene, table_left(&scene.order) == 0);
    close_scene(&scene);
}

static void a_shop_without_an_identity_is_given_one(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.identities = 0;
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(scene.order.identities, 2); /* the epoch, and then the id */
    close_scene(&scene);
}

static void what_was_on_its_way_in_a_former_term_is_not_told_in_the_next(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.holds = true;
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    UNTIL(&scene, held(&scene) == 1);
    order_lead(&scene.order, 0);
    outbox_wake(scene.outbox);
    struct outbox_report report;
    UNTIL(&scene, (outbox_report(scene.outbox, &report), !report.sending));
    release(&scene.receiver);
    outbox_wake(scene.outbox);
    assert_int_equal(table_left(&scene.order), 1);
    order_lead(&scene.order, 6);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(received(&scene), 2);
    assert_int_equal(scene.receiver.received[1].term, 6);
    close_scene(&scene);
}

static void one_that_is_refused_as_too_old_and_leads_no_more_sends_nothing(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.order.warehouses[0] = "main";
    start(&scene);
    UNTIL(&scene, announced(&scene) == 1);
    pthread_mutex_lock(&scene.order.mutex);
    scene.order.stuck = true; /* another is primary, and this one does not know it yet */
    pthread_mutex_unlock(&scene.order.mutex);
    pthread_mutex_lock(&scene.receiver.mutex);
    scene.receiver.plan = "o";
    pthread_mutex_unlock(&scene.receiver.mutex);
    table_add(&scene.order, "warehouse/main", OUTBOX_SHIP, 1001);
    struct outbox_report report;
    UNTIL(&scene, (outbox_report(scene.outbox, &report), report.refused_fences == 1));
    UNTIL(&scene, (outbox_report(scene.outbox, &report), !report.sending));
    assert_int_equal(received(&scene), 1);
    close_scene(&scene);
}

static void a_receiver_that_knows_a_newer_shop_waits_while_the_others_go_on(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.plan = "o";
    table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001);
    start(&scene);
    struct outbox_report report;
    UNTIL(&scene, (outbox_report(scene.outbox, &report), report.refused_fences == 1));
    table_add(&scene.order, "mail", OUTBOX_MAIL, 1001);
    outbox_wake(scene.outbox);
    UNTIL(&scene, table_left(&scene.order) == 0);
    assert_int_equal(barriers(&scene), 2); /* it made sure that it leads */
    close_scene(&scene);
}

static void it_ends_while_something_is_on_its_way(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    scene.receiver.holds = true;
    for (unsigned i = 0; i < 10; i++)
        table_add(&scene.order, "bank", OUTBOX_CAPTURE, 1001 + i);
    start(&scene);
    UNTIL(&scene, held(&scene) > 0);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_the_table_is_sent_once_and_leaves_it),
        cmocka_unit_test(being_woken_it_sends_at_once),
        cmocka_unit_test(rows_of_one_order_go_one_after_the_other),
        cmocka_unit_test(a_failed_row_holds_back_those_of_its_order_alone),
        cmocka_unit_test(a_batch_has_many_rows_of_one_kind_after_the_fence),
        cmocka_unit_test(a_large_table_is_sent_window_by_window),
        cmocka_unit_test(what_was_not_taken_is_sent_again_until_it_is),
        cmocka_unit_test(what_is_refused_for_good_is_told_and_not_sent_again),
        cmocka_unit_test(one_that_is_away_does_not_slow_the_others),
        cmocka_unit_test(any_number_of_receivers_that_are_away_leave_room_for_one_that_is_not),
        cmocka_unit_test(one_row_that_is_never_taken_stops_none_but_those_of_its_order),
        cmocka_unit_test(one_row_that_spoils_each_batch_stops_none_of_the_others),
        cmocka_unit_test(a_warehouse_that_is_put_elsewhere_is_tried_at_once),
        cmocka_unit_test(answers_are_gathered_and_told_until_the_log_has_them),
        cmocka_unit_test(an_answer_that_the_shop_refuses_does_not_stop_the_others),
        cmocka_unit_test(nothing_is_sent_by_one_that_does_not_lead),
        cmocka_unit_test(nothing_is_sent_before_the_barrier_has_come_through),
        cmocka_unit_test(a_shop_without_an_identity_is_given_one),
        cmocka_unit_test(what_was_on_its_way_in_a_former_term_is_not_told_in_the_next),
        cmocka_unit_test(one_that_is_refused_as_too_old_and_leads_no_more_sends_nothing),
        cmocka_unit_test(a_receiver_that_knows_a_newer_shop_waits_while_the_others_go_on),
        cmocka_unit_test(it_ends_while_something_is_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
