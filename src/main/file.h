/* File: the small files of a data directory, each written whole or not at all.
 *
 * What is written is durable when the call returns (the file and its name), and readable by this
 * user alone: most of them are secrets. A failure says what can be done about it. Thread: any.
 */
#ifndef STOA_MAIN_FILE_H
#define STOA_MAIN_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FILE_PATH = 512 };

/* DIR/NAME into OUT. */
int file_join(char out[FILE_PATH], const char *dir, const char *name, struct failure *failure);

/* Makes the directory PATH unless it is there; *MADE (may be NULL) is set if this call did. */
int file_make_dir(const char *path, mode_t mode, bool *made, struct failure *failure);

/* Writes BYTES to PATH, mode 0600. */
int file_write(const char *path, struct str bytes, struct failure *failure);

/* Removes what is at PATH, a folder with all that is in it; a symbolic link, not what it leads to.
 * What cannot be removed stays, the rest goes; the first of it is named. Nothing there: 0. */
int file_remove_tree(const char *path, struct failure *failure);
/* The same of what is in the folder PATH, which stays. */
int file_remove_content(const char *path, struct failure *failure);

/* Gives FROM, which is durable, the name TO in the same directory; durable too. */
int file_rename(const char *from, const char *to, struct failure *failure);

/* Reads up to SIZE bytes of PATH; *LEN tells how many. ERR_NOTFOUND (without a text): there is
 * none. */
int file_read(const char *path, void *bytes, size_t size, size_t *len, struct failure *failure);
/* All of it, appended to OUT; ERR_FULL when it is longer than OUT may be. */
int file_read_all(const char *path, struct buf *out, struct failure *failure);

/* Says with errno what could not be done ("write") with PATH. */
int file_failed(struct failure *failure, const char *what, const char *path);

#endif
