#include "base/check.h"
#include "base/random.h"
#include "main/crash_points.h"
#include "main/foreground.h"
#include "main/listening.h"
#include "main/program.h"
#include "main/secret_file.h"
#include "main/service.h"
#include "main/service_door.h"
#include "outside/warehouse_book.h"
#include "outside/warehouse_server.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { TOKEN_LEAST = 16, ID_LEAST = 1, ID_MOST = 63, PHRASE_FILE = 2 * WAREHOUSE_HASH };

struct warehouse_settings {
    char dir[OPTION_TEXT_SIZE], id[OPTION_TEXT_SIZE], token_file[OPTION_TEXT_SIZE];
    struct option_list shops, crash_at;
    char shop_id[OPTION_TEXT_SIZE], shop_pin[OPTION_TEXT_SIZE], shop_authority[OPTION_TEXT_SIZE];
    char listen[OPTION_TEXT_SIZE], people_listen[OPTION_TEXT_SIZE];
    bool plain, new_phrase, check;
    char certificate[OPTION_TEXT_SIZE], key[OPTION_TEXT_SIZE];
    uint64_t auto_ship_ms, auto_deliver_ms, helpers, stop_grace_ms;
    char log_level[OPTION_TEXT_SIZE];
};

#define AT(field) offsetof(struct warehouse_settings, field)

/* clang-format off */
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "warehouse", 0, 0, NULL, "DIR",
     "where the warehouse's book, keys and certificate are kept"},
    {"id", OPTION_TEXT, AT(id), "main", 0, 0, NULL, "NAME",
     "what the shop calls this warehouse: 1 to 63 of a-z, 0-9 and -"},
    {"shop", OPTION_LIST, AT(shops), NULL, 0, WAREHOUSE_SHOPS_MAX, NULL, "URL[,URL...]",
     "where the shop is told what happens here: its servers or load managers, tried in turn"},
    {"token-file", OPTION_TEXT, AT(token_file), NULL, 0, 0, NULL, "FILE",
     "a file with the token that shop and warehouse share (the shop tells it)"},
    {"shop-id", OPTION_TEXT, AT(shop_id), NULL, 0, 0, NULL, "ID",
     "the only shop to take orders of, 32 hex digits [the first that comes]"},
    {"shop-pin", OPTION_TEXT, AT(shop_pin), NULL, 0, 0, NULL, "PIN",
     "sha256//... of the shop's certificate's key, where no authority signed it"},
    {"shop-authority", OPTION_TEXT, AT(shop_authority), NULL, 0, 0, NULL, "FILE",
     "whose certificates (PEM) are believed of the shop [the system's authorities]"},
    {"listen", OPTION_TEXT, AT(listen), "127.0.0.1:9300", 0, 0, NULL, "ADDR:PORT",
     "where the shop, and the people too, come in (HTTPS)"},
    {"people-listen", OPTION_TEXT, AT(people_listen), NULL, 0, 0, NULL, "ADDR:PORT",
     "where the people come in instead [--listen]"},
    {"plain", OPTION_SWITCH, AT(plain), NULL, 0, 0, NULL, NULL,
     "HTTP without TLS, on loopback addresses only"},
    {"certificate", OPTION_TEXT, AT(certificate), NULL, 0, 0, NULL, "FILE",
     "certificate chain (PEM); without it a self-signed one is made, kept in DIR"},
    {"key", OPTION_TEXT, AT(key), NULL, 0, 0, NULL, "FILE", "private key (PEM) of the certificate"},
    {"new-passphrase", OPTION_SWITCH, AT(new_phrase), NULL, 0, 0, NULL, NULL,
     "make another pass phrase for the people's page and print it; who is logged in is logged out"},
    {"auto-ship", OPTION_DURATION, AT(auto_ship_ms), "0ms", 0, 86400000, NULL, "TIME",
     "for trying out: pack and ship each order so long after it came (0ms: people do)"},
    {"auto-deliver", OPTION_DURATION, AT(auto_deliver_ms), "0ms", 0, 86400000, NULL, "TIME",
     "for trying out: parcels arrive so long after they left (0ms: people say so)"},
    {"check", OPTION_SWITCH, AT(check), NULL, 0, 0, NULL, NULL,
     "look whether the book in DIR agrees with itself, and end; also while a warehouse runs"},
    {"helpers", OPTION_COUNT, AT(helpers), "4", 1, 64, NULL, "N",
     "threads that work on requests"},
    {"stop-grace", OPTION_DURATION, AT(stop_grace_ms), "5s", 0, 3600000, NULL, "TIME",
     "at a stop: how long requests in flight may take"},
    {"crash-at", OPTION_LIST, AT(crash_at), NULL, 0, 0, NULL, "POINT[:N|:P%]",
     "for tests: kill this process at a named point (docs/buying.md)"},
    {"log-level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "what is logged on standard error"},
};
/* clang-format on */
static const struct option_table table = {rows, COUNT_OF(rows)};

/* Everything of one warehouse, in the order in which it hangs together. */
struct house {
    struct warehouse_settings settings;
    struct service service;
    struct log log;
    struct warehouse_config config;
    char file[FILE_PATH], token[SECRET_FILE_SIZE], people_key[2 * WAREHOUSE_KEY + 1];
    char phrase[WAREHOUSE_PHRASE]; /* a new one, to be printed and then kept; or empty */
    struct warehouse_server *server;
    struct engine *engines[2];
    char url[SERVICE_URL], people_url[SERVICE_URL], pin[TLS_PIN];
};

/* ---- Settings ---- */

static int check_id(const char *id, struct failure *failure)
{
    size_t len = strlen(id);
    if (len >= ID_LEAST && len <= ID_MOST &&
        strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
        return 0;
    return fail(failure, ERR_INVALID,
                "--id \"%s\": a warehouse's name is %d to %d of a-z, 0-9 and -", id, ID_LEAST,
                ID_MOST);
}

/* "https://shop.example,https://other" gives two; each without its last slash. */
static int take_shops(struct house *house, struct failure *failure)
{
    struct option_list *list = &house->settings.shops;
    for (unsigned i = 0; i < list->count; i++) {
        char *save = NULL;
        for (char *url = strtok_r(list->items[i], ",", &save); url;
             url = strtok_r(NULL, ",", &save)) {
            size_t len = strlen(url);
            if (house->config.shop_count == WAREHOUSE_SHOPS_MAX)
                return fail(failure, ERR_INVALID, "--shop: %d addresses at most",
                            WAREHOUSE_SHOPS_MAX);
            if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
                return fail(failure, ERR_INVALID, "--shop \"%s\" is no URL: write https://HOST",
                            url);
            if (url[len - 1] == '/')
                url[len - 1] = '\0';
            house->config.shops[house->config.shop_count++] = url;
        }
    }
    return 0;
}

static int check_settings(struct house *house, struct failure *failure)
{
    const struct warehouse_settings *s = &house->settings;
    unsigned char id[16];
    int err = check_id(s->id, failure);
    err = err ? err : take_shops(house, failure);
    if (err)
        return err;
    if (s->shop_id[0] && hex_decode(str_of(s->shop_id), id, sizeof id))
        return fail(failure, ERR_INVALID, "--shop-id must be 32 hexadecimal digits");
    if (s->plain && (!listening_is_loopback(s->listen) ||
                     (s->people_listen[0] && !listening_is_loopback(s->people_listen))))
        return fail(failure, ERR_INVALID,
                    "--plain is for addresses of this machine alone, as 127.0.0.1:9300: tokens and "
                    "addresses of customers would go over the network for all to read");
    if (!s->check && !s->token_file[0])
        return fail(failure, ERR_INVALID,
                    "--token-file is missing: a file with the token that the shop and this "
                    "warehouse share");
    return 0;
}

/* ---- Keys ---- */

static bool is_token(const char *text)
{
    size_t len = 0;
    for (; text[len]; len++)
        if (text[len] <= ' ' || text[len] > '~')
            return false;
    return len >= TOKEN_LEAST;
}

static int read_token(struct house *house, struct failure *failure)
{
    const char *path = house->settings.token_file;
    int err = secret_file_read("--token-file", path, house->token, sizeof house->token, failure);
    if (!err && !is_token(house->token))
        err = fail(failure, ERR_INVALID,
                   "--token-file: the first line of %s must be a token of at least %d letters and "
                   "digits",
                   path, TOKEN_LEAST);
    return err;
}

static int make_phrase(struct house *house, struct failure *failure)
{
    struct warehouse_config *config = &house->config;
    char secret[FILE_PATH];
    warehouse_phrase_make(house->phrase);
    random_secret(config->phrase_salt, WAREHOUSE_HASH);
    if (warehouse_phrase_hash(house->phrase, config->phrase_salt, config->phrase_hash))
        return fail(failure, ERR_NOMEM, "no memory to make a pass phrase");
    /* Sessions that the old phrase began are signed by the old secret. */
    int err = file_join(secret, house->service.dir, "secret", failure);
    return err ? err : file_remove_tree(secret, failure);
}

/* Prints a new phrase, once the start has succeeded, and only then writes DIR/passphrase, which has
 * its salt and hash: nobody could read back a phrase that was kept and never shown. */
static int show_phrase(const struct house *house, struct failure *failure)
{
    unsigned char both[PHRASE_FILE];
    char path[FILE_PATH], text[2 * PHRASE_FILE + 2];
    if (!house->phrase[0])
        return 0;
    printf("stoa: pass phrase for the people of warehouse %s, shown only now: %s\n",
           house->settings.id, house->phrase);
    fflush(stdout);
    memcpy(both, house->config.phrase_salt, WAREHOUSE_HASH);
    memcpy(both + WAREHOUSE_HASH, house->config.phrase_hash, WAREHOUSE_HASH);
    hex_encode(both, sizeof both, text);
    strcat(text, "\n");
    int err = file_join(path, house->service.dir, "passphrase", failure);
    return err ? err : file_write(path, str_of(text), failure);
}

/* The one that is kept, or a new one. */
static int read_phrase(struct house *house, struct failure *failure)
{
    char path[FILE_PATH], text[2 * PHRASE_FILE + 2];
    unsigned char both[PHRASE_FILE];
    size_t len = 0;
    int err = file_join(path, house->service.dir, "passphrase", failure);
    err = err ? err : file_read(path, text, sizeof text, &len, failure);
    if (err == ERR_NOTFOUND || (!err && house->settings.new_phrase))
        return make_phrase(house, failure);
    if (!err && hex_decode(str_trim(str_make(text, len)), both, sizeof both))
        return fail(failure, ERR_DAMAGED, "%s is damaged: --new-passphrase makes another", path);
    memcpy(house->config.phrase_salt, both, WAREHOUSE_HASH);
    memcpy(house->config.phrase_hash, both + WAREHOUSE_HASH, WAREHOUSE_HASH);
    return err;
}

static int read_keys(struct house *house, struct failure *failure)
{
    unsigned char key[WAREHOUSE_KEY];
    int err = read_token(house, failure);
    err = err ? err : read_phrase(house, failure); /* before the secret, which it may renew */
    err = err ? err
              : service_secret(&house->service, "secret", house->config.secret, WAREHOUSE_KEY, NULL,
                               failure);
    err = err ? err : service_secret(&house->service, "people.key", key, sizeof key, NULL, failure);
    hex_encode(key, sizeof key, house->people_key);
    return err;
}

/* ---- Opening ---- */

static int fill_config(struct house *house, struct failure *failure)
{
    const struct warehouse_settings *s = &house->settings;
    struct warehouse_config *config = &house->config;
    int err = file_join(house->file, s->dir, "warehouse.db", failure);
    err = err ? err : crash_points_read(&config->crash, &s->crash_at, failure);
    config->dir = s->dir;
    config->file = house->file;
    config->id = s->id;
    config->token = house->token;
    config->shop_id = s->shop_id[0] ? s->shop_id : NULL;
    config->authority = s->shop_authority[0] ? s->shop_authority : NULL;
    config->pin = s->shop_pin[0] ? s->shop_pin : NULL;
    config->people_key = house->people_key;
    config->auto_ship_ms = s->auto_ship_ms ? s->auto_ship_ms : UINT64_MAX;
    config->auto_deliver_ms = s->auto_deliver_ms ? s->auto_deliver_ms : UINT64_MAX;
    config->log = &house->log;
    return err;
}

static int open_doors(struct house *house, struct failure *failure)
{
    const struct warehouse_settings *s = &house->settings;
    struct warehouse_server *server = house->server;
    bool apart = s->people_listen[0];
    struct service_door door = {
        .dir = s->dir,
        .plain = s->plain,
        .certificate = s->certificate,
        .key = s->key,
        .loops = 1,
        .helpers = (unsigned)s->helpers,
        .stop_grace_ms = s->stop_grace_ms,
        .log = &house->log,
    };
    unsigned faces = apart ? WAREHOUSE_SHOP : WAREHOUSE_SHOP | WAREHOUSE_PEOPLE;
    int err = service_door_pin(&door, house->pin, failure);
    err = err ? err
              : service_door_open(&door, s->listen, "--listen", warehouse_server_app(server, faces),
                                  &house->engines[0], house->url, failure);
    if (err || !apart)
        return err;
    return service_door_open(&door, s->people_listen, "--people-listen",
                             warehouse_server_app(server, WAREHOUSE_PEOPLE), &house->engines[1],
                             house->people_url, failure);
}

static void close_house(struct house *house)
{
    for (unsigned i = COUNT_OF(house->engines); i-- > 0;)
        foreground_stop(&engine_event, house->engines[i]);
    warehouse_server_close(house->server);
    service_close(&house->service);
    crash_plan_free(house->config.crash);
}

static int open_house(struct house *house, struct failure *failure)
{
    const struct warehouse_settings *s = &house->settings;
    int err = service_open(s->dir, &house->service, failure);
    err = err ? err : read_keys(house, failure);
    err = err ? err : fill_config(house, failure);
    err = err ? err : warehouse_server_open(&house->config, &house->server, failure);
    err = err ? err : open_doors(house, failure);
    err = err ? err : service_announce(&house->service, house->url, house->pin, failure);
    if (err)
        close_house(house);
    return err;
}

static int run_house(const struct program_command *self, struct house *house)
{
    struct failure failure = {0};
    struct foreground *foreground;
    if (foreground_begin(&foreground, &failure) || open_house(house, &failure))
        return command_failed(self, failure.text);
    foreground_ready(foreground);
    if (show_phrase(house, &failure)) {
        close_house(house);
        return command_failed(self, failure.text);
    }
    if (house->people_url[0])
        printf("stoa: people come in at %s\n", house->people_url);
    if (house->pin[0])
        printf("stoa: pin %s\n", house->pin);
    printf("stoa: warehouse %s ready at %s\n", house->settings.id, house->url);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&house->log, LOG_INFO, "main", "stopping");
    close_house(house);
    return EXIT_DONE;
}

/* ---- Checking ---- */

static void tell_problem(void *context, const char *text)
{
    (void)context;
    printf("%s\n", text);
}

static int check_book(const struct program_command *self, struct house *house)
{
    struct failure failure = {0};
    struct book_counts counts;
    struct db *db = NULL;
    int err = file_join(house->file, house->settings.dir, "warehouse.db", &failure);
    if (!err && access(house->file, R_OK))
        err = fail(&failure, ERR_NOTFOUND, "%s is not there", house->file);
    err = err ? err : db_open(house->file, DB_READER, &db, &failure);
    if (!err && (err = db_begin(db)))
        failure = *db_failure(db);
    err = err ? err : warehouse_book_check(db, tell_problem, NULL, &counts, &failure);
    db_close(db);
    if (err)
        return command_failed(self, failure.text);
    printf("%" PRIu64 " orders with %" PRIu64 " lines, %" PRIu64 " parcels, %" PRIu64
           " items, %" PRIu64 " reports: %" PRIu64 " wrong\n",
           counts.orders, counts.lines, counts.parcels, counts.items, counts.reports, counts.wrong);
    return counts.wrong ? EXIT_FAILED : EXIT_DONE;
}

static int run_warehouse(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    unsigned operands;
    struct house *house = calloc(1, sizeof *house);
    if (!house)
        return command_failed(self, err_sentence(ERR_NOMEM));
    house->service.lock = -1;
    option_defaults(&table, &house->settings);
    int err = option_parse(&table, &house->settings, count, words, NULL, 0, &operands, &failure);
    err = err ? err : check_settings(house, &failure);
    house->log = (struct log){STDERR_FILENO, log_level_of(house->settings.log_level)};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = err                     ? command_usage_error(self, failure.text)
                 : house->settings.check ? check_book(self, house)
                                         : run_house(self, house);
    free(house);
    return status;
}

const struct program_command command_warehouse = {
    "warehouse",
    "[options]",
    "run a warehouse: it takes orders from a shop, and its people pick, pack and ship them",
    "Prints \"stoa: warehouse NAME ready at URL\" on standard output when it takes orders;\n"
    "everything else goes to standard error. SIGINT or SIGTERM stops it. The first start makes\n"
    "DIR and prints the pass phrase for its people's page; DIR/pin is what the shop is told of\n"
    "its certificate, DIR/people.key the key of the API that scanners use (docs/warehouse.md).\n"
    "  stoa warehouse --dir main-warehouse --id main --shop https://shop.example \\\n"
    "      --token-file main.token --listen :9300\n"
    "  stoa warehouse --check --dir main-warehouse",
    &table,
    run_warehouse,
};
