#include "base/check.h"
#include "base/clock.h"
#include "main/backup_file.h"
#include "main/cluster.h"
#include "main/datadir.h"
#include "main/file.h"
#include "main/program.h"
#include "main/shop_epoch.h"
#include "replica/book.h"
#include "replica/copy.h"
#include "replica/repair.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct recover_flags {
    char dir[OPTION_TEXT_SIZE];
    bool yes;
};

#define AT(field) offsetof(struct recover_flags, field)
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), NULL, 0, 0, NULL, "DIR",
     "the data directory of the server that is left; it must not run"},
    {"yes", OPTION_SWITCH, AT(yes), NULL, 0, 0, NULL, NULL, "do it, not only tell what there is"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

/* What is there. */
struct remains {
    struct datadir datadir;
    struct cluster cluster;
    struct book book;
    struct repair_found log;
    struct backup_facts database;
};

static int look(struct remains *r, struct failure *failure)
{
    struct server_place known;
    int err = repair_look(r->datadir.raft, &r->log, failure);
    /* A recovery before this one was cut short when the old log was out of its way. */
    if (err == ERR_NOTFOUND && r->cluster.generation > 1)
        err = 0;
    if (err)
        return err;
    book_open(&r->book, r->cluster.book);
    for (unsigned i = 0; i < r->cluster.founder_count; i++)
        if (!book_find(&r->book, r->cluster.founders[i].id, &known))
            book_note(&r->book, &r->cluster.founders[i]);
    /* One that was about to be replaced by a copy is whole, or was when that began. */
    uint64_t least;
    bool wanted = copy_wanted(r->datadir.raft, &least);
    err = backup_file_check(r->datadir.database, wanted, &r->database, failure);
    if (!err && r->database.index < r->log.contained)
        err = fail(failure, ERR_DAMAGED,
                   "%s has all up to entry %llu, and the log begins after entry %llu: what is in "
                   "between is on no disk here. Take another server, or restore a backup",
                   r->datadir.database, (unsigned long long)r->database.index,
                   (unsigned long long)r->log.contained);
    return err;
}

static void show(struct remains *r)
{
    struct server_place places[BOOK_PLACES];
    unsigned count = book_places(&r->book, places);
    uint64_t last = r->log.last_index > r->database.index ? r->log.last_index : r->database.index;
    printf("cluster \"%s\", generation %llu\n", r->cluster.name,
           (unsigned long long)r->cluster.generation);
    printf("this server: %llu, in %s\n", (unsigned long long)r->cluster.own,
           r->datadir.service.dir);
    printf("  its log ends at entry %llu, in term %llu\n", (unsigned long long)r->log.last_index,
           (unsigned long long)r->log.term);
    printf("  its database has all up to entry %llu\n", (unsigned long long)r->database.index);
    for (unsigned i = 0; i < count; i++)
        if (places[i].id != r->cluster.own)
            printf("other server: %llu, last seen at %s\n", (unsigned long long)places[i].id,
                   places[i].address);
    printf("\nThis makes server %llu the only one of its cluster. It is for the day on which a "
           "majority of the servers is lost for good, and never for one that only cannot be "
           "reached:\n"
           "  - changes that were acknowledged by the other servers and did not reach this one "
           "(after entry %llu) are lost: orders and payments may be among them. If another server "
           "is left too, look there first, and take the one whose log ends later.\n"
           "  - the other servers must never run again as they are: wipe their directories, and "
           "have them join again (stoa token, stoa join).\n",
           (unsigned long long)r->cluster.own, (unsigned long long)last);
}

/* The others are refused at the door from now on, and not looked for. */
static int forget_others(struct remains *r, struct failure *failure)
{
    struct server_place places[BOOK_PLACES];
    struct buf text;
    unsigned count = book_places(&r->book, places);
    for (unsigned i = 0; i < count; i++)
        if (places[i].id != r->cluster.own)
            book_remove(&r->book, places[i].id);
    buf_init(&text, 256 << 10);
    book_text(&r->book, &text);
    int err = text.failed ? ERR_NOMEM : book_write(r->cluster.book, buf_text(&text));
    buf_close(&text);
    return err ? fail(failure, err, "%s: cannot be written", r->cluster.book) : 0;
}

/* A log that ends before the database cannot be gone on with alone: one that begins after it. */
static int begin_log_anew(struct remains *r, struct failure *failure)
{
    char log[DATADIR_PATH + 8], vote[DATADIR_PATH + 8], old_log[DATADIR_PATH + 64],
        old_vote[DATADIR_PATH + 64];
    unsigned long long generation = r->cluster.generation;
    snprintf(log, sizeof log, "%s/raft", r->datadir.raft);
    snprintf(vote, sizeof vote, "%s/vote", r->datadir.raft);
    snprintf(old_log, sizeof old_log, "%s.before-%llu", log, generation);
    snprintf(old_vote, sizeof old_vote, "%s.before-%llu", vote, generation);
    if ((rename(log, old_log) && errno != ENOENT) || (rename(vote, old_vote) && errno != ENOENT))
        return file_failed(failure, "rename", log);
    return repair_begin_log(r->datadir.raft, r->cluster.own, r->database.index, r->database.time_ms,
                            failure);
}

/* First the generation: cut short after it, this server finds nobody, and is recovered again. */
static int recover(struct remains *r, struct failure *failure)
{
    struct cluster *cluster = &r->cluster;
    struct server_place own = {.id = cluster->own};
    book_find(&r->book, cluster->own, &own);
    cluster->generation++;
    cluster->founders[0] = own;
    cluster->founder_count = 1;
    int err = cluster_write(cluster, failure);
    err = err ? err : forget_others(r, failure);
    err = err ? err : shop_epoch_raise(r->datadir.database, clock_wall_ms(), NULL, failure);
    if (err)
        return err;
    copy_give_up(r->datadir.raft);
    return r->database.index > r->log.last_index
               ? begin_log_anew(r, failure)
               : repair_make_alone(r->datadir.raft, cluster->own, failure);
}

static int look_and_recover(const struct recover_flags *flags, struct remains *r,
                            struct failure *failure)
{
    char demo[FILE_PATH];
    int err = access(flags->dir, F_OK) ? file_failed(failure, "read", flags->dir) : 0;
    err = err ? err : file_join(demo, flags->dir, "demo.json", failure);
    if (!err && access(demo, F_OK) == 0)
        err = fail(failure, ERR_STATE,
                   "%s is a demo of several servers: give the --dir of the one that is left",
                   flags->dir);
    if (err)
        return err;
    err = cluster_read(flags->dir, &r->cluster, failure);
    if (err == ERR_NOTFOUND)
        return fail(failure, err,
                    "%s belongs to no cluster; a server that is alone needs no recovery",
                    flags->dir);
    err = err ? err : cluster_refuse_witness(flags->dir, failure);
    err = err ? err : datadir_open(flags->dir, &r->datadir, failure);
    if (err)
        return err;
    err = look(r, failure);
    if (!err)
        show(r);
    if (!err && !flags->yes)
        err = fail(failure, ERR_STATE, "nothing was changed; to do it, give --yes");
    err = err ? err : recover(r, failure);
    datadir_close(&r->datadir);
    return err;
}

static int run_recover(const struct program_command *self, int count, char **words)
{
    struct recover_flags flags = {0};
    struct failure failure = {0};
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, NULL, 0, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (!flags.dir[0])
        return command_usage_error(self, "which server? Give its --dir");
    struct remains *remains = calloc(1, sizeof *remains);
    int err = remains ? look_and_recover(&flags, remains, &failure)
                      : fail(&failure, ERR_NOMEM, "out of memory");
    if (!err)
        printf("\nDone. Server %llu is the only one now (generation %llu): start it with `stoa "
               "serve --dir %s`.\n",
               (unsigned long long)remains->cluster.own,
               (unsigned long long)remains->cluster.generation, flags.dir);
    free(remains);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_recover = {
    "recover",
    "--dir DIR [--yes]",
    "go on with one server when the majority of a cluster is lost for good",
    "Tells what the server in DIR has and what would be lost; with --yes it makes that server the\n"
    "only one of its cluster. What the others acknowledged and it never got is gone. The others\n"
    "must be wiped; they can join again as new servers.",
    &table,
    run_recover,
};
