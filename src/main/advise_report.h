/* Advise report: an answer of scale/advise.h in words, with the numbers behind them, and as JSON.
 * Writes to the stream, all else is pure. Thread: main.
 */
#ifndef STOA_MAIN_ADVISE_REPORT_H
#define STOA_MAIN_ADVISE_REPORT_H

#include "base/str.h"
#include "scale/advise.h"

#include <stdio.h>

struct advise_report {
    const struct advise_input *input;
    const struct advise_answer *answer;
    double today;     /* days since 1970 */
    unsigned alone;   /* times that were given without their 99th percentile */
    struct str notes; /* a line each: what was measured */
};

enum { ADVISE_WORDS = 240, ADVISE_CASE_WORDS = 80 };

void advise_report_text(const struct advise_report *report, FILE *out);
void advise_report_json(const struct advise_report *report, FILE *out);

/* "p99 of europe 131 ms (limit 120 ms) while fra is gone"; "all limits are kept". */
char *advise_words_broken(const struct advise_input *input, const struct advise_broken *broken,
                          char out[ADVISE_WORDS]);
/* " while one server of fra is gone"; empty: nothing is. */
char *advise_words_case(const struct advise_input *input, struct advise_case when,
                        char out[ADVISE_CASE_WORDS]);
/* "12.3 ms", "1.2 s"; "-": there is none; "no end" of an infinite one. */
char *advise_words_time(double seconds, char out[32]);

/* Whether anything is computed from shoppers of this region. */
bool advise_region_has_load(const struct advise_region *region);

#endif
