#include "outside/outbox_places.h"

static bool is_idle(const struct lane_receiver *place)
{
    return place->rows == 0 && place->on_their_way == 0 && place->passed_seq == 0;
}

/* The shared ones are behind the others. */
static struct lane_receiver *shared(struct outbox_lane *lane, uint64_t key)
{
    return &lane->receivers[LANE_OWN + key % LANE_SHARED];
}

/* Whoever shares a place stays there until it is idle: what was passed over is looked for there. */
struct lane_receiver *places_find(struct outbox_lane *lane, uint64_t key)
{
    for (unsigned i = 0; i < LANE_OWN; i++)
        if (lane->receivers[i].taken && lane->receivers[i].key == key)
            return &lane->receivers[i];
    struct lane_receiver *place = shared(lane, key);
    return is_idle(place) ? NULL : place;
}

/* Nobody's yet, or the one that has been idle longest; NULL: all are in use. */
static struct lane_receiver *find_free(struct outbox_lane *lane)
{
    struct lane_receiver *found = NULL;
    for (unsigned i = 0; i < LANE_OWN; i++) {
        struct lane_receiver *place = &lane->receivers[i];
        if (is_idle(place) && (!found || place->used < found->used))
            found = place;
    }
    return found;
}

struct lane_receiver *places_take(struct outbox_lane *lane, uint64_t key)
{
    struct lane_receiver *place = places_find(lane, key);
    if (!place) {
        place = find_free(lane);
        place = place ? place : shared(lane, key);
        lane->away -= place->tries > 0;
        *place = (struct lane_receiver){.key = key, .taken = true};
    }
    place->used = ++lane->uses;
    return place;
}
