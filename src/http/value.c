#include "base/clock.h"
#include "http/template_inner.h"

#include <stdarg.h>
#include <stdio.h>

static struct value *make(struct value_builder *builder, enum value_kind kind)
{
    struct value *value = ARENA_NEW(builder->arena, struct value);
    if (!value) {
        builder->failed = true;
        return NULL;
    }
    value->kind = kind;
    value->builder = builder;
    return value;
}

struct value *value_root(struct arena *arena)
{
    struct value_builder *builder = ARENA_NEW(arena, struct value_builder);
    if (!builder)
        return NULL;
    builder->arena = arena;
    return make(builder, VALUE_MAP);
}

static struct value_entry *make_entry(struct value *owner, enum value_kind kind)
{
    struct value *value = make(owner->builder, kind);
    struct value_entry *entry = value ? ARENA_NEW(owner->builder->arena, struct value_entry) : NULL;
    if (!entry) {
        owner->builder->failed = true;
        return NULL;
    }
    entry->value = value;
    owner->count++;
    return entry;
}

static struct value *set(struct value *map, const char *key, enum value_kind kind)
{
    struct value_entry *entry = map ? make_entry(map, kind) : NULL;
    if (!entry)
        return NULL;
    entry->key = str_of(key);
    entry->next = map->first;
    map->first = entry;
    return entry->value;
}

static struct value *append(struct value *list, enum value_kind kind)
{
    struct value_entry *entry = list ? make_entry(list, kind) : NULL;
    if (!entry)
        return NULL;
    if (list->last)
        list->last->next = entry;
    else
        list->first = entry;
    list->last = entry;
    return entry->value;
}

void value_text(struct value *map, const char *key, struct str text)
{
    struct value *value = set(map, key, VALUE_TEXT);
    if (value)
        value->text = text;
}

void value_int(struct value *map, const char *key, int64_t number)
{
    struct value *value = set(map, key, VALUE_INT);
    if (value)
        value->number = number;
}

void value_bool(struct value *map, const char *key, bool yes)
{
    struct value *value = set(map, key, VALUE_BOOL);
    if (value)
        value->number = yes;
}

void value_printf(struct value *map, const char *key, const char *format, ...)
{
    struct value *value = set(map, key, VALUE_TEXT);
    if (!value)
        return;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_alloc(map->builder->arena, (size_t)len + 1);
    if (!text) {
        map->builder->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    value->text = str_make(text, (size_t)len);
}

struct value *value_map(struct value *map, const char *key)
{
    return set(map, key, VALUE_MAP);
}

struct value *value_list(struct value *map, const char *key)
{
    return set(map, key, VALUE_LIST);
}

struct value *value_add_map(struct value *list)
{
    return append(list, VALUE_MAP);
}

void value_add_text(struct value *list, struct str text)
{
    struct value *value = append(list, VALUE_TEXT);
    if (value)
        value->text = text;
}

const struct value *value_member(const struct value *map, struct str key)
{
    if (!map || map->kind != VALUE_MAP)
        return NULL;
    for (const struct value_entry *entry = map->first; entry; entry = entry->next)
        if (str_eq(entry->key, key))
            return entry->value;
    return NULL;
}

bool value_is_true(const struct value *value)
{
    if (!value)
        return false;
    switch (value->kind) {
    case VALUE_TEXT:
        return value->text.len > 0;
    case VALUE_INT:
    case VALUE_BOOL:
        return value->number != 0;
    case VALUE_LIST:
        return value->count > 0;
    case VALUE_MAP:
        return true;
    }
    return false;
}

/* ---- Times ---- */

void value_age(struct value *map, const char *key, uint64_t ns)
{
    unsigned long long s = ns / SEC_NS, minutes = s / 60, hours = minutes / 60, days = hours / 24;
    if (days)
        value_printf(map, key, "%llu d %llu h", days, hours % 24);
    else if (hours)
        value_printf(map, key, "%llu h %llu min", hours, minutes % 60);
    else
        value_printf(map, key, "%llu min %llu s", minutes, s % 60);
}

void value_ms(struct value *map, const char *key, uint64_t ns)
{
    double ms = (double)ns / 1e6;
    if (ns)
        value_printf(map, key, "%.*f", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
    else
        value_text(map, key, STR("–"));
}
