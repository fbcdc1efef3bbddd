#include "base/check.h"
#include "main/file.h"
#include "main/program.h"
#include "main/server_dirs.h"
#include "shop/money.h"
#include "shop/read.h"
#include "shop/shopify.h"

#include <stdlib.h>

struct export_flags {
    char dir[OPTION_TEXT_SIZE], output[OPTION_TEXT_SIZE];
};

#define AT(field) offsetof(struct export_flags, field)
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR", "the shop's data directory"},
    {"output", OPTION_TEXT, AT(output), NULL, 0, 0, NULL, "FILE",
     "where to write [standard output]"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

/* Writes what is in TEXT and empties it. */
static int flush(struct buf *text, FILE *out)
{
    bool good = !text->failed && fwrite(text->at, 1, text->len, out) == text->len;
    buf_clear(text);
    return good ? 0 : ERR_IO;
}

static int export_all(struct reader *reader, FILE *out, struct failure *failure)
{
    struct arena arena;
    struct buf text;
    struct shop_settings settings;
    char after[SHOP_KEY_MAX + 1] = "";
    arena_init(&arena, 64 << 20);
    buf_init(&text, 64 << 20);
    int err = reader_settings(reader, &arena, &settings);
    unsigned digits = err ? 2 : money_digits(settings.currency);
    shopify_put_header(&text);
    while (!err) {
        struct product product;
        arena_reset(&arena);
        err = reader_next_product(reader, &arena, str_of(after), &product);
        if (err)
            break;
        str_copy(after, sizeof after, product.handle);
        shopify_put_product(&text, &product, digits);
        err = flush(&text, out);
    }
    if (err == ERR_NOTFOUND)
        err = flush(&text, out);
    if (!err && fflush(out))
        err = ERR_IO;
    buf_close(&text);
    arena_close(&arena);
    return err ? fail(failure, err, "cannot export: %s", err_sentence(err)) : 0;
}

/* The database in DIR; of a demo the first server's. */
static int find_database(const char *dir, char file[DATADIR_PATH], struct failure *failure)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return fail(failure, ERR_NOMEM, "out of memory");
    bool demo = server_dirs_find(dir, dirs, NULL) == 0 && dirs->demo && dirs->count > 0;
    int err = file_join(file, demo ? dirs->at[0].path : dir, "shop.db", failure);
    free(dirs);
    return err;
}

static int run_export(const struct program_command *self, int count, char **words)
{
    struct export_flags flags = {0};
    struct failure failure = {0};
    struct reader *reader;
    char file[DATADIR_PATH];
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, NULL, 0, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    int err = find_database(flags.dir, file, &failure);
    err = err ? err : reader_open(file, &reader, &failure);
    if (err)
        return command_failed(self, failure.text);
    FILE *out = flags.output[0] ? fopen(flags.output, "we") : stdout;
    if (!out)
        err = fail_errno(&failure, ERR_IO, "cannot write %s", flags.output);
    else
        err = export_all(reader, out, &failure);
    if (out && out != stdout && fclose(out) && !err)
        err = fail_errno(&failure, ERR_IO, "cannot write %s", flags.output);
    reader_close(reader);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_export = {
    "export",
    "[--dir DIR] [--output FILE]",
    "write a shop's products as a CSV file",
    "In Shopify's format with the headers of today, one product after the other by handle.\n"
    "Reads the shop's database; a running server does not mind.",
    &table,
    run_export,
};
