#include "main/bench.h"

#include "base/check.h"
#include "bench/disk.h"
#include "bench/load.h"
#include "main/bench_items.h"
#include "main/program.h"
#include "main/remote.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(field) offsetof(struct bench_flags, field)
static const struct option_row rows[] = {
    {"connections", OPTION_COUNT, AT(connections), "64", 1, 1000000, NULL, "N",
     "connections, each a visitor"},
    {"threads", OPTION_COUNT, AT(threads), "1", 1, 64, NULL, "N", "generator threads"},
    {"duration", OPTION_DURATION, AT(duration_ms), "10s", 100, 86400000, NULL, "TIME",
     "how long is measured"},
    {"warm-up", OPTION_DURATION, AT(warm_up_ms), "1s", 0, 3600000, NULL, "TIME",
     "how long before that is not"},
    {"rate", OPTION_COUNT, AT(rate), "0", 0, 10000000, NULL, "N",
     "operations a second in all, at random moments, timed from when they were due (0: each "
     "visitor begins the next when the last is over)"},
    {"http2", OPTION_SWITCH, AT(http2), NULL, 0, 0, NULL, NULL, "HTTP/2 by prior knowledge"},
    {"streams", OPTION_COUNT, AT(streams), "1", 1, 64, NULL, "N",
     "visitors on each HTTP/2 connection"},
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "cart, buy: the running shop's data directory; disk: what to measure; order, failover, crowd, "
     "drop, engines, scale: where to make what they need for the while"},
    {"items", OPTION_COUNT, AT(items), "1000", 1, 100000, NULL, "N",
     "cart, buy, order: products made for it"},
    {"lines", OPTION_COUNT, AT(lines), "1", 1, 100, NULL, "N", "cart, buy: lines of each cart"},
    {"hot", OPTION_SWITCH, AT(hot), NULL, 0, 0, NULL, NULL,
     "cart, buy: everybody wants the same product"},
    {"no-key", OPTION_SWITCH, AT(no_key), NULL, 0, 0, NULL, NULL,
     "cart, repair: carts are changed without an Idempotency-Key, as by the shop's own pages"},
    {"header", OPTION_TEXT, AT(header), NULL, 0, 0, NULL, "LINE",
     "http: one more header, as in \"Accept-Encoding: gzip\""},
    {"ready", OPTION_COUNT, AT(ready), "100000", 100, 10000000, NULL, "N",
     "order buy: checkouts made before it begins"},
    {"rounds", OPTION_COUNT, AT(rounds), "0", 0, 100000, NULL, "N",
     "failover: of each kind; share: kills of each; crowd: how often a server goes (0: 50); "
     "repair: of each point, at most 1000 (0: 5); cache: at most 99 (0: 5); engines, scale: at "
     "most "
     "9 (0: 3)"},
    {"shoppers", OPTION_COUNT, AT(shoppers), "2000", 1, 100000, NULL, "N",
     "crowd: how many, who click at --rate in all [a fifth of their number]; apply cart: whose "
     "carts change"},
    {"commands", OPTION_COUNT, AT(commands), "1000000", 1000, 100000000, NULL, "N",
     "apply: how many commands of the log"},
    {"kind", OPTION_CHOICE, AT(kind), "all", 0, 0, "all hot warm cold", "KIND",
     "repair: of the backup"},
    {"backlog", OPTION_COUNT, AT(backlog), "100000", 0, 10000000, NULL, "N",
     "repair: most commands of the log that the backup lacks; measured are 0, a tenth and all"},
    {"database", OPTION_SIZE, AT(database), "100M", 0, 1ull << 40, NULL, "SIZE",
     "repair: database of the larger of two shops (0: only the small one)"},
    {"managers", OPTION_COUNT, AT(managers), "1", 0, 4, NULL, "N",
     "crowd, drop: load managers in front (crowd: 0: none)"},
    {"fault", OPTION_CHOICE, AT(fault), "none", 0, 0, "none kill stop slow restart", "KIND",
     "crowd: what happens to servers in turn: kill -9, SIGSTOP, a tenth of their time, a restart "
     "of all; none: nothing for --duration"},
    {"down", OPTION_DURATION, AT(down_ms), "2s", 1, 3600000, NULL, "TIME",
     "crowd, drop: until a killed one is started again; how long it is stopped or slow"},
    {"calm", OPTION_DURATION, AT(calm_ms), "3s", 1, 3600000, NULL, "TIME",
     "crowd: how long all are left alone before that"},
    {"buyers", OPTION_COUNT, AT(buyers), "5000", 1, 100000, NULL, "N",
     "drop: how many, each for one unit"},
    {"units", OPTION_COUNT, AT(units), "100", 1, 100000, NULL, "N", "drop: how many there are"},
    {"arrive", OPTION_DURATION, AT(arrive_ms), "5s", 1, 3600000, NULL, "TIME",
     "drop: over how long the buyers come"},
    {"outside", OPTION_SWITCH, AT(outside), NULL, 0, 0, NULL, NULL,
     "drop: with a bank and a warehouse beside the servers; buy: with them and without by turns, "
     "on "
     "servers made for it under --dir"},
    {"no-kill", OPTION_SWITCH, AT(no_kill), NULL, 0, 0, NULL, NULL,
     "drop: leave the primary alone"},
    {"policy", OPTION_TEXT, AT(policy), NULL, 0, 0, NULL, "NAME",
     "crowd: the load managers' [their default]"},
    {"balance", OPTION_LIST, AT(balance), NULL, 0, 0, NULL, "WORD",
     "crowd, drop: one more word for `stoa balance`, as in --balance=--hedge=off"},
    {"spread", OPTION_SWITCH, AT(spread), NULL, 0, 0, NULL, NULL,
     "crowd: in place of faults, how evenly each policy spreads them"},
    {"keep", OPTION_SWITCH, AT(keep), NULL, 0, 0, NULL, NULL,
     "crowd, drop, engines, scale: do not remove the servers' data and logs"},
    {"report", OPTION_TEXT, AT(page), NULL, 0, 0, NULL, "FILE",
     "balance, engines, scale: write a page of Markdown, or the part of it that is not by hand; "
     "engines, scale: with its pictures beside it"},
    {"picture", OPTION_TEXT, AT(picture), NULL, 0, 0, NULL, "FILE",
     "balance, repair: draw it as SVG"},
    {"also", OPTION_LIST, AT(also), NULL, 0, 0, NULL, "DIR",
     "cart, buy: data directory of another of the cluster's servers, which takes its share"},
    {"engines", OPTION_TEXT, AT(engines), NULL, 0, 0, NULL, "A,B", "engines: these only [all]"},
    {"quick", OPTION_SWITCH, AT(quick), NULL, 0, 0, NULL, NULL,
     "engines, cache, scale: whether it runs: fewer loads, half a second and one round of each"},
    {"only", OPTION_TEXT, AT(only), NULL, 0, 0, NULL, "A,B",
     "scale: of rules, sizes, polls, ratio, overload and hop, or of the loads step, ramp, spike, "
     "day, steady and trace, these only [all]"},
    {"load", OPTION_TEXT, AT(load), NULL, 0, 0, NULL, "FILE",
     "scale: also this recorded load, as `stoa replay-scale` reads it, made to fit"},
    {"limit", OPTION_DURATION, AT(limit_ms), "100ms", 1, 3600000, NULL, "TIME",
     "scale: what 99 of 100 requests may take"},
    {"listen", OPTION_TEXT, AT(listen), "127.0.0.1:8080", 0, 0, NULL, "ADDR:PORT", "engine: where"},
    {"admission", OPTION_DURATION, AT(admission_ms), "0ms", 0, 60000, NULL, "TIME",
     "engine: let in as many that nine of ten are answered within this (event and seda; 0: all)"},
    {"workers", OPTION_COUNT, AT(workers), "0", 0, 100000, NULL, "N",
     "engine: most at work at once, or threads of a pool or stage (0: the engine's default)"},
    {"cores", OPTION_COUNT, AT(cores), "0", 0, 1024, NULL, "N",
     "engine: stay on the first N processors (0: all)"},
    {"steps", OPTION_COUNT, AT(steps), "0", 0, 0, NULL, "N",
     "engine: of computing, in a millisecond (0: found out)"},
    {"seed", OPTION_COUNT, AT(seed), "1", 0, 0, NULL, "N", "of the random numbers"},
    {"cdf", OPTION_TEXT, AT(cdf), NULL, 0, 0, NULL, "FILE", "write the latencies' CDF as CSV"},
    {"svg", OPTION_TEXT, AT(svg), NULL, 0, 0, NULL, "FILE", "draw it as SVG"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

/* ---- Reporting ---- */

static int give_report(const struct bench_flags *flags, const struct bench_report *report,
                       struct failure *failure)
{
    int err = 0;
    if (flags->json)
        report_json(report, stdout);
    else
        report_text(report, stdout);
    if (flags->cdf[0])
        err = report_cdf_csv(report, flags->cdf, failure);
    if (!err && flags->svg[0])
        err = report_cdf_svg(report, flags->svg, failure);
    if (!err && report->operations == 0)
        err = fail(failure, ERR_STATE, "no operation succeeded");
    return err;
}

static int run_load(const struct bench_flags *flags, const struct script *script,
                    const void *context, const char *url, const char *operation,
                    double fsyncs_per_s, struct failure *failure)
{
    struct remote others[OPTION_LIST_MAX];
    struct load_config config = {
        .url = url,
        .script = script,
        .script_context = context,
        .connections = (unsigned)flags->connections,
        .streams = flags->http2 ? (unsigned)flags->streams : 1,
        .threads = (unsigned)flags->threads,
        .http2 = flags->http2,
        .seconds = (double)flags->duration_ms / 1000,
        .warm_up_seconds = (double)flags->warm_up_ms / 1000,
        .rate = (double)flags->rate,
        .seed = flags->seed,
    };
    for (; config.also_count < flags->also.count; config.also_count++) {
        unsigned i = config.also_count;
        int lost = i < LOAD_ALSO_MAX ? remote_find(flags->also.items[i], &others[i], failure)
                                     : fail(failure, ERR_FULL, "too many servers");
        if (lost)
            return lost;
        config.also[i] = others[i].url;
    }
    if (config.threads > config.connections)
        config.threads = config.connections;
    struct bench_report *report = calloc(1, sizeof *report);
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    histogram_clear(&report->latency);
    report->name = script->name;
    report->target = url;
    report->operation = operation;
    report->fsyncs_per_s = fsyncs_per_s;
    int err = load_run(&config, report, failure);
    err = err ? err : give_report(flags, report, failure);
    free(report);
    return err;
}

/* ---- http ---- */

static int bench_http(const struct bench_flags *flags, const char *url, struct failure *failure)
{
    char line[OPTION_TEXT_SIZE + 2] = "", operation[600];
    struct str rest = str_of(url);
    ptrdiff_t scheme = str_find(rest, STR("://"));
    size_t host = scheme < 0 ? 0 : (size_t)scheme + 3;
    ptrdiff_t slash = str_find_byte(str_from(rest, host), '/');
    const char *path = slash < 0 ? "/" : url + host + slash;
    if (flags->header[0] && strchr(flags->header, ':') == NULL)
        return fail(failure, ERR_INVALID,
                    "header is \"%s\", but must be a line such as "
                    "\"Accept-Encoding: gzip\"",
                    flags->header);
    if (flags->header[0])
        snprintf(line, sizeof line, "%s\r\n", flags->header);
    snprintf(operation, sizeof operation, "GET %.500s", path);
    struct http_script script = {path, line};
    return run_load(flags, &script_http, &script, url, operation, 0, failure);
}

/* ---- cart and buy ---- */

static double measure_disk(const char *dir, struct failure *failure)
{
    struct histogram *latency = malloc(sizeof *latency);
    double rate = 0;
    if (latency && disk_measure(dir, 1, latency, failure) == 0 && latency->count)
        rate = 1e9 / histogram_mean(latency);
    free(latency);
    return rate;
}

static int bench_shop(const struct bench_flags *flags, const struct script *script,
                      struct failure *failure)
{
    struct remote remote;
    struct bench_items items;
    int err = remote_find(flags->dir, &remote, failure);
    if (err)
        return err;
    err = bench_items_name(&items, flags->hot ? 1 : (unsigned)flags->items, failure);
    err = err ? err : bench_items_make(&remote, items.names, items.count, 1000000000, failure);
    if (!err) {
        struct shop_script shop = {
            .items = items.names,
            .item_count = items.count,
            .hot = flags->hot,
            .lines = (unsigned)flags->lines,
            .no_key = flags->no_key,
        };
        char operation[120];
        snprintf(operation, sizeof operation, "%s, %s of %u products",
                 script == &script_buy ? "a purchase in two requests" : "a change of a cart",
                 flags->hot ? "the one hot" : "some", items.count);
        double disk = measure_disk(flags->dir, failure);
        err = run_load(flags, script, &shop, remote.url, operation, disk, failure);
    }
    bench_items_close(&items);
    return err;
}

/* ---- disk ---- */

static int bench_disk(const struct bench_flags *flags, struct failure *failure)
{
    struct bench_report *report = calloc(1, sizeof *report);
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    report->name = "disk";
    report->target = flags->dir;
    report->operation = "a durable write of 4 KiB";
    report->seconds = (double)flags->duration_ms / 1000;
    int err = disk_measure(flags->dir, report->seconds, &report->latency, failure);
    report->operations = report->latency.count;
    report->seconds = report->latency.sum / 1e9;
    err = err ? err : give_report(flags, report, failure);
    free(report);
    return err;
}

/* ERR_UNSUPPORTED: there is no such bench. */
static int choose(const struct bench_flags *flags, struct str what, const char *operand,
                  struct failure *failure)
{
    if (str_eq(what, STR("http")))
        return bench_http(flags, operand, failure);
    if (str_eq(what, STR("cart")))
        return bench_shop(flags, &script_cart, failure);
    if (str_eq(what, STR("buy")) && flags->outside)
        return bench_buy_outside(flags, failure);
    if (str_eq(what, STR("buy")))
        return bench_shop(flags, &script_buy, failure);
    if (str_eq(what, STR("disk")))
        return bench_disk(flags, failure);
    if (str_eq(what, STR("failover")))
        return bench_failover(flags, failure);
    if (str_eq(what, STR("repair")))
        return bench_repair(flags, failure);
    if (str_eq(what, STR("crowd")))
        return bench_crowd(flags, failure);
    if (str_eq(what, STR("drop")))
        return bench_drop(flags, failure);
    if (str_eq(what, STR("share")))
        return bench_share(flags, failure);
    if (str_eq(what, STR("balance")))
        return bench_balance(flags, failure);
    if (str_eq(what, STR("cache")))
        return bench_cache(flags, failure);
    if (str_eq(what, STR("engines")))
        return bench_engines(flags, failure);
    if (str_eq(what, STR("engine")))
        return bench_engine(flags, operand, failure);
    if (str_eq(what, STR("scale")))
        return bench_scale(flags, failure);
    if (str_eq(what, STR("order")) && strcmp(operand, "cart") == 0)
        return bench_order(flags, false, failure);
    if (str_eq(what, STR("order")) && strcmp(operand, "buy") == 0)
        return bench_order(flags, true, failure);
    struct str work = str_of(operand);
    if (str_eq(what, STR("apply")) && (str_eq(work, STR("cart")) || str_eq(work, STR("buy"))))
        return bench_apply(flags, work, failure);
    return ERR_UNSUPPORTED;
}

static uint64_t usual_rounds(struct str what)
{
    if (str_eq(what, STR("repair")) || str_eq(what, STR("cache")))
        return 5;
    return str_eq(what, STR("engines")) || str_eq(what, STR("scale")) ? 3 : 50;
}

static int run_bench(const struct program_command *self, int count, char **words)
{
    struct bench_flags flags = {0};
    struct failure failure = {0};
    const char *operands[2] = {NULL, NULL};
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, operands, 2, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    struct str what = operand_count ? str_of(operands[0]) : STR("");
    if (!flags.rounds)
        flags.rounds = usual_rounds(what);
    bool two = str_eq(what, STR("http")) || str_eq(what, STR("order")) ||
               str_eq(what, STR("apply")) || str_eq(what, STR("engine"));
    if (operand_count != (two ? 2u : 1u))
        return command_usage_error(self,
                                   "give http URL, cart, buy, disk, order cart, order buy, "
                                   "apply cart, apply buy, failover, repair, crowd, drop, share, "
                                   "balance, cache, scale, engines or engine NAME");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int err = choose(&flags, what, operands[1], &failure);
    if (err == ERR_UNSUPPORTED)
        return command_usage_error(self,
                                   "there are the benches http URL, cart, buy, disk, order "
                                   "cart, order buy, apply cart, apply buy, failover, "
                                   "repair, crowd, drop, share, balance, cache, scale, engines "
                                   "and "
                                   "engine NAME");
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

const struct program_command command_bench = {
    "bench",
    "[options] http URL | cart | buy | disk | order cart | order buy | apply cart | apply buy | "
    "failover | repair | crowd | drop | share | balance | cache | scale | engines | engine NAME",
    "measure a server: throughput and latency under a load",
    "  http URL  GETs of one address, of any HTTP server\n"
    "  cart      shoppers who change their carts, through the public API\n"
    "  buy       shoppers who buy: a checkout made ready, then completed\n"
    "  disk      durable writes, one after the other, of the disk under --dir\n"
    "  order cart, order buy\n"
    "            the same as commands, without HTTP: three servers with the load inside them, "
    "made\n"
    "            for it under --dir\n"
    "  apply cart, apply buy\n"
    "            how fast a server's copy takes in commands that are in the log already, as after\n"
    "            a time away: no log, no network, one database made for it under --dir\n"
    "  failover  three servers made for it under --dir: for how long nobody can change anything\n"
    "            when the primary is killed, hangs, or hands over\n"
    "  repair    two servers and a witness made for it under --dir, a small shop and one of\n"
    "            --database: for how long nobody can change anything when the primary is killed\n"
    "            and the backup is hot, warm or cold and lacks up to --backlog commands\n"
    "  crowd     three servers made for it under --dir with load managers in front: what shoppers\n"
    "            notice when servers are killed, hang, become slow or are restarted. Ends with 1\n"
    "            when a request fails or a cart is not as promised\n"
    "  drop      three servers made for it under --dir with a load manager in front: few units, "
    "many\n"
    "            buyers at once, and the primary is killed when half of them are sold. Ends with "
    "1\n"
    "            unless all units are sold once, and everybody else is told that they are sold "
    "out\n"
    "  share     three servers of a cluster, and three processes over one directory (--shared), "
    "made\n"
    "            for it under --dir: reads, changes, purchases, kill -9, memory and disk, side by "
    "side\n"
    "  balance   the load manager's policies on simulated time: servers of unequal speed, one "
    "that\n"
    "            dies or slows down, bursts, shoppers with homes. Needs no server\n"
    "  cache     what share of made-up requests the response cache answers with each of six "
    "eviction\n"
    "            policies, and how long a look-up takes. Needs no server\n"
    "  scale     fronts, queue and workers made for it under --dir: each rule of scaling under "
    "loads\n"
    "            that change; how many workers and fronts a load needs, how long polls should "
    "wait,\n"
    "            and what the way through the queue costs. Takes about 25 minutes a round\n"
    "  engines   the same pages on every engine, each with a server made for it: cached, "
    "computing,\n"
    "            from a cold disk, short beside long, at twice its capacity. Takes about 16 times\n"
    "            --duration and --warm-up together, and half a minute more, for each engine and\n"
    "            round; some seconds each with --quick\n"
    "  engine NAME\n"
    "            the server of one of these, for other generators: /cached, /compute?us=N, and\n"
    "            /disk?n=N of files in --dir\n\n"
    "cart and buy put products of their own, named bench-…, into the shop that runs on --dir:\n"
    "give them a shop made for it. Latencies are kept within 0.8 % in a log-linear histogram.",
    &table,
    run_bench,
};
