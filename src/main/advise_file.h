/* Advise file: what `stoa advise` is told about a shop: regions, sites, ways, limits.
 *
 *     utilisation = 70%
 *     tolerate = site
 *     p99 = 250ms
 *     read = 0.15ms
 *     site "fra" { cost = 0.42  processors = 4  now = 3  ways = {"iad 88ms 96ms"} }
 *     region "europe" { reads = 420  peak = 2.5  ways = {"fra 18ms 40ms", "iad 95ms"} }
 *
 * Read by libconfuse, by one table of settings, which `--help` shows. What stands above a section
 * holds for all that come after it. Every setting is judged where it stands: failures begin with
 * "FILE:LINE: ". Thread: main.
 */
#ifndef STOA_MAIN_ADVISE_FILE_H
#define STOA_MAIN_ADVISE_FILE_H

#include "base/err.h"
#include "base/str.h"
#include "scale/advise.h"

#include <stdio.h>

enum {
    ADVISE_SOURCES_MAX = 32,
    ADVISE_URL = 256,
    ADVISE_WAYS_MAX = 4096,
    ADVISE_LOADS_MAX = 400,
};

/* Something that runs and is asked: a server at a site, or a load manager that takes a region's
 * requests. */
struct advise_source {
    bool of_region;
    unsigned index; /* of the region or site */
    char url[ADVISE_URL];
};

struct advise_way {
    bool of_region; /* FROM is a region; else a site */
    unsigned from, line;
    char to[ADVISE_NAME];
    const char *file; /* lent by whoever had it read */
    struct advise_time time;
};

struct advise_file {
    struct advise_input input;
    unsigned region_line[ADVISE_REGIONS_MAX], site_line[ADVISE_SITES_MAX];
    bool now_given[ADVISE_SITES_MAX];
    unsigned source_count, way_count, load_count;
    struct advise_source sources[ADVISE_SOURCES_MAX];
    struct advise_way ways[ADVISE_WAYS_MAX];
    double days[ADVISE_LOADS_MAX], loads[ADVISE_LOADS_MAX]; /* requests/s on a day */
    unsigned alone; /* ways and disks that were given without their 99th percentile */
};

/* Reads PATH, which is lent as long as FILE is used, into FILE, which is big: from the heap. */
int advise_file_read(const char *path, struct advise_file *file, struct failure *failure);

/* The same of ways that a machine has measured: CSV with the columns from, to, p50_ms and, perhaps,
 * p99_ms. They take the place of those known before. */
int advise_file_read_ways(const char *path, struct advise_file *file, struct failure *failure);

/* The place of the site or region NAME; the count of them when there is none. */
unsigned advise_file_site(const struct advise_file *file, struct str name);
unsigned advise_file_region(const struct advise_file *file, struct str name);

/* "NAME=URL": something to be asked about a region or site of FILE. */
int advise_file_add_source(struct advise_file *file, const char *text, struct failure *failure);

/* Puts the ways into FILE's input and judges it as a whole; what was measured is there by now. */
int advise_file_finish(const char *path, struct advise_file *file, struct failure *failure);

/* The settings, for --help. */
void advise_file_help(FILE *out);

#endif
