#include "web/json.h"

/* yyjson asks here for memory; that there was none is remembered. */
static void *take(void *context, size_t size)
{
    struct json *json = context;
    void *memory = arena_alloc(json->arena, size);
    if (!memory)
        json->failed = true;
    return memory;
}

static void *grow(void *context, void *old, size_t old_size, size_t size)
{
    void *grown = take(context, size);
    if (grown)
        memcpy(grown, old, old_size < size ? old_size : size);
    return grown;
}

static void give_back(void *context, void *memory)
{
    (void)context;
    (void)memory;
}

void json_begin(struct json *json, struct arena *arena)
{
    *json = (struct json){.arena = arena};
    json->allocator = (yyjson_alc){take, grow, give_back, json};
    json->doc = yyjson_mut_doc_new(&json->allocator);
    json->root = yyjson_mut_obj(json->doc);
    yyjson_mut_doc_set_root(json->doc, json->root);
}

struct str json_end(struct json *json)
{
    size_t len = 0;
    char *text = json->failed ? NULL
                              : yyjson_mut_write_opts(json->doc, YYJSON_WRITE_NOFLAG,
                                                      &json->allocator, &len, NULL);
    return str_make(text, text ? len : 0);
}

yyjson_mut_val *json_put_object(struct json *json, yyjson_mut_val *object, const char *key)
{
    yyjson_mut_val *made = yyjson_mut_obj(json->doc);
    yyjson_mut_obj_add_val(json->doc, object, key, made);
    return made;
}

yyjson_mut_val *json_put_list(struct json *json, yyjson_mut_val *object, const char *key)
{
    yyjson_mut_val *made = yyjson_mut_arr(json->doc);
    yyjson_mut_obj_add_val(json->doc, object, key, made);
    return made;
}

void json_put_text(struct json *json, yyjson_mut_val *object, const char *key, struct str text)
{
    yyjson_mut_obj_add_strn(json->doc, object, key, text.at ? text.at : "", text.len);
}

void json_put_some(struct json *json, yyjson_mut_val *object, const char *key, struct str text)
{
    if (text.len)
        json_put_text(json, object, key, text);
}

void json_put_int(struct json *json, yyjson_mut_val *object, const char *key, int64_t value)
{
    yyjson_mut_obj_add_sint(json->doc, object, key, value);
}

void json_put_bool(struct json *json, yyjson_mut_val *object, const char *key, bool value)
{
    yyjson_mut_obj_add_bool(json->doc, object, key, value);
}

yyjson_mut_val *json_add_object(struct json *json, yyjson_mut_val *list)
{
    return yyjson_mut_arr_add_obj(json->doc, list);
}

void json_add_int(struct json *json, yyjson_mut_val *list, int64_t value)
{
    yyjson_mut_arr_add_int(json->doc, list, value);
}

void json_add_text(struct json *json, yyjson_mut_val *list, struct str text)
{
    yyjson_mut_arr_add_strn(json->doc, list, text.at ? text.at : "", text.len);
}
