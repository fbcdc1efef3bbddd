/* Machine: between replica/ and the real shop. It lets everything through, tells the history what
 * each entry was and gave, and looks after each commit whether the stock adds up. And it is where
 * a rule can be broken on purpose, to see that the checks notice.
 */
#ifndef STOA_SIM_MACHINE_H
#define STOA_SIM_MACHINE_H

#include "replica/machine.h"
#include "shop/shop.h"
#include "store/db.h"

#include <stdbool.h>

/* Name, and what it does. */
#define BROKEN_LIST(X)                                                                \
    X(none, "nothing is broken")                                                      \
    X(stock, "goods are held without looking whether they are there")                 \
    X(operation, "the shop forgets which operations it has done")                     \
    X(bank, "the bank does again what it has done under the same id")                 \
    X(index, "the applied index is kept beside the database, not in its transaction") \
    X(kept, "a witness cuts its log as a server does that has a database")            \
    X(vote, "a witness votes for whoever asks, also for a shorter log")               \
    X(copy, "a witness leads whomever it can, and sends the snapshot that it has not")

enum broken_rule {
#define X(name, about) BROKEN_##name,
    BROKEN_LIST(X)
#undef X
        BROKEN_COUNT
};
extern const char *const broken_names[BROKEN_COUNT];

struct machine_guard {
    unsigned server;
    enum broken_rule broken;
    struct shop *shop;
    struct db *reader;
    uint64_t durable;    /* as told by make_durable */
    uint64_t least;      /* what the copy must have when it is opened next */
    uint64_t applied;    /* as told by the last commit */
    uint64_t kept_index; /* BROKEN_index: what is kept beside the database, on disk at once */
    int64_t kept_time;
    uint64_t entry; /* that is being applied */
    unsigned at;    /* commands of it that were */
    struct buf record;
    struct buf unasked; /* a result that the applier did not ask for */
    struct arena arena;
};

void machine_guard_open(struct machine_guard *guard, struct shop *shop, struct db *reader);
struct machine machine_guard_machine(struct machine_guard *guard);

#endif
