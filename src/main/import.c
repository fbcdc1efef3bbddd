#include "outside/import.h"

#include "base/check.h"
#include "main/opening.h"
#include "main/program.h"
#include "main/remote.h"
#include "main/server.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

struct import_flags {
    char dir[OPTION_TEXT_SIZE];
    bool skip_bad, json, quiet;
};

#define AT(field) offsetof(struct import_flags, field)
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR", "the shop's data directory"},
    {"skip-bad", OPTION_SWITCH, AT(skip_bad), NULL, 0, 0, NULL, NULL,
     "import the good products although there are bad rows"},
    {"quiet", OPTION_SWITCH, AT(quiet), NULL, 0, 0, NULL, NULL, "show no progress"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

struct importing {
    const struct import_flags *flags;
    const char *name;
    struct import_progress now;
    bool shown, done;
    struct failure *failure;
};

/* ---- What people see ---- */

static void show_progress(void *context, const struct import_progress *p)
{
    struct importing *importing = context;
    importing->now = *p;
    if (importing->flags->quiet || !isatty(STDERR_FILENO))
        return;
    double share = p->bytes_total ? 100.0 * (double)p->bytes / (double)p->bytes_total : 0;
    fprintf(stderr, "\r%s: %s %5.1f %%, %llu rows, %llu products, %llu bad rows ", importing->name,
            p->deciding ? "into the catalogue" : "reading", share, (unsigned long long)p->rows,
            (unsigned long long)p->products, (unsigned long long)p->bad_rows);
    importing->shown = true;
}

static void show_bad(void *context, const char *sentence)
{
    struct importing *importing = context;
    fprintf(stderr, "%s%s\n", importing->shown ? "\n" : "", sentence);
    importing->shown = false;
}

static int conclude(const struct program_command *self, struct importing *importing, int err)
{
    const struct import_progress *p = &importing->now;
    if (importing->shown)
        fputc('\n', stderr);
    if (importing->flags->json)
        printf("{\"imported\":%s,\"products\":%llu,\"variants\":%llu,\"rows\":%llu,"
               "\"bad_rows\":%llu}\n",
               err ? "false" : "true", (unsigned long long)(err ? 0 : p->products),
               (unsigned long long)(err ? 0 : p->variants), (unsigned long long)p->rows,
               (unsigned long long)p->bad_rows);
    if (err)
        return command_failed(self, importing->failure->text);
    if (!importing->flags->json)
        printf("%s: %llu products with %llu variants imported, %llu bad rows skipped\n",
               importing->name, (unsigned long long)p->products, (unsigned long long)p->variants,
               (unsigned long long)p->bad_rows);
    return EXIT_DONE;
}

/* ---- Through a running server ---- */

static uint64_t number_of(yyjson_val *object, const char *name, uint64_t otherwise)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    return yyjson_is_uint(value) ? yyjson_get_uint(value) : otherwise;
}

/* One line of the server's answer: progress, a bad row, or the end. */
static int take_line(void *context, struct str line)
{
    struct importing *importing = context;
    yyjson_doc *doc = yyjson_read(line.at, line.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *bad = yyjson_get_str(yyjson_obj_get(root, "bad"));
    const char *error = yyjson_get_str(yyjson_obj_get(root, "error"));
    int err = 0;
    struct import_progress p = importing->now;
    p.bytes = number_of(root, "bytes", p.bytes);
    p.bytes_total = number_of(root, "bytes_total", p.bytes_total);
    p.rows = number_of(root, "rows", p.rows);
    p.products = number_of(root, "products", p.products);
    p.variants = number_of(root, "variants", p.variants);
    p.bad_rows = number_of(root, "bad_rows", p.bad_rows);
    p.deciding = yyjson_get_bool(yyjson_obj_get(root, "deciding"));
    if (bad)
        show_bad(importing, bad);
    else
        show_progress(importing, &p);
    if (error)
        err = fail(importing->failure, ERR_INVALID, "%s", error);
    importing->done = importing->done || yyjson_get_bool(yyjson_obj_get(root, "done"));
    yyjson_doc_free(doc);
    return err;
}

static int import_remote(const struct remote *remote, struct importing *importing, const char *path)
{
    char name[512], target[768];
    FILE *in = fopen(path, "re");
    if (!in)
        return fail_errno(importing->failure, ERR_NOTFOUND, "cannot open %s", path);
    remote_escape(importing->name, name, sizeof name);
    snprintf(target, sizeof target, "/admin/api/import?name=%s&skip_bad=%d", name,
             importing->flags->skip_bad);
    int err = remote_upload(remote, target, in, take_line, importing, importing->failure);
    fclose(in);
    if (!err && !importing->done)
        err = fail(importing->failure, ERR_UNKNOWN_FATE,
                   "the server's answer ended early; look whether the products are there");
    return err;
}

/* ---- Without a server ---- */

/* What one server of a cluster would put into its log alone is not the cluster's. */
static int refuse_member(struct importing *importing)
{
    const char *dir = importing->flags->dir;
    struct cluster *cluster = malloc(sizeof *cluster);
    if (!cluster)
        return fail(importing->failure, ERR_NOMEM, "out of memory");
    int err = cluster_read(dir, cluster, importing->failure);
    if (!err)
        err = fail(importing->failure, ERR_STATE,
                   "%s is server %llu of the cluster \"%s\" and does not run: start its servers, "
                   "then import",
                   dir, (unsigned long long)cluster->own, cluster->name);
    else if (err == ERR_NOTFOUND)
        err = 0;
    free(cluster);
    return err;
}

static int import_here(struct importing *importing, const char *path)
{
    struct server server;
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return fail(importing->failure, ERR_NOMEM, "out of memory");
    option_defaults(&settings_table, settings);
    str_copy(settings->dir, sizeof settings->dir, str_of(importing->flags->dir));
    str_copy(settings->log_level, sizeof settings->log_level, STR("warn"));
    int err = refuse_member(importing);
    err = err ? err : server_open(&server, settings, importing->failure);
    if (!err) {
        struct import_options options = {
            .order = replica_order(server.replica),
            .database = server.dir.database,
            .name = importing->name,
            .skip_bad = importing->flags->skip_bad,
            .progress = show_progress,
            .bad = show_bad,
            .context = importing,
        };
        err = opening_wait(&server, importing->failure);
        err = err ? err : import_run(&options, path, &importing->now, importing->failure);
        server_close(&server);
    }
    free(settings);
    return err;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static int import_any(struct importing *importing, const char *path)
{
    struct remote remote;
    int err = remote_find(importing->flags->dir, &remote, importing->failure);
    if (err == ERR_NOTFOUND)
        return import_here(importing, path);
    if (!err && is_folder(path))
        return fail(importing->failure, ERR_STATE,
                    "a folder can be imported only while no server runs on %s",
                    importing->flags->dir);
    return err ? err : import_remote(&remote, importing, path);
}

static int run_import(const struct program_command *self, int count, char **words)
{
    struct import_flags flags = {0};
    struct failure failure = {0};
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "which file? Give a CSV file, or a folder of them");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct importing importing = {.flags = &flags, .name = operands[0], .failure = &failure};
    return conclude(self, &importing, import_any(&importing, operands[0]));
}

const struct program_command command_import = {
    "import",
    "[options] FILE",
    "take products from a CSV file into a shop",
    "FILE is a product CSV as Shopify exports it, of either generation, or a folder with the\n"
    "flower shop's CSVs. It is read once, in constant memory, whatever its size. Each bad row\n"
    "is reported as FILE:LINE: reason; if there is one, nothing at all is imported, unless\n"
    "--skip-bad is given. Products that are there already are replaced, by their handle.\n"
    "A server that runs on the same DIR goes on selling and does the work.",
    &table,
    run_import,
};
