/* Terminal: a full screen that is drawn anew now and then, and left as it was found.
 *
 * terminal_open switches to the other screen and to keys without Enter; terminal_close goes back.
 * Signals that would end the process or say that the window is another are taken in terminal_wait,
 * so that going back is never left out. Thread: main, before any other is made.
 */
#ifndef STOA_MAIN_TERMINAL_H
#define STOA_MAIN_TERMINAL_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <termios.h>

struct terminal {
    int signals; /* -1: it is not open */
    struct termios before;
};

enum terminal_event { TERMINAL_TIME, TERMINAL_KEY, TERMINAL_RESIZED, TERMINAL_END };

/* ERR_UNSUPPORTED: standard input and output are no terminal. */
int terminal_open(struct terminal *terminal, struct failure *failure);
void terminal_close(struct terminal *terminal);

/* The window's columns and rows; 80 and 24 when nobody knows. */
void terminal_size(unsigned *columns, unsigned *rows);

/* Draws LINES, each ended by a newline, from the top, and clears what is below them. */
void terminal_draw(struct str lines);

/* Until TIMEOUT_MS is over, a KEY is pressed, the window has another size, or a signal says that
 * it is to end. A cursor or function key, or one with Alt, is '\033' as a whole. */
enum terminal_event terminal_wait(struct terminal *terminal, int timeout_ms, char *key);

#endif
