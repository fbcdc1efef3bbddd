"""The bench of the tiers puts loads on real fronts and workers, and leaves nothing behind."""

import json
import os
import pathlib
import signal
import subprocess
import xml.dom.minidom

import pytest

from shop_server import STOA, wait_until

pytestmark = pytest.mark.outside


def bench(folder, *words):
    done = subprocess.run([STOA, "bench", "scale", "--quick", "--duration", "300ms", "--dir",
                           str(folder), *words],
                          capture_output=True, text=True, timeout=120, check=False)
    assert not os.path.exists(folder) or not os.listdir(folder), "what it made is gone again"
    return done


def check_figures(cell):
    """What holds however slow the machine is."""
    assert cell["failure"] is None, cell
    mean = cell["mean"]
    assert mean["failed"] == 0 and mean["answered_per_s"] > 0, mean
    assert 0 < mean["p50_ms"] <= mean["p99_ms"] <= mean["longest_ms"] * 1.01
    assert 0 <= mean["late_share"] <= 1
    assert len(cell["rounds"]) == 1
    assert all(half is None for half in cell["interval_half"].values()), "of one round there is none"


def check_rule(cell):
    mean = cell["mean"]
    assert 1 <= mean["workers_most"] <= 8
    assert mean["worker_s"] > 1, "one worker at least, all the time"
    assert mean["offered_per_s"] > 0 and 0 <= mean["back_s"] <= 3
    assert mean["decisions"] >= 0 and mean["reversals_per_minute"] >= 0


def check_overload(cell):
    assert cell["workers"] == 2
    assert (cell["mean"]["offered_per_s"] is None) == (cell["load"] == "as much as goes")
    assert 1 < cell["mean"]["workers_busy"] <= 2.01


def check_hop(cell):
    mean = cell["mean"]
    assert mean["cpu_us_per_request"] == pytest.approx(
        mean["cpu_us_per_request_fronts"] + mean["cpu_us_per_request_workers"], rel=1e-3)
    assert mean["cpu_us_per_request_fronts"] > 0
    assert (mean["cpu_us_per_request_workers"] > 0) == (cell["who"] != "one process")


def test_a_quick_run_measures_rules_and_the_hop_and_writes_a_page_with_pictures(tmp_path):
    page = tmp_path / "page.md"
    done = bench(tmp_path / "made", "--only", "spike,overload,hop", "--json", "--report", str(page))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["worker_capacity_per_s"] > 1
    parts = [cell["part"] for cell in report["cells"]]
    checks = {"rules": check_rule, "overload": check_overload, "hop": check_hop}
    assert parts == [part for part in checks for _ in range(2)]
    for cell in report["cells"]:
        check_figures(cell)
        checks[cell["part"]](cell)
    text = page.read_text()
    assert "**spike**" in text and "| 2 × capacity | 2 workers |" in text and "nan" not in text
    assert "(page-hop.svg)" in text and "(page-sizes.svg)" not in text, "only what was measured"
    drawn = xml.dom.minidom.parse(str(tmp_path / "page-hop.svg")).documentElement
    assert drawn.getElementsByTagName("path")


def test_what_there_is_not_is_named(tmp_path):
    done = bench(tmp_path / "made", "--only", "step,hops")
    assert done.returncode == 1 and '"hops"' in done.stderr and "ratio" in done.stderr
    done = bench(tmp_path / "made", "--load", str(tmp_path / "none.csv"))
    assert done.returncode == 1 and "none.csv" in done.stderr


def processes_with(word):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue  # it has ended
        if word.encode() in text:
            found.append(text.replace(b"\0", b" ").decode())
    return found


def test_a_bench_that_is_told_to_end_leaves_nobody_behind(tmp_path):
    folder = tmp_path / "made"
    running = subprocess.Popen([STOA, "bench", "scale", "--quick", "--only", "ratio", "--dir",
                                str(folder)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(" worker " in line for line in processes_with(str(folder))), 30,
                   "a worker")
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=40) == 128 + signal.SIGTERM
    finally:
        running.kill()
        running.wait()
    assert not processes_with(f"{folder}/"), "who was started is gone"
    assert not os.listdir(folder), "what it made is gone again"
