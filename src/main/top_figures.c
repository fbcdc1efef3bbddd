#include "main/top_figures.h"

#include <string.h>

double top_number(yyjson_val *object, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(object, key));
}

const char *top_text(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text ? text : "";
}

void top_put_number(struct screen *screen, yyjson_val *of, const char *key, const char *name)
{
    char figure[SCREEN_FIGURE];
    screen_put(screen, DIM, "%s ", name);
    screen_put(screen, BOLD, "%s", screen_number(top_number(of, key), figure));
    screen_put(screen, PLAIN, "  ");
}

void top_put_time(struct screen *screen, yyjson_val *of, const char *key, const char *name)
{
    char figure[SCREEN_FIGURE];
    screen_put(screen, DIM, "%s ", name);
    screen_put(screen, BOLD, "%s", screen_time(top_number(of, key), figure));
    screen_put(screen, PLAIN, "  ");
}

void top_put_bad(struct screen *screen, yyjson_val *of, const char *key, const char *name)
{
    char figure[SCREEN_FIGURE];
    double value = top_number(of, key);
    screen_put(screen, DIM, "%s ", name);
    screen_put(screen, value > 0 ? WARNING : BOLD, "%s", screen_number(value, figure));
    screen_put(screen, PLAIN, "  ");
}

void top_end_title(struct screen *screen, const char *time)
{
    unsigned width = (unsigned)strlen(time);
    if (screen->column + width < screen->columns)
        screen_put(screen, DIM, "%*s", (int)(screen->columns - screen->column), time);
    screen_end_line(screen);
}
