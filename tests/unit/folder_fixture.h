/* A folder of a test's own, which goes with all that is in it. */
#ifndef STOA_TESTS_FOLDER_FIXTURE_H
#define STOA_TESTS_FOLDER_FIXTURE_H

#include "base/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { FOLDER_PATH = 128 };

/* On the file system of $STOA_TEST_DIR, or in /tmp. */
static inline void folder_make(char path[static FOLDER_PATH])
{
    const char *root = getenv("STOA_TEST_DIR");
    int len = snprintf(path, FOLDER_PATH, "%s/stoa-test-XXXXXX", root != NULL ? root : "/tmp");
    CHECK(len < FOLDER_PATH && mkdtemp(path) != NULL);
}

static inline int folder_remove_one(const char *path, const struct stat *about, int kind,
                                    struct FTW *place)
{
    (void)about, (void)kind, (void)place;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    CHECK(nftw(path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

#endif
