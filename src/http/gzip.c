#include "http/gzip.h"

#include <stdlib.h>
#include <zlib.h>

enum { IN_BYTES = 16384, LEVEL = 4 };

struct gzip_stream {
    z_stream state;
    bool last;
    char in[IN_BYTES];
};

/* "q=0", "q=0.0": not wanted. */
static bool is_zero_quality(struct str parameters)
{
    struct str parameter;
    while (str_cut(&parameters, ';', &parameter)) {
        parameter = str_trim(parameter);
        if (parameter.len < 3 || (parameter.at[0] | 0x20) != 'q' || parameter.at[1] != '=')
            continue;
        for (size_t i = 2; i < parameter.len; i++)
            if (parameter.at[i] != '0' && parameter.at[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool gzip_accepted(struct str accept)
{
    int gzip = -1, any = -1;
    struct str item;
    while (str_cut(&accept, ',', &item)) {
        ptrdiff_t semicolon = str_find_byte(item, ';');
        struct str name = str_trim(semicolon < 0 ? item : str_sub(item, 0, (size_t)semicolon));
        struct str rest = semicolon < 0 ? STR_NONE : str_from(item, (size_t)semicolon + 1);
        if (str_eq_nocase(name, STR("gzip")) || str_eq_nocase(name, STR("x-gzip")))
            gzip = !is_zero_quality(rest);
        else if (str_eq(name, STR("*")))
            any = !is_zero_quality(rest);
    }
    return gzip == 1 || (gzip < 0 && any == 1);
}

size_t gzip_whole(z_stream *state, struct str in, char *out, size_t room)
{
    state->next_in = (Bytef *)(uintptr_t)in.at;
    state->avail_in = (uInt)in.len;
    state->next_out = (Bytef *)out;
    state->avail_out = (uInt)room;
    return deflate(state, Z_FINISH) == Z_STREAM_END ? room - state->avail_out : 0;
}

struct gzip_stream *gzip_stream_new(void)
{
    struct gzip_stream *stream = calloc(1, sizeof *stream);
    if (stream &&
        deflateInit2(&stream->state, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

void gzip_stream_free(struct gzip_stream *stream)
{
    deflateEnd(&stream->state);
    free(stream);
}

char *gzip_stream_room(struct gzip_stream *stream, size_t *room)
{
    *room = stream->state.avail_in > 0 || stream->last ? 0 : IN_BYTES;
    return stream->in;
}

void gzip_stream_give(struct gzip_stream *stream, size_t len, bool last)
{
    stream->state.next_in = (Bytef *)stream->in;
    stream->state.avail_in = (uInt)len;
    stream->last = last;
}

size_t gzip_stream_take(struct gzip_stream *stream, char *out, size_t room, bool flush, bool *done)
{
    stream->state.next_out = (Bytef *)out;
    stream->state.avail_out = (uInt)room;
    int how = stream->last ? Z_FINISH : flush ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    *done = deflate(&stream->state, how) == Z_STREAM_END;
    return room - stream->state.avail_out;
}
