/* Errors: one list, with a name and a sentence for each.
 *
 * Functions that can fail return `int`: 0 (ERR_OK) for success, else one of
 * these. The sentence is for people who have nothing else; where more is known
 * it is written, once, into a `struct failure` at the place that knows it.
 *
 * Thread: any. Nothing here allocates.
 */
#ifndef STOA_BASE_ERR_H
#define STOA_BASE_ERR_H

#define ERR_LIST(X)                                                                       \
    X(OK, "no error")                                                                     \
    X(NOMEM, "out of memory")                                                             \
    X(IO, "a read or write failed")                                                       \
    X(FULL, "no room left: a size or count limit is reached")                             \
    X(INVALID, "the input is not valid")                                                  \
    X(NOTFOUND, "there is no such thing")                                                 \
    X(EXISTS, "it exists already")                                                        \
    X(CONFLICT, "it conflicts with an earlier request")                                   \
    X(STATE, "not possible in its present state")                                         \
    X(SHORT, "not enough in stock")                                                       \
    X(DENIED, "not allowed")                                                              \
    X(BUSY, "too much to do at the moment, try again shortly")                            \
    X(TIMEOUT, "it took too long")                                                        \
    X(CLOSED, "it is closed or closing")                                                  \
    X(DAMAGED, "stored data is damaged")                                                  \
    X(UNKNOWN_FATE, "it may or may not have happened; ask again under the same id")       \
    X(UNSUPPORTED, "not supported")                                                       \
    X(INTERNAL, "an unexpected failure inside")                                           \
    X(NOPRIMARY, "no majority of the servers can be reached; nothing can be changed now") \
    X(UNREACHED, "it could not be connected to; nothing was sent")                        \
    X(TRUST, "its certificate or address is not one that is trusted")

enum err {
#define X(name, sentence) ERR_##name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

/* "NOTFOUND", or "?" for a number that is none of ours. */
const char *err_name(int err);

/* The sentence of the list, for people. */
const char *err_sentence(int err);

/* What failed, where, and what to do, written once at the place that knows. */
struct failure {
    int err;
    char text[480];
};

/* Sets FAILURE (may be NULL) to ERR with a formatted text; returns ERR. */
int fail(struct failure *failure, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As fail(), with ": <strerror(errno)>" appended. */
int fail_errno(struct failure *failure, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* which cannot see that ERR is what comes back */
#define fail(failure, err, ...)       ((void)(failure), (err))
#define fail_errno(failure, err, ...) ((void)(failure), (err))
#endif

#endif
