#include "main/config.h"

#include "base/check.h"

#include <confuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ROWS_MAX = 96 };

struct load {
    const struct option_table *table;
    void *values;
    struct failure *failure;
    const char *file;
    char names[ROWS_MAX][64];
    cfg_opt_t options[2 * ROWS_MAX + 1];
};

/* libconfuse's callbacks carry no context of the caller's. One file is read at a time. */
static struct load *loading;

static void report(cfg_t *cfg, const char *format, va_list args)
{
    char text[360];
    vsnprintf(text, sizeof text, format, args);
    if (loading->failure->err)
        return; /* the first one is the cause */
    if (strstr(text, "no such option") && loading->table->command)
        fail(loading->failure, ERR_INVALID,
             "%s:%d: %s; `stoa %s --help` lists what there is, one setting a line", loading->file,
             cfg->line, text, loading->table->command);
    else
        fail(loading->failure, ERR_INVALID, "%s:%d: %s", loading->file, cfg->line, text);
}

/* Checks VALUE the way a flag is checked, and keeps it. */
static int take(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
    struct failure failure = {0};
    if (option_set(loading->table, loading->values, str_of(option->name), str_of(value),
                   &failure)) {
        cfg_error(cfg, "%s", failure.text);
        return -1;
    }
    *(const char **)result = value;
    return 0;
}

static cfg_opt_t option_of(const struct option_row *row, const char *name)
{
    return option_is_list(row) ? (cfg_opt_t)CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, take)
                               : (cfg_opt_t)CFG_STR_CB(name, NULL, CFGF_NODEFAULT, take);
}

/* `log-level`, as the flag is called, and `log_level` are one setting. */
static void describe(struct load *load)
{
    unsigned count = 0;
    for (unsigned i = 0; i < load->table->count; i++) {
        const struct option_row *row = &load->table->rows[i];
        if (strcmp(row->name, "config") == 0)
            continue; /* a file does not name another */
        load->options[count++] = option_of(row, row->name);
        if (!strchr(row->name, '-'))
            continue;
        char *name = str_copy(load->names[i], sizeof load->names[i], str_of(row->name));
        for (char *c = name; *c; c++)
            if (*c == '-')
                *c = '_';
        load->options[count++] = option_of(row, name);
    }
    load->options[count] = (cfg_opt_t)CFG_END();
}

/* libconfuse's scanner ends the process when it cannot read on, as in a directory. */
static bool is_directory(const char *file)
{
    struct stat about;
    return stat(file, &about) == 0 && S_ISDIR(about.st_mode);
}

int config_load(const char *file, const struct option_table *table, void *values,
                struct failure *failure)
{
    struct failure scratch;
    if (table->count > ROWS_MAX)
        return fail(failure, ERR_INTERNAL, "more settings than config.c can hold");
    if (is_directory(file))
        return fail(failure, ERR_INVALID, "%s: is a directory, not a configuration file", file);
    struct load *load = calloc(1, sizeof *load);
    if (!load)
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    load->table = table;
    load->values = values;
    load->failure = failure ? failure : &scratch;
    load->failure->err = 0;
    load->file = file;
    describe(load);
    loading = load;
    cfg_t *cfg = cfg_init(load->options, CFGF_NONE);
    int err = ERR_NOMEM;
    if (cfg) {
        cfg_set_error_function(cfg, report);
        int parsed = cfg_parse(cfg, file);
        if (parsed == CFG_FILE_ERROR)
            err = fail_errno(failure, ERR_NOTFOUND, "%s: cannot read the configuration", file);
        else if (parsed == CFG_PARSE_ERROR && !load->failure->err)
            err = fail(failure, ERR_INVALID, "%s: not a configuration file", file);
        else
            err = load->failure->err;
        cfg_free(cfg);
    }
    loading = NULL;
    free(load);
    return err;
}

int config_read(const struct option_table *table, void *values, int count, char **words,
                struct failure *failure)
{
    const struct option_row *config = option_find(table, STR("config"));
    char file[OPTION_TEXT_SIZE] = "";
    CHECK(config);
    /* The file comes below the flags but is named by one: the flags are read twice. */
    for (int pass = 0; pass < 2; pass++) {
        const char *operands[1];
        unsigned operand_count;
        option_defaults(table, values);
        int err = file[0] ? config_load(file, table, values, failure) : 0;
        option_as_defaults(table, values);
        err = err ? err
                  : option_parse(table, values, count, words, operands, 0, &operand_count, failure);
        if (err)
            return err;
        str_copy(file, sizeof file, str_of((char *)values + config->offset));
    }
    return 0;
}
