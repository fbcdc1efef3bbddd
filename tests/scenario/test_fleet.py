"""Workers that a master front starts, here or by commands: who dies is replaced, and another master
takes over who lives."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from cluster_server import free_port
from engine_server import not_of_engines
from shop_server import STOA, wait_until
from test_tiers import Buyers, Crowd, check_orders, check_whole, page
from tiers import BenchTiers, Tiers

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


def connect(tiers, count):
    """So many connections that wait for a next request; each is with any of the fronts."""
    connections = [http.client.HTTPConnection(tiers.listen, timeout=20) for _ in range(count)]
    for connection in connections:
        assert ask(connection) == 200
    return connections


def ask(connection):
    """The status; None: it was reset."""
    connection.auto_open = connection.sock is None
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except ConnectionError:
        return None


def test_a_master_that_hangs_is_killed_and_the_next_one_scales(tmp_path):
    options = [*TWO, "--worker-kill-after", "500ms"]
    with Tiers(tmp_path, fronts=2, workers=0, front_options=options) as tiers:
        master, follower = tiers.fronts
        wait_said(master, r"worker \d is ready", 2)
        first = wait_workers(tiers, 2)
        connections, buyers = connect(tiers, 32), Buyers(tiers)
        buyers.wait_more()
        master.hang()
        assert master.process.wait(30) == -signal.SIGKILL
        # For its silence, unless it was stopped in the moment in which it changed the queue.
        wait_said(follower, f"process {master.process.pid} .*: it is killed")
        wait_said(follower, r"this process is the master of its queue")
        wait_said(follower, r"worker \d is taken over", 2)
        os.kill(min(first), signal.SIGKILL)
        wait_said(follower, r"worker \d is ready")  # another in its place
        buyers.wait_more()
        buyers.stop()
        statuses = [ask(connection) for connection in connections]
        assert set(statuses) == {200, None} and buyers.broken > 0  # the master's were reset
        check_orders(tiers, buyers)
        check_whole(tiers)
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


def commands(tmp_path, worker):
    """WORKER, a command, is started and stopped as a supervisor would, which knows its process by a
    file."""
    lives = f"grep -qs '^State:.[RSDT]' /proc/$(cat {tmp_path}/$1.pid)/status"  # not a zombie
    scripts = {
        "up": f"""
            {lives} && exit 0
            setsid {worker} --number $1 >>{tmp_path}/$1.log 2>&1 &
            echo $! >{tmp_path}/$1.pid""",
        "down": f"""
            kill $(cat {tmp_path}/$1.pid)
            while {lives}; do sleep 0.01; done  # no wait: the pace of looking""",
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\nexit 0\n", encoding="ascii")
        (tmp_path / name).chmod(0o700)
    return ["--scale-up", f"{tmp_path}/up {{index}}", "--scale-down", f"{tmp_path}/down {{index}}"]


def of_another_machine(tiers, tmp_path):
    """The master's options and the workers' for a link between them."""
    link, file = f"127.0.0.1:{free_port()}", tmp_path / "tiers.token"
    os.makedirs(tiers.dir, 0o700, exist_ok=True)
    file.write_bytes(subprocess.run([STOA, "token", "--tiers", "--dir", tiers.dir], check=True,
                                    stdout=subprocess.PIPE).stdout)
    return ["--link", link], f"--queue {link} --token-file {file} --dir {tiers.dir}"


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_workers_by_commands_are_replaced_when_they_die_and_outlive_a_stop(tmp_path, place):
    tiers = Tiers(tmp_path, fronts=0, workers=0)
    link, queue = [], f"--queue {tiers.dir}"
    if place == "elsewhere":
        link, queue = of_another_machine(tiers, tmp_path)
    tiers.front_options = TWO + link + commands(tmp_path, f"{STOA} worker {queue}")
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


def changes(record):
    """What was decided since the first was there: how many workers there were and are to be."""
    whole = record.read_text().rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()[1:]]
    return [line["workers"] for line in lines if 0 < line["workers"][0] != line["workers"][1]]


def test_a_step_is_scaled_out_for_and_after_it_there_is_the_minimum_again(tmp_path):
    """Thirty clients at once, who ask for pages of 10 ms, after one at a time and before none."""
    record = tmp_path / "decisions.log"
    options = ["--scale", "target", "--scale-workers-max", "6", "--scale-fronts-max", "1",
               "--scale-hold", "500ms", "--scale-window", "1s", "--scale-memory", "500ms",
               "--scale-record", str(record),
               "--worker-option=--bench=100000", "--worker-option=--helpers=1"]
    tiers = BenchTiers(tmp_path, *options)
    tiers.workers = []
    with tiers:
        for _ in range(20):
            assert page(tiers.listen, "/compute?us=0&wait=10000")[0].status == 200
        assert changes(record) == []
        crowd = Crowd(tiers.listen, "/compute?us=0&wait=10000", 30)
        wait_until(lambda: [1 for _, after in changes(record) if after >= 3], what="three workers")
        crowd.stop()
        wait_workers(tiers, 1)
        wait_until(lambda: changes(record)[-1][1] == 1, what="one worker in the log")
        steps = [after > before for before, after in changes(record)]
        assert steps == sorted(steps, reverse=True), f"it went up and down: {changes(record)}"
        assert set(crowd.statuses) == {200}
        assert page(tiers.listen, "/compute?us=0&wait=10000")[0].status == 200
        assert tiers.fronts[0].stop() == 0
        wait_workers(tiers, 0)


def test_a_stop_that_is_asked_for_twice_leaves_nobody(tmp_path):
    """Though a client has not sent all that it wants to ask; and fronts that the master starts read
    its own file, in which it is the master."""
    file = tmp_path / "front.conf"
    file.write_text("master = yes\nstop_grace = 1s\n")
    options = [*TWO[:4], "--scale-fronts-min", "2", "--config", str(file)]
    with Tiers(tmp_path, workers=0, front_options=options) as tiers:
        master = tiers.fronts[0]
        wait_said(master, r"front 1 is ready")
        wait_workers(tiers, 2)
        host, _, port = tiers.listen.rpartition(":")
        half = [socket.create_connection((host, int(port))) for _ in range(8)]
        for one in half:
            one.sendall(b"POST /carts HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        master.process.send_signal(signal.SIGTERM)
        wait_said(master, "main: stopping")
        master.process.send_signal(signal.SIGTERM)
        assert master.process.wait(30) == 0
        assert not pids_of(tiers) and not pids_of(tiers, "front")
        for one in half:
            one.close()


def test_another_shop_at_the_same_address_is_told_so(tmp_path):
    def master(folder, *options):
        (tmp_path / folder).mkdir(exist_ok=True)
        return subprocess.Popen([STOA, "front", "--master", "--dir", str(tmp_path / folder),
                                 "--listen", options[0], *options[1:]], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    place = f"127.0.0.1:{free_port()}"
    first = master("one", place)
    assert first.stdout.readline()
    try:
        for options in ([place], ["127.0.0.1:0", "--link", place], ["127.0.0.1:0", "--status", place]):
            said = master("two", *options).communicate(timeout=30)[1]
            assert f"{options[-2] if len(options) > 1 else '--listen'}: " in said, said
            assert place in said and "in use" in said, said
        second = master("one", place, "--queue", "64")  # of the same queue: that is as it should be
        assert second.stdout.readline()
        second.terminate()
        assert "the queue is there already, with 512 places" in second.communicate(timeout=30)[1]
    finally:
        first.terminate()
        first.communicate(timeout=30)
