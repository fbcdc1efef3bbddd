/* Import: a file of products from outside, streamed into the shop, all or nothing.
 *
 * The file is read once, in constant memory. Its products are staged through the log
 * in chunks (IMPORT_STAGE); when the last row was good, one command decides
 * (IMPORT_COMMIT), and from then on the import happens even if this server dies: the
 * staged products move into the catalogue step by step (outside/settle.h). A bad row
 * drops the whole (IMPORT_ABORT), unless bad ones are to be skipped.
 *
 * Formats: Shopify's product CSV in both generations of headers (shop/shopify.h), and
 * the flower shop's folder of CSVs (UCP's reference data).
 *
 * Thread: blocks; run it on a helper thread or in a command of its own.
 */
#ifndef STOA_OUTSIDE_IMPORT_H
#define STOA_OUTSIDE_IMPORT_H

#include "base/err.h"
#include "replica/order.h"

#include <stdbool.h>
#include <stdint.h>

struct import_progress {
    uint64_t bytes, bytes_total, rows, products, variants, bad_rows;
    bool deciding; /* all rows are read; products are moving into the catalogue */
};

struct import_options {
    struct ordering *order;
    const char *database; /* to see when the staged products have all moved */
    const char *name;     /* the file's name for messages: "catalogue.csv" */
    bool skip_bad;
    /* May be NULL. PROGRESS about once a second. BAD for each bad row, with the
     * sentence "catalogue.csv:17: price "12,50" is not a number (use 12.50)". */
    void (*progress)(void *context, const struct import_progress *progress);
    void (*bad)(void *context, const char *sentence);
    void *context;
    /* May be NULL. Once true the import ends with ERR_CLOSED: dropped, or, when it was
     * decided already, to be finished by the primary on its own. */
    const _Atomic bool *stop;
};

/* Imports PATH: a CSV file, or the folder of a flower shop. Returns when the products
 * are in the catalogue. ERR_INVALID: there were bad rows and nothing was imported. */
int import_run(const struct import_options *options, const char *path,
               struct import_progress *result, struct failure *failure);

#endif
