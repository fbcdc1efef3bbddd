/* Slugs: the part of a text that can stand in an address. Pure. */
#ifndef STOA_SHOP_SLUG_H
#define STOA_SHOP_SLUG_H

#include "base/arena.h"
#include "base/buf.h"

/* Appends TEXT as [a-z0-9-]: "Blue / Größe 5" gives "blue-grosse-5". Latin letters lose
 * their accents; letters of other scripts become the hexadecimal of their code points.
 * Without any letter or digit: nothing. */
void slug_put(struct buf *out, struct str text);

/* The same into ARENA; at == NULL without memory. */
struct str slug_make(struct arena *arena, struct str text);

#endif
