/* A JSON string for reports that are written straight to a stream; whoever builds whole
 * documents uses yyjson. Thread: as the stream.
 */
#ifndef STOA_BASE_JSON_TEXT_H
#define STOA_BASE_JSON_TEXT_H

#include <stdio.h>

/* TEXT in quotes, escaped (RFC 8259); what is no UTF-8 becomes '?'. */
void json_text_print(const char *text, FILE *out);

#endif
