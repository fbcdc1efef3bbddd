#include "replica/book.h"

#include "base/folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The file ---- */

/* The next word of LINE into OUT; false: there is none, or it is too long. */
static bool word(const char **line, char *out, size_t size)
{
    size_t len = strcspn(*line, " \n");
    if (len == 0 || len >= size)
        return false;
    memcpy(out, *line, len);
    out[len] = 0;
    *line += len;
    if (**line == ' ')
        (*line)++;
    return true;
}

static bool number(const char **line, uint64_t *value)
{
    char text[24], *end;
    if (!word(line, text, sizeof text) || text[0] < '0' || text[0] > '9')
        return false;
    *value = strtoull(text, &end, 10);
    return *end == 0;
}

static void read_line(struct book *book, const char *line)
{
    char what[16];
    struct server_place place = {0};
    uint64_t since;
    if (!word(&line, what, sizeof what))
        return;
    if (strcmp(what, "removed") == 0) {
        if (number(&line, &place.id))
            book_remove(book, place.id);
    } else if (strcmp(what, "server") == 0) {
        if (!number(&line, &place.id) || !number(&line, &since) || !number(&line, &place.pid) ||
            !word(&line, place.address, sizeof place.address))
            return;
        place.since_ms = (int64_t)since;
        word(&line, place.url, sizeof place.url);
        book_note(book, &place);
    }
}

void book_open(struct book *book, const char *file)
{
    char line[SERVER_ADDRESS + SERVER_URL + 100];
    memset(book, 0, sizeof *book);
    pthread_mutex_init(&book->mutex, NULL);
    FILE *in = file == NULL ? NULL : fopen(file, "re");
    if (in == NULL)
        return;
    while (fgets(line, sizeof line, in) != NULL)
        read_line(book, line);
    fclose(in);
}

void book_close(struct book *book)
{
    pthread_mutex_destroy(&book->mutex);
}

void book_text(struct book *book, struct buf *out)
{
    pthread_mutex_lock(&book->mutex);
    for (unsigned i = 0; i < book->count; i++) {
        const struct server_place *place = &book->places[i];
        buf_printf(out, "server %" PRIu64 " %" PRId64 " %" PRIu64 " %s%s%s\n", place->id,
                   place->since_ms, place->pid, place->address, place->url[0] != 0 ? " " : "",
                   place->url);
    }
    for (unsigned i = 0; i < book->removed_count; i++)
        buf_printf(out, "removed %" PRIu64 "\n", book->removed[i]);
    pthread_mutex_unlock(&book->mutex);
}

int book_write(const char *file, struct str text)
{
    return folder_put(file, text) == 0 ? 0 : ERR_IO;
}

/* ---- Places ---- */

/* A text that would not survive the file. */
static bool writable(const char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool removed(const struct book *book, uint64_t id)
{
    for (unsigned i = 0; i < book->removed_count; i++)
        if (book->removed[i] == id)
            return true;
    return false;
}

static unsigned position(const struct book *book, uint64_t id)
{
    unsigned i = 0;
    while (i < book->count && book->places[i].id < id)
        i++;
    return i;
}

bool book_note(struct book *book, const struct server_place *place)
{
    bool noted = false;
    if (place->id == 0 || place->since_ms < 0 || place->address[0] == 0 ||
        !writable(place->address) || !writable(place->url))
        return false;
    pthread_mutex_lock(&book->mutex);
    unsigned at = position(book, place->id);
    struct server_place *known = &book->places[at];
    if (at < book->count && known->id == place->id) {
        noted = place->since_ms > known->since_ms;
    } else if (book->count < BOOK_PLACES && !removed(book, place->id)) {
        memmove(known + 1, known, (book->count - at) * sizeof *known);
        book->count++;
        noted = true;
    }
    if (noted)
        *known = *place;
    pthread_mutex_unlock(&book->mutex);
    return noted;
}

bool book_find(struct book *book, uint64_t id, struct server_place *place)
{
    pthread_mutex_lock(&book->mutex);
    unsigned at = position(book, id);
    bool found = at < book->count && book->places[at].id == id;
    if (found)
        *place = book->places[at];
    pthread_mutex_unlock(&book->mutex);
    return found;
}

unsigned book_places(struct book *book, struct server_place places[static BOOK_PLACES])
{
    pthread_mutex_lock(&book->mutex);
    unsigned count = book->count;
    memcpy(places, book->places, count * sizeof *places);
    pthread_mutex_unlock(&book->mutex);
    return count;
}

bool book_remove(struct book *book, uint64_t id)
{
    pthread_mutex_lock(&book->mutex);
    bool known = removed(book, id);
    if (!known) {
        if (book->removed_count == BOOK_REMOVED)
            memmove(book->removed, book->removed + 1,
                    --book->removed_count * sizeof *book->removed);
        book->removed[book->removed_count++] = id;
        unsigned at = position(book, id);
        if (at < book->count && book->places[at].id == id) {
            book->count--;
            memmove(&book->places[at], &book->places[at + 1],
                    (book->count - at) * sizeof *book->places);
        }
    }
    pthread_mutex_unlock(&book->mutex);
    return !known;
}

bool book_removed(struct book *book, uint64_t id)
{
    pthread_mutex_lock(&book->mutex);
    bool found = removed(book, id);
    pthread_mutex_unlock(&book->mutex);
    return found;
}

unsigned book_all_removed(struct book *book, uint64_t ids[static BOOK_REMOVED])
{
    pthread_mutex_lock(&book->mutex);
    unsigned count = book->removed_count;
    memcpy(ids, book->removed, count * sizeof *ids);
    pthread_mutex_unlock(&book->mutex);
    return count;
}
