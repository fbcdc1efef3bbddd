#include "shop/audit.h"

#include "base/check.h"
#include "base/json_text.h"
#include "main/file.h"
#include "main/program.h"
#include "main/server_dirs.h"

#include <stdlib.h>

struct audit_options {
    bool json, digest;
};

static const struct option_row rows[] = {
    {"json", OPTION_SWITCH, offsetof(struct audit_options, json), NULL, 0, 0, NULL, NULL,
     "print one JSON document"},
    {"digest", OPTION_SWITCH, offsetof(struct audit_options, digest), NULL, 0, 0, NULL, NULL,
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
               "\"holds\":%llu,\"orders\":%llu,\"carts\":%llu,\"checkouts\":%llu}\n",
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

/* One server's database. ID: of a demo's server; 0: DIR is what the user gave. */
static int audit_one(const struct program_command *self, const struct audit_options *options,
                     const char *dir, uint64_t id)
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
    if (err)
        return command_failed(self, failure.text);
    return report.differences ? EXIT_FAILED : EXIT_DONE;
}

/* DIR, or each of a demo's servers. The worst exit status. */
static int audit_dirs(const struct program_command *self, const struct audit_options *options,
                      const char *dir)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int status = EXIT_DONE;
    if (server_dirs_find(dir, dirs, NULL) || !dirs->demo)
        status = audit_one(self, options, dir, 0);
    else
        for (unsigned i = 0; i < dirs->count; i++) {
            int found = audit_one(self, options, dirs->at[i].path, dirs->at[i].id);
            status = found > status ? found : status;
        }
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
    return audit_dirs(self, &options, operands[0]);
}

const struct program_command command_audit = {
    "audit",
    "[--json] [--digest] DIR",
    "derive every count of a shop again and say what differs",
    "Recomputes stock, holds, units sold and totals from what they are made of. A running\n"
    "server does not mind. Of a demo each server's copy is looked at. Exit status 0: nothing\n"
    "differs; 1: something does.",
    &table,
    run_audit,
};
