"""The bench of engines measures every load on the engines it is given, and leaves nothing behind."""

import json
import os
import re
import subprocess
import xml.dom.minidom

import pytest

from shop_server import STOA

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PICTURES = ("throughput", "cdf", "disk", "overload")

# What follows when the machine stood still for as long as the capacity was measured.
NOTHING_IN_TIME = ("it answered nothing", "its capacity could not be measured")

pytestmark = pytest.mark.outside


def bench(folder, *words):
    done = subprocess.run([STOA, "bench", "engines", "--quick", "--duration", "300ms", "--dir",
                           str(folder), *words],
                          capture_output=True, text=True, timeout=180, check=False)
    assert not os.path.exists(folder) or not os.listdir(folder), "what it made is gone again"
    return done


def test_a_quick_run_measures_every_load_and_writes_a_page_with_pictures(tmp_path):
    page = tmp_path / "page.md"
    done = bench(tmp_path / "made", "--engines", "event", "--json", "--report", str(page))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["lines"]["event"]["own"] > 100
    assert report["cold_read_ms"] > 0
    answered = 0
    for load in report["loads"]:
        names = [engine["name"] for engine in load["engines"]]
        assert names == (["event", "event, admission"] if load["load"] else ["event"])
        for engine in load["engines"]:
            if engine["failure"] in NOTHING_IN_TIME:
                continue
            assert engine["failure"] is None, (load["name"], engine["failure"])
            assert len(engine["rounds"]) == 1
            median = engine["median"]
            answered += median["answered_per_s"]
            assert median["failed_per_s"] == 0
            if load["load"]:
                capacity = median["capacity_per_s"]
                assert median["offered_per_s"] == pytest.approx(load["load"] * capacity, rel=1e-4)
                assert median["answered_of_capacity"] == pytest.approx(
                    median["answered_per_s"] / capacity, rel=1e-4)
                assert median["in_time_of_capacity"] == pytest.approx(
                    median["in_time_per_s"] / capacity, rel=1e-4)
            assert median["pss_mb"] > 0 and median["processes"] == 1 and median["threads"] > 1
            shares = [share for share, _ in engine["cdf"]]
            assert shares == sorted(shares)
    assert answered > 0
    text = page.read_text()
    assert "| **event** | " in text and "nan" not in text
    for name in PICTURES:
        assert f"(page-{name}.svg)" in text
        drawn = xml.dom.minidom.parse(str(tmp_path / f"page-{name}.svg")).documentElement
        assert drawn.getElementsByTagName("path")


def test_an_engine_that_there_is_not_is_named(tmp_path):
    done = bench(tmp_path / "made", "--engines", "event,evnet")
    assert done.returncode == 1
    assert '"evnet"' in done.stderr and "thread" in done.stderr


def test_more_rounds_than_it_keeps_are_refused(tmp_path):
    done = subprocess.run([STOA, "bench", "engines", "--rounds", "10", "--dir", tmp_path / "made"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "--rounds 10: there may be 9 at most" in done.stderr


def test_the_page_in_docs_is_of_this_bench():
    with open(os.path.join(ROOT, "docs", "engines.md"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(ROOT, "src", "engine", "engines.c"), encoding="utf-8") as file:
        engines = re.findall(r"&engine_(\w+)", file.read())
    rows = re.findall(r"^\| \*\*(\w+)\*\* \|", text, re.MULTILINE)
    assert rows and set(rows) <= set(engines), "stoa bench engines --report docs/engines.md"
    for name in PICTURES:
        assert f"(engines-{name}.svg)" in text
        assert os.path.exists(os.path.join(ROOT, "docs", f"engines-{name}.svg"))
