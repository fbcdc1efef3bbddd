/* Again: the program begins anew in this process: same process id, arguments, environment and
 * standard output. All that it had open is closed by the kernel, its locks with it. */
#ifndef STOA_MAIN_AGAIN_H
#define STOA_MAIN_AGAIN_H

/* Any thread. Returns only when it cannot be done. */
void again_begin(void);

#endif
