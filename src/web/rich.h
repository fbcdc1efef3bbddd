/* Rich text: a merchant's description, made safe to stand in our pages.
 *
 * Descriptions come from imported files, so they are not trusted. rich_clean writes the
 * text anew from a list of allowed elements without attributes (but href of links); it
 * never passes markup through. What is not on the list vanishes and its text stays; of
 * script, style and their like the content goes too. Elements left open are closed.
 * Headings are brought below the page's own (h3, h4).
 *
 * Pure; thread: any.
 */
#ifndef STOA_WEB_RICH_H
#define STOA_WEB_RICH_H

#include "base/arena.h"
#include "base/buf.h"

/* Appends the safe HTML to OUT. */
void rich_clean(struct buf *out, struct str html);

/* The words without markup, single spaces between them, cut at a word before MAX bytes. */
void rich_words(struct buf *out, struct str html, size_t max);

#endif
