/* Folder: a file's name is on disk only when its folder is: a file that was made, renamed or
 * removed may otherwise be as before after a power cut. Waits for the disk. Thread: any.
 */
#ifndef STOA_BASE_FOLDER_H
#define STOA_BASE_FOLDER_H

/* Makes what has happened to names in the folder of PATH durable. 0, or -1 and errno. */
int folder_sync_of(const char *path);

#endif
