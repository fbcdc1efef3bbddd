/*
 * Replays inputs through a fuzz target without a fuzzer: every file in the folders named on the
 * command line goes once through LLVMFuzzerTestOneInput. A target that does not like an input
 * aborts, and the name printed last is that input's.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void replay_file(const char *path, size_t length)
{
    /* Exactly as long as the file, so that a sanitizer sees the first byte read past it. */
    uint8_t *bytes = malloc(length ? length : 1);
    FILE *file = fopen(path, "rb");
    if (!bytes || !file || fread(bytes, 1, length, file) != length) {
        perror(path);
        exit(1);
    }
    fclose(file);
    puts(path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(bytes, length);
    free(bytes);
}

static unsigned replay_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    if (!listing) {
        perror(folder);
        exit(1);
    }
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        char path[4096];
        struct stat info;
        int needed = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (needed < 0 || (size_t)needed >= sizeof path) {
            fprintf(stderr, "%s: the path is too long\n", entry->d_name);
            exit(1);
        }
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            replay_file(path, (size_t)info.st_size);
            count++;
        }
    }
    closedir(listing);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    if (count == 0) {
        fprintf(stderr, "no input was found in the folders given\n");
        return 1;
    }
    printf("%u passed, 0 failed\n", count);
    return 0;
}
