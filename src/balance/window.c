#include "balance/window.h"

#include <stdlib.h>

size_t windows_read(const struct windows *windows)
{
    return windows->large < WINDOWS_LARGE ? UPSTREAM_READ : WINDOW_SMALL_READ;
}

char *window_take(struct windows *windows, size_t read, size_t *bytes)
{
    if (read <= WINDOW_SMALL_READ) {
        *bytes = WINDOW_SMALL;
        return malloc(WINDOW_SMALL);
    }
    *bytes = WINDOW_BYTES;
    char *window =
        windows->spare_count > 0 ? windows->spare[--windows->spare_count] : malloc(WINDOW_BYTES);
    windows->large += window != NULL;
    return window;
}

void window_give(struct windows *windows, char *window, size_t bytes)
{
    if (bytes == WINDOW_BYTES)
        windows->large--;
    if (bytes == WINDOW_BYTES && windows->spare_count < WINDOWS_SPARE)
        windows->spare[windows->spare_count++] = window;
    else
        free(window);
}

void windows_close(struct windows *windows)
{
    while (windows->spare_count > 0)
        free(windows->spare[--windows->spare_count]);
}
