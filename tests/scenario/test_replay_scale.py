"""stoa replay-scale: loads and recorded logs through the rules of scaling, as people call it."""

import json
import os
import subprocess

import pytest

from shop_server import ROOT, STOA

pytestmark = pytest.mark.quick

DATA = os.path.join(ROOT, "tests/data/scale")
RULES = ["slope", "target", "busy", "poll"]


def replay(*words):
    return subprocess.run([STOA, "replay-scale", *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False)


def report(*words):
    done = replay(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_rule_is_tried_on_a_table():
    found = report(os.path.join(DATA, "step.csv"), "--fixed", 8)
    assert [rule["rule"] for rule in found["rules"]] == [*RULES, "always 8"]
    for rule in found["rules"]:
        assert rule["arrived"] == rule["answered"] and rule["back_under_limit_s"] <= 3
    for rule in found["rules"][:-1]:
        assert rule["workers_last"] == 1 and rule["worker_seconds"] < found["rules"][-1]["worker_seconds"]
        for change in rule["decisions"]:
            assert 1 <= change["workers"][1] <= 8 and change["reason"]


def test_one_rule_shows_its_decisions_and_why():
    done = replay(os.path.join(DATA, "step.csv"), "--rule", "poll")
    assert done.returncode == 0
    assert "the queue was too long at two polls in a row" in done.stdout
    assert "three empty polls in a row" in done.stdout
    assert "The step is at 30.0 s." in done.stdout


def test_a_seed_gives_the_same_again():
    words = [os.path.join(DATA, "steady.csv"), "--rule", "slope", "--json", "--seed"]
    assert replay(*words, 5).stdout == replay(*words, 5).stdout != replay(*words, 6).stdout


def test_what_was_recorded_is_decided_the_same_again(tmp_path):
    for rule in RULES:
        log = tmp_path / f"{rule}.log"
        made = report(os.path.join(DATA, "recorded.csv"), "--rule", rule, "--record", log,
                      "--scale-workers-max", 12)
        found = report(log)
        assert found["log"]["decided_otherwise"] == 0
        assert found["log"]["samples"] == 300
        assert found["log"]["changes"] == len(made["rules"][0]["decisions"]) > 2
        for other in found["rules"]:
            assert other["arrived"] == made["rules"][0]["arrived"]


def test_wrong_input_is_told_with_file_line_and_column(tmp_path):
    load = tmp_path / "load.csv"
    for text, complaint in [
            ("0,10\n1,x\n", f'{load}:2:3: requests_per_s "x" is not a number (write 12.5)'),
            ("", f"{load}:1:1: there must be two rows at least"),
            ('{"workers":[1,2]}\n', f'{load}:1:1: "fronts" is missing')]:
        load.write_text(text)
        done = replay(load)
        assert done.returncode == 1 and done.stdout == ""
        assert complaint in done.stderr


def test_wrong_use_is_status_two_and_says_what_to_do(tmp_path):
    steady = os.path.join(DATA, "steady.csv")
    for words, complaint in [
            ([], "which load? Give a FILE"),
            ([steady, "--rule", "guess"], "it must be slope, target, busy or poll"),
            ([steady, "--record", tmp_path / "log"], "give --rule NAME once"),
            ([steady, "--fixed", "0"], "must be from 1 to 256"),
            ([steady, "--scale-workers-min", "9"], "workers-min is 9, but workers-max is 8")]:
        done = replay(*words)
        assert done.returncode == 2 and complaint in done.stderr, done
    done = replay(tmp_path / "none.csv")
    assert done.returncode == 1 and "there is no file" in done.stderr
