/* Secret file: a key, token or password that an operator keeps in the first line of a file, so that
 * it is in no command line for others to read.
 *
 * Thread: any.
 */
#ifndef STOA_MAIN_SECRET_FILE_H
#define STOA_MAIN_SECRET_FILE_H

#include "base/err.h"

#include <stddef.h>

/* Usual room for one, with its NUL. */
enum { SECRET_FILE_SIZE = 257 };

/* The first line of FILE, without blanks around it, into OUT as text; SIZE at most
 * SECRET_FILE_SIZE. OPTION names the file in a message: "--token-file". ERR_NOTFOUND: there is no
 * file; ERR_INVALID: the line is empty, too long, or has characters that nobody can type. */
int secret_file_read(const char *option, const char *file, char *out, size_t size,
                     struct failure *failure);

#endif
