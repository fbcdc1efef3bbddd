#include "outside/http_signature.h"

#include "base/base64.h"
#include "http/structured.h"

static const struct str label = {"sig1", 4};

int signature_take_url(struct signature_message *message, struct str url)
{
    ptrdiff_t colon = str_find(url, STR("://"));
    if (colon < 0)
        return ERR_INVALID;
    message->scheme = str_sub(url, 0, (size_t)colon);
    if (!str_eq_nocase(message->scheme, STR("https")) &&
        !str_eq_nocase(message->scheme, STR("http")))
        return ERR_INVALID;
    struct str rest = str_from(url, (size_t)colon + 3);
    ptrdiff_t fragment = str_find_byte(rest, '#');
    if (fragment >= 0)
        rest = str_sub(rest, 0, (size_t)fragment);
    size_t end = 0;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    message->authority = str_sub(rest, 0, end);
    rest = str_from(rest, end);
    ptrdiff_t mark = str_find_byte(rest, '?');
    message->path = mark < 0 ? rest : str_sub(rest, 0, (size_t)mark);
    message->query = mark < 0 ? STR("") : str_from(rest, (size_t)mark);
    return message->authority.len ? 0 : ERR_INVALID;
}

/* ---- Components ---- */

static void put_lower(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        buf_byte(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}

/* §2.2.3: lower case, and without the scheme's own port. */
static void put_authority(const struct signature_message *message, struct buf *out)
{
    struct str text = message->authority;
    struct str port = str_eq_nocase(message->scheme, STR("http")) ? STR(":80") : STR(":443");
    if (str_ends(text, port))
        text.len -= port.len;
    put_lower(out, text);
}

static void put_path(const struct signature_message *message, struct buf *out)
{
    buf_str(out, message->path.len ? message->path : STR("/"));
}

static void put_target(const struct signature_message *message, struct buf *out)
{
    put_lower(out, message->scheme);
    buf_puts(out, "://");
    put_authority(message, out);
    put_path(message, out);
    buf_str(out, message->query);
}

/* §2.2. ERR_UNSUPPORTED: there is none of that name, or none that we know. */
static int put_derived(const struct signature_message *message, struct str name, struct buf *out)
{
    if (message->status) {
        if (!str_eq(name, STR("@status")))
            return ERR_UNSUPPORTED;
        buf_printf(out, "%03d", message->status);
    } else if (str_eq(name, STR("@method"))) {
        buf_str(out, message->method);
    } else if (str_eq(name, STR("@authority"))) {
        put_authority(message, out);
    } else if (str_eq(name, STR("@path"))) {
        put_path(message, out);
    } else if (str_eq(name, STR("@query"))) {
        buf_str(out, message->query.len ? message->query : STR("?"));
    } else if (str_eq(name, STR("@scheme"))) {
        put_lower(out, message->scheme);
    } else if (str_eq(name, STR("@target-uri"))) {
        put_target(message, out);
    } else if (str_eq(name, STR("@request-target"))) {
        put_path(message, out);
        buf_str(out, message->query);
    } else {
        return ERR_UNSUPPORTED;
    }
    return 0;
}

/* §2.1: all fields of that name, in order. */
static int put_field(const struct signature_message *message, struct str name, struct buf *out)
{
    unsigned found = 0;
    for (unsigned i = 0; i < message->header_count; i++) {
        if (!str_eq_nocase(message->headers[i].name, name))
            continue;
        if (found++)
            buf_puts(out, ", ");
        buf_str(out, str_trim(message->headers[i].value));
    }
    return found ? 0 : ERR_NOTFOUND;
}

static bool is_field_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            !(c && strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.len > 0;
}

/* The base is ASCII (§2.5); a line break in a value would be taken for the end of its line. */
static bool is_one_line(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.at[i] < ' ' || text.at[i] > '~') && text.at[i] != '\t')
            return false;
    return true;
}

static int put_line(const struct signature_message *message, struct str name, struct buf *base,
                    struct failure *failure)
{
    size_t start = base->len;
    buf_printf(base, "\"%.*s\": ", STR_FMT(name));
    int err = str_starts(name, STR("@")) ? put_derived(message, name, base)
              : is_field_name(name)      ? put_field(message, name, base)
                                         : ERR_INVALID;
    if (!err && !is_one_line(str_from(buf_text(base), start)))
        err = ERR_INVALID;
    buf_byte(base, '\n');
    return err ? fail(failure, err,
                      err == ERR_NOTFOUND ? "the message has no field \"%.*s\", which is signed"
                                          : "the component \"%.*s\" cannot be signed here",
                      STR_FMT(name))
               : 0;
}

/* ---- The base ---- */

/* Takes the list of COVERED: "(...)". *REST is what follows. */
static int take_components(struct str covered, struct str *components, unsigned *count,
                           struct str *rest, struct failure *failure)
{
    *count = 0;
    *rest = str_from(covered, 1);
    if (!str_starts(covered, STR("(")))
        return fail(failure, ERR_INVALID, "Signature-Input has no list of components");
    for (;;) {
        struct str name, more;
        int err = structured_inner(rest, &name, &more);
        if (err == ERR_NOTFOUND)
            return 0;
        if (err)
            return fail(failure, err, "Signature-Input's list of components cannot be read");
        if (more.len)
            return fail(failure, ERR_UNSUPPORTED,
                        "the component \"%.*s\" has a parameter, which is not supported",
                        STR_FMT(name));
        if (*count == SIGNATURE_COMPONENTS_MAX)
            return fail(failure, ERR_UNSUPPORTED, "more than %d components are signed",
                        SIGNATURE_COMPONENTS_MAX);
        for (unsigned i = 0; i < *count; i++)
            if (str_eq(components[i], name))
                return fail(failure, ERR_INVALID, "the component \"%.*s\" is signed twice",
                            STR_FMT(name));
        components[(*count)++] = name;
    }
}

int signature_base(const struct signature_message *message, struct str covered, struct buf *base,
                   struct failure *failure)
{
    struct str components[SIGNATURE_COMPONENTS_MAX], rest;
    unsigned count;
    int err = take_components(covered, components, &count, &rest, failure);
    for (unsigned i = 0; i < count && !err; i++)
        err = put_line(message, components[i], base, failure);
    if (err)
        return err;
    buf_puts(base, "\"@signature-params\": ");
    buf_str(base, covered);
    return base->failed ? fail(failure, ERR_FULL, "what is signed is too long") : 0;
}

/* ---- Signing ---- */

int signature_make(const struct signature_message *message, const struct str *components,
                   unsigned count, struct str key_id, int64_t created, const struct es256_key *key,
                   struct buf *input, struct buf *signature, struct failure *failure)
{
    unsigned char bytes[ES256_SIGNATURE];
    struct buf base;
    buf_str(input, label);
    buf_byte(input, '=');
    size_t start = input->len;
    buf_byte(input, '(');
    for (unsigned i = 0; i < count; i++) {
        if (i)
            buf_byte(input, ' ');
        structured_put_string(input, components[i]);
    }
    buf_byte(input, ')');
    if (created >= 0)
        buf_printf(input, ";created=%lld", (long long)created);
    buf_puts(input, ";keyid=");
    structured_put_string(input, key_id);
    if (input->failed)
        return fail(failure, ERR_INVALID, "the key's name or the components cannot be signed");
    buf_init(&base, SIGNATURE_BASE_MAX);
    int err = signature_base(message, str_from(buf_text(input), start), &base, failure);
    err = err ? err : es256_sign(key, buf_text(&base), bytes, failure);
    buf_close(&base);
    if (err)
        return err;
    buf_str(signature, label);
    buf_byte(signature, '=');
    structured_put_bytes(signature, str_make(bytes, sizeof bytes));
    return signature->failed ? fail(failure, ERR_NOMEM, "out of memory") : 0;
}

/* ---- Verifying ---- */

/* All lines of the field NAME as one value, which is missing when at is NULL. */
static int join(const struct signature_message *message, struct str name, struct arena *arena,
                struct str *value)
{
    struct buf text;
    buf_init(&text, SIGNATURE_BASE_MAX);
    int err = put_field(message, name, &text);
    *value = err ? STR_NONE : arena_str(arena, buf_text(&text));
    if (!err && (text.failed || !value->at))
        err = ERR_NOMEM;
    buf_close(&text);
    return err == ERR_NOTFOUND ? 0 : err;
}

static int take_parameters(struct str *rest, struct signature_found *found, struct failure *failure)
{
    struct structured_item item;
    struct str key;
    int err;
    found->created = found->expires = -1;
    while ((err = structured_parameter(rest, &key, &item)) == 0) {
        enum structured_kind wanted = STRUCTURED_STRING;
        if (str_eq(key, STR("created")) || str_eq(key, STR("expires")))
            wanted = STRUCTURED_INTEGER;
        else if (!str_eq(key, STR("keyid")) && !str_eq(key, STR("alg")))
            continue;
        if (item.kind != wanted || (wanted == STRUCTURED_INTEGER && item.number < 0))
            return fail(failure, ERR_INVALID, "Signature-Input has a wrong value for \"%.*s\"",
                        STR_FMT(key));
        if (str_eq(key, STR("created")))
            found->created = item.number;
        else if (str_eq(key, STR("expires")))
            found->expires = item.number;
        else if (str_eq(key, STR("keyid")))
            found->key_id = item.text;
        else
            found->algorithm = item.text;
    }
    return err == ERR_NOTFOUND ? 0
                               : fail(failure, err, "Signature-Input's parameters cannot be read");
}

/* Takes the first member of INPUT; the others are read over. */
static int take_input(struct str input, struct signature_found *found, struct failure *failure)
{
    struct str rest = input;
    struct signature_found other;
    int err = 0;
    for (struct signature_found *each = found; !err; each = &other) {
        struct str after;
        *each = (struct signature_found){0};
        if (structured_key(&rest, &each->label))
            return fail(failure, ERR_INVALID, "Signature-Input cannot be read");
        if (each == &other && str_eq(each->label, found->label))
            return fail(failure, ERR_INVALID, "Signature-Input has \"%.*s\" twice",
                        STR_FMT(each->label));
        err = take_components(rest, each->components, &each->component_count, &after, failure);
        err = err ? err : take_parameters(&after, each, failure);
        if (err)
            return err;
        each->covered = str_sub(rest, 0, rest.len - after.len);
        rest = after;
        err = structured_next(&rest);
    }
    return err == ERR_NOTFOUND ? 0 : fail(failure, err, "Signature-Input cannot be read");
}

/* The bytes of FOUND's label in SIGNATURE. */
static int take_bytes(struct str signature, struct signature_found *found, struct failure *failure)
{
    struct str rest = signature, key, parameter;
    bool has = false;
    int err = 0;
    while (!err && (err = structured_key(&rest, &key)) == 0) {
        struct structured_item item, ignored;
        if (structured_item(&rest, &item) || item.kind != STRUCTURED_BYTES)
            return fail(failure, ERR_INVALID, "Signature cannot be read");
        while ((err = structured_parameter(&rest, &parameter, &ignored)) == 0)
            continue;
        if (str_eq(key, found->label)) {
            size_t len = 0;
            if (has ||
                base64_decode(BASE64_PADDED, item.text, found->bytes, sizeof found->bytes, &len) ||
                len != sizeof found->bytes)
                return fail(failure, ERR_INVALID,
                            "the signature \"%.*s\" is not %d bytes (r and s, 32 each)",
                            STR_FMT(key), ES256_SIGNATURE);
            has = true;
        }
        err = err == ERR_NOTFOUND ? structured_next(&rest) : err;
    }
    if (err != ERR_NOTFOUND)
        return fail(failure, ERR_INVALID, "Signature cannot be read");
    return has ? 0
               : fail(failure, ERR_INVALID, "Signature has no \"%.*s\", which Signature-Input has",
                      STR_FMT(found->label));
}

int signature_find(const struct signature_message *message, struct arena *arena,
                   struct signature_found *found, struct failure *failure)
{
    struct str input, signature;
    *found = (struct signature_found){0};
    int err = join(message, STR("signature-input"), arena, &input);
    err = err ? err : join(message, STR("signature"), arena, &signature);
    if (err)
        return fail(failure, err, "out of memory");
    if (!input.at || !signature.at)
        return fail(failure, ERR_NOTFOUND, "the message bears no signature");
    err = take_input(input, found, failure);
    err = err ? err : take_bytes(signature, found, failure);
    if (!err && found->algorithm.len && !str_eq(found->algorithm, STR("ecdsa-p256-sha256")))
        err = fail(failure, ERR_UNSUPPORTED, "the algorithm \"%.*s\" is not supported",
                   STR_FMT(found->algorithm));
    return err;
}

bool signature_covers(const struct signature_found *found, struct str component)
{
    for (unsigned i = 0; i < found->component_count; i++)
        if (str_eq(found->components[i], component))
            return true;
    return false;
}

int signature_check(const struct signature_message *message, const struct signature_found *found,
                    const struct es256_key *key, struct failure *failure)
{
    struct buf base;
    buf_init(&base, SIGNATURE_BASE_MAX);
    int err = signature_base(message, found->covered, &base, failure);
    if (!err && !es256_verify(key, buf_text(&base), found->bytes))
        err = fail(failure, ERR_DENIED,
                   "the signature \"%.*s\" was not made for this message by "
                   "the key \"%.*s\"",
                   STR_FMT(found->label), STR_FMT(found->key_id));
    buf_close(&base);
    return err;
}
