"""What fronts say of their tiers agrees with what was done, whichever of them is asked."""

import contextlib
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
from test_fleet import is_alive
from tiers import Tiers

pytestmark = not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                            why="fronts and workers have engines of their own")

SCALE = ["--scale", "poll", "--scale-workers-min", "2", "--scale-fronts-min", "2"]


def ask(address, path, **headers):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def look(address):
    status, text = ask(address, "/tiers.json")
    assert status == 200, text
    return json.loads(text)


def of_class(view, name):
    return next(each for each in view["queue"]["classes"] if each["class"] == name)


def metric(address, name):
    """The value of the line that begins with NAME, labels and all; None: there is none."""
    status, text = ask(address, "/metrics")
    assert status == 200
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def members(view):
    return pids(view, "fronts") | pids(view, "workers")


def pids(view, tier):
    return {member["pid"] for member in view[tier] if member["state"] == "ready"}


def found_in_caches(view):
    """Look-ups of all workers, found or not."""
    return sum(worker["cache"]["hits"] + worker["cache"]["misses"] for worker in view["workers"])


@contextlib.contextmanager
def held_open(address, count=5):
    host, port = address.split(":")
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
        yield count


@pytest.mark.quick
def test_figures_agree_with_what_was_done(tmp_path):
    doors = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    tiers = Tiers(tmp_path, fronts=2, workers=2)
    for front, door in zip(tiers.fronts, doors):
        front.options = (*front.options, "--status", door)
    with tiers:
        for _ in range(20):
            assert ask(tiers.listen, "/product/harrow-mug")[0] == 200
        client = tiers.client()
        assert client.call("POST", "/carts", {"line_items": []})[0] in (200, 201, 400)
        client.close()
        for door in doors:
            # The last answer may be with its client before its place in the queue is free.
            wait_until(lambda: look(door)["queue"]["held"] == 0, what="an empty queue")
            view = look(door)
            pages = of_class(view, "pages")
            assert (pages["entered"], pages["taken"], pages["done"]) == (20, 20, 20)
            assert of_class(view, "carts")["done"] == 1
            assert view["queue"]["length"] == 0 and view["scale"] is None
            assert pids(view, "workers") == {worker.process.pid for worker in tiers.workers}
            assert pids(view, "fronts") == {front.process.pid for front in tiers.fronts}
            assert sum(worker["handled"] for worker in view["workers"]) == 21
            wait_until(lambda: sum(front["requests"] for front in look(door)["fronts"]) == 21,
                       what="the fronts' counts")
            assert view["master"] == tiers.fronts[0].process.pid
            wait_until(lambda: found_in_caches(look(door)) == 20, what="the caches' counts")
            for worker in look(door)["workers"]:
                cache = worker["cache"]
                assert 0 < cache["bytes"] <= cache["limit_bytes"] == 8 << 20
                assert cache["lag_entries"] == 0 and cache["evicted"] == 0
                label = f'{{worker="0",pid="{worker["pid"]}"}}'
                assert metric(door, "stoa_worker_cache_misses_total" + label) == cache["misses"]
            with held_open(tiers.listen) as count:
                wait_until(lambda: sum(front["connections"] for front in look(door)["fronts"])
                           == count, what="the fronts' connections")
            assert metric(door, 'stoa_queue_done_total{class="pages"}') == 20
            assert metric(door, "stoa_queue_wait_seconds_count") == 21
            assert metric(door, 'stoa_tier_workers{state="ready"}') == 2
            assert metric(door, "stoa_tier_workers_wanted") is None
            assert "Fronts and workers" in ask(door, "/")[1]
            assert ask(door, "/livez") == (200, "ok\n")
        tiers.workers[0].kill()
        wait_until(lambda: look(doors[1])["queue"]["died"] == 1, what="a death")
        assert pids(look(doors[1]), "workers") == {tiers.workers[1].process.pid}


def top(*options):
    return subprocess.run([STOA, "top", "--once", *options], capture_output=True, text=True,
                          timeout=60, check=False)


def test_decisions_are_shown_by_all_fronts_and_the_next_master(tmp_path):
    """All have one door; the fleet's follower gets it from the master's command line."""
    door = f"127.0.0.1:{free_port()}"
    with Tiers(tmp_path, workers=0, front_options=[*SCALE, "--status", door]) as tiers:
        whole = lambda: [len(pids(look(door), tier)) for tier in ("fronts", "workers")] == [2, 2]
        wait_until(whole, what="two fronts and two workers")
        view = look(door)
        master = tiers.fronts[0].process.pid
        first = view["scale"]["events"][0]
        assert view["master"] == master and view["scale"]["live"]
        assert (first["workers"], first["fronts"]) == ([0, 2], [1, 2])
        assert view["scale"]["workers_wanted"] == metric(door, "stoa_tier_workers_wanted") == 2
        assert ask(tiers.listen, "/")[0] == 200
        shown = top("--front", f"http://{door}").stdout
        assert f"rule poll  master {master}" in shown, shown
        assert "workers  ready 2 of 2" in shown and "workers 0 to 2 fronts 1 to 2" in shown, shown

        tiers.fronts[0].kill()
        next_one = lambda: look(door)["master"] not in (0, master) and look(door)["scale"]["live"]
        wait_until(next_one, what="the next master at the same door")
        wait_until(whole, what="two fronts and two workers again")
        view = look(door)
        assert view["scale"]["events"][0] == first
        assert view["scale"]["decisions"] >= len(view["scale"]["events"])
        os.kill(view["master"], signal.SIGTERM)  # it ends all others first
        wait_until(lambda: not any(is_alive(pid) for pid in members(view)), what="nobody left")


def test_others_than_this_machine_need_the_operators_token(tmp_path):
    port = free_port()
    door = f"127.0.0.1:{port}"
    with Tiers(tmp_path, front_options=["--status", f"0.0.0.0:{port}"]) as tiers:
        token = tiers.server.token()
        assert ask(door, "/tiers.json")[0] == 401
        assert ask(door, "/tiers.json", Authorization="Bearer wrong")[0] == 401
        assert ask(door, "/tiers.json", Authorization=f"Bearer {token}")[0] == 200
        assert ask(door, "/livez")[0] == 200
        refused = top("--front", f"http://{door}")
        assert refused.returncode != 0 and "operator's token" in refused.stderr
        shown = top("--front", f"http://{door}", "--token-file",
                    str(tiers.server.dir / "operator.token"))
        assert shown.returncode == 0 and "workers  ready 2" in shown.stdout, shown
