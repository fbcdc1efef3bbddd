#include "tier/poll_rule.h"

static void begin_anew(struct poll_rule *rule)
{
    rule->long_polls = 0;
    rule->empty_polls = 0;
}

enum poll_wish poll_rule_step(struct poll_rule *rule, uint64_t queue_length, uint64_t threshold,
                              bool empty)
{
    rule->long_polls = queue_length > threshold ? rule->long_polls + 1 : 0;
    rule->empty_polls = empty ? rule->empty_polls + 1 : 0;
    if (rule->long_polls >= POLL_RULE_LONG) {
        begin_anew(rule);
        return POLL_WISH_MORE;
    }
    if (rule->empty_polls >= POLL_RULE_EMPTY) {
        begin_anew(rule);
        return POLL_WISH_FEWER;
    }
    return POLL_WISH_NONE;
}

void poll_rule_heed(struct poll_rule *rule, uint64_t actions)
{
    if (actions == rule->actions)
        return;
    rule->actions = actions;
    begin_anew(rule);
}
