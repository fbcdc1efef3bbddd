/* Every case of tests/data/http, cut in three ways; see the README there. */
#include "../lib/http_bed.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { STATUSES_MOST = 24, TEXTS_MOST = 8, CASES_LEAST = 150 };

struct corpus_case {
    char name[96];
    struct buf send, body, has[TEXTS_MOST];
    bool lacks[TEXTS_MOST];
    unsigned texts;
    int statuses[STATUSES_MOST];
    bool is_head[STATUSES_MOST];
    unsigned status_count;
    bool closes, has_body;
    unsigned seen;
};

static void put_unescaped(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p != '\\') {
            buf_byte(out, *p);
            continue;
        }
        unsigned byte = 0;
        switch (*++p) {
        case 'r':
            byte = '\r';
            break;
        case 'n':
            byte = '\n';
            break;
        case 't':
            byte = '\t';
            break;
        case '0':
            break;
        case '\\':
            byte = '\\';
            break;
        case 'x':
            assert_int_equal(sscanf(p + 1, "%2x", &byte), 1);
            p += 2;
            break;
        default:
            fail_msg("unknown escape in %s", text);
        }
        buf_byte(out, (char)byte);
    }
}

static void case_open(struct corpus_case *c, const char *name)
{
    memset(c, 0, sizeof *c);
    snprintf(c->name, sizeof c->name, "%s", name);
    buf_init(&c->send, 4 << 20);
    buf_init(&c->body, 4 << 20);
    for (unsigned i = 0; i < TEXTS_MOST; i++)
        buf_init(&c->has[i], 4096);
}

static void case_close(struct corpus_case *c)
{
    buf_close(&c->send);
    buf_close(&c->body);
    for (unsigned i = 0; i < TEXTS_MOST; i++)
        buf_close(&c->has[i]);
}

static void read_statuses(struct corpus_case *c, char *text)
{
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        if (strcmp(word, "-") == 0)
            continue;
        assert_true(c->status_count < STATUSES_MOST);
        c->is_head[c->status_count] = *word == 'H';
        c->statuses[c->status_count++] = atoi(word + (*word == 'H'));
    }
}

static void read_line(struct corpus_case *c, const char *word, char *rest)
{
    if (strcmp(word, "send") == 0) {
        put_unescaped(&c->send, rest);
    } else if (strcmp(word, "repeat") == 0) {
        char *end;
        for (long n = strtol(rest, &end, 10); n > 0; n--)
            put_unescaped(&c->send, end + 1);
    } else if (strcmp(word, "expect") == 0) {
        read_statuses(c, rest);
    } else if (strcmp(word, "closes") == 0) {
        c->closes = strcmp(rest, "yes") == 0;
    } else if (strcmp(word, "seen") == 0) {
        c->seen = (unsigned)atoi(rest);
    } else if (strcmp(word, "body") == 0) {
        c->has_body = true;
        put_unescaped(&c->body, rest);
    } else if (strcmp(word, "has") == 0 || strcmp(word, "lacks") == 0) {
        assert_true(c->texts < TEXTS_MOST);
        c->lacks[c->texts] = *word == 'l';
        put_unescaped(&c->has[c->texts++], rest);
    } else {
        fail_msg("%s: unknown line \"%s\"", c->name, word);
    }
}

/* ---- Reading what was answered, by a reader of our own ---- */

static struct str header_of(struct str head, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    ptrdiff_t at = str_find(head, str_of(wanted));
    if (at < 0)
        return STR_NONE;
    struct str value = str_from(head, (size_t)at + strlen(wanted));
    return str_sub(value, 0, (size_t)str_find(value, STR("\r\n")));
}

/* Takes one answer off *REST; its status, or -1 when it is not whole. */
static int take_answer(struct str *rest, bool is_head, struct buf *body)
{
    ptrdiff_t end = str_find(*rest, STR("\r\n\r\n"));
    if (end < 0 || !str_starts(*rest, STR("HTTP/1.1 ")))
        return -1;
    struct str head = str_sub(*rest, 0, (size_t)end + 2);
    int status = atoi(rest->at + 9);
    *rest = str_from(*rest, (size_t)end + 4);
    buf_clear(body);
    if (is_head || status < 200 || status == 204 || status == 304)
        return status;
    uint64_t length;
    struct str size = header_of(head, "Content-Length");
    if (size.at) {
        if (str_to_u64(size, &length) || length > rest->len)
            return -1;
        buf_put(body, rest->at, length);
        *rest = str_from(*rest, length);
        return status;
    }
    if (!header_of(head, "Transfer-Encoding").at) {
        buf_str(body, *rest);
        *rest = STR("");
        return status;
    }
    for (;;) {
        char *after;
        unsigned long chunk = strtoul(rest->at, &after, 16);
        *rest = str_from(*rest, (size_t)(after - rest->at) + 2);
        if (chunk + 2 > rest->len)
            return -1;
        buf_put(body, rest->at, chunk);
        *rest = str_from(*rest, chunk + 2);
        if (chunk == 0)
            return status;
    }
}

static void check(const struct corpus_case *c, struct bed *bed, const char *way)
{
    struct buf body;
    buf_init(&body, 4 << 20);
    buf_byte(&bed->sent, 0); /* for strtoul */
    bed->sent.len--;
    struct str rest = buf_text(&bed->sent);
    for (unsigned i = 0; i < c->status_count; i++) {
        int status = take_answer(&rest, c->is_head[i], &body);
        if (status != c->statuses[i])
            fail_msg("%s, %s: answer %u is %d, not %d: %.*s", c->name, way, i + 1, status,
                     c->statuses[i], STR_FMT(buf_text(&bed->sent)));
    }
    if (rest.len > 0)
        fail_msg("%s, %s: more was answered: %.*s", c->name, way, STR_FMT(rest));
    if (bed->seen != c->seen)
        fail_msg("%s, %s: %u seen, not %u", c->name, way, bed->seen, c->seen);
    if (http_conn_finished(bed->conn) != c->closes)
        fail_msg("%s, %s: closes: %d", c->name, way, !c->closes);
    if (c->has_body && !str_eq(buf_text(&body), buf_text(&c->body)))
        fail_msg("%s, %s: the body is \"%.*s\"", c->name, way, STR_FMT(buf_text(&body)));
    for (unsigned i = 0; i < c->texts; i++)
        if ((str_find(buf_text(&bed->sent), buf_text(&c->has[i])) >= 0) == c->lacks[i])
            fail_msg("%s, %s: %s \"%.*s\": %.*s", c->name, way, c->lacks[i] ? "has" : "lacks",
                     STR_FMT(buf_text(&c->has[i])), STR_FMT(buf_text(&bed->sent)));
    buf_close(&body);
}

/* Pieces of at most MOST bytes, of random length when there is a SEED. */
static void run(const struct corpus_case *c, size_t most, unsigned seed, const char *way)
{
    struct bed bed;
    bed_open(&bed, HTTP_DETECT);
    srand(seed);
    for (size_t at = 0; at < c->send.len;) {
        size_t len = seed ? 1 + (size_t)rand() % most : most;
        if (len > c->send.len - at)
            len = c->send.len - at;
        char *copy = malloc(len); /* its own, so that a sanitizer sees what is read beyond */
        memcpy(copy, c->send.at + at, len);
        bed_feed(&bed, copy, len);
        free(copy);
        at += len;
    }
    check(c, &bed, way);
    bed_close(&bed);
}

static unsigned run_case(struct corpus_case *c)
{
    if (c->send.len == 0)
        return 0;
    run(c, c->send.len, 0, "at once");
    if (c->send.len < 100000)
        run(c, 1, 0, "byte by byte");
    for (unsigned seed = 1; seed <= 10; seed++)
        run(c, c->send.len < 1000 ? 40 : 4000, seed, "cut at random");
    case_close(c);
    return 1;
}

static unsigned run_file(const char *path)
{
    static char line[1 << 16];
    struct corpus_case c = {0};
    unsigned count = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == 0 || line[0] == '#')
            continue;
        char *space = strchr(line, ' ');
        assert_non_null(space);
        *space = 0;
        if (strcmp(line, "case") == 0) {
            count += run_case(&c);
            case_open(&c, space + 1);
        } else {
            read_line(&c, line, space + 1);
        }
    }
    fclose(file);
    return count + run_case(&c);
}

static void every_case_of_the_corpus_comes_out_as_written(void **state)
{
    char folder[512], path[1024];
    unsigned count = 0;
    (void)state;
    const char *root = getenv("STOA_ROOT");
    snprintf(folder, sizeof folder, "%s/tests/data/http", root ? root : ".");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!str_ends(str_of(entry->d_name), STR(".txt")))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count += run_file(path);
    }
    closedir(dir);
    assert_true(count >= CASES_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_the_corpus_comes_out_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
