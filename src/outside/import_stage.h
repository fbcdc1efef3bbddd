/* Stage: an import's products on their way through the log, in chunks that are kept
 * aside until one command decides about all of them. For the importers alone.
 */
#ifndef STOA_OUTSIDE_IMPORT_STAGE_H
#define STOA_OUTSIDE_IMPORT_STAGE_H

#include "outside/import.h"
#include "shop/command.h"

struct stage {
    struct ordering *order;
    struct id id;
    uint64_t chunks;
    uint64_t index;           /* of the last command */
    const _Atomic bool *stop; /* of import_options */
    /* Called after each step into the catalogue; may be NULL. */
    void (*stepped)(void *context);
    void *context;
    struct buf chunk, one, record, result;
};

void stage_init(struct stage *stage, struct ordering *order);
void stage_close(struct stage *stage);

/* Adds a product; a full chunk is sent off and waited for. ERR_FULL: the product alone
 * is larger than a chunk. */
int stage_product(struct stage *stage, const struct product *product, struct failure *failure);

/* Decides, and moves all products into the catalogue. When it fails after the decision,
 * the primary moves the rest by itself. */
int stage_commit(struct stage *stage, struct failure *failure);

/* Drops what was staged. */
void stage_abort(struct stage *stage);

/* Any other command, waited for; the shop's refusal is a failure with its sentence. */
int stage_command(struct stage *stage, const struct command *command, uint64_t *number,
                  struct failure *failure);

/* The folder PATH of a flower shop: products.csv (id,title,price,image_url), and where
 * they are there inventory.csv, discounts.csv, shipping_rates.csv and promotions.csv. */
int import_flower_shop(const struct import_options *options, const char *path, struct stage *stage,
                       struct import_progress *progress, struct failure *failure);

#endif
