"""What tools/bench-peers writes into a page: tables of its figures, between two lines."""

import re
import subprocess

from beside import ENVIRONMENT
from page_part import machine, raised, write_part

KEYS = ("requests_per_s", "p50_ms", "p99_ms", "p999_ms", "cpu_us")


def version_of(*command):
    """The number in what COMMAND says of itself."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)?", out.stdout + out.stderr)
    return " " + found[0] if found else ""


def conditions(report):
    cases = report["cases"]
    rows = [row for case in cases for row in case["rows"].values()]
    errors = sum(row["errors"] for row in rows)
    sizes = sorted({case["bytes"] for case in cases})
    load = f"an open loop of {report['rate']:,} requests/s" if report["rate"] else \
        f"wrk{version_of('wrk', '-v')}"
    return (
        f"Medians of {report['rounds']} rounds of {report['seconds']} s, by turns, {machine()}, "
        f"nginx{version_of('nginx', '-v')}, {load}; "
        f"{' and '.join(f'{size:,}' for size in sizes)} bytes. "
        f"The host took at most {max(row['stolen'] for row in rows):.1%} of the time from a round. "
        f"{f'{errors} requests failed, or could not be begun' if errors else 'No request failed'}."
        f"{raised(report['raised'])}")


def name_of(case):
    cores = {1: "one", 2: "two"}.get(case["cores"], case["cores"])
    return f"{case['connections']:,}, {cores}"


def ratios(case):
    for name, row in case["ratios"].items():
        cells = (f"**{row[key]['median']:.2f}** ({row[key]['min']:.2f}–{row[key]['max']:.2f})"
                 if row[key] else "" for key in KEYS)
        yield f"| {name_of(case)} | {name} | {' | '.join(cells)} |"


def figures(case):
    for name, row in case["rows"].items():
        yield (f"| {name_of(case)} | {name} | {row['requests_per_s']:,.0f} | {row['p50_ms']:.2f} | "
               f"{row['p99_ms']:.2f} | {row['p999_ms']:.2f} | {row['cpu_us']:.2f} | "
               f"{row['cpu_share']:.0%} | {row['load_share']:.0%} |")


def lines_of(report):
    yield from (conditions(report), "",
                "Ratios, round by round; more than 1 is better than the second one. In brackets the "
                "least and the most:", "",
                "| connections, cores | | requests/s | p50 | p99 | p99.9 | processor |",
                "| --- | --- | --- | --- | --- | --- | --- |")
    for case in report["cases"]:
        yield from ratios(case)
    yield from ("", "The figures themselves (latencies in ms; processor time in µs for a request; "
                "how much of a processor server and generator used):", "",
                "| connections, cores | | requests/s | p50 | p99 | p99.9 | processor | server | generator |",
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in report["cases"]:
        yield from figures(case)


def write_page(file, report):
    tool = "tools/bench-peers --rate" if report["rate"] else "tools/bench-peers"
    write_part(file, tool, lines_of(report))
