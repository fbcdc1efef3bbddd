#include "base/blob.h"

#include <stdlib.h>

struct blob *blob_new(size_t len)
{
    struct blob *blob = NULL;
    if (len < SIZE_MAX - sizeof *blob)
        blob = malloc(sizeof *blob + len + 1);
    if (!blob)
        return NULL;
    atomic_init(&blob->references, 1);
    blob->len = len;
    blob->bytes[len] = 0;
    return blob;
}

struct blob *blob_copy(struct str text)
{
    struct blob *blob = blob_new(text.len);
    if (blob && text.len)
        memcpy(blob->bytes, text.at, text.len);
    return blob;
}

struct blob *blob_hold(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    return blob;
}

void blob_drop(struct blob *blob)
{
    if (blob && atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) == 1)
        free(blob);
}
