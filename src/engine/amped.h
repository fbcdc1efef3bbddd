/* Engine amped: one event loop, and threads that read files for it (Pai, Druschel and Zwaenepoel,
 * Flash: An Efficient and Portable Web Server, USENIX 1999: asymmetric multi-process event-driven).
 *
 * A loop that reads a file waits for the disk, and all its clients with it: a socket can be made
 * not to block, a file cannot. Flash's loop therefore looks whether the bytes are in memory; if
 * not, a process of its own reads them first, and tells the loop by a pipe. Here:
 *
 *   - The look is the read itself: preadv2 with RWF_NOWAIT gives what the page cache has, or
 *     EAGAIN, and so there is no sendfile. tests/lib/file_look.c measures the ways: 64 KiB cost the
 *     loop 8 to 13 us by sendfile without a look, 17 to 18 read like this and sent, 19 by sendfile
 *     after mincore, 21 to 27 after a look at a byte of each page. mincore, which Flash used, also
 *     needs a mapping, and since Linux 5.2 tells only those who may write the file; cachestat
 *     (Linux 6.5; 10 to 14 us) takes pages whose reading has only begun for present; and behind
 *     every other look but this one the page may go before it is sent.
 *   - What is not there is read by a thread (residency.h), 256 KiB of it at a time, and the
 *     exchange waits as if for a source. The others are served meanwhile.
 *   - What fails to stay in memory between three such reads, as memory is short, is read by the
 *     loop after all. So is, after one of them, what lies on a file system that cannot answer
 *     (EOPNOTSUPP: some network file systems).
 *
 * Good for: files that do not fit into memory, beside pages that do; otherwise it is the event
 * engine with one loop, at the price of sendfile. It is no more code in the app: what the app does
 * with a disk by itself is APP_WORK, as on every engine, and runs on helpers.
 * Limits: one processor for everything but disk and work(). Only what is sent by
 * exchange_reply_file is looked at: opening a file, and a database's pages that are read in
 * handle(), may still wait for the disk, and so may a file's map of blocks when it is cold.
 *
 * It is the event engine (event.h) with one loop and a residency. Setting `workers`: its threads.
 */
#ifndef STOA_ENGINE_AMPED_H
#define STOA_ENGINE_AMPED_H

#include "engine/engine.h"

extern const struct engine_kind engine_amped;

#endif
