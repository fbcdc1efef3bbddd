/* llhttp, with those of its names out of the way that are also names of ours
 * (enum http_method, http/exchange.h).
 */
#ifndef STOA_HTTP_PARSER_H
#define STOA_HTTP_PARSER_H

#define HTTP_GET     LLHTTP_GET
#define HTTP_HEAD    LLHTTP_HEAD
#define HTTP_POST    LLHTTP_POST
#define HTTP_PUT     LLHTTP_PUT
#define HTTP_DELETE  LLHTTP_DELETE
#define HTTP_PATCH   LLHTTP_PATCH
#define HTTP_OPTIONS LLHTTP_OPTIONS
#include <llhttp.h>
#undef HTTP_GET
#undef HTTP_HEAD
#undef HTTP_POST
#undef HTTP_PUT
#undef HTTP_DELETE
#undef HTTP_PATCH
#undef HTTP_OPTIONS

#endif
