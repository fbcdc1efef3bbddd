/* Folder: files by their names. A name is on disk only when its folder is: a file that was made,
 * renamed or removed may otherwise be as before after a power cut. All calls wait for the disk.
 * Thread: any.
 */
#ifndef STOA_BASE_FOLDER_H
#define STOA_BASE_FOLDER_H

#include "base/str.h"

/* Makes what has happened to names in the folder of PATH durable. 0, or -1 and errno. */
int folder_sync_of(const char *path);

/* Makes PATH a file of BYTES, which this user alone may read, whole or not at all, durably. It is
 * written as PATH.new at first: one writer at a time. 0, or -1 and errno. */
int folder_put(const char *path, struct str bytes);

#endif
