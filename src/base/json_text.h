/* A JSON string for reports that are written straight to a stream or buffer; whoever builds whole
 * documents uses yyjson. Thread: as the stream or buffer.
 */
#ifndef STOA_BASE_JSON_TEXT_H
#define STOA_BASE_JSON_TEXT_H

#include "base/buf.h"

#include <stdio.h>

/* TEXT in quotes, escaped (RFC 8259); what is no UTF-8 becomes '?'. */
void json_text_print(const char *text, FILE *out);
void json_text_put(const char *text, struct buf *out);
void json_str_put(struct str text, struct buf *out);

#endif
