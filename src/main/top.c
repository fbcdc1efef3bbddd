/* `stoa top`: asks a load manager's status door how it is, or a front's how the tiers are, or a
 * server how its engine is, again and again, and shows it. */
#include "base/check.h"
#include "base/clock.h"
#include "main/balance_config.h"
#include "main/cluster_view.h"
#include "main/demo_file.h"
#include "main/program.h"
#include "main/secret_file.h"
#include "main/terminal.h"
#include "main/top_engine.h"
#include "main/top_screen.h"
#include "main/top_tiers.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ASK_MS = 1000,
    LOOK_MS = 300,     /* for a server to say which load managers there are */
    CLUSTER_MS = 5000, /* between two such looks */
    ANSWER_MAX = 1 << 20,
    SCREEN_MAX = 1 << 20,
    DOORS_MAX = DEMO_MANAGERS_MAX + VIEW_MANAGERS_MAX,
    ONCE_COLUMNS = 132,
    ONCE_ROWS = 200,
};

struct top_flags {
    char dir[OPTION_TEXT_SIZE], url[OPTION_TEXT_SIZE], server[OPTION_TEXT_SIZE];
    char front[OPTION_TEXT_SIZE], token_file[OPTION_TEXT_SIZE];
    uint64_t every_ms;
    bool once;
};

#define AT(field) offsetof(struct top_flags, field)
static const struct option_row option_rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "a demo's directory, or that of one of the servers, which know the load managers"},
    {"url", OPTION_TEXT, AT(url), NULL, 0, 0, NULL, "URL",
     "in place of that: a load manager's status door (its --status)"},
    {"server", OPTION_TEXT, AT(server), NULL, 0, 0, NULL, "URL",
     "in place of a load manager: a server, and how its engine is at work"},
    {"front", OPTION_TEXT, AT(front), NULL, 0, 0, NULL, "URL",
     "in place of a load manager: a front's status door (its --status), and how the tiers are"},
    {"token-file", OPTION_TEXT, AT(token_file), NULL, 0, 0, NULL, "FILE",
     "with --front: the operator's token, for a door that is not for this machine alone"},
    {"every", OPTION_DURATION, AT(every_ms), "1s", 100, 3600000, NULL, "TIME",
     "how often it is asked"},
    {"once", OPTION_SWITCH, AT(once), NULL, 0, 0, NULL, NULL,
     "print one view and end; also where there is no terminal"},
};
static const struct option_table table = {option_rows, COUNT_OF(option_rows), NULL};

struct top {
    struct top_flags flags;
    unsigned door_count, door; /* door: the one that is shown */
    char doors[DOORS_MAX][VIEW_URL];
    struct cluster_view cluster;
    uint64_t cluster_ns;       /* when it was looked at */
    char token[DATADIR_TOKEN]; /* empty: none is needed */
    yyjson_doc *balance, *events, *tiers;
    struct buf metrics, before; /* of --server: the last look, and the one before */
    uint64_t looked_ns, between_ns;
    struct failure trouble; /* err 0: none */
    struct buf screen;
};

/* ---- Whom to ask ---- */

static void add_door(struct top *top, const char *url)
{
    for (unsigned i = 0; i < top->door_count; i++)
        if (strcmp(top->doors[i], url) == 0)
            return;
    if (top->door_count < DOORS_MAX && strlen(url) < VIEW_URL)
        strcpy(top->doors[top->door_count++], url);
}

/* A demo's own file tells even when no server is up. */
static void add_demo_doors(struct top *top)
{
    struct demo_manager managers[DEMO_MANAGERS_MAX];
    unsigned count = demo_file_managers(top->flags.dir, managers);
    for (unsigned i = 0; i < count; i++) {
        char url[OPTION_TEXT_SIZE + 8];
        snprintf(url, sizeof url, "http://%s", managers[i].status);
        add_door(top, url);
    }
}

static int add_given(struct top *top, const char *name, const char *given, struct failure *failure)
{
    char url[VIEW_URL];
    int err = balance_config_url(name, str_of(given), url, sizeof url, failure);
    if (!err)
        add_door(top, url);
    return err;
}

static int look_for_doors(struct top *top, struct failure *failure)
{
    const struct top_flags *flags = &top->flags;
    if (flags->server[0])
        return add_given(top, "server", flags->server, failure);
    if (flags->front[0])
        return add_given(top, "front", flags->front, failure);
    if (flags->url[0])
        return add_given(top, "url", flags->url, failure);
    add_demo_doors(top);
    int err = cluster_view_look(top->flags.dir, LOOK_MS, &top->cluster, failure);
    top->cluster_ns = clock_mono_ns();
    for (unsigned i = 0; !err && i < top->cluster.manager_count; i++)
        if (top->cluster.managers[i].status[0])
            add_door(top, top->cluster.managers[i].status);
    if (top->door_count || err)
        return top->door_count ? 0 : err;
    return fail(failure, ERR_NOTFOUND,
                "no load manager with a status door is known to the servers of %s: start one with "
                "`stoa balance --status ADDR:PORT`, or give the door's --url",
                top->flags.dir);
}

/* ---- Asking ---- */

/* GETs PATH; *DOC is replaced if an answer came. */
static int ask(const struct top *top, const char *path, yyjson_doc **doc, struct failure *failure)
{
    struct remote remote = {0};
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    str_copy(remote.url, sizeof remote.url, str_of(top->doors[top->door]));
    str_copy(remote.token, sizeof remote.token, str_of(top->token));
    int err = remote_call(&remote, path, NULL, ASK_MS, &answer, failure);
    yyjson_doc *fresh = err ? NULL : yyjson_read(answer.at, answer.len, 0);
    if (!err && !fresh)
        err = fail(failure, ERR_INVALID, "%s is no status door of a %s", top->doors[top->door],
                   top->flags.front[0] ? "front" : "load manager");
    buf_close(&answer);
    if (fresh) {
        yyjson_doc_free(*doc);
        *doc = fresh;
    }
    return err;
}

static void ask_server(struct top *top)
{
    struct remote remote = {0};
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    str_copy(remote.url, sizeof remote.url, str_of(top->doors[top->door]));
    top->trouble.err = remote_call(&remote, "/metrics", NULL, ASK_MS, &answer, &top->trouble);
    if (top->trouble.err) {
        buf_close(&answer);
        return;
    }
    uint64_t now_ns = clock_mono_ns();
    buf_close(&top->before);
    top->before = top->metrics;
    top->metrics = answer;
    top->between_ns = now_ns - top->looked_ns;
    top->looked_ns = now_ns;
}

static void ask_all(struct top *top)
{
    top->trouble = (struct failure){0};
    if (top->flags.server[0]) {
        ask_server(top);
        return;
    }
    if (top->flags.front[0]) {
        top->trouble.err = ask(top, "/tiers.json", &top->tiers, &top->trouble);
        return;
    }
    top->trouble.err = ask(top, "/balance.json", &top->balance, &top->trouble);
    if (!top->trouble.err)
        ask(top, "/events.json", &top->events, NULL);
    if (!top->flags.url[0] && clock_mono_ns() - top->cluster_ns > CLUSTER_MS * MS_NS)
        look_for_doors(top, NULL);
}

static void forget(struct top *top)
{
    yyjson_doc_free(top->balance);
    yyjson_doc_free(top->events);
    yyjson_doc_free(top->tiers);
    top->balance = top->events = top->tiers = NULL;
}

/* ---- Showing ---- */

static void paint_balance(struct top *top, const char *now, unsigned columns, unsigned rows,
                          bool colours)
{
    yyjson_val *events = yyjson_doc_get_root(top->events);
    struct top_picture picture = {
        .balance = yyjson_doc_get_root(top->balance),
        .events = yyjson_is_arr(events) ? events : yyjson_obj_get(events, "events"),
        .door = top->doors[top->door],
        .trouble = top->trouble.err ? top->trouble.text : NULL,
        .time = now,
        .cluster = &top->cluster,
        .columns = columns,
        .rows = rows,
        .colours = colours,
    };
    top_screen(&picture, &top->screen);
}

static void paint_engine(struct top *top, const char *now, unsigned columns, unsigned rows,
                         bool colours)
{
    struct top_engine_picture picture = {
        .metrics = buf_text(&top->metrics),
        .before = buf_text(&top->before),
        .between_ns = top->between_ns,
        .door = top->doors[top->door],
        .trouble = top->trouble.err ? top->trouble.text : NULL,
        .time = now,
        .columns = columns,
        .rows = rows,
        .colours = colours,
    };
    top_engine_screen(&picture, &top->screen);
}

static void paint_tiers(struct top *top, const char *now, unsigned columns, unsigned rows,
                        bool colours)
{
    struct top_tiers_picture picture = {
        .tiers = yyjson_doc_get_root(top->tiers),
        .door = top->doors[top->door],
        .trouble = top->trouble.err ? top->trouble.text : NULL,
        .time = now,
        .columns = columns,
        .rows = rows,
        .colours = colours,
    };
    top_tiers_screen(&picture, &top->screen);
}

static void paint(struct top *top, unsigned columns, unsigned rows, bool colours)
{
    char now[16];
    struct tm local;
    time_t seconds = (time_t)(clock_wall_ms() / 1000);
    localtime_r(&seconds, &local);
    strftime(now, sizeof now, "%H:%M:%S", &local);
    buf_clear(&top->screen);
    if (top->flags.server[0])
        paint_engine(top, now, columns, rows, colours);
    else if (top->flags.front[0])
        paint_tiers(top, now, columns, rows, colours);
    else
        paint_balance(top, now, columns, rows, colours);
}

static int show_once(const struct program_command *self, struct top *top)
{
    ask_all(top);
    if (top->flags.server[0] && !top->trouble.err) {
        struct timespec between = {(time_t)(top->flags.every_ms / 1000),
                                   (long)(top->flags.every_ms % 1000 * MS_NS)};
        nanosleep(&between, NULL); /* rates are of the time between two looks */
        ask_all(top);
    }
    if (top->trouble.err)
        return command_failed(self, top->trouble.text);
    paint(top, ONCE_COLUMNS, ONCE_ROWS, false);
    fwrite(top->screen.at, 1, top->screen.len, stdout);
    return EXIT_DONE;
}

/* True: it is to end. */
static bool take_key(struct top *top, char key)
{
    if (key == '\t' && top->door_count > 1) {
        top->door = (top->door + 1) % top->door_count;
        forget(top);
    }
    return key == 'q' || key == 'Q';
}

static int show_on(const struct program_command *self, struct top *top)
{
    struct terminal terminal;
    struct failure failure = {0};
    bool colours = getenv("NO_COLOR") == NULL, end = false;
    if (terminal_open(&terminal, &failure))
        return command_usage_error(self, failure.text);
    bool fresh = false; /* what is known needs not be asked again, only drawn */
    while (!end) {
        unsigned columns, rows;
        char key = 0;
        if (!fresh)
            ask_all(top);
        terminal_size(&columns, &rows);
        paint(top, columns, rows, colours);
        terminal_draw(buf_text(&top->screen));
        enum terminal_event event = terminal_wait(&terminal, (int)top->flags.every_ms, &key);
        fresh = event == TERMINAL_RESIZED;
        end = event == TERMINAL_END || (event == TERMINAL_KEY && take_key(top, key));
    }
    terminal_close(&terminal);
    return EXIT_DONE;
}

static int read_flags(struct top *top, int count, char **words, struct failure *failure)
{
    struct top_flags *flags = &top->flags;
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, flags);
    int err = option_parse(&table, flags, count, words, operands, 0, &operand_count, failure);
    if (!err && (flags->server[0] != 0) + (flags->url[0] != 0) + (flags->front[0] != 0) > 1)
        err = fail(failure, ERR_INVALID,
                   "server, url and front do not go together: they are a server, a load manager, "
                   "and a front");
    if (!err && flags->token_file[0])
        err = secret_file_read("--token-file", flags->token_file, top->token, sizeof top->token,
                               failure);
    return err;
}

static int run_top(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct top *top = calloc(1, sizeof *top);
    if (!top)
        return command_failed(self, err_sentence(ERR_NOMEM));
    buf_init(&top->screen, SCREEN_MAX);
    buf_init(&top->metrics, ANSWER_MAX);
    buf_init(&top->before, ANSWER_MAX);
    int status;
    if (read_flags(top, count, words, &failure)) {
        status = command_usage_error(self, failure.text);
    } else {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        int err = look_for_doors(top, &failure);
        status = err               ? command_failed(self, failure.text)
                 : top->flags.once ? show_once(self, top)
                                   : show_on(self, top);
    }
    forget(top);
    buf_close(&top->before);
    buf_close(&top->metrics);
    buf_close(&top->screen);
    free(top);
    return status;
}

const struct program_command command_top = {
    "top",
    "[options]",
    "watch a load manager and its servers at work, or tiers, or a server's engine",
    "Keys: q ends it, Tab shows the next load manager, any other asks at once. Errors and retries\n"
    "are counted since the load manager's start; rates and latencies are of the last seconds.\n"
    "With --front: the queue, fronts and workers, and what was decided about their number.\n"
    "With --server: the engine's requests, the workers of pool, the processes of fork, what is\n"
    "read from disk, admission (serve --admission) and the stages of seda; rates are of the time\n"
    "between two looks.",
    &table,
    run_top,
    NULL,
};
