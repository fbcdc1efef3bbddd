#include "outside/warehouse_barcode.h"

/* Widths of bar, space, bar, … of each value; the stop has a bar more. */
static const char *const widths[107] = {
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312",  "132212",
    "221213", "221312", "231212", "112232", "122132", "122231", "113222", "123122",  "123221",
    "223211", "221132", "221231", "213212", "223112", "312131", "311222", "321122",  "321221",
    "312212", "322112", "322211", "212123", "212321", "232121", "111323", "131123",  "131321",
    "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331",  "132131",
    "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311",  "213131",
    "311123", "311321", "331121", "312113", "312311", "332111", "314111", "221411",  "431111",
    "111224", "111422", "121124", "121421", "141122", "141221", "112214", "112412",  "122114",
    "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111",  "111242",
    "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211",  "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113",  "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
};

enum { TO_C = 99, TO_B = 100, START_B = 104, START_C = 105, STOP = 106, CHECK_MODULUS = 103 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many digits TEXT begins with. */
static size_t digits(struct str text)
{
    size_t count = 0;
    while (count < text.len && is_digit(text.at[count]))
        count++;
    return count;
}

/* Set C pays from four digits on at an end of the text, from six on within (annex E). */
static bool pays(struct str rest, bool at_start)
{
    size_t count = digits(rest);
    return count >= (at_start || count == rest.len ? 4 : 6) ||
           (at_start && count == 2 && rest.len == 2);
}

static unsigned put_body(struct str rest, bool c, unsigned char *values, unsigned count)
{
    while (rest.len) {
        if (c && digits(rest) >= 2) {
            values[count++] = (unsigned char)((rest.at[0] - '0') * 10 + rest.at[1] - '0');
            rest = str_from(rest, 2);
        } else if (c) {
            values[count++] = TO_B;
            c = false;
        } else if (digits(rest) % 2 == 0 && pays(rest, false)) {
            values[count++] = TO_C;
            c = true;
        } else {
            values[count++] = (unsigned char)(rest.at[0] - ' ');
            rest = str_from(rest, 1);
        }
    }
    return count;
}

unsigned warehouse_barcode_values(struct str text, unsigned char values[static BARCODE_VALUES_MAX])
{
    if (!text.len || text.len > BARCODE_TEXT_MAX)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            return 0;
    bool c = pays(text, true);
    values[0] = c ? START_C : START_B;
    unsigned count = put_body(text, c, values, 1), sum = values[0];
    for (unsigned i = 1; i < count; i++)
        sum += i * values[i];
    values[count++] = (unsigned char)(sum % CHECK_MODULUS);
    values[count++] = STOP;
    return count;
}

unsigned warehouse_barcode_path(struct str text, unsigned height, struct buf *out)
{
    unsigned char values[BARCODE_VALUES_MAX];
    unsigned count = warehouse_barcode_values(text, values), x = BARCODE_QUIET;
    for (unsigned i = 0; i < count; i++) {
        const char *pattern = widths[values[i]];
        for (unsigned j = 0; pattern[j]; j++) {
            unsigned width = (unsigned)(pattern[j] - '0');
            if (j % 2 == 0)
                buf_printf(out, "M%u 0h%uv%uh-%uz", x, width, height, width);
            x += width;
        }
    }
    return count ? x + BARCODE_QUIET : 0;
}
