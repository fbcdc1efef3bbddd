/* Any bytes are read as what stoa advise measures and is told: what is taken is in its range. */
#include "base/check.h"
#include "main/advise_measure.h"
#include "main/advise_value.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make(data, size);
    struct advise_figures figures;
    struct advise_time times;
    double value;
    char day[16];
    advise_figures_read(input, &figures);
    if (!advise_value_number("n", input, &value, NULL))
        CHECK(value >= 0);
    if (!advise_value_share("n", input, &value, NULL))
        CHECK(value >= 0);
    if (!advise_value_time("n", input, &value, NULL))
        CHECK(value >= 0 && value <= 3600);
    if (!advise_value_times("n", input, &times, NULL))
        CHECK(isnan(times.p99_s) || times.p99_s >= times.p50_s);
    if (!advise_value_day("n", input, &value, NULL)) {
        advise_value_write_day(value, day);
        CHECK(str_eq(input, str_of(day)));
    }
    return 0;
}
