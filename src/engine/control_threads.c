#include "engine/control_threads.h"

bool control_threads_grow(struct control_threads *control, unsigned threads, uint64_t queued,
                          uint64_t now_ns)
{
    if (now_ns - control->looked_ns < CONTROL_THREADS_NS)
        return false;
    control->looked_ns = now_ns;
    return threads < control->least || (queued > CONTROL_THREADS_QUEUE && threads < control->most);
}

bool control_threads_leave(struct control_threads *control, unsigned threads, uint64_t now_ns)
{
    if (threads <= control->least)
        return false;
    if (control->left_ns > 0 && now_ns - control->left_ns < CONTROL_THREADS_NS)
        return false;
    control->left_ns = now_ns;
    return true;
}

uint64_t control_threads_idle_ns(uint64_t random)
{
    return CONTROL_THREADS_IDLE_NS * 3 / 4 + random % (CONTROL_THREADS_IDLE_NS / 2);
}
