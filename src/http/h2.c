/* Placeholder of the first minutes: HTTP/2 follows. */
#include "http/core.h"
int h2_open(struct http_conn *conn)
{
    (void)conn;
    return ERR_UNSUPPORTED;
}
void h2_close(struct http_conn *conn)
{
    (void)conn;
}
void h2_receive(struct http_conn *conn, const char *bytes, size_t len)
{
    (void)conn;
    (void)bytes;
    (void)len;
}
void h2_answer(struct stream *stream)
{
    (void)stream;
}
void h2_refuse_slow(struct stream *stream)
{
    (void)stream;
}
void h2_take_more(struct stream *stream)
{
    (void)stream;
}
void h2_wake(struct stream *stream)
{
    (void)stream;
}
int h2_output(struct http_conn *conn, struct iovec *pieces, int max)
{
    (void)conn;
    (void)pieces;
    (void)max;
    return 0;
}
void h2_sent(struct http_conn *conn, size_t len)
{
    (void)conn;
    (void)len;
}
bool h2_wants_input(const struct http_conn *conn)
{
    (void)conn;
    return false;
}
bool h2_finished(const struct http_conn *conn)
{
    (void)conn;
    return true;
}
void h2_drain(struct http_conn *conn)
{
    (void)conn;
}
