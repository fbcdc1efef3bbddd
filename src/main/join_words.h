/* Join words: what newcomer and member say to each other (main/join.h), as frames' payloads.
 * Pure; strings are lent from the payload. Thread: any.
 */
#ifndef STOA_MAIN_JOIN_WORDS_H
#define STOA_MAIN_JOIN_WORDS_H

#include "base/buf.h"
#include "base/id.h"
#include "main/token.h"
#include "replica/hello.h"

enum join_frame {
    JOIN_ASK = FRAME_JOIN_FIRST,
    JOIN_WELCOME,
    JOIN_ELSEWHERE, /* payload: the address of the primary */
    JOIN_SORRY,     /* payload: a sentence */
    JOIN_DONE,      /* the newcomer has written everything; payload empty */
};

/* Longest payload, either way. */
enum { JOIN_WORDS_MAX = 256 << 10, JOIN_SENTENCE = 400 };

struct join_ask {
    unsigned char secret[TOKEN_SECRET];
    struct str request; /* PKCS #10, PEM */
    struct str address; /* where the others will reach it */
};

struct join_welcome {
    uint64_t id;
    struct id cluster;
    uint64_t generation;
    struct str name;
    struct str certificate, authority, authority_key; /* PEM */
    struct str secret, operator_token;                /* files, as they are */
    /* The last three are empty for a witness. */
    struct str book; /* replica/book.h */
};

void join_ask_encode(struct buf *out, const struct join_ask *ask);
int join_ask_decode(struct join_ask *ask, struct str payload); /* ERR_INVALID */
void join_welcome_encode(struct buf *out, const struct join_welcome *welcome);
int join_welcome_decode(struct join_welcome *welcome, struct str payload);

#endif
