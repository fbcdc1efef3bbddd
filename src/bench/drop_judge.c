#include "bench/drop_judge.h"

#include <stdbool.h>
#include <string.h>
#include <yyjson.h>

static bool is_text(yyjson_val *value, const char *text)
{
    const char *found = yyjson_get_str(value);
    return found && strcmp(found, text) == 0;
}

static bool says_sold_out(yyjson_val *messages)
{
    size_t at, count;
    yyjson_val *each;
    yyjson_arr_foreach(messages, at, count, each)
    {
        if (is_text(yyjson_obj_get(each, "code"), "out_of_stock"))
            return true;
    }
    return false;
}

static enum drop_verdict judge_checkout(unsigned step, yyjson_val *checkout)
{
    yyjson_val *status = yyjson_obj_get(checkout, "status");
    if (step == 1 && is_text(status, "completed"))
        return DROP_SOLD;
    if (says_sold_out(yyjson_obj_get(checkout, "messages")))
        return DROP_SOLD_OUT;
    if (is_text(status, "ready_for_complete"))
        return step == 0 ? DROP_GO_ON : DROP_OVER;
    if (step == 1 && is_text(status, "complete_in_progress"))
        return DROP_UNDECIDED;
    return DROP_STRANGE;
}

enum drop_verdict drop_judge(unsigned step, int status, struct str body)
{
    if (status == 502 || status == 503 || status == 504)
        return DROP_UNDECIDED;
    if (step == 1 && status == 409) /* it is being paid, by an earlier try of the same buyer */
        return DROP_UNDECIDED;
    if (status != (step == 0 ? 201 : 200))
        return DROP_STRANGE;
    yyjson_doc *doc = yyjson_read(body.at, body.len, 0);
    enum drop_verdict verdict = judge_checkout(step, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return verdict;
}
