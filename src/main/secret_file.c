#include "main/secret_file.h"

#include "base/check.h"
#include "main/file.h"

#include <errno.h>
#include <string.h>

/* More than a secret with blanks around it takes. */
enum { READ_BYTES = 1024 };

static bool has_controls(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.at[i] < ' ' || line.at[i] == '\x7f')
            return true;
    return false;
}

static int take_line(const char *option, const char *file, struct str text, char *out, size_t size,
                     struct failure *failure)
{
    struct str rest = text, line;
    str_cut(&rest, '\n', &line);
    line = str_trim(line);
    if (line.len == 0)
        return fail(failure, ERR_INVALID, "%s: the first line of %s is empty; put the secret there",
                    option, file);
    if (line.len >= size)
        return fail(failure, ERR_INVALID,
                    "%s: the first line of %s is longer than %zu characters; is it the right file?",
                    option, file, size - 1);
    if (has_controls(line))
        return fail(failure, ERR_INVALID,
                    "%s: the first line of %s is no text; is it the right file?", option, file);
    str_copy(out, size, line);
    return 0;
}

int secret_file_read(const char *option, const char *file, char *out, size_t size,
                     struct failure *failure)
{
    char text[READ_BYTES];
    size_t len = 0;
    CHECK(size > 0 && size <= SECRET_FILE_SIZE);
    out[0] = '\0';
    int err = file_read(file, text, sizeof text, &len, NULL);
    if (err == ERR_NOTFOUND)
        err = fail(failure, err,
                   "%s: there is no file %s; make it, with the secret as its first "
                   "line",
                   option, file);
    else if (err)
        err = fail(failure, err, "%s: cannot read %s: %s; give it to this user", option, file,
                   strerror(errno));
    else
        err = take_line(option, file, str_make(text, len), out, size, failure);
    explicit_bzero(text, sizeof text);
    return err;
}
