/* Database disk: the files that SQLite has, on simulated disks: its file system (a VFS, the
 * default one of this process), and db_make_durable, which goes past SQLite.
 *
 * Each file is what its server would read now, and what is surely on the disk: as it was when it
 * was synced last, with the writes since then kept apart. A process that is killed leaves the
 * first. A power cut leaves the second with some of the writes since: none, the oldest ones, or
 * any of them, the last one perhaps torn within.
 */
#ifndef STOA_SIM_DATABASE_DISK_H
#define STOA_SIM_DATABASE_DISK_H

#include "world.h"

/* Once, before anything is opened. */
void database_disk_open(void);

/* The server whose files lie below DIR has crashed. What it has open does not change what the
 * next one reads. */
void database_disk_crash(const char *dir, bool power_cut);
/* Removes all files below DIR. */
void database_disk_erase(const char *dir);
bool database_disk_has(const char *file);
/* The real file FILE, if there is one and it is not empty, becomes the simulated one of its name,
 * and an empty real one stays: a copy came over the network, which is received into real files. */
void database_disk_take_in(const char *file);

/* The COUNT-th write or sync of files below DIR from now on: it fails with an I/O error, or
 * CRASH(CONTEXT) is called in the middle of it, which ends the life of who writes. */
void database_disk_fail(const char *dir, unsigned count);
void database_disk_crash_within(const char *dir, unsigned count, void (*crash)(void *context),
                                void *context);

#endif
