#include "http/chunked.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *size_byte(struct chunked *chunked, char c)
{
    int digit = digit_of(c);
    if (digit >= 0) {
        if (++chunked->digits > 16)
            return "a chunk's size has too many digits";
        chunked->left = chunked->left << 4 | (unsigned)digit;
        chunked->state = CHUNKED_SIZE;
        return NULL;
    }
    if (chunked->digits == 0)
        return "a chunk's size is not a hexadecimal number";
    if (chunked->left > INT64_MAX)
        return "a chunk's size is too large";
    if (c != ';' && c != '\r')
        return "a chunk's size is not a hexadecimal number";
    chunked->state = c == ';' ? CHUNKED_IN_EXTENSION : CHUNKED_SIZE_LF;
    return NULL;
}

static const char *extension_byte(struct chunked *chunked, char c)
{
    unsigned char byte = (unsigned char)c;
    if (++chunked->extension > CHUNKED_EXTENSION)
        return "a chunk's extension is too long";
    if (c == '\r')
        chunked->state = CHUNKED_SIZE_LF;
    else if ((byte < 0x20 && c != '\t') || byte == 0x7f)
        return "there is a control character in a chunk's extension";
    return NULL;
}

static const char *line_byte(struct chunked *chunked, char c)
{
    switch (chunked->state) {
    case CHUNKED_BEGIN:
    case CHUNKED_SIZE:
        return size_byte(chunked, c);
    case CHUNKED_IN_EXTENSION:
        return extension_byte(chunked, c);
    case CHUNKED_SIZE_LF:
        if (c != '\n')
            return "a chunk's size ends in a bare carriage return";
        chunked->state = chunked->left ? CHUNKED_IN_DATA : CHUNKED_AT_TRAILERS;
        return NULL;
    case CHUNKED_DATA_CR:
        chunked->state = CHUNKED_DATA_LF;
        return c == '\r' ? NULL : "a chunk is longer than its size";
    case CHUNKED_DATA_LF:
        *chunked = (struct chunked){0};
        return c == '\n' ? NULL : "a chunk ends in a bare carriage return";
    case CHUNKED_IN_DATA:
    case CHUNKED_AT_TRAILERS:
        break;
    }
    return NULL;
}

enum chunked_verdict chunked_read(struct chunked *chunked, struct str *rest, struct str *data,
                                  const char **why)
{
    while (rest->len > 0 && chunked->state != CHUNKED_AT_TRAILERS) {
        if (chunked->state == CHUNKED_IN_DATA) {
            size_t take = chunked->left < rest->len ? (size_t)chunked->left : rest->len;
            *data = str_sub(*rest, 0, take);
            *rest = str_from(*rest, take);
            chunked->left -= take;
            if (chunked->left == 0)
                chunked->state = CHUNKED_DATA_CR;
            return CHUNKED_DATA;
        }
        const char *wrong = line_byte(chunked, *rest->at);
        if (wrong) {
            *why = wrong;
            return CHUNKED_INVALID;
        }
        *rest = str_from(*rest, 1);
    }
    return chunked->state == CHUNKED_AT_TRAILERS ? CHUNKED_TRAILERS : CHUNKED_MORE;
}
