#include "shop/csv.h"

/*  START --"--> QUOTED --"--> CLOSED --"--> QUOTED   (a doubled quote)
 *    |                          '--separator, line end--> START
 *    '--other--> PLAIN --separator, line end--> START
 *  anything unexpected --> SKIP, up to the end of the line
 */
enum { START, PLAIN, QUOTED, CLOSED, SKIP };

void csv_init(struct csv *csv, char separator)
{
    csv->separator = separator;
    csv->line = csv->row_line = 1;
    csv->count = 0;
    csv->wrong = NULL;
    csv->state = START;
    csv->bom = 0;
    csv->after_cr = false;
    csv->blank = true;
    buf_init(&csv->bytes, CSV_ROW_MAX);
}

void csv_close(struct csv *csv)
{
    buf_close(&csv->bytes);
}

static void begin_row(struct csv *csv)
{
    buf_clear(&csv->bytes);
    csv->count = 0;
    csv->wrong = NULL;
    csv->state = START;
    csv->row_line = csv->line;
}

static void spoil(struct csv *csv, const char *wrong)
{
    if (!csv->wrong)
        csv->wrong = wrong;
    csv->state = SKIP;
}

static void end_field(struct csv *csv)
{
    if (csv->count == CSV_FIELDS_MAX) {
        spoil(csv, "it has more than 256 fields");
        return;
    }
    csv->ends[csv->count++] = csv->bytes.len;
    csv->state = START;
}

/* Makes the row's fields point at their bytes, which do not move any more. */
static bool end_row(struct csv *csv)
{
    if (csv->state != SKIP)
        end_field(csv);
    if (csv->bytes.failed)
        csv->wrong = "it is longer than 1 MiB (is a quote missing?)";
    size_t start = 0;
    for (unsigned i = 0; i < csv->count; i++) {
        csv->fields[i] = str_make(csv->bytes.at + start, csv->ends[i] - start);
        start = csv->ends[i];
        if (!csv->wrong && !str_is_utf8(csv->fields[i]))
            csv->wrong = "it is not UTF-8 text";
    }
    csv->state = START;
    csv->blank = true;
    return true;
}

static void put(struct csv *csv, char c)
{
    buf_byte(&csv->bytes, c);
}

/* One character that ends neither row nor field. */
static void take(struct csv *csv, char c)
{
    switch (csv->state) {
    case START:
        csv->state = c == '"' ? QUOTED : PLAIN;
        if (c != '"')
            put(csv, c);
        break;
    case PLAIN:
        put(csv, c);
        break;
    case CLOSED:
        if (c != '"') {
            spoil(csv, "text follows a closing quote (a quote inside a field must be doubled)");
            break;
        }
        put(csv, c);
        csv->state = QUOTED;
        break;
    default:
        break;
    }
}

/* True when C ended a row. */
static bool step(struct csv *csv, char c)
{
    if (csv->state == QUOTED && c != 0) {
        if (c == '"')
            csv->state = CLOSED;
        else
            put(csv, c);
        return false;
    }
    if (c == '\n')
        return csv->blank ? false : end_row(csv);
    if (csv->blank) {
        begin_row(csv);
        csv->row_line = csv->line;
        csv->blank = false;
    }
    if (c == 0)
        spoil(csv, "it contains a NUL byte");
    if (csv->state == SKIP)
        return false;
    if (c == csv->separator)
        end_field(csv);
    else
        take(csv, c);
    return false;
}

bool csv_feed(struct csv *csv, struct str bytes, size_t *used)
{
    static const char mark[3] = {(char)0xef, (char)0xbb, (char)0xbf};
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.at[i];
        if (csv->bom < 3 && c == mark[csv->bom]) {
            csv->bom++;
            continue;
        }
        csv->bom = 4;
        bool second = c == '\n' && csv->after_cr; /* of a CRLF, whose first ended the row */
        csv->after_cr = c == '\r' && csv->state != QUOTED;
        if (second)
            continue;
        if (csv->after_cr)
            c = '\n';
        bool complete = step(csv, c);
        if (c == '\n')
            csv->line++;
        if (complete) {
            *used = i + 1;
            return true;
        }
    }
    *used = bytes.len;
    return false;
}

bool csv_end(struct csv *csv)
{
    if (csv->blank)
        return false;
    if (csv->state == QUOTED)
        spoil(csv, "the file ends inside quotes (a closing quote is missing)");
    return end_row(csv);
}

void csv_put(struct buf *out, struct str field, char separator)
{
    bool quote = false;
    for (size_t i = 0; i < field.len && !quote; i++)
        quote = field.at[i] == '"' || field.at[i] == '\n' || field.at[i] == '\r' ||
                field.at[i] == separator;
    if (!quote) {
        buf_str(out, field);
        return;
    }
    buf_byte(out, '"');
    for (size_t i = 0; i < field.len; i++) {
        if (field.at[i] == '"')
            buf_byte(out, '"');
        buf_byte(out, field.at[i]);
    }
    buf_byte(out, '"');
}
