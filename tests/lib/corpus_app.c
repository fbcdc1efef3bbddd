/* The application of tests/data/http/README.md: corpus_app ADDRESS ENGINE. /corpus-seen tells how
 * many requests reached it. Prints "ready PORT".
 */
#include "base/check.h"
#include "engine/engine.h"
#include "http_bed.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

struct corpus_app {
    struct app app;
    struct bed bed;    /* for its page alone */
    atomic_uint *seen; /* by all processes of the engine */
};

static void on_accept(struct app *app, struct exchange *x)
{
    (void)app;
    if (str_eq(x->path, STR("/refuse")))
        exchange_reply(x, 403, STR("text/plain"), STR("no"));
}

static enum app_verdict on_handle(struct app *base, struct exchange *x)
{
    struct corpus_app *app = CONTAINER_OF(base, struct corpus_app, app);
    if (str_eq(x->path, STR("/corpus-seen"))) {
        exchange_reply(x, 200, STR("text/plain"),
                       arena_printf(&x->arena, "%u", atomic_load(app->seen)));
        return APP_DONE;
    }
    atomic_fetch_add(app->seen, 1);
    bed_reply(&app->bed, x);
    return APP_DONE;
}

int main(int argc, char **argv)
{
    struct corpus_app app = {.app = {.name = "corpus", .accept = on_accept, .handle = on_handle}};
    struct engine_config config = {.listen_count = 1};
    struct engine *engine;
    struct failure failure;
    char page[40 * 11 + 1] = "";
    sigset_t signals;
    int signal_number;

    CHECK(argc == 3 || argc == 5);
    config.io_uring = argc == 5; /* --io_uring 1 */
    const struct engine_kind *kind = engine_find(argv[2]);
    CHECK(kind);
    app.seen =
        mmap(NULL, sizeof *app.seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(app.seen != MAP_FAILED);
    for (int i = 0; i < 40; i++)
        memcpy(page + i * 11, "<p>page</p>", 11);
    app.bed.page =
        http_page_new(200, STR("text/html"), STR(""), str_make(page, sizeof page - 1), true);
    str_copy(config.listen[0].address, sizeof config.listen[0].address, str_of(argv[1]));
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (kind->start(&config, &app.app, &engine, &failure) != ERR_OK) {
        fprintf(stderr, "corpus_app: %s\n", failure.text);
        return 1;
    }
    printf("ready %u\n", kind->port(engine, 0));
    fflush(stdout);
    sigwait(&signals, &signal_number);
    kind->stop(engine);
    http_page_drop(app.bed.page);
    return 0;
}
