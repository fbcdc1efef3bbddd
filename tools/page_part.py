"""A page of Markdown of which a part is written by a bench, between two lines, and the rest by hand
(as src/bench/page_part.h)."""

import datetime
import os
import pathlib
import platform
import re
import sys

END = "<!-- until here -->"


def machine():
    """The day and the machine, as a part of a sentence."""
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    model = found[1].strip() if found else platform.machine()
    return (f"taken on {datetime.date.today()}: {os.cpu_count()} processors ({model}), Linux "
            f"{platform.release().split('-')[0]}")


def raised(yes):
    return " Servers and generators ran with raised priority (`--raise`), beside other work." \
        if yes else ""


def write_part(file, tool, lines):
    """FILE, which has the two lines of TOOL, with LINES between them."""
    begin = f"<!-- from here on written by: {tool} -->"
    text = file.read_text()
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        sys.exit(f"{file} has not the two lines between which the report goes: {begin} and {END}")
    file.write_text(before + "\n".join([begin, "", *lines, "", END]) + after)
