#include "shop/audit.h"

#include "base/check.h"
#include "base/json_text.h"
#include "main/demo_file.h"
#include "main/file.h"
#include "main/program.h"
#include "main/secret_file.h"
#include "main/server_dirs.h"
#include "outside/audit_outside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct audit_options {
    bool json, digest, at_rest, inside;
    char bank[OPTION_TEXT_SIZE], key_file[OPTION_TEXT_SIZE], pin[OPTION_TEXT_SIZE],
        authority[OPTION_TEXT_SIZE];
    struct option_list warehouses;
};

#define AT(field) offsetof(struct audit_options, field)

static const struct option_row rows[] = {
    {"bank", OPTION_TEXT, AT(bank), NULL, 0, 0, NULL, "FILE|URL",
     "hold every order against this bank's charges, too: the bank.db of a `stoa bank`, its DIR, or "
     "the address of one that speaks Stripe's API"},
    {"bank-key-file", OPTION_TEXT, AT(key_file), NULL, 0, 0, NULL, "FILE",
     "of an address: its secret key, in the first line"},
    {"bank-pin", OPTION_TEXT, AT(pin), NULL, 0, 0, NULL, "PIN",
     "of an address: its public key as sha256//BASE64, whoever signed its certificate"},
    {"bank-authority", OPTION_TEXT, AT(authority), NULL, 0, 0, NULL, "FILE",
     "of an address: who signed its certificate (PEM)"},
    {"warehouse", OPTION_LIST, AT(warehouses), NULL, 0, AUDIT_HOUSES_MAX, NULL, "[ID=]FILE",
     "and against the book of this warehouse: its warehouse.db, or its DIR; may be repeated"},
    {"inside", OPTION_SWITCH, AT(inside), NULL, 0, 0, NULL, NULL,
     "look at the shop alone, even of a demo that has a bank and a warehouse"},
    {"at-rest", OPTION_SWITCH, AT(at_rest), NULL, 0, 0, NULL, NULL,
     "nothing is under way: what would explain a difference is none, and there is no second look"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
    {"digest", OPTION_SWITCH, AT(digest), NULL, 0, 0, NULL, NULL,
     "print a SHA-256 of all it holds instead: copies of one shop agree in it at the same entry"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

struct saying {
    bool json;
    uint64_t said;
};

static void say(void *context, const char *sentence)
{
    struct saying *saying = context;
    if (!saying->json) {
        puts(sentence);
        return;
    }
    fputs(saying->said++ ? "," : "", stdout);
    json_text_print(sentence, stdout);
}

static int run_digest(const struct program_command *self, const char *file, bool json)
{
    struct failure failure = {0};
    unsigned char digest[DB_DIGEST];
    char text[2 * DB_DIGEST + 1];
    uint64_t index = 0;
    if (audit_digest(file, digest, &index, &failure))
        return command_failed(self, failure.text);
    for (unsigned i = 0; i < DB_DIGEST; i++)
        snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
    printf(json ? "{\"digest\":\"%s\",\"index\":%llu}\n" : "%s as of entry %llu\n", text,
           (unsigned long long)index);
    return EXIT_DONE;
}

static void print_report(bool json, const struct audit_report *report, int err)
{
    if (json)
        printf("],\"difference_count\":%llu,\"complete\":%s,\"index\":%llu,\"variants\":%llu,"
               "\"holds\":%llu,\"orders\":%llu,\"carts\":%llu,\"checkouts\":%llu",
               (unsigned long long)report->differences, err ? "false" : "true",
               (unsigned long long)report->index, (unsigned long long)report->variants,
               (unsigned long long)report->holds, (unsigned long long)report->orders,
               (unsigned long long)report->carts, (unsigned long long)report->checkouts);
    else if (!err)
        printf("%llu differences in %llu variants, %llu orders, %llu checkouts, %llu carts and "
               "%llu holds, as of entry %llu\n",
               (unsigned long long)report->differences, (unsigned long long)report->variants,
               (unsigned long long)report->orders, (unsigned long long)report->checkouts,
               (unsigned long long)report->carts, (unsigned long long)report->holds,
               (unsigned long long)report->index);
}

/* ---- Over the bank and the warehouses ---- */

/* A path that is a folder means NAME in it; PLACE may begin with ID=. Into OUT; returns OUT. */
static const char *file_of(const char *place, const char *name, char out[static DATADIR_PATH])
{
    struct stat about;
    const char *mark = strchr(place, '='), *path = mark ? mark + 1 : place;
    bool folder = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    int len = snprintf(out, DATADIR_PATH, "%s%s%s", place, folder ? "/" : "", folder ? name : "");
    return len < DATADIR_PATH ? out : place;
}

static bool has_places(const struct audit_options *options)
{
    return options->bank[0] || options->warehouses.count > 0;
}

struct places {
    struct audit_places audit;
    char bank[DATADIR_PATH], key[SECRET_FILE_SIZE], warehouses[AUDIT_HOUSES_MAX][DATADIR_PATH];
};

static int find_places(const struct audit_options *options, const char *shop, struct places *places,
                       struct failure *failure)
{
    places->audit = (struct audit_places){.shop = shop, .at_rest = options->at_rest};
    places->key[0] = 0;
    if (options->bank[0])
        places->audit.bank = (struct bank_place){
            .place = strstr(options->bank, "://") ? options->bank
                                                  : file_of(options->bank, "bank.db", places->bank),
            .key = places->key,
            .pin = options->pin[0] ? options->pin : NULL,
            .authority = options->authority[0] ? options->authority : NULL,
        };
    for (unsigned i = 0; i < options->warehouses.count && i < AUDIT_HOUSES_MAX; i++)
        places->audit.warehouses[places->audit.warehouse_count++] =
            file_of(options->warehouses.items[i], "warehouse.db", places->warehouses[i]);
    return options->key_file[0] ? secret_file_read("--bank-key-file", options->key_file,
                                                   places->key, sizeof places->key, failure)
                                : 0;
}

static void print_outside(bool json, const struct audit_outside_report *report, int err)
{
    if (json)
        printf("],\"difference_count\":%llu,\"complete\":%s,\"under_way\":%llu,\"orders\":%llu,"
               "\"charges\":%llu,\"parcels\":%llu,\"items\":%llu,\"unpaired\":%llu,"
               "\"foreign\":%llu}",
               (unsigned long long)report->differences, err ? "false" : "true",
               (unsigned long long)report->under_way, (unsigned long long)report->orders,
               (unsigned long long)report->charges, (unsigned long long)report->parcels,
               (unsigned long long)report->items, (unsigned long long)report->unpaired,
               (unsigned long long)report->foreign);
    else if (!err)
        printf("%llu differences between %llu orders, %llu charges, %llu parcels and %llu items of "
               "stock; %llu things are under way\n",
               (unsigned long long)report->differences, (unsigned long long)report->orders,
               (unsigned long long)report->charges, (unsigned long long)report->parcels,
               (unsigned long long)report->items, (unsigned long long)report->under_way);
}

/* The shop's FILE against the others' books. */
static int audit_between(const struct program_command *self, const struct audit_options *options,
                         const char *file)
{
    struct failure failure = {0};
    struct saying saying = {options->json, 0};
    struct audit_outside_report report = {0};
    struct places *places = malloc(sizeof *places);
    if (!places)
        return command_failed(self, err_sentence(ERR_NOMEM));
    if (options->json)
        fputs("{\"differences\":[", stdout);
    int err = find_places(options, file, places, &failure);
    err = err ? err : audit_outside_run(&places->audit, say, &saying, &report, &failure);
    print_outside(options->json, &report, err);
    free(places);
    if (err)
        return command_failed(self, failure.text);
    return report.differences ? EXIT_FAILED : EXIT_DONE;
}

/* ---- Servers ---- */

/* One server's database. ID: of a demo's server; 0: DIR is what the user gave, and what lies
 * outside is looked at with it. *INDEX: its last entry. */
static int audit_one(const struct program_command *self, const struct audit_options *options,
                     const char *dir, uint64_t id, uint64_t *index)
{
    struct failure failure = {0};
    char file[DATADIR_PATH];
    if (file_join(file, dir, "shop.db", &failure))
        return command_failed(self, failure.text);
    if (id && !options->json)
        printf("server %llu: ", (unsigned long long)id);
    if (options->digest)
        return run_digest(self, file, options->json);
    struct saying saying = {options->json, 0};
    struct audit_report report = {0};
    if (options->json)
        fputs("{\"differences\":[", stdout);
    int err = audit_run(file, say, &saying, &report, &failure);
    print_report(options->json, &report, err);
    *index = report.index;
    int status = report.differences ? EXIT_FAILED : EXIT_DONE;
    if (!err && id == 0 && has_places(options)) {
        fputs(options->json ? ",\"outside\":" : "", stdout);
        int outside = audit_between(self, options, file);
        status = outside > status ? outside : status;
    }
    fputs(options->json ? "}\n" : "", stdout);
    return err ? command_failed(self, failure.text) : status;
}

/* Each of a demo's servers; what lies outside is held against the one that is furthest on. */
static int audit_demo(const struct program_command *self, const struct audit_options *options,
                      const struct server_dirs *dirs)
{
    struct failure failure = {0};
    int status = EXIT_DONE;
    uint64_t furthest = 0;
    const char *best = NULL;
    char file[DATADIR_PATH];
    for (unsigned i = 0; i < dirs->count; i++) {
        uint64_t index = 0;
        int found = audit_one(self, options, dirs->at[i].path, dirs->at[i].id, &index);
        status = found > status ? found : status;
        if (!best || index > furthest) {
            best = dirs->at[i].path;
            furthest = index;
        }
    }
    if (!best || !has_places(options) || options->digest)
        return status;
    if (file_join(file, best, "shop.db", &failure))
        return command_failed(self, failure.text);
    int outside = audit_between(self, options, file);
    fputs(options->json ? "\n" : "", stdout);
    return outside > status ? outside : status;
}

/* A demo's bank and warehouse, unless others are given. */
static void take_demos_own(struct audit_options *options, const char *dir)
{
    char found[DEMO_SERVICES][OPTION_TEXT_SIZE];
    struct option_list *warehouses = &options->warehouses;
    demo_file_services(dir, found);
    if (!options->bank[0])
        str_copy(options->bank, sizeof options->bank, str_of(found[DEMO_BANK]));
    if (!warehouses->count && found[DEMO_WAREHOUSE][0])
        str_copy(warehouses->items[warehouses->count++], sizeof warehouses->items[0],
                 str_of(found[DEMO_WAREHOUSE]));
}

/* DIR, or each of a demo's servers. The worst exit status. */
static int audit_dirs(const struct program_command *self, struct audit_options *options,
                      const char *dir)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    uint64_t index;
    if (!dirs)
        return command_failed(self, err_sentence(ERR_NOMEM));
    bool demo = server_dirs_find(dir, dirs, NULL) == 0 && dirs->demo;
    if (demo && !options->inside)
        take_demos_own(options, dir);
    int status = demo ? audit_demo(self, options, dirs) : audit_one(self, options, dir, 0, &index);
    free(dirs);
    return status;
}

static int run_audit(const struct program_command *self, int count, char **words)
{
    struct audit_options options = {0};
    struct failure failure = {0};
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, &options);
    if (option_parse(&table, &options, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "which shop? Give its DIR");
    if (options.inside && has_places(&options))
        return command_usage_error(self, "--inside, or --bank and --warehouse, not both");
    return audit_dirs(self, &options, operands[0]);
}

const struct program_command command_audit = {
    "audit",
    "[options] DIR",
    "derive every count of a shop again and say what differs",
    "Recomputes stock, holds, units sold, totals and what orders are now from what they are made\n"
    "of. With --bank and --warehouse every order is also held against the bank's charges and the\n"
    "warehouses' parcels and stock: each has exactly one charge and its shipments, and nothing\n"
    "else exists. What is under way explains a difference, and what it does not explain is looked\n"
    "at twice. Running processes do not mind. Of a demo each server's copy is looked at, and its\n"
    "bank and warehouse, unless others or --inside are given. Exit\n"
    "status 0: nothing differs; 1: something does.\n"
    "  stoa audit --bank bank --warehouse main-warehouse data",
    &table,
    run_audit,
};
