/* Announced: the load managers that stand before this server, as they say themselves.
 *
 * Each announces itself every second (balance/members.h, api_balance.c) and is forgotten when it
 * has been silent for MANAGER_SILENT_MS. In memory alone: who has restarted hears of them again
 * within a second. The table is bounded; when it is full the longest silent one makes room.
 *
 * Thread: any.
 */
#ifndef STOA_WEB_ANNOUNCED_H
#define STOA_WEB_ANNOUNCED_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MANAGERS_MAX = 64,
    MANAGER_SILENT_MS = 5000,
    MANAGER_ID = 17, /* 16 hexadecimal digits and a 0 */
    MANAGER_URL = 128,
    MANAGER_WORD = 32,
    MANAGER_PEER = 48,
};

struct manager {
    char id[MANAGER_ID];
    uint64_t pid;
    char url[MANAGER_URL], status[MANAGER_URL]; /* may be empty */
    char policy[MANAGER_WORD], started_at[MANAGER_WORD];
    char peer[MANAGER_PEER]; /* where it connects from */
    bool direct;
    uint64_t seen_ns; /* when it was heard last, by clock_mono_ns */
};

struct managers;

struct managers *managers_new(void);           /* NULL: no memory */
void managers_free(struct managers *managers); /* NULL is fine */

/* MANAGER is here (again) at manager->seen_ns. */
void managers_hear(struct managers *managers, const struct manager *manager);
/* Whether one that is not silent at NOW_NS connects from PEER. */
bool managers_come_from(struct managers *managers, struct str peer, uint64_t now_ns);
/* Those that are not silent at NOW_NS, the longest known first; returns how many. */
unsigned managers_list(struct managers *managers, uint64_t now_ns,
                       struct manager out[static MANAGERS_MAX]);

#endif
