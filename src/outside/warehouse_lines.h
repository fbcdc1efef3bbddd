/* Lines of an order in a warehouse's book, while they are changed. For warehouse_*.c alone.
 * Thread: the writer's.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_LINES_H
#define STOA_OUTSIDE_WAREHOUSE_LINES_H

#include "outside/warehouse_book.h"

struct warehouse_line {
    uint32_t line, quantity, picked, packed, shipped, canceled, missing, returned;
    char item[BOOK_TEXT_MAX + 1];
};

/* Units that are still to be picked and packed. */
static inline uint32_t warehouse_lines_open(const struct warehouse_line *line)
{
    return line->quantity - line->packed - line->canceled - line->missing;
}

/* ERR_NOTFOUND: ORDER has no such line here. */
int warehouse_lines_find(struct book *book, struct id order, uint32_t number,
                         struct warehouse_line *line);
int warehouse_lines_put(struct book *book, struct id order, const struct warehouse_line *line);

/* Brings the state of ORDER in line with its lines. */
int warehouse_lines_settle(struct book *book, struct id order);

#endif
