/* Cluster view: how the servers of a directory are, whether any of them runs or not.
 *
 * Asked over HTTP from one that runs, the primary's answer preferred; what nobody can tell comes
 * from the directories' own files. For `stoa status`, for the demo, and for commands that need to
 * know whom they speak to. Blocks, with bounds. Thread: any.
 */
#ifndef STOA_MAIN_CLUSTER_VIEW_H
#define STOA_MAIN_CLUSTER_VIEW_H

#include "main/cluster.h"
#include "main/remote.h"
#include "main/shared_readers.h"
#include "outside/outbox.h"

#include <stdio.h>

enum { VIEW_WORD = 16, VIEW_TIMEOUT_MS = 2000, VIEW_MANAGERS_MAX = 16, VIEW_URL = 128 };

struct view_server {
    uint64_t id, pid;
    char url[SERVER_URL], address[SERVER_ADDRESS];
    char role[VIEW_WORD], state[VIEW_WORD]; /* see docs/api.md; role empty: not known */
    uint64_t term, index, lag_entries, lag_ms, copied_bytes, copy_bytes;
    bool preferred, vote;
    char ready[VIEW_WORD]; /* "hot" …; empty: a witness, or not known */
    uint64_t every_ms;     /* of a warm or cold one */
};

/* A load manager, as it has announced itself. */
struct view_manager {
    uint64_t pid, seen_ms;                /* seen_ms: so long ago */
    char url[VIEW_URL], status[VIEW_URL]; /* for shoppers; its status door, may be empty */
    char policy[2 * VIEW_WORD], started_at[2 * VIEW_WORD];
};

/* What waits in the outbox, for whom. */
struct view_lane {
    char name[OUTBOX_LANE_NAME];
    uint64_t rows, oldest_ms, wait_ms; /* oldest_ms: its age; wait_ms: until the next try */
    char error[160];                   /* the last one; empty: none since it went well */
};

struct cluster_view {
    char cluster[ID_TEXT]; /* its id; empty: a server that runs alone */
    char name[CLUSTER_NAME];
    char failback[VIEW_WORD]; /* "at-once" …; empty: not known */
    uint64_t primary;         /* 0: none, or not known */
    uint64_t own;             /* who told all this; 0: nobody */
    bool answered;            /* one of the servers told all this */
    struct remote remote;     /* which one */
    unsigned count;
    struct view_server servers[CLUSTER_SERVERS_MAX]; /* by id */
    unsigned manager_count;
    struct view_manager managers[VIEW_MANAGERS_MAX];
    unsigned reader_count; /* processes beside the servers, on the same directories */
    struct shared_reader readers[SHARED_READERS_MAX];
    unsigned lane_count;
    struct view_lane lanes[OUTBOX_LANES_MAX];
};

/* Looks at DIR (a server's or a demo's). ERR_NOTFOUND: it is neither. */
int cluster_view_look(const char *dir, unsigned timeout_ms, struct cluster_view *view,
                      struct failure *failure);

/* The lanes, of the server that told the rest; their part of the two below: cluster_lanes.c. */
void cluster_lanes_look(unsigned timeout_ms, struct cluster_view *view);
void cluster_lanes_json(const struct cluster_view *view, FILE *out);
void cluster_lanes_print(const struct cluster_view *view, FILE *out);

/* Whether it is hot, or nobody says that it is not. */
bool cluster_view_is_hot(const struct view_server *server);

void cluster_view_json(const struct cluster_view *view, FILE *out);
/* For people: a table. */
void cluster_view_print(const struct cluster_view *view, FILE *out);

#endif
