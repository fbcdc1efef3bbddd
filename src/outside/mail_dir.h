/* Mail dir: the maildir that mail_box.h puts mail into. Blocks. Thread: one at a time. */
#ifndef STOA_OUTSIDE_MAIL_DIR_H
#define STOA_OUTSIDE_MAIL_DIR_H

#include "base/err.h"
#include "base/str.h"

/* Makes DIR with tmp, new and cur in it, unless they are there. */
int mail_dir_make(const char *dir, struct failure *failure);

/* MESSAGE as DIR/new/NAME, durably; 0 also when a mail of that name was delivered before, and the
 * reader may have moved it to cur. */
int mail_dir_put(const char *dir, const char *name, struct str message, struct failure *failure);

#endif
