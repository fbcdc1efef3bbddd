/*
 * Assets: the files of pages/ and catalogue/, packed into the program when it is built.
 *
 * tools/embed.py writes the table; nothing here changes at run time, so any thread may read it and
 * nobody frees anything. The web faces and the load manager's status page serve the pages, main/
 * reads the demo catalogue.
 */
#ifndef STOA_HTTP_ASSET_H
#define STOA_HTTP_ASSET_H

#include <stddef.h>

struct asset {
    const char *path;           /* below the project, as in "pages/style.css" */
    const unsigned char *bytes; /* followed by a zero byte that length does not count */
    size_t length;
    const char *etag; /* SHA-256 of the bytes in hexadecimal, without the quotes of the header */
    const char *type; /* media type, with charset where it is text */
};

extern const struct asset assets[]; /* sorted by path, by strcmp */
extern const unsigned asset_count;

#endif
