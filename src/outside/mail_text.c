#include "outside/mail_text.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"

enum {
    LINE_MAX_ENCODED = 76, /* RFC 2045 §6.7 (5), RFC 2047 §2 */
    WORD_BYTES = 39,       /* of text in one encoded word: 52 letters and "=?UTF-8?B??=" */
};

/* ---- Addresses ---- */

static bool is_atom(struct str text, const char *signs)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && !(c && strchr(signs, c)))
            return false;
    }
    return text.len > 0;
}

static bool is_dot_atom(struct str text, const char *signs)
{
    struct str part;
    if (!text.len || text.at[text.len - 1] == '.')
        return false;
    while (str_cut(&text, '.', &part))
        if (!is_atom(part, signs))
            return false;
    return true;
}

bool mail_is_address(struct str text)
{
    ptrdiff_t at = str_find_byte(text, '@');
    return text.len <= MAIL_ADDRESS_MAX && at > 0 && at <= 64 &&
           is_dot_atom(str_sub(text, 0, (size_t)at), "!#$%&'*+-/=?^_`{|}~") &&
           is_dot_atom(str_from(text, (size_t)at + 1), "-");
}

/* ---- Headers ---- */

/* Whether TEXT can stand as it is: printable ASCII that cannot be taken for an encoded word, short
 * enough for its line. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            return false;
    return text.len <= LINE_MAX_ENCODED - 16 && str_find(text, STR("=?")) < 0;
}

/* As encoded words, a fold between each two. */
static void put_words(struct buf *out, struct str text)
{
    char piece[WORD_BYTES];
    bool first = true;
    while (text.len) {
        struct str part = str_clip_utf8(text, WORD_BYTES);
        if (!part.len) /* no UTF-8 at all */
            part = str_sub(text, 0, WORD_BYTES);
        for (size_t i = 0; i < part.len; i++)
            piece[i] = (unsigned char)part.at[i] < ' ' || part.at[i] == 0x7f ? ' ' : part.at[i];
        buf_puts(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        base64_put(out, BASE64_PADDED, str_make(piece, part.len));
        buf_puts(out, "?=");
        text = str_from(text, part.len);
        first = false;
    }
}

void mail_put_header(struct buf *out, const char *name, struct str text)
{
    buf_puts(out, name);
    buf_puts(out, ": ");
    if (is_plain(text))
        buf_str(out, text);
    else
        put_words(out, text);
    buf_puts(out, "\r\n");
}

/* "From: Shop <a@b>". A name is encoded when it has what must be quoted (RFC 5322 §3.2.3). */
static void put_from(struct buf *out, const struct mail *mail)
{
    buf_puts(out, "From: ");
    if (mail->from_name.len) {
        struct str rest = mail->from_name, word;
        bool plain = is_plain(mail->from_name);
        while (plain && str_cut(&rest, ' ', &word))
            plain = is_atom(word, "!#$%&'*+-/=?^_`{|}~");
        if (plain)
            buf_str(out, mail->from_name);
        else
            put_words(out, mail->from_name);
        buf_byte(out, ' ');
    }
    buf_printf(out, "<%.*s>\r\n", STR_FMT(mail->from));
}

/* RFC 5322 §3.3: the HTTP date, but for how it says UTC. */
static void put_date(struct buf *out, int64_t time_ms)
{
    char text[40];
    clock_http_date(time_ms, text, sizeof text);
    struct str date = str_of(text);
    if (str_ends(date, STR(" GMT")))
        date.len -= 4;
    buf_printf(out, "Date: %.*s +0000\r\n", STR_FMT(date));
}

/* ---- Body ---- */

/* Bytes that a byte takes as quoted-printable. LAST: it stands at the end of its line, where a
 * blank must not. */
static size_t put_byte(char *out, unsigned char c, bool last)
{
    static const char digits[] = "0123456789ABCDEF";
    bool blank = c == ' ' || c == '\t';
    if ((c > ' ' && c <= '~' && c != '=') || (blank && !last)) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = '=';
    out[1] = digits[c >> 4];
    out[2] = digits[c & 15];
    return 3;
}

static void put_line(struct buf *out, struct str line)
{
    size_t column = 0;
    for (size_t i = 0; i < line.len; i++) {
        char text[3];
        bool last = i + 1 == line.len;
        size_t len = put_byte(text, (unsigned char)line.at[i], last);
        if (column + len > LINE_MAX_ENCODED - (last ? 0 : 1)) {
            buf_puts(out, "=\r\n");
            column = 0;
        }
        buf_put(out, text, len);
        column += len;
    }
    buf_puts(out, "\r\n");
}

void mail_put_quoted(struct buf *out, struct str body)
{
    struct str line;
    while (body.len && str_cut(&body, '\n', &line)) {
        if (str_ends(line, STR("\r")))
            line.len--;
        put_line(out, line);
    }
}

/* ---- The whole ---- */

int mail_compose(const struct mail *mail, struct buf *out)
{
    char id[ID_TEXT];
    if (!mail_is_address(mail->from) || !mail_is_address(mail->to))
        return ERR_INVALID;
    struct str domain = str_from(mail->from, (size_t)str_find_byte(mail->from, '@') + 1);
    put_date(out, mail->time_ms);
    put_from(out, mail);
    buf_printf(out, "To: <%.*s>\r\n", STR_FMT(mail->to));
    mail_put_header(out, "Subject", mail->subject);
    buf_printf(out, "Message-ID: <%s@%.*s>\r\n", id_text(mail->id, id), STR_FMT(domain));
    buf_puts(out, "Auto-Submitted: auto-generated\r\n" /* RFC 3834: nobody's holiday answers it */
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n"
                  "\r\n");
    mail_put_quoted(out, mail->body);
    return out->failed ? ERR_NOMEM : 0;
}
