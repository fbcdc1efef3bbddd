#include "main/again.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 512, ARGUMENTS_BYTES = 128 * 1024 };

/* The arguments as the kernel keeps them, each ended by a NUL; their number, or 0. */
static size_t read_arguments(char *bytes, char **words)
{
    size_t len = 0, count = 0;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    for (ssize_t got = 1; got > 0 && len < ARGUMENTS_BYTES - 1; len += (size_t)got) {
        got = read(fd, bytes + len, ARGUMENTS_BYTES - 1 - len);
        if (got < 0)
            got = 0;
    }
    close(fd);
    bytes[len] = 0;
    for (size_t at = 0; at < len && count < ARGUMENTS_MAX; at += strlen(bytes + at) + 1)
        words[count++] = bytes + at;
    words[count] = NULL;
    return count;
}

void again_begin(void)
{
    char *bytes = malloc(ARGUMENTS_BYTES);
    char **words = calloc(ARGUMENTS_MAX + 1, sizeof *words);
    if (bytes && words && read_arguments(bytes, words)) {
        sigset_t none; /* the calling thread's mask would be the new program's */
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, NULL);
        execv("/proc/self/exe", words);
    }
    free(words);
    free(bytes);
}
