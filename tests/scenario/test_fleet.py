"""Workers that a master front starts, here or by commands: who dies is replaced, and another master
takes over who lives."""

import os
import re
import signal

import pytest

from engine_server import not_of_engines
from shop_server import STOA, wait_until
from test_tiers import page
from tiers import Tiers

pytestmark = [pytest.mark.outside,
              not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                             why="fronts and workers have engines of their own")]

TWO = ["--scale", "poll", "--scale-workers-min", "2", "--scale-fronts-max", "1"]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids_of(tiers, role="worker"):
    """The processes that are workers of this shop, or have another role."""
    found = set()
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except (OSError, ValueError):
            continue
        if words[1:2] == [role] and tiers.dir in words and is_alive(entry):
            found.add(int(entry))
    return found


def wait_workers(tiers, count):
    """Waits until there are COUNT of them; which."""
    found = []

    def look():
        found[:] = pids_of(tiers)
        return len(found) == count

    wait_until(look, what=f"{count} workers")
    return set(found)


def wait_said(front, pattern, times=1):
    wait_until(lambda: len(re.findall(pattern, front.log.read_text())) >= times, what=pattern)


def test_workers_here_are_replaced_when_they_die_and_end_with_the_master(tmp_path):
    with Tiers(tmp_path, workers=0, front_options=TWO) as tiers:
        front = tiers.fronts[0]
        wait_said(front, r"worker \d is ready", 2)
        first = wait_workers(tiers, 2)
        os.kill(min(first), signal.SIGKILL)
        wait_said(front, r"worker \d died \(signal 9\); it starts again in 0\.2 s")
        wait_said(front, r"worker \d is ready", 3)
        assert page(tiers.listen, "/")[0].status == 200
        assert front.stop() == 0
        wait_workers(tiers, 0)
        assert "is killed" not in front.log.read_text()


def test_workers_outlive_a_killed_master_and_the_next_one_takes_them_over(tmp_path):
    with Tiers(tmp_path, fronts=2, workers=0, front_options=TWO) as tiers:
        master, follower = tiers.fronts
        wait_said(master, r"worker \d is ready", 2)
        first = wait_workers(tiers, 2)
        master.kill()
        wait_said(follower, r"worker \d is taken over", 2)
        assert page(tiers.listen, "/")[0].status == 200
        assert pids_of(tiers) == first
        os.kill(min(first), signal.SIGKILL)
        wait_said(follower, r"worker \d has ended; it starts again")
        wait_said(follower, r"worker \d is ready")
        assert follower.stop() == 0
        wait_workers(tiers, 0)


def test_a_front_that_the_master_has_started_is_the_next_master(tmp_path):
    options = ["--scale", "poll", "--scale-workers-min", "2", "--scale-fronts-min", "2"]
    with Tiers(tmp_path, workers=0, front_options=options) as tiers:
        master = tiers.fronts[0]
        wait_said(master, r"front 1 is ready")
        wait_said(master, r"worker \d is ready", 2)
        first = wait_workers(tiers, 2)
        master.kill()
        wait_said(master, r"this process is the master of its queue", 2)  # its log goes there, too
        wait_said(master, r"worker \d is taken over", 2)
        wait_said(master, r"front 2 is ready")  # not another 1, which is the master itself
        assert page(tiers.listen, "/")[0].status == 200
        assert pids_of(tiers) == first
        fronts = pids_of(tiers, "front")
        assert len(fronts) == 2
        os.kill(min(fronts), signal.SIGTERM)
        wait_workers(tiers, 0)
        wait_until(lambda: not pids_of(tiers, "front"), what="no front")


def commands(tmp_path, tiers_dir):
    """A worker is started and stopped as a supervisor would, which knows its process by a file."""
    lives = f"grep -qs '^State:.[RSDT]' /proc/$(cat {tmp_path}/$1.pid)/status"  # not a zombie
    scripts = {
        "up": f"""
            {lives} && exit 0
            setsid {STOA} worker --queue {tiers_dir} --number $1 >>{tmp_path}/$1.log 2>&1 &
            echo $! >{tmp_path}/$1.pid""",
        "down": f"""
            kill $(cat {tmp_path}/$1.pid)
            while {lives}; do sleep 0.01; done  # no wait: the pace of looking""",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\nexit 0\n", encoding="ascii")
        (tmp_path / name).chmod(0o700)
    return ["--scale-up", f"{tmp_path}/up {{index}}", "--scale-down", f"{tmp_path}/down {{index}}"]


def test_workers_by_commands_are_replaced_when_they_die_and_outlive_a_stop(tmp_path):
    tiers = Tiers(tmp_path, fronts=0, workers=0)
    tiers.front_options = TWO + commands(tmp_path, tiers.dir)
    tiers.fronts = [tiers.new_front(0)]
    with tiers:
        front = tiers.fronts[0]
        wait_said(front, r"worker \d is ready", 2)
        first = wait_workers(tiers, 2)
        os.kill(min(first), signal.SIGKILL)
        wait_said(front, r"worker \d is gone; it starts again in 0\.2 s")
        wait_said(front, r"worker \d is ready", 3)
        assert page(tiers.listen, "/")[0].status == 200
        second = wait_workers(tiers, 2)
        assert front.stop() == 0
        assert pids_of(tiers) == second
        front.options += ("--scale-workers-min", "1", "--scale-workers-max", "1")
        front.start()
        wait_said(front, r"stopping worker \d: the command is done")
        assert page(tiers.listen, "/")[0].status == 200
        last = wait_workers(tiers, 1)
        assert last < second
        os.kill(last.pop(), signal.SIGTERM)
        assert front.stop() == 0


def test_a_command_is_told_how_many_workers_there_are_to_be(tmp_path):
    told = tmp_path / "told"
    options = [*TWO, "--scale-workers-max", "3", "--scale-up", f"echo {{count}} >> {told}"]
    with Tiers(tmp_path, workers=1, front_options=options) as tiers:
        wait_until(lambda: told.exists() and told.read_text(), what="a number")
        assert page(tiers.listen, "/")[0].status == 200
        assert tiers.fronts[0].stop() == 0
        numbers = told.read_text().split()
        assert numbers[0] == "2" and "0" not in numbers, numbers
