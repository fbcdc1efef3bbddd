#include "replica/news.h"

#include "base/wire.h"

/* 1 has no readiness, and is all that a server of 0.3 reads: so nobody writes 2 as long as all
 * servers are hot. */
enum { FORMAT_OLD = 1, FORMAT = 2 };

void news_encode(struct buf *out, const struct news *news, const struct news_book *book)
{
    bool is_old = readiness_same(&news->readiness, &(struct readiness_table){0});
    wire_put_u64(out, is_old ? FORMAT_OLD : FORMAT);
    wire_put_u64(out, news->term);
    wire_put_u64(out, news->leader);
    wire_put_u64(out, news->last_index);
    wire_put_u64(out, news->last_term);
    wire_put_u64(out, news->commit_index);
    wire_put_u64(out, news->applied_index);
    wire_put_i64(out, news->applied_time_ms);
    wire_put_u64(out, news->lag_entries);
    wire_put_u64(out, news->lag_ms);
    wire_put_u64(out, news->copy_to);
    wire_put_u64(out, news->copy_sent);
    wire_put_u64(out, news->copy_size);
    wire_put_u64(out, news->preferred);
    wire_put_bool(out, news->ready);
    wire_put_bool(out, news->leaving);
    wire_put_bool(out, news->standing);
    wire_put_u64(out, news->match_count);
    for (unsigned i = 0; i < news->match_count; i++) {
        wire_put_u64(out, news->matches[i].server);
        wire_put_u64(out, news->matches[i].index);
    }
    if (!is_old)
        readiness_put(out, &news->readiness);
    unsigned places = book == NULL ? 0 : book->place_count;
    unsigned removed = book == NULL ? 0 : book->removed_count;
    wire_put_u64(out, places);
    for (unsigned i = 0; i < places; i++)
        server_place_put(out, &book->places[i]);
    wire_put_u64(out, removed);
    for (unsigned i = 0; i < removed; i++)
        wire_put_u64(out, book->removed[i]);
}

int news_decode(struct str payload, struct news *news, struct news_book *book)
{
    struct wire in = wire_of(payload);
    uint64_t format = wire_u64(&in);
    if (!in.bad && format > FORMAT)
        return ERR_UNSUPPORTED;
    news->term = wire_u64(&in);
    news->leader = wire_u64(&in);
    news->last_index = wire_u64(&in);
    news->last_term = wire_u64(&in);
    news->commit_index = wire_u64(&in);
    news->applied_index = wire_u64(&in);
    news->applied_time_ms = wire_i64(&in);
    news->lag_entries = wire_u64(&in);
    news->lag_ms = wire_u64(&in);
    news->copy_to = wire_u64(&in);
    news->copy_sent = wire_u64(&in);
    news->copy_size = wire_u64(&in);
    news->preferred = wire_u64(&in);
    news->ready = wire_bool(&in);
    news->leaving = wire_bool(&in);
    news->standing = wire_bool(&in);
    news->match_count = (unsigned)wire_u64_max(&in, BOOK_PLACES);
    for (unsigned i = 0; i < news->match_count && !in.bad; i++) {
        news->matches[i].server = wire_u64(&in);
        news->matches[i].index = wire_u64(&in);
    }
    news->readiness = (struct readiness_table){0};
    if (format > FORMAT_OLD)
        readiness_get(&in, &news->readiness);
    book->place_count = (unsigned)wire_u64_max(&in, BOOK_PLACES);
    for (unsigned i = 0; i < book->place_count && !in.bad; i++)
        server_place_get(&in, &book->places[i]);
    book->removed_count = (unsigned)wire_u64_max(&in, BOOK_REMOVED);
    for (unsigned i = 0; i < book->removed_count && !in.bad; i++)
        book->removed[i] = wire_u64(&in);
    return in.bad || format == 0 || wire_left(&in) > 0 ? ERR_INVALID : 0;
}
