/* Shared: several processes over one data directory (`stoa serve --shared`). Who gets DIR/lock
 * writes: it is the server, with log and all. The others read the same database, pass on what
 * changes something (web/pass.h), and stand by.
 *
 *                    ┌──(lock free)──▶ WRITING ◀──(open)── TAKING OVER
 *   shared_serve ────┤                                          ▲
 *                    └──(taken)──▶ OPENING ──(ready)──▶ READING ┤ the lock, when its holder ends
 *                                    └──────────────────────────┘
 *
 * At most one writes, by the lock, which the kernel gives away when its holder is gone, however it
 * ended, and not before: one that hangs keeps it until it is killed (shared_writer.h).
 *
 * Never stale: a change is acknowledged after its commit to the one database. A read that begins
 * after that begins its view after that, in whichever process. Ready-made answers are judged by
 * what the writer tells (shared_changes.h) before it acknowledges. In a cluster the copy may be
 * behind, and gate.h's rule holds.
 *
 * While it takes over, a process reads on, and changes wait (web/pass.h). The server's engine
 * shares the reader's listening sockets and begins before that one stops, so that no connection is
 * refused.
 *
 * Thread: main, and one that waits for the lock and takes over.
 */
#ifndef STOA_MAIN_SHARED_H
#define STOA_MAIN_SHARED_H

#include "main/foreground.h"
#include "main/program.h"
#include "main/settings.h"

/* Serves, in either role, until the foreground ends; the exit status. */
int shared_serve(const struct program_command *self, const struct settings *settings,
                 struct foreground *foreground);

#endif
