/* A database with the shop's tables, in a folder of its own. */
#ifndef STOA_TESTS_STORE_FIXTURE_H
#define STOA_TESTS_STORE_FIXTURE_H

#include "folder_fixture.h"
#include "store/db.h"
#include "store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { STORE_PATH = FOLDER_PATH + 16 };

struct store {
    char folder[FOLDER_PATH], file[STORE_PATH];
    struct db *db;
};

static inline void store_open(struct store *store)
{
    struct failure failure = {0};
    folder_make(store->folder);
    snprintf(store->file, sizeof store->file, "%s/shop.db", store->folder);
    if (db_open(store->file, DB_WRITER, &store->db, &failure) != 0 ||
        schema_open(store->db, &failure) != 0)
        fail_msg("%s", failure.text);
}

static inline void store_close(struct store *store)
{
    db_close(store->db);
    folder_remove(store->folder);
}

/* For cmocka, with a struct store as the test's state. */
static inline int store_set_up(void **state)
{
    struct store *store = calloc(1, sizeof *store);
    assert_non_null(store);
    store_open(store);
    *state = store;
    return 0;
}

static inline int store_tear_down(void **state)
{
    store_close(*state);
    free(*state);
    return 0;
}

#endif
