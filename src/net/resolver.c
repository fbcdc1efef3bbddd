#include "net/resolver.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#define AGAIN_NS  (30 * SEC_NS)
#define FAILED_NS (2 * SEC_NS) /* a name that is not known yet is asked for sooner */

enum { NAMES_MAX = 96, HOST_TEXT = 128 };

struct name {
    char host[HOST_TEXT]; /* empty: none */
    bool known;
    struct endpoint address;
    uint64_t wanted_ns, next_ns; /* when it was last asked for; when it is looked up again */
};

/* Its thread's, and the resolver's as long as that is there: who is last frees it. */
struct look_up {
    pthread_t thread;
    char host[HOST_TEXT];
    struct endpoint address;
    int err;
    struct post done;
    pthread_mutex_t lock;
    struct resolver *resolver; /* under the lock; NULL: it has gone */
    bool posted;               /* as this */
};

struct resolver {
    struct loop *loop;
    void (*changed)(void *user);
    void *user;
    struct name names[NAMES_MAX];
    struct timer timer;
    struct look_up *look_up; /* under way; NULL: none is */
};

/* ---- A look-up ---- */

static void look_up_free(struct look_up *look_up)
{
    pthread_mutex_destroy(&look_up->lock);
    free(look_up);
}

static void *look_up(void *context)
{
    struct look_up *look_up = context;
    look_up->err = endpoint_resolve(str_of(look_up->host), false, &look_up->address, NULL);
    pthread_mutex_lock(&look_up->lock);
    bool wanted = look_up->posted = look_up->resolver != NULL;
    if (wanted)
        loop_post(look_up->resolver->loop, &look_up->done);
    pthread_mutex_unlock(&look_up->lock);
    if (!wanted)
        look_up_free(look_up);
    return NULL;
}

static void on_done(struct post *post);

static void begin(struct resolver *resolver, const char *host)
{
    struct look_up *begun = calloc(1, sizeof *begun);
    if (!begun)
        return;
    pthread_mutex_init(&begun->lock, NULL);
    str_copy(begun->host, sizeof begun->host, str_of(host));
    begun->done.run = on_done;
    begun->resolver = resolver;
    if (thread_start(&begun->thread, "stoa-names", look_up, begun) == 0)
        resolver->look_up = begun;
    else
        look_up_free(begun);
}

static bool is_due(const struct name *name, uint64_t now_ns)
{
    return name->host[0] && name->next_ns <= now_ns &&
           now_ns - name->wanted_ns < 2 * AGAIN_NS; /* nobody wants it any more */
}

static void look_for_next(struct resolver *resolver)
{
    uint64_t now_ns = loop_now(resolver->loop);
    if (resolver->look_up)
        return;
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        struct name *name = &resolver->names[i];
        if (!is_due(name, now_ns))
            continue;
        name->next_ns = now_ns + (name->known ? AGAIN_NS : FAILED_NS);
        begin(resolver, name->host);
        return;
    }
}

static struct name *find(struct resolver *resolver, const char *host)
{
    for (unsigned i = 0; i < NAMES_MAX; i++)
        if (strcmp(resolver->names[i].host, host) == 0)
            return &resolver->names[i];
    return NULL;
}

static void on_done(struct post *post)
{
    struct look_up *ended = CONTAINER_OF(post, struct look_up, done);
    struct resolver *resolver = ended->resolver;
    struct name *name = find(resolver, ended->host);
    pthread_join(ended->thread, NULL);
    resolver->look_up = NULL;
    if (name && ended->err == ERR_OK) {
        bool another = !name->known || name->address.len != ended->address.len ||
                       memcmp(&name->address.at, &ended->address.at, name->address.len) != 0;
        name->address = ended->address;
        name->known = true;
        name->next_ns = loop_now(resolver->loop) + AGAIN_NS;
        if (another)
            resolver->changed(resolver->user);
    }
    look_up_free(ended);
    look_for_next(resolver);
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct resolver *resolver = CONTAINER_OF(timer, struct resolver, timer);
    look_for_next(resolver);
    loop_timer_set(resolver->loop, timer, now_ns + SEC_NS);
}

/* A silent name server holds up nobody who ends. */
static void abandon(struct look_up *look_up)
{
    pthread_t thread = look_up->thread;
    pthread_mutex_lock(&look_up->lock);
    bool posted = look_up->posted;
    look_up->resolver = NULL;
    pthread_mutex_unlock(&look_up->lock);
    if (!posted) {
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    look_up_free(look_up);
}

/* ---- Asking ---- */

/* HOST in numbers: what it says. */
static bool read_numbers(const char *host, struct endpoint *address)
{
    struct str name;
    uint16_t port;
    char text[HOST_TEXT];
    struct in6_addr number;
    if (endpoint_split(str_of(host), &name, &port, NULL) != ERR_OK || name.len >= sizeof text)
        return false;
    str_copy(text, sizeof text, name);
    if (inet_pton(AF_INET, text, &number) != 1 && inet_pton(AF_INET6, text, &number) != 1)
        return false;
    return endpoint_resolve(str_of(host), false, address, NULL) == ERR_OK;
}

bool resolver_find(struct resolver *resolver, const char *host, struct endpoint *address)
{
    uint64_t now_ns = loop_now(resolver->loop);
    struct name *name;
    if (read_numbers(host, address))
        return true;
    if (strlen(host) >= HOST_TEXT)
        return false;
    name = find(resolver, host);
    if (!name) {
        name = &resolver->names[0];
        for (unsigned i = 1; i < NAMES_MAX; i++)
            if (resolver->names[i].wanted_ns < name->wanted_ns)
                name = &resolver->names[i];
        *name = (struct name){.known = false};
        str_copy(name->host, sizeof name->host, str_of(host));
    }
    name->wanted_ns = now_ns;
    *address = name->address;
    look_for_next(resolver);
    return name->known;
}

/* ---- Beginning and ending ---- */

struct resolver *resolver_new(struct loop *loop, void (*changed)(void *user), void *user)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return NULL;
    resolver->loop = loop;
    resolver->changed = changed;
    resolver->user = user;
    resolver->timer.fire = on_timer;
    if (loop_timer_set(loop, &resolver->timer, loop_now(loop) + SEC_NS) != ERR_OK) {
        free(resolver);
        return NULL;
    }
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    loop_timer_stop(resolver->loop, &resolver->timer);
    if (resolver->look_up)
        abandon(resolver->look_up);
    free(resolver);
}
