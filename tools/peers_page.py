"""What tools/bench-peers writes into a page: tables of its figures, between two lines."""

import datetime
import os
import pathlib
import platform
import re
import subprocess
import sys

from beside import ENVIRONMENT

KEYS = ("requests_per_s", "p50_ms", "p99_ms", "p999_ms", "cpu_us")
BEGIN = "<!-- from here on written by: tools/bench-peers -->"
END = "<!-- until here -->"


def version_of(*command):
    """The number in what COMMAND says of itself."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)?", out.stdout + out.stderr)
    return " " + found[0] if found else ""


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*: (.*)", text)
    return found[1].strip() if found else platform.machine()


def conditions(report):
    cases = report["cases"]
    rows = [row for case in cases for row in case["rows"].values()]
    errors = sum(row["errors"] for row in rows)
    sizes = sorted({case["bytes"] for case in cases})
    raised = " Server and generator ran with raised priority (`--raise`), beside other work." \
        if report["raised"] else ""
    return (
        f"Medians of {report['rounds']} rounds of {report['seconds']} s, by turns, taken on "
        f"{datetime.date.today()}: {os.cpu_count()} processors ({processor()}), Linux "
        f"{platform.release().split('-')[0]}, nginx{version_of('nginx', '-v')}, "
        f"wrk{version_of('wrk', '-v')}; {' and '.join(f'{size:,}' for size in sizes)} bytes. "
        f"The host took at most {max(row['stolen'] for row in rows):.1%} of the time from a round. "
        f"{f'{errors} requests failed' if errors else 'No request failed'}.{raised}")


def name_of(case):
    return f"{case['connections']:,}, {'one' if case['cores'] == 1 else case['cores']}"


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
    yield from (BEGIN, "", conditions(report), "",
                "Ratios, round by round; more than 1 is better than the second one. In brackets the "
                "least and the most:", "",
                "| connections, cores | | requests/s | p50 | p99 | p99.9 | processor |",
                "| --- | --- | --- | --- | --- | --- | --- |")
    for case in report["cases"]:
        yield from ratios(case)
    yield from ("", "The figures themselves (latencies in ms; processor time in µs for a request; "
                "how much of a processor server and generator used):", "",
                "| connections, cores | | requests/s | p50 | p99 | p99.9 | processor | server | wrk |",
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in report["cases"]:
        yield from figures(case)
    yield from ("", END)


def write_page(file, report):
    """FILE, which has the two lines, with new ones between them."""
    text = file.read_text()
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        sys.exit(f"{file} has not the two lines between which the report goes: {BEGIN} and {END}")
    file.write_text(before + "\n".join(lines_of(report)) + after)
