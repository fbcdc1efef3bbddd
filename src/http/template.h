/* Templates: HTML with holes, compiled once at the start, filled for each page.
 *
 * Used by web/ and admin/. A set of templates is compiled from embedded text when
 * the program starts; what is wrong is told as "name:line: reason". After that a
 * set is immutable: any thread may render from it.
 *
 * What is in braces (in the spirit of Mustache, and without logic):
 *
 *   {{name}}                   the value, escaped for HTML text and quoted attributes
 *   {{product.title}}          a member of a map, of any depth; {{.}} is the value itself
 *   {{{name}}}                 raw: only for HTML that we made ourselves
 *   {{%name}}                  percent-encoded, for a piece of a path or of a query
 *   {{#list}} … {{/list}}      once for each item, inside which its members are known
 *   {{#map}} … {{/map}}        once, inside which its members are known
 *   {{#yes}} … {{else}} … {{/yes}}   if: text that is not empty, an int that is not 0, true
 *   {{^list}} … {{/list}}      if not: missing, empty, 0 or false
 *   {{@index}} {{@first}} {{@last}}  in a list: position from 0, and whether it is an end
 *   {{>header}}                the template "header" here, with the values known here
 *   {{<layout}} {{$main}} … {{/main}} {{/layout}}
 *                              the template "layout" with its block "main" replaced;
 *                              in it, {{$main}} … {{/main}} marks the block and its default
 *   {{! a remark }}
 *
 * A name is looked up in the innermost map first, then outwards; a missing one is
 * empty. {{@root.name}} is looked up in the outermost map only.
 *
 * Refused when compiled, because escaping could not make it safe: a value inside a
 * tag but outside quotes, in <script> or <style> (raw may stand there), in an on… or style
 * attribute, or in a comment; a section that opens in one of these places and closes in another. A
 * value at the beginning of href, src, action or formaction is replaced by "#" when it carries a
 * scheme other than http, https, mailto or tel. A line that holds nothing but a section, block,
 * partial or remark leaves no empty line behind.
 */
#ifndef STOA_HTTP_TEMPLATE_H
#define STOA_HTTP_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- Values: what the holes are filled with ---- */

/* Text, int, bool, list or map, in an arena. A call that finds no room gives NULL
 * or does nothing, and template_render then fails, so that nobody else needs to
 * look: building a page is a row of calls. Calls on NULL do nothing. */
struct value;

/* The outermost map of one page. */
struct value *value_root(struct arena *arena);

/* Into MAP under KEY (lent, usually a literal). Text is lent: it lives as long as
 * the page is not rendered. A second value under the same key hides the first. */
void value_text(struct value *map, const char *key, struct str text);
void value_int(struct value *map, const char *key, int64_t number);
void value_bool(struct value *map, const char *key, bool yes);
/* Formatted into the arena. */
void value_printf(struct value *map, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A time in words: "3 d 4 h", "4 h 5 min", "5 min 6 s"; in milliseconds with about three digits, a
 * dash for none. */
void value_age(struct value *map, const char *key, uint64_t ns);
void value_ms(struct value *map, const char *key, uint64_t ns);
/* A new empty map or list under KEY. */
struct value *value_map(struct value *map, const char *key);
struct value *value_list(struct value *map, const char *key);

/* Onto the end of LIST; a text item is {{.}} in the template. */
struct value *value_add_map(struct value *list);
void value_add_text(struct value *list, struct str text);

/* ---- Templates ---- */

struct template_source {
    const char *name; /* what {{>name}} and template_find say */
    struct str text;  /* lent for as long as the set lives */
};

struct template_set;
struct template;

/* Compiles all of SOURCES; 0, ERR_NOMEM, or ERR_INVALID with FAILURE's text
 * "name:line: reason". */
int template_set_new(const struct template_source *sources, size_t count, struct template_set **set,
                     struct failure *failure);
void template_set_free(struct template_set *set);

/* NULL when there is none of this name. */
const struct template *template_find(const struct template_set *set, struct str name);

/* Appends the filled TEMPLATE to OUT. 0, or ERR_NOMEM when OUT or the values' arena
 * had no room (OUT then holds a part), or ERR_INVALID when partials nest too deeply. */
int template_render(const struct template *template, const struct value *root, struct buf *out);

#endif
