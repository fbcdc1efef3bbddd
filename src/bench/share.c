#include "bench/share.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const double *one = a, *other = b;
    return *one < *other ? -1 : *one > *other;
}

struct share_times share_times(struct share_figures *figures)
{
    if (figures->rounds == 0)
        return (struct share_times){0};
    qsort(figures->again_ms, figures->rounds, sizeof figures->again_ms[0], compare);
    return (struct share_times){figures->again_ms[figures->rounds / 2],
                                figures->again_ms[figures->rounds - 1]};
}

double share_ratio(double number, double of)
{
    return of > 0 ? number / of : 0;
}

static void print_row(FILE *out, const char *what, double replicated, double shared)
{
    fprintf(out, "%-34s  %12.1f  %12.1f  %6.2f\n", what, replicated, shared,
            share_ratio(shared, replicated));
}

void share_print(struct share_figures *replicated, struct share_figures *shared, FILE *out)
{
    struct share_times apart = share_times(replicated), together = share_times(shared);
    fprintf(out, "%-34s  %12s  %12s  %6s\n", "", "replicated", "shared", "ratio");
    print_row(out, "reads of a product's page a second", replicated->reads_s, shared->reads_s);
    print_row(out, "changes of carts a second", replicated->carts_s, shared->carts_s);
    print_row(out, "purchases a second", replicated->purchases_s, shared->purchases_s);
    print_row(out, "killed: selling again, median ms", apart.median_ms, together.median_ms);
    print_row(out, "killed: selling again, worst ms", apart.worst_ms, together.worst_ms);
    print_row(out, "memory, MiB (PSS of all)", replicated->memory_mib, shared->memory_mib);
    print_row(out, "written to disk a change, bytes", replicated->cart_bytes, shared->cart_bytes);
    fprintf(out,
            "three servers with a copy each, and three processes over one; kill -9 of the one that "
            "writes %u and %u times (%llu and %llu changes refused meanwhile)\n",
            replicated->rounds, shared->rounds, (unsigned long long)replicated->refused,
            (unsigned long long)shared->refused);
}

static void json_one(const char *name, struct share_figures *figures, FILE *out)
{
    struct share_times times = share_times(figures);
    fprintf(out,
            "\"%s\":{\"reads_s\":%.1f,\"carts_s\":%.1f,\"purchases_s\":%.1f,\"median_ms\":%.2f,"
            "\"worst_ms\":%.2f,\"rounds\":%u,\"refused\":%llu,\"memory_mib\":%.1f,"
            "\"cart_bytes\":%.1f}",
            name, figures->reads_s, figures->carts_s, figures->purchases_s, times.median_ms,
            times.worst_ms, figures->rounds, (unsigned long long)figures->refused,
            figures->memory_mib, figures->cart_bytes);
}

void share_json(struct share_figures *replicated, struct share_figures *shared, FILE *out)
{
    fputs("{\"bench\":\"share\",", out);
    json_one("replicated", replicated, out);
    fputc(',', out);
    json_one("shared", shared, out);
    fputs("}\n", out);
}
