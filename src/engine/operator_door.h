/* Operator door: what the apps of status doors have in common (balance/status_app.h,
 * admin/tiers_door.h): routes, packed files, headers that keep a page to itself, and who may call.
 *
 * Whoever reaches such a door may read what it says, so it is kept private: a door on a loopback
 * address answers only when it is called by such a name, for a page of another site could have its
 * own name resolve to here and read it (DNS rebinding). An app may ask for the operator's token
 * besides.
 *
 * Thread: any; a door does not change once it is made.
 */
#ifndef STOA_ENGINE_OPERATOR_DOOR_H
#define STOA_ENGINE_OPERATOR_DOOR_H

#include "base/err.h"
#include "engine/app.h"

enum { OPERATOR_FILES_MAX = 6 };

struct operator_route {
    const char *path;
    enum http_method method; /* HTTP_GET brings HEAD along */
    enum app_verdict (*answer)(struct exchange *x);
};

struct operator_file {
    const char *path; /* of the request: "/style.css" */
    const char *file; /* that is packed into the program: "pages/style.css" */
};

struct operator_door {
    const struct operator_route *routes; /* lent */
    unsigned route_count;
    bool loopback; /* it is on loopback addresses alone */

    unsigned file_count;
    struct operator_page {
        const char *path;
        struct http_page *page;
    } files[OPERATOR_FILES_MAX];
};

/* The text of FILE, which is packed into the program for sure. */
struct str operator_door_text(const char *file);

/* Readies COUNT of LIST to be served. After an error, too, they are to be closed. */
int operator_door_load(struct operator_door *door, const struct operator_file *list, unsigned count,
                       struct failure *failure);
void operator_door_close(struct operator_door *door);

/* The app's handle: answers by a route or a file, or says why not. */
enum app_verdict operator_door_handle(const struct operator_door *door, struct exchange *x);
/* The app's work: nothing at such a door blocks. */
enum app_verdict operator_door_work(struct app *app, struct exchange *x);

/* Whether X carries TOKEN: as a bearer's, or as the password of anybody (Basic), which is what a
 * browser can ask for. An empty TOKEN nobody has. */
bool operator_door_knows(const struct exchange *x, const char *token);
/* 401, and how to do better; with the headers of all answers. */
enum app_verdict operator_door_refuse(struct exchange *x);

/* A line of plain text. */
enum app_verdict operator_door_say(struct exchange *x, int status, struct str text);
/* 200 with TEXT, which is closed. */
enum app_verdict operator_door_answer(struct exchange *x, struct str type, struct buf *text);

#endif
