#include "web/form.h"

#include "base/check.h"
#include "web/country.h"

#include <ctype.h>

void form_begin(struct form *form, const struct form_field *fields, unsigned count)
{
    CHECK(count <= FORM_FIELDS_MAX);
    memset(form, 0, sizeof *form);
    form->fields = fields;
    form->count = count;
    for (unsigned i = 0; i < count; i++)
        form->values[i] = STR("");
}

/* Control characters have no place in what is shown, printed on parcels and sent to banks. */
static bool is_clean(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return false;
    return str_is_utf8(value);
}

static const char *judge(const struct form_field *field, struct str value)
{
    if (!value.len)
        return field->missing;
    if (value.len > field->max)
        return "This is too long. Shorten it";
    if (!is_clean(value))
        return "This contains characters that we cannot take. Type it anew";
    if (field->fits && !field->fits(value))
        return field->unfit;
    return NULL;
}

void form_read(struct form *form, struct exchange *x, const struct form_field *fields,
               unsigned count)
{
    form_begin(form, fields, count);
    for (unsigned i = 0; i < count; i++) {
        struct str value = exchange_form(x, str_of(fields[i].name));
        if (value.at)
            form->values[i] = str_trim(value);
        form->errors[i] = judge(&fields[i], form->values[i]);
        if (form->errors[i])
            form->bad = true;
        if (!is_clean(form->values[i]))
            form->values[i] = STR("");
    }
}

static unsigned row_of(const struct form *form, const char *name)
{
    for (unsigned i = 0; i < form->count; i++)
        if (strcmp(form->fields[i].name, name) == 0)
            return i;
    CHECK(!"a field of this name is in the form's table");
    return 0;
}

void form_set(struct form *form, const char *name, struct str value)
{
    form->values[row_of(form, name)] = value.at ? value : STR("");
}

struct str form_value(const struct form *form, const char *name)
{
    return form->values[row_of(form, name)];
}

void form_error(struct form *form, const char *name, const char *text)
{
    form->errors[row_of(form, name)] = text;
    form->bad = true;
}

void form_show(const struct form *form, struct value *map)
{
    struct value *fields = value_map(map, "form");
    struct value *errors = form->bad ? value_list(map, "errors") : NULL;
    for (unsigned i = 0; i < form->count; i++) {
        struct value *field = value_map(fields, form->fields[i].name);
        value_text(field, "name", str_of(form->fields[i].name));
        value_text(field, "label", str_of(form->fields[i].label));
        value_text(field, "type", str_of(form->fields[i].type));
        value_text(field, "autocomplete", str_of(form->fields[i].autocomplete));
        value_text(field, "value", form->values[i]);
        value_bool(field, "optional", !form->fields[i].missing);
        /* Also without an error: else a name looked up outwards would find another's. */
        value_text(field, "error", str_of(form->errors[i]));
        if (!form->errors[i])
            continue;
        struct value *error = value_add_map(errors);
        value_text(error, "field", str_of(form->fields[i].name));
        value_text(error, "text", str_of(form->errors[i]));
    }
}

/* Not a proof that it exists, only a guard against slips: something@something.something. */
bool form_is_email(struct str value)
{
    ptrdiff_t at = str_find_byte(value, '@');
    if (at < 1 || value.len > 254 || str_find_byte(value, ' ') >= 0)
        return false;
    struct str domain = str_from(value, (size_t)at + 1);
    ptrdiff_t dot = str_find_byte(domain, '.');
    return str_find_byte(domain, '@') < 0 && dot > 0 && domain.at[domain.len - 1] != '.';
}

bool form_is_phone(struct str value)
{
    unsigned digits = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (isdigit((unsigned char)value.at[i]))
            digits++;
        else if (!strchr("+()-./ ", value.at[i]))
            return false;
    }
    return digits >= 5 && digits <= 15;
}

bool form_is_country(struct str value)
{
    return country_name(value).at != NULL;
}
