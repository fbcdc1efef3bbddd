#include "scale/board.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct scale_board) <= QUEUE_BOARD, "the board has room for all of it");

void scale_board_add(struct scale_board *board, const struct scale_event *event)
{
    if (board->count == SCALE_EVENTS)
        memmove(board->events, board->events + 1, --board->count * sizeof *board->events);
    board->events[board->count++] = *event;
    board->decisions++;
}

void scale_board_write(struct queue *queue, const struct scale_board *board)
{
    queue_board_write(queue, board, sizeof *board);
}

/* What others have written there is not believed blindly. */
static bool is_sound(const struct scale_board *board)
{
    for (unsigned i = 0; i < FLEET_TIERS; i++)
        if (board->tiers[i].count > FLEET_SLOTS)
            return false;
    for (unsigned i = 0; i < board->count && i < SCALE_EVENTS; i++)
        if (!memchr(board->events[i].decision.reason, 0, SCALE_REASON) ||
            board->events[i].decision.held >= SCALE_HELD_COUNT)
            return false;
    return board->count <= SCALE_EVENTS && memchr(board->rule, 0, SCALE_RULE_NAME);
}

bool scale_board_read(const struct queue *queue, struct scale_board *board)
{
    struct scale_board *read = calloc(1, sizeof *read);
    bool good =
        read && queue_board_read(queue, read, sizeof *read) == sizeof *read && is_sound(read);
    if (good)
        *board = *read;
    free(read);
    return good;
}
