"""The benches that make their own cluster measure what they say, and leave nothing behind."""

import json
import os
import subprocess

import pytest

from shop_server import STOA


def bench(folder, *words):
    done = subprocess.run([STOA, "bench", *words, "--dir", str(folder), "--json"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not os.listdir(folder), "what it made is gone again"
    return json.loads(done.stdout)


@pytest.mark.parametrize("words,commands", [(("cart",), 1), (("buy",), 2), (("buy", "--hot"), 2)],
                         ids=["carts", "purchases", "purchases of one product"])
def test_commands_go_through_the_order_of_three_servers(tmp_path, words, commands):
    # Long enough for a machine that stands still for half a second, and an election after it.
    report = bench(tmp_path, "order", *words, "--duration", "2s", "--warm-up", "100ms",
                   "--connections", "90", "--items", "20", "--ready", "60000")
    assert report["operations"] > 100 and report["failed"] == 0, report
    assert report["commands_per_s"] == pytest.approx(commands * report["operations_per_s"], rel=0.2)
    assert report["log_bytes_per_operation"] > 20 * commands
    assert report["commands_per_entry"] > 1
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]
    assert 0 <= report["staleness_ms"]["p50"] <= report["staleness_ms"]["p99"]


def test_a_primary_that_goes_is_replaced(tmp_path):
    report = bench(tmp_path, "failover", "--rounds", "2")
    for kind in ("killed", "hanging"):
        assert report[kind]["rounds"] == 2
        assert 0 < report[kind]["median_ms"] <= report[kind]["worst_ms"] < 10000
    planned = report["planned"]
    assert planned["changes"] > 100
    assert planned["failed"] == 0, planned
    for kind in ("longest_wait", "longest_wait_before", "handover"):
        assert planned[kind]["rounds"] == 2
        assert 0 < planned[kind]["median_ms"] <= planned[kind]["worst_ms"] < 10000


def test_eviction_policies_are_held_against_each_other():
    done = subprocess.run([STOA, "bench", "cache", "--quick"],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    heads = [row for row in rows if "S3-FIFO" in row]
    found = [row for row in rows if len(row) > 2 and "MiB" in row[1]]
    assert len(heads) == 1 and len(found) == 8 * 4, done.stdout
    for row in found:
        assert len(row) == len(heads[0])
        assert all(0 < float(cell) < 100 for cell in row[2:]), row
    assert sum("a page that is there" in row for row in rows) == 2, done.stdout
