#include "replica/vote.h"

#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOT_APART = 512 }; /* one sector each: a torn write cannot hit both */

struct slot {
    char magic[8];
    uint64_t version, term, candidate, sum;
};

static const char slot_magic[8] = "stoavote";

/* FNV-1a over what comes before the sum. */
static uint64_t slot_sum(const struct slot *slot)
{
    const unsigned char *at = (const unsigned char *)slot;
    uint64_t sum = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < offsetof(struct slot, sum); i++)
        sum = (sum ^ at[i]) * 0x100000001b3ull;
    return sum;
}

static int write_slot(int fd, uint64_t version, uint64_t term, uint64_t candidate)
{
    struct slot slot = {.version = version, .term = term, .candidate = candidate};
    memcpy(slot.magic, slot_magic, sizeof slot.magic);
    slot.sum = slot_sum(&slot);
    off_t offset = version % 2 == 0 ? 0 : SLOT_APART;
    ssize_t n = pwrite(fd, &slot, sizeof slot, offset);
    if (n >= 0 && n != (ssize_t)sizeof slot)
        errno = ENOSPC;
    if (n != (ssize_t)sizeof slot || fdatasync(fd) != 0)
        return ERR_IO;
    return 0;
}

static void read_slots(struct vote *vote)
{
    for (off_t offset = 0; offset <= SLOT_APART; offset += SLOT_APART) {
        struct slot slot;
        if (pread(vote->fd, &slot, sizeof slot, offset) != (ssize_t)sizeof slot)
            continue;
        if (memcmp(slot.magic, slot_magic, sizeof slot.magic) != 0 || slot.sum != slot_sum(&slot))
            continue;
        if (slot.version > vote->version) {
            vote->version = slot.version;
            vote->term = slot.term;
            vote->candidate = slot.candidate;
        }
    }
}

/* Written aside and renamed, so that FILE never exists without a whole slot. */
static int create(const char *file, struct failure *failure)
{
    char aside[PATH_MAX];
    if ((size_t)snprintf(aside, sizeof aside, "%s.new", file) >= sizeof aside)
        return fail(failure, ERR_INVALID, "%s: the path is too long", file);
    int fd = open(aside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(failure, ERR_IO, "%s: cannot create it", aside);
    int err = write_slot(fd, 1, 0, 0);
    if (err == 0 && rename(aside, file) != 0)
        err = ERR_IO;
    if (err == 0 && folder_sync_of(file) != 0)
        err = ERR_IO;
    if (err != 0)
        fail_errno(failure, err, "%s: cannot write it", file);
    close(fd);
    return err;
}

int vote_open(struct vote *vote, const char *file, struct failure *failure)
{
    memset(vote, 0, sizeof *vote);
    vote->fd = open(file, O_RDWR | O_CLOEXEC);
    if (vote->fd < 0 && errno == ENOENT) {
        int err = create(file, failure);
        if (err != 0)
            return err;
        vote->fd = open(file, O_RDWR | O_CLOEXEC);
    }
    if (vote->fd < 0)
        return fail_errno(failure, ERR_IO, "%s: cannot open it", file);
    read_slots(vote);
    if (vote->version == 0) {
        vote_close(vote);
        return fail(failure, ERR_DAMAGED,
                    "%s: the record of votes is damaged; this server must not vote again under its "
                    "id: start it from an empty directory or from a backup of the whole directory",
                    file);
    }
    return 0;
}

void vote_close(struct vote *vote)
{
    if (vote->fd >= 0)
        close(vote->fd);
    vote->fd = -1;
}

static int store(struct vote *vote, uint64_t term, uint64_t candidate, struct failure *failure)
{
    int err = write_slot(vote->fd, vote->version + 1, term, candidate);
    if (err != 0)
        return fail_errno(failure, err, "the record of votes cannot be written");
    vote->version++;
    vote->term = term;
    vote->candidate = candidate;
    vote->unwritten = false;
    return 0;
}

int vote_begin_term(struct vote *vote, uint64_t term, struct failure *failure)
{
    if (term < vote->term)
        return fail(failure, ERR_STATE, "the term would go back from %llu to %llu",
                    (unsigned long long)vote->term, (unsigned long long)term);
    if (term == vote->term)
        return 0; /* forgetting this term's vote is what must not happen */
    vote->term = term;
    vote->candidate = 0;
    vote->unwritten = true;
    return 0;
}

int vote_keep(struct vote *vote, struct failure *failure)
{
    return vote->unwritten ? store(vote, vote->term, vote->candidate, failure) : 0;
}

int vote_set_term(struct vote *vote, uint64_t term, struct failure *failure)
{
    int err = vote_begin_term(vote, term, failure);
    return err != 0 ? err : vote_keep(vote, failure);
}

int vote_set_candidate(struct vote *vote, uint64_t candidate, struct failure *failure)
{
    if (candidate == vote->candidate)
        return vote_keep(vote, failure);
    if (vote->candidate != 0)
        return fail(failure, ERR_STATE,
                    "server %llu has the vote of term %llu, %llu cannot have it",
                    (unsigned long long)vote->candidate, (unsigned long long)vote->term,
                    (unsigned long long)candidate);
    return store(vote, vote->term, candidate, failure);
}
