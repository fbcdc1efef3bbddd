#include "main/terminal.h"

#include "base/buf.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ECMA-48, and DEC's private modes: the other screen, the cursor. */
#define ENTER  "\033[?1049h\033[?25l\033[2J"
#define LEAVE  "\033[?25h\033[?1049l"
#define HOME   "\033[H"
#define TO_END "\033[K"
#define BELOW  "\033[J"

enum { COLUMNS_USUAL = 80, ROWS_USUAL = 24, DRAWN_MAX = 1 << 20, SEQUENCE_MAX = 32, ESCAPE = 033 };

static void put(const char *at, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, at, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        at += written;
        len -= (size_t)written;
    }
}

static int open_signals(struct failure *failure)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        fail_errno(failure, ERR_FULL, "cannot wait for signals");
    return fd;
}

int terminal_open(struct terminal *terminal, struct failure *failure)
{
    terminal->signals = -1;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
        tcgetattr(STDIN_FILENO, &terminal->before))
        return fail(failure, ERR_UNSUPPORTED, "this is no terminal; --once prints one view");
    int fd = open_signals(failure);
    if (fd < 0)
        return ERR_FULL;
    struct termios keys = terminal->before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    keys.c_cc[VSUSP] = _POSIX_VDISABLE; /* or the shell would come back on the other screen */
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    terminal->signals = fd;
    put(ENTER, strlen(ENTER));
    return 0;
}

void terminal_close(struct terminal *terminal)
{
    if (terminal->signals < 0)
        return;
    put(LEAVE, strlen(LEAVE));
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal->before);
    close(terminal->signals);
    terminal->signals = -1;
}

void terminal_size(unsigned *columns, unsigned *rows)
{
    struct winsize size = {0};
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *columns = known && size.ws_col ? size.ws_col : COLUMNS_USUAL;
    *rows = known && size.ws_row ? size.ws_row : ROWS_USUAL;
}

void terminal_draw(struct str lines)
{
    struct buf out;
    struct str line;
    buf_init(&out, DRAWN_MAX);
    buf_puts(&out, HOME);
    /* No newline after the last one, or the window would scroll. */
    for (bool first = true; str_cut(&lines, '\n', &line) && lines.at; first = false) {
        buf_puts(&out, first ? "" : "\r\n");
        buf_str(&out, line);
        buf_puts(&out, TO_END);
    }
    buf_puts(&out, BELOW);
    put(out.at, out.len);
    buf_close(&out);
}

static bool read_byte(char *byte)
{
    return read(STDIN_FILENO, byte, 1) == 1;
}

/* What follows the escape of a cursor or function key: a control sequence up to its final byte
 * (ECMA-48 §5.4), or the O and one byte of a VT100's; with Alt it is the other key. Terminals send
 * it in one piece. After the Esc key itself comes nothing. */
static void skip_sequence(void)
{
    char byte;
    if (!read_byte(&byte) || (byte != '[' && byte != 'O'))
        return;
    bool control = byte == '[';
    for (int i = 0; i < SEQUENCE_MAX && read_byte(&byte); i++)
        if (!control || (byte >= '@' && byte <= '~'))
            return;
}

static enum terminal_event read_key(char *key)
{
    if (!read_byte(key))
        return TERMINAL_END;
    if (*key == ESCAPE)
        skip_sequence();
    return TERMINAL_KEY;
}

enum terminal_event terminal_wait(struct terminal *terminal, int timeout_ms, char *key)
{
    struct pollfd fds[2] = {{.fd = terminal->signals, .events = POLLIN},
                            {.fd = STDIN_FILENO, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms) <= 0)
        return TERMINAL_TIME;
    struct signalfd_siginfo info;
    if (fds[0].revents && read(terminal->signals, &info, sizeof info) == sizeof info)
        return info.ssi_signo == SIGWINCH ? TERMINAL_RESIZED : TERMINAL_END;
    if (fds[1].revents)
        return read_key(key);
    return TERMINAL_TIME;
}
