#include "web/upload.h"

#include "base/id.h"
#include "base/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 512 * 1024, /* handed to the writer when more than half full */
    PATH_BYTES = 1024,
};
static const char prefix[] = ".upload-";

struct upload {
    struct exchange *x;
    struct uploads *uploads;
    struct upload *next; /* waiting for the writer */
    int folder, file;
    bool named; /* the file still has its hidden name */
    char name[UPLOAD_HIDDEN];
    char *buffer;
    size_t fill;
    uint64_t written;
    int error; /* errno of the first write that failed */
};

struct uploads {
    const char *dir;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct upload *first, *last;
    bool stopping;
    pthread_t thread;
};

/* ---- Writing ---- */

/* Pushes what is new to the disk, and waits for what was pushed the time before. */
static void push(struct upload *upload, uint64_t from, uint64_t len)
{
    sync_file_range(upload->file, (off_t)from, (off_t)len, SYNC_FILE_RANGE_WRITE);
    uint64_t before = from > 4 * BUFFER_BYTES ? from - 4 * BUFFER_BYTES : 0;
    if (from == before)
        return;
    sync_file_range(upload->file, (off_t)before, (off_t)(from - before),
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                        SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(upload->file, (off_t)before, (off_t)(from - before), POSIX_FADV_DONTNEED);
}

/* The buffer's content to the end of the file. */
static void write_out(struct upload *upload)
{
    size_t done = 0;
    while (done < upload->fill && !upload->error) {
        ssize_t count = write(upload->file, upload->buffer + done, upload->fill - done);
        if (count > 0)
            done += (size_t)count;
        else if (errno != EINTR)
            upload->error = errno;
    }
    push(upload, upload->written, done);
    upload->written += done;
    upload->fill = 0;
}

static struct upload *next_upload(struct uploads *uploads)
{
    pthread_mutex_lock(&uploads->lock);
    while (!uploads->first && !uploads->stopping)
        pthread_cond_wait(&uploads->work, &uploads->lock);
    struct upload *upload = uploads->first;
    if (upload) {
        uploads->first = upload->next;
        if (!uploads->first)
            uploads->last = NULL;
    }
    pthread_mutex_unlock(&uploads->lock);
    return upload;
}

static void *writer(void *context)
{
    struct uploads *uploads = context;
    struct upload *upload;
    while ((upload = next_upload(uploads))) {
        write_out(upload);
        exchange_take_more(upload->x);
    }
    return NULL;
}

static void hand_over(struct upload *upload)
{
    struct uploads *uploads = upload->uploads;
    pthread_mutex_lock(&uploads->lock);
    upload->next = NULL;
    if (uploads->last)
        uploads->last->next = upload;
    else
        uploads->first = upload;
    uploads->last = upload;
    pthread_cond_signal(&uploads->work);
    pthread_mutex_unlock(&uploads->lock);
}

/* ---- The body ---- */

/* The sink's seam gives the exchange alone: the upload is found among its cleanups. */
static void close_upload(void *argument);

static struct upload *upload_of(struct exchange *x)
{
    for (struct exchange_cleanup *entry = x->cleanups; entry; entry = entry->next)
        if (entry->run == close_upload)
            return entry->argument;
    return NULL;
}

static enum sink_verdict take(struct exchange *x, struct str bytes)
{
    struct upload *upload = upload_of(x);
    if (upload->error) { /* told at the end: the answer must say why */
        return SINK_MORE;
    }
    while (bytes.len) {
        size_t room = BUFFER_BYTES - upload->fill;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(upload->buffer + upload->fill, bytes.at, len);
        upload->fill += len;
        bytes = str_from(bytes, len);
        if (bytes.len) /* a piece larger than what is left of half a buffer: not seen */
            write_out(upload);
    }
    if (upload->fill < BUFFER_BYTES / 2)
        return SINK_MORE;
    hand_over(upload);
    return SINK_PAUSE;
}

static const struct body_sink sink = {take};

static void close_upload(void *argument)
{
    struct upload *upload = argument;
    if (upload->named)
        unlinkat(upload->folder, upload->name, 0);
    if (upload->file >= 0)
        close(upload->file);
    close(upload->folder);
    free(upload->buffer);
    free(upload);
}

void upload_hidden_name(char name[static UPLOAD_HIDDEN])
{
    char text[ID_TEXT];
    id_text(id_new(0), text);
    snprintf(name, UPLOAD_HIDDEN, "%s%s", prefix, text + 16);
}

/* A new hidden file in the folder. */
static int open_file(struct upload *upload)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        upload_hidden_name(upload->name);
        upload->file =
            openat(upload->folder, upload->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (upload->file >= 0 || errno != EEXIST)
            break;
    }
    upload->named = upload->file >= 0;
    return upload->named ? 0 : ERR_IO;
}

static int open_folder(const char *dir)
{
    if (mkdir(dir, 0755) && errno != EEXIST)
        return -1;
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct upload *upload_begin(struct exchange *x, struct uploads *uploads, const char *dir,
                            uint64_t max, struct failure *failure)
{
    if (!dir || !*dir) {
        fail(failure, ERR_UNSUPPORTED, "this server has no folder for uploads");
        return NULL;
    }
    struct upload *upload = calloc(1, sizeof *upload);
    if (!upload)
        return NULL;
    *upload = (struct upload){.x = x, .uploads = uploads, .file = -1};
    upload->folder = open_folder(dir);
    upload->buffer = malloc(BUFFER_BYTES);
    if (upload->folder < 0 || !upload->buffer || open_file(upload) ||
        exchange_at_end(x, close_upload, upload)) {
        fail_errno(failure, ERR_IO, "cannot make a file in %s", dir);
        close_upload(upload);
        return NULL;
    }
    x->sink = &sink;
    x->body_limit = max;
    return upload;
}

int upload_end(struct upload *upload, struct failure *failure)
{
    write_out(upload);
    if (!upload->error && fsync(upload->file))
        upload->error = errno;
    errno = upload->error;
    return upload->error ? fail_errno(failure, ERR_IO, "the upload cannot be written") : 0;
}

int upload_keep(struct upload *upload, const char *name, struct failure *failure)
{
    if (renameat(upload->folder, upload->name, upload->folder, name) || fsync(upload->folder))
        return fail_errno(failure, ERR_IO, "%s cannot be written", name);
    upload->named = false;
    return 0;
}

int upload_take(struct upload *upload)
{
    int file = upload->file;
    if (upload->named)
        unlinkat(upload->folder, upload->name, 0);
    upload->named = false;
    upload->file = -1;
    return file;
}

uint64_t upload_size(const struct upload *upload)
{
    return upload->written;
}

/* ---- Start and stop ---- */

void uploads_clear(const char *dir)
{
    DIR *folder = dir && *dir ? opendir(dir) : NULL;
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
}

int uploads_new(const char *spool_dir, struct uploads **uploads, struct failure *failure)
{
    struct uploads *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for uploads");
    made->dir = spool_dir;
    uploads_clear(spool_dir);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    if (thread_start(&made->thread, "stoa-upload", writer, made)) {
        pthread_cond_destroy(&made->work);
        pthread_mutex_destroy(&made->lock);
        free(made);
        return fail(failure, ERR_NOMEM, "cannot start the thread that writes uploads");
    }
    *uploads = made;
    return 0;
}

void uploads_free(struct uploads *uploads)
{
    if (!uploads)
        return;
    pthread_mutex_lock(&uploads->lock);
    uploads->stopping = true;
    pthread_cond_signal(&uploads->work);
    pthread_mutex_unlock(&uploads->lock);
    pthread_join(uploads->thread, NULL);
    pthread_cond_destroy(&uploads->work);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads);
}
