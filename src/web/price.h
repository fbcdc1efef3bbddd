/* Price: money as people read it. Pure; thread: any. */
#ifndef STOA_WEB_PRICE_H
#define STOA_WEB_PRICE_H

#include "base/arena.h"

#include <stdint.h>

/* 123450 as "€1,234.50", "−$5.00", "CHF 20.00", in ARENA. */
struct str price_text(struct arena *arena, int64_t amount, struct str currency);

/* 123450 as "1234.50": for forms. */
struct str price_plain(struct arena *arena, int64_t amount, struct str currency);

#endif
