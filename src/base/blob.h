/* Blob: immutable bytes shared by counting references.
 *
 * What a cache holds and several answers send at once. Made with one reference;
 * the last blob_drop frees it. Thread: any (the count is atomic).
 */
#ifndef STOA_BASE_BLOB_H
#define STOA_BASE_BLOB_H

#include "base/str.h"

#include <stdatomic.h>

struct blob {
    atomic_uint references;
    size_t len;
    char bytes[];
};

/* A blob of LEN bytes to be filled in before it is shared; NULL without memory. */
struct blob *blob_new(size_t len);
/* A blob with a copy of TEXT. */
struct blob *blob_copy(struct str text);
struct blob *blob_hold(struct blob *blob);
void blob_drop(struct blob *blob); /* NULL is fine */

#endif
