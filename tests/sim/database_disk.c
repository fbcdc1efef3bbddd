#include "database_disk.h"

#include "base/check.h"
#include "store/db_internal.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGION_BYTES = 32768, REGIONS_MAX = 64, SECTOR = 512 };

struct image {
    unsigned char *bytes;
    size_t size, cap;
};

struct write {
    struct write *next;
    size_t at, len;
    bool truncate; /* to AT */
    unsigned char bytes[];
};

/* The content of a file. Who has it open keeps it when a crash puts another in its place. */
struct content {
    struct image now, synced;
    struct write *writes, **last_write;  /* not synced */
    unsigned char *regions[REGIONS_MAX]; /* the WAL's index */
    unsigned shared[SQLITE_SHM_NLOCK];
    bool exclusive[SQLITE_SHM_NLOCK];
    unsigned open, readers;
    bool reserved, locked; /* by one who writes; exclusively */
};

struct named {
    struct named *next;
    char *name;
    struct content *content; /* NULL: removed */
};

/* What is to go wrong below a directory. */
struct trouble {
    struct trouble *next;
    char *dir;
    unsigned count; /* writes and syncs until then; 0: nothing */
    void (*crash)(void *context);
    void *context;
};

struct handle {
    sqlite3_file base;
    struct content *content;
    const char *name; /* the named's */
    unsigned short shared, exclusive;
    int lock;
};

static struct named *files;
static struct trouble *troubles;

/* ---- Bytes ---- */

static void put_bytes(struct image *image, size_t at, const void *bytes, size_t len)
{
    if (at + len > image->cap) {
        size_t cap = (at + len) * 2 + 128 * 1024;
        image->bytes = realloc(image->bytes, cap);
        CHECK(image->bytes != NULL);
        image->cap = cap;
    }
    if (at > image->size)
        memset(image->bytes + image->size, 0, at - image->size);
    if (len > 0)
        memcpy(image->bytes + at, bytes, len);
    if (at + len > image->size)
        image->size = at + len;
}

static void truncate_image(struct image *image, size_t size)
{
    if (size < image->size)
        image->size = size;
    else
        put_bytes(image, size, NULL, 0);
}

static void do_write(struct image *image, const struct write *write, size_t len)
{
    if (write->truncate)
        truncate_image(image, write->at);
    else
        put_bytes(image, write->at, write->bytes, len);
}

static void keep_write(struct content *content, size_t at, const void *bytes, size_t len,
                       bool truncate)
{
    struct write *write = malloc(sizeof *write + len);
    CHECK(write != NULL);
    *write = (struct write){.at = at, .len = len, .truncate = truncate};
    if (len > 0)
        memcpy(write->bytes, bytes, len);
    do_write(&content->now, write, len);
    *content->last_write = write;
    content->last_write = &write->next;
}

static void sync_content(struct content *content)
{
    while (content->writes != NULL) {
        struct write *write = content->writes;
        content->writes = write->next;
        do_write(&content->synced, write, write->len);
        free(write);
    }
    content->last_write = &content->writes;
}

static struct content *content_new(const struct image *image)
{
    struct content *content = calloc(1, sizeof *content);
    CHECK(content != NULL);
    content->last_write = &content->writes;
    put_bytes(&content->now, 0, image->bytes, image->size);
    put_bytes(&content->synced, 0, image->bytes, image->size);
    return content;
}

/* What a power cut leaves: what was synced, and some of the rest. */
static struct content *after_power_cut(const struct content *content)
{
    struct content *left = content_new(&content->synced);
    enum { NONE, OLDEST, ANY };
    uint64_t which = world_pick(3);
    for (const struct write *write = content->writes; write != NULL; write = write->next) {
        bool last = which == OLDEST && world_one_in(20);
        if (which == NONE || (which == ANY && world_one_in(2)))
            continue;
        size_t len = write->len;
        if (last || (which == ANY && world_one_in(8)))
            len = world_pick(len / SECTOR + 1) * SECTOR;
        struct content *to = left;
        do_write(&to->now, write, len);
        do_write(&to->synced, write, len);
        if (last)
            break;
    }
    return left;
}

static void content_free(struct content *content)
{
    if (content->open > 0)
        return; /* whoever has it open has crashed; its memory stays */
    for (unsigned i = 0; i < REGIONS_MAX; i++)
        free(content->regions[i]);
    while (content->writes != NULL) {
        struct write *write = content->writes;
        content->writes = write->next;
        free(write);
    }
    free(content->now.bytes);
    free(content->synced.bytes);
    free(content);
}

/* ---- Names ---- */

static bool is_below(const char *name, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(name, dir, len) == 0 && name[len] == '/';
}

static struct named *find(const char *name)
{
    for (struct named *file = files; file != NULL; file = file->next)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}

static struct named *find_or_make(const char *name)
{
    struct named *file = find(name);
    if (file == NULL) {
        file = calloc(1, sizeof *file);
        CHECK(file != NULL && (file->name = strdup(name)) != NULL);
        file->next = files;
        files = file;
    }
    if (file->content == NULL)
        file->content = content_new(&(struct image){0});
    return file;
}

static void forget(struct named *file)
{
    struct content *content = file->content;
    file->content = NULL;
    if (content != NULL)
        content_free(content);
}

void database_disk_crash(const char *dir, bool power_cut)
{
    for (struct named *file = files; file != NULL; file = file->next) {
        struct content *content = file->content;
        if (content == NULL || !is_below(file->name, dir))
            continue;
        file->content = power_cut ? after_power_cut(content) : content_new(&content->now);
        content_free(content);
    }
    for (struct trouble *trouble = troubles; trouble != NULL; trouble = trouble->next)
        if (strcmp(trouble->dir, dir) == 0)
            trouble->count = 0;
}

void database_disk_erase(const char *dir)
{
    for (struct named *file = files; file != NULL; file = file->next)
        if (is_below(file->name, dir))
            forget(file);
}

bool database_disk_has(const char *name)
{
    struct named *file = find(name);
    return file != NULL && file->content != NULL;
}

void database_disk_take_in(const char *name)
{
    char chunk[65536], beside[512];
    struct image image = {0};
    FILE *in = fopen(name, "re");
    size_t n;
    while (in != NULL && (n = fread(chunk, 1, sizeof chunk, in)) > 0)
        put_bytes(&image, image.size, chunk, n);
    if (in != NULL)
        fclose(in);
    if (image.size > 0) {
        struct named *file = find_or_make(name);
        struct content *content = content_new(&image);
        forget(file);
        file->content = content;
        snprintf(beside, sizeof beside, "%s-wal", name);
        struct named *wal = find(beside);
        if (wal != NULL)
            forget(wal);
        free(image.bytes);
    }
    FILE *out = fopen(name, "we");
    CHECK(out != NULL);
    fclose(out);
}

/* ---- Trouble ---- */

static struct trouble *trouble_of(const char *dir)
{
    for (struct trouble *trouble = troubles; trouble != NULL; trouble = trouble->next)
        if (strcmp(trouble->dir, dir) == 0)
            return trouble;
    struct trouble *trouble = calloc(1, sizeof *trouble);
    CHECK(trouble != NULL && (trouble->dir = strdup(dir)) != NULL);
    trouble->next = troubles;
    troubles = trouble;
    return trouble;
}

void database_disk_fail(const char *dir, unsigned count)
{
    struct trouble *trouble = trouble_of(dir);
    trouble->count = count;
    trouble->crash = NULL;
}

void database_disk_crash_within(const char *dir, unsigned count, void (*crash)(void *context),
                                void *context)
{
    struct trouble *trouble = trouble_of(dir);
    trouble->count = count;
    trouble->crash = crash;
    trouble->context = context;
}

/* Before each write and sync of NAME; true: it fails. */
static bool goes_wrong(const char *name)
{
    for (struct trouble *trouble = troubles; trouble != NULL; trouble = trouble->next) {
        if (trouble->count == 0 || !is_below(name, trouble->dir) || --trouble->count > 0)
            continue;
        if (trouble->crash == NULL) {
            world_note("disk: a write of the database fails");
            return true;
        }
        trouble->crash(trouble->context);
        if (fiber_current() != NULL && fiber_life(fiber_current())->ended)
            fiber_abandon();
    }
    return false;
}

/* ---- sqlite3_file ---- */

static int file_close(sqlite3_file *base)
{
    struct handle *handle = (struct handle *)base;
    handle->content->open--;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *out, int len, sqlite3_int64 at)
{
    const struct image *image = &((struct handle *)base)->content->now;
    size_t from = (size_t)at, wanted = (size_t)len;
    size_t there = from < image->size ? image->size - from : 0;
    if (there > wanted)
        there = wanted;
    if (there > 0)
        memcpy(out, image->bytes + from, there);
    if (there == wanted)
        return SQLITE_OK;
    memset((char *)out + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 at)
{
    struct handle *handle = (struct handle *)base;
    if (goes_wrong(handle->name))
        return SQLITE_IOERR_WRITE;
    keep_write(handle->content, (size_t)at, bytes, (size_t)len, false);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    keep_write(((struct handle *)base)->content, (size_t)size, NULL, 0, true);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct handle *handle = (struct handle *)base;
    (void)flags;
    if (goes_wrong(handle->name))
        return SQLITE_IOERR_FSYNC;
    sync_content(handle->content);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((struct handle *)base)->content->now.size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int lock)
{
    struct handle *handle = (struct handle *)base;
    struct content *content = handle->content;
    if (lock <= handle->lock)
        return SQLITE_OK;
    if (handle->lock == SQLITE_LOCK_NONE) {
        if (content->locked)
            return SQLITE_BUSY;
        content->readers++;
        handle->lock = SQLITE_LOCK_SHARED;
    }
    if (lock >= SQLITE_LOCK_RESERVED && handle->lock < SQLITE_LOCK_RESERVED) {
        if (content->reserved)
            return SQLITE_BUSY;
        content->reserved = true;
        handle->lock = SQLITE_LOCK_RESERVED;
    }
    if (lock == SQLITE_LOCK_EXCLUSIVE) {
        if (content->readers > 1)
            return SQLITE_BUSY;
        content->locked = true;
        handle->lock = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int lock)
{
    struct handle *handle = (struct handle *)base;
    struct content *content = handle->content;
    if (lock >= handle->lock)
        return SQLITE_OK;
    if (handle->lock >= SQLITE_LOCK_RESERVED)
        content->reserved = false;
    if (handle->lock == SQLITE_LOCK_EXCLUSIVE)
        content->locked = false;
    if (lock == SQLITE_LOCK_NONE)
        content->readers--;
    handle->lock = lock;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *reserved)
{
    *reserved = ((struct handle *)base)->content->reserved;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

static int file_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as SQLite takes a disk to be by default */
}

/* ---- The WAL's index ---- */

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct content *content = ((struct handle *)base)->content;
    CHECK(size == REGION_BYTES && region < REGIONS_MAX);
    if (content->regions[region] == NULL && extend) {
        content->regions[region] = calloc(1, REGION_BYTES);
        CHECK(content->regions[region] != NULL);
    }
    *out = content->regions[region];
    return SQLITE_OK;
}

static bool can_lock(const struct content *content, const struct handle *handle, int slot,
                     bool exclusive)
{
    unsigned others = content->shared[slot] - ((handle->shared >> slot) & 1u);
    bool ours = (handle->exclusive >> slot) & 1u;
    return (!content->exclusive[slot] || ours) && (!exclusive || others == 0);
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags)
{
    struct handle *handle = (struct handle *)base;
    struct content *content = handle->content;
    bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    for (int slot = first; slot < first + count; slot++)
        if ((flags & SQLITE_SHM_LOCK) && !can_lock(content, handle, slot, exclusive))
            return SQLITE_BUSY;
    for (int slot = first; slot < first + count; slot++) {
        unsigned short bit = (unsigned short)(1u << slot);
        bool lock = (flags & SQLITE_SHM_LOCK) != 0;
        if (exclusive) {
            content->exclusive[slot] = lock;
            handle->exclusive =
                (unsigned short)(lock ? handle->exclusive | bit : handle->exclusive & ~bit);
        } else if (lock != (((handle->shared >> slot) & 1u) != 0)) {
            content->shared[slot] += lock ? 1u : (unsigned)-1;
            handle->shared = (unsigned short)(handle->shared ^ bit);
        }
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int shm_unmap(sqlite3_file *base, int remove)
{
    struct content *content = ((struct handle *)base)->content;
    for (unsigned i = 0; i < REGIONS_MAX && remove; i++) {
        free(content->regions[i]);
        content->regions[i] = NULL;
    }
    return SQLITE_OK;
}

/* ---- sqlite3_vfs ---- */

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out)
{
    (void)vfs;
    struct handle *handle = (struct handle *)base;
    memset(handle, 0, sizeof *handle);
    if (name == NULL || (!(flags & SQLITE_OPEN_CREATE) && !database_disk_has(name)))
        return SQLITE_CANTOPEN;
    struct named *file = find_or_make(name);
    handle->content = file->content;
    handle->name = file->name;
    handle->content->open++;
    handle->base.pMethods = &methods;
    if (out != NULL)
        *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    (void)sync;
    struct named *file = find(name);
    if (file == NULL || file->content == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    forget(file);
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    (void)flags;
    const struct named *file = find(name);
    /* As SQLite's own: an empty file does not count as one that exists. */
    *out = file != NULL && file->content != NULL &&
           (flags != SQLITE_ACCESS_EXISTS || file->content->now.size > 0);
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    for (int i = 0; i < size; i++)
        out[i] = (char)world_pick(256);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    /* Who has the lock has to go on, or this would wait for ever. */
    if (fiber_current() != NULL)
        fiber_wait(&us, world.now_ns + (uint64_t)us * 1000);
    return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2460000.5;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    (void)size;
    (void)out;
    return EIO;
}

static sqlite3_vfs simulated = {
    .iVersion = 1,
    .szOsFile = sizeof(struct handle),
    .mxPathname = 512,
    .zName = "simulated",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_name,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
};

void database_disk_open(void)
{
    CHECK(sqlite3_vfs_register(&simulated, 1) == SQLITE_OK);
}

/* ---- What goes past SQLite ---- */

int __wrap_db_make_durable(struct db *db);

int __wrap_db_make_durable(struct db *db)
{
    char name[512];
    snprintf(name, sizeof name, "%s-wal", db->file);
    if (db->failure.err != 0)
        return db->failure.err;
    struct named *file = find(name);
    if (goes_wrong(name))
        return fail(&db->failure, ERR_IO, "%s: sync", name);
    if (file != NULL && file->content != NULL)
        sync_content(file->content);
    return 0;
}
