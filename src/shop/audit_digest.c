#include "shop/audit.h"
#include "shop/auditing.h"
#include "store/schema.h"

int audit_digest(const char *file, unsigned char digest[DB_DIGEST], uint64_t *index,
                 struct failure *failure)
{
    struct db *db;
    int err = db_open(file, DB_READER, &db, failure);
    if (err)
        return err;
    err = schema_check(db, failure);
    if (!err) {
        db_begin(db); /* one view: a running server may go on */
        *index = audit_index(db);
        err = db_digest(db, digest);
        if (err && failure)
            *failure = *db_failure(db);
        db_rollback(db);
    }
    db_close(db);
    return err;
}
