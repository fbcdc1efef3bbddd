/* Media: the shop's own files on all servers of a cluster.
 *
 * They are not in the log: they are large, and few. The server that takes an upload sends it to
 * the others that are up (if it is large, to one of them), and says that it is done when at least
 * one of them has it; the rest fetch it when somebody asks for it. So a file survives the death of
 * the server that it was uploaded to, and every server serves it. What no server has is remembered
 * for some seconds, and so is a server that does not answer: asking again and again must not cost
 * the others. Deleting goes to all that are up.
 *
 *   PUT    ── here, then PUT /admin/api/media/NAME to each other one (Stoa-Relayed: no further)
 *   GET    ── here; else GET /media/NAME from one after the other, kept here
 *   DELETE ── here, then DELETE to each other one
 *
 * A file's time of change goes along (Stoa-Modified, nanoseconds), so that its ETag is the same
 * everywhere. Only files right in the folder are shared, which all uploads are.
 *
 * Thread: helpers', where nothing else is said.
 */
#ifndef STOA_WEB_MEDIA_H
#define STOA_WEB_MEDIA_H

#include "base/err.h"
#include "http/exchange.h"
#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define MEDIA_TIME "Stoa-Modified"

struct media;
/* SECRET of WEB_SECRET_BYTES. */
int media_new(const unsigned char *secret, struct media **media, struct failure *failure);
void media_free(struct media *media); /* NULL is fine */

/* How telling the others went. */
struct media_spread {
    unsigned others, reached; /* servers besides this one; of these, how many have done it */
    uint64_t missed[CLUSTER_SERVERS_MAX]; /* the ids of the rest */
    unsigned missed_count;
    struct failure failure; /* of the last one that was up and could not */
};

/* NAME, which is in the folder, to the others; or its end. Nothing when X comes from one. */
void media_send(struct exchange *x, const char *name, struct media_spread *spread);
void media_delete(struct exchange *x, const char *name, struct media_spread *spread);

/* Gives NAME the time that came with X from another server, if one came. */
void media_keep_time(struct exchange *x, const char *name);
/* Tells another server the time of a file that it fetches. */
void media_tell_time(struct exchange *x, const struct stat *info);

enum media_found { MEDIA_HERE, MEDIA_NOWHERE, MEDIA_UNKNOWN /* somebody did not answer */ };
/* Fetches NAME, which is not in the folder, from another server. */
enum media_found media_fetch(struct exchange *x, const char *name);

/* ---- The pure part: what is remembered for a while ---- */

enum { MEDIA_FORGETFUL_SLOTS = 256 };
struct media_memory {
    struct {
        uint64_t hash, until_ns;
    } slots[MEDIA_FORGETFUL_SLOTS];
};
void media_remember(struct media_memory *memory, uint64_t hash, uint64_t until_ns);
bool media_remembers(const struct media_memory *memory, uint64_t hash, uint64_t now_ns);

#endif
