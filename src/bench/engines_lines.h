/* Engines' lines: how many lines of code each engine is made of. The table is written when the
 * program is built, from the sources it is built of (tools/engine-lines). Thread: any.
 */
#ifndef STOA_BENCH_ENGINES_LINES_H
#define STOA_BENCH_ENGINES_LINES_H

/* Lines that are neither blank nor comment. OWN: in files that are this engine's alone; SHARED: in
 * those of src/engine that it stands on beside them. */
struct engines_lines {
    const char *name;
    unsigned own, shared;
};

/* Of ENGINE; zeroes when the table has it not. */
const struct engines_lines *engines_lines_of(const char *engine);

extern const struct engines_lines engines_lines[]; /* NULL as a name after the last */

#endif
