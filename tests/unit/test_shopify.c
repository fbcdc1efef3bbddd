#include "base/err.h"
#include "shop/money.h"
#include "shop/shopify.h"
#include "shop/slug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What came out of a file: products as lines of text, and bad rows. */
struct seen {
    struct buf products, bad, csv;
};

static int take_product(void *context, const struct product *p)
{
    struct seen *seen = context;
    buf_printf(&seen->products, "%.*s (%.*s, %.*s)%s", STR_FMT(p->handle), STR_FMT(p->title),
               STR_FMT(p->category), p->published ? "" : " unpublished");
    for (unsigned i = 0; i < p->variant_count; i++) {
        const struct variant *v = &p->variants[i];
        buf_printf(&seen->products, " [%.*s %lld x%lld%s%s", STR_FMT(v->key), (long long)v->price,
                   (long long)v->available, v->tracked ? "" : " uncounted",
                   v->sell_when_out ? " continues" : "");
        if (v->picture >= 0)
            buf_printf(&seen->products, " %.*s", STR_FMT(p->pictures[v->picture].url));
        buf_byte(&seen->products, ']');
    }
    for (unsigned i = 0; i < p->picture_count; i++)
        buf_printf(&seen->products, " <%.*s>", STR_FMT(p->pictures[i].url));
    buf_byte(&seen->products, '\n');
    shopify_put_product(&seen->csv, p, 2);
    return 0;
}

static void take_bad(void *context, uint64_t line, const char *reason)
{
    struct seen *seen = context;
    buf_printf(&seen->bad, "%llu: %s\n", (unsigned long long)line, reason);
}

static struct seen read_text(struct str text, size_t piece, struct shopify_counts *counts)
{
    struct seen seen;
    struct shopify *shopify;
    struct shopify_listener listener = {take_product, take_bad, &seen};
    buf_init(&seen.products, 8 << 20);
    buf_init(&seen.bad, 1 << 20);
    buf_init(&seen.csv, 8 << 20);
    shopify_put_header(&seen.csv);
    assert_int_equal(shopify_new(&listener, 2, &shopify), 0);
    int err = 0;
    for (bool end = false; !err && !end;) {
        struct str part = str_sub(text, 0, piece);
        end = part.len == 0;
        err = shopify_feed(shopify, part);
        text = str_from(text, part.len);
    }
    if (counts)
        *counts = shopify_counts(shopify);
    shopify_free(shopify);
    return seen;
}

static void seen_close(struct seen *seen)
{
    buf_close(&seen->products);
    buf_close(&seen->bad);
    buf_close(&seen->csv);
}

static void assert_text(const struct buf *text, const char *expected)
{
    char *got = malloc(text->len + 1);
    str_copy(got, text->len + 1, buf_text(text));
    assert_string_equal(got, expected);
    free(got);
}

static void assert_reads(const char *text, const char *products, const char *bad)
{
    for (size_t piece = 1; piece < 300; piece += 37) {
        struct seen seen = read_text(str_of(text), piece, NULL);
        assert_text(&seen.products, products);
        assert_text(&seen.bad, bad);
        seen_close(&seen);
    }
}

static void both_generations_of_headers_are_read(void **state)
{
    (void)state;
    assert_reads("Handle,Title,Type,Option1 Name,Option1 Value,Variant Price,Variant Inventory "
                 "Qty,Variant Inventory Policy\n"
                 "cup,Cup,Table,Colour,Blue,12.5,3,deny\n"
                 "cup,,,,Red,13,0,continue\n",
                 "cup (Cup, Table) [cup~blue 1250 x3] [cup~red 1300 x0 continues]\n", "");
    assert_reads("Title,URL handle,Type,Option1 name,Option1 value,Price,Inventory quantity,"
                 "Continue selling when out of stock\n"
                 "Cup,cup,Table,Colour,Blue,12.50,3,DENY\n"
                 ",cup,,,Red,13.00,0,CONTINUE\n",
                 "cup (Cup, Table) [cup~blue 1250 x3] [cup~red 1300 x0 continues]\n", "");
}

static void default_title_means_no_options(void **state)
{
    (void)state;
    assert_reads("Handle,Title,Option1 Name,Option1 Value,Variant Price\n"
                 "mug,Mug,Title,Default Title,9\n",
                 "mug (Mug, ) [mug 900 x0 uncounted]\n", "");
}

static void pictures_are_ordered_and_found_by_variants(void **state)
{
    (void)state;
    assert_reads("Handle,Title,Option1 Name,Option1 Value,Variant Price,Image Src,Image Position,"
                 "Variant Image\n"
                 "cup,Cup,Colour,Blue,1,/p/b.svg,2,/p/b.svg\n"
                 "cup,,,Red,1,/p/a.svg,1,/p/r.svg\n"
                 "cup,,,,,/p/r.svg,3,\n",
                 "cup (Cup, ) [cup~blue 100 x0 uncounted /p/b.svg] [cup~red 100 x0 uncounted "
                 "/p/r.svg] </p/a.svg> </p/b.svg> </p/r.svg>\n",
                 "");
}

static void bad_row_leaves_its_product_out_alone(void **state)
{
    (void)state;
    assert_reads("Handle,Title,Variant Price\n"
                 "a,A,1\n"
                 "b,B,\"12,50\"\n"
                 "c,C,3\n",
                 "a (A, ) [a 100 x0 uncounted]\nc (C, ) [c 300 x0 uncounted]\n",
                 "3: Price \"12,50\" is not a number (use 12.50)\n");
}

static void variants_that_look_alike_are_told_apart_by_the_shop(void **state)
{
    (void)state;
    assert_reads(
        "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant Price\n"
        "lens,Lens,Power,-1.00,,,1\nlens,,,+1.00,,,2\nlens,,,-1.00,,,3\n"
        "tie,Tie,A,x-y,B,z,1\ntie,,,x,,y-z,2\n",
        "tie (Tie, ) [tie~x-y-z 100 x0 uncounted] [ 200 x0 uncounted]\n",
        "4: a variant with these option values (\"lens~1-00\") is there already\n");
}

static void a_text_of_one_line_is_made_one(void **state)
{
    (void)state;
    assert_reads("Handle,Title,Type,Variant Price\n"
                 "a,\"A\tor\nB\",T,1\n"
                 "b,B\x01,T,1\n",
                 "a (A or B, T) [a 100 x0 uncounted]\n",
                 "4: Title has a control character in it\n");
}

static void what_the_shop_would_refuse_is_told_with_its_line(void **state)
{
    (void)state;
    char text[4000], tag[400];
    memset(tag, 't', sizeof tag - 1);
    tag[sizeof tag - 1] = 0;
    snprintf(text, sizeof text,
             "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Tags,SEO "
             "Description,Variant Price\n"
             "a,A,Size,1,size,2,,,1\n"
             "b,B,,,,,%s,,1\n"
             "c,C,,,,,,%s%s%s,1\n",
             tag, tag, tag, tag);
    struct seen seen = read_text(str_of(text), 100, NULL);
    assert_text(&seen.products, "");
    assert_text(
        &seen.bad,
        "2: two options are called \"size\"\n"
        "3: tag \"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt…\" is longer "
        "than 255 bytes\n"
        "4: SEO description is 1197 bytes long, and may be 1000\n");
    seen_close(&seen);
}

static int take_none(void *context, const struct product *p)
{
    (void)context;
    return p->title.len == 1 ? ERR_FULL : ERR_IO;
}

static void a_product_too_large_for_the_shop_is_a_bad_row(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct shopify *shopify;
    struct shopify_listener listener = {take_none, take_bad, &seen};
    buf_init(&seen.bad, 1000);
    assert_int_equal(shopify_new(&listener, 2, &shopify), 0);
    assert_int_equal(shopify_feed(shopify, STR("Title,Handle,Variant Price\nA,a,1\nB,b,1\n")), 0);
    assert_int_equal(shopify_feed(shopify, STR("CC,c,1\nD,d,1\n")), ERR_IO);
    assert_text(&seen.bad, "2: product \"a\" is too large with all its texts and variants\n"
                           "3: product \"b\" is too large with all its texts and variants\n");
    assert_int_equal(shopify_counts(shopify).products, 0);
    shopify_free(shopify);
    buf_close(&seen.bad);
}

static void a_row_that_begins_with_nul_is_bad(void **state)
{
    (void)state;
    struct seen seen = read_text(STR("Title,Handle,Variant Price\n\0A,a,1\nB,b,1\n"), 100, NULL);
    assert_text(&seen.products, "b (B, ) [b 100 x0 uncounted]\n");
    assert_text(&seen.bad, "2: the row cannot be read: it contains a NUL byte\n");
    seen_close(&seen);
}

static void each_kind_of_mistake_is_named(void **state)
{
    (void)state;
    assert_reads("Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Inventory Qty,"
                 "Variant Taxable,Status,Image Src\n"
                 "a,,,,1,,,,\n"
                 "b,B,Size,S,1,,,,\nb,,,S,1,,,,\n"
                 "c,C,,,1,many,,,\n"
                 "d,D,,,1,,perhaps,,\n"
                 "e,E,,,1,,,Gone,\n"
                 "f,F,,,-1,,,,\n"
                 "g,G,,,1,,,,ftp://x\n"
                 "h,H,,,1,,,,\ni,I,,,1,,,,\nh,H,,,1,,,,\n"
                 "j,J,Size,,1,,,,\n"
                 "k,K,,,,,,,\n"
                 ",,,,1,,,,\n",
                 "h (H, ) [h 100 x0 uncounted]\ni (I, ) [i 100 x0 uncounted]\n",
                 "2: the first row of a product must have a Title\n"
                 "4: a variant with these option values (\"b~s\") is there already\n"
                 "5: Inventory quantity \"many\" is not a whole number from -1000000000 to "
                 "1000000000\n"
                 "6: Charge tax \"perhaps\" is neither TRUE nor FALSE\n"
                 "7: Status \"Gone\" is none of Active, Draft, Archived, Unlisted\n"
                 "8: Price \"-1\" is negative\n"
                 "9: Product image URL \"ftp://x\" is no address (https://… or /pictures/…)\n"
                 "12: URL handle \"h\" was in rows further up already: keep the rows of a product "
                 "together\n"
                 "13: Option1 value is empty, but the product has the option \"Size\"\n"
                 "14: product \"k\" has no row with a price\n"
                 "15: there is neither a URL handle nor a Title\n");
}

static void file_of_another_kind_is_refused(void **state)
{
    (void)state;
    assert_reads("id,name\n1,x\n", "",
                 "1: there is no column \"Title\" (or, in older files, \"Title\"): this is not "
                 "Shopify's product CSV\n");
    assert_reads("", "", "1: the file is empty: there is no header\n");
}

static struct buf read_file(const char *name)
{
    char path[1024];
    struct buf text;
    snprintf(path, sizeof path, "%s/%s", getenv("STOA_ROOT"), name);
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    buf_init(&text, 8 << 20);
    char *room = buf_room(&text, 4 << 20);
    text.len = fread(room, 1, 4 << 20, in);
    fclose(in);
    return text;
}

static void assert_file(const char *name, uint64_t products, uint64_t variants)
{
    struct shopify_counts counts;
    struct buf text = read_file(name);
    struct seen seen = read_text(buf_text(&text), 4096, &counts);
    assert_text(&seen.bad, "");
    assert_int_equal(counts.products, products);
    assert_int_equal(counts.variants, variants);
    /* What is exported is imported as the same. */
    struct seen again = read_text(buf_text(&seen.csv), 4096, NULL);
    assert_text(&again.bad, "");
    assert_true(str_eq(buf_text(&again.products), buf_text(&seen.products)));
    assert_true(str_eq(buf_text(&again.csv), buf_text(&seen.csv)));
    seen_close(&again);
    seen_close(&seen);
    buf_close(&text);
}

static void sample_catalogues_are_read_and_written_again(void **state)
{
    (void)state;
    assert_file("tests/data/catalogues/apparel.csv", 20, 22);
    assert_file("tests/data/catalogues/home-and-garden.csv", 20, 21);
    assert_file("tests/data/catalogues/jewelery.csv", 20, 23);
    assert_file("catalogue/demo.csv", 96, 376);
}

static void money_is_exact(void **state)
{
    static const struct {
        const char *text;
        unsigned digits;
        int64_t amount;
    } good[] = {{"12.50", 2, 1250}, {"12.5", 2, 1250}, {"0", 2, 0},        {"-3.01", 2, -301},
                {"7", 0, 7},        {"7.00", 0, 7},    {"1.234", 3, 1234}, {"1.2000", 2, 120}};
    static const char *const bad[] = {"", ".", "1.", ".5", "1,5", "1.234", "x", "1e3", " 1", "--1"};
    struct buf text;
    int64_t amount;
    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(money_read(str_of(good[i].text), good[i].digits, &amount), 0);
        assert_int_equal(amount, good[i].amount);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(money_read(str_of(bad[i]), 2, &amount), ERR_INVALID);
    buf_init(&text, 64);
    money_put(&text, -5, 2);
    assert_text(&text, "-0.05");
    buf_close(&text);
}

static void slugs_are_plain(void **state)
{
    static const char *const cases[][2] = {
        {"Blue / Größe 5", "blue-grosse-5"},
        {"  --Čeština!  ", "cestina"},
        {"Don't", "dont"},
        {"日本", "65e5672c"},
        {"!!!", ""},
        {"a—b", "a-b"},
    };
    struct buf text;
    (void)state;
    buf_init(&text, 256);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&text);
        slug_put(&text, str_of(cases[i][0]));
        assert_text(&text, cases[i][1]);
    }
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_generations_of_headers_are_read),
        cmocka_unit_test(default_title_means_no_options),
        cmocka_unit_test(pictures_are_ordered_and_found_by_variants),
        cmocka_unit_test(bad_row_leaves_its_product_out_alone),
        cmocka_unit_test(variants_that_look_alike_are_told_apart_by_the_shop),
        cmocka_unit_test(a_text_of_one_line_is_made_one),
        cmocka_unit_test(what_the_shop_would_refuse_is_told_with_its_line),
        cmocka_unit_test(a_product_too_large_for_the_shop_is_a_bad_row),
        cmocka_unit_test(a_row_that_begins_with_nul_is_bad),
        cmocka_unit_test(each_kind_of_mistake_is_named),
        cmocka_unit_test(file_of_another_kind_is_refused),
        cmocka_unit_test(sample_catalogues_are_read_and_written_again),
        cmocka_unit_test(money_is_exact),
        cmocka_unit_test(slugs_are_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
