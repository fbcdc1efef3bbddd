"""A cold server sleeps until it is needed: it is woken by the operator's command, stands in for who
is missing, and ends by itself when that one is back."""

import contextlib
import os
import pathlib
import random
import shlex
import signal

import pytest

from crowd import Crowd
from shop_server import STOA, Client, wait_until
from test_witness import HOT, SPREAD, WITNESS, Pair, catalogue, judge_copies
from three_servers import Loopback, Three, run

pytestmark = pytest.mark.outside

# More than it takes: three times five seconds in which all must be well, and half a minute until
# somebody is called again.
LONG = 60


class Bed:
    """Where a server sleeps: `command` wakes it, as a supervisor would, and notes how it ends."""

    def __init__(self, folder, words):
        self.folder = pathlib.Path(folder)
        self.script, self.ends = self.folder / "wake", self.folder / "ends"
        self.groups, self.armed = self.folder / "groups", self.folder / "armed"
        self.said = self.folder / "woken.log"
        serve = f"{shlex.join(words)} >>{self.said} 2>&1; echo $? >>{self.ends}"
        self.script.write_text(
            f"test -e {self.armed} || exit 0\n"
            f"setsid sh -c {shlex.quote(serve)} >/dev/null 2>&1 &\n"
            f"echo $! >>{self.groups}\n"
            "echo it was called as $STOA_SERVER\n")

    @property
    def command(self):
        return f"sh {self.script}"

    def lines(self, file):
        return file.read_text().split() if file.exists() else []

    def wait_ended_well(self):
        wait_until(lambda: self.lines(self.ends), LONG, "the cold server's end")
        assert self.lines(self.ends) == ["0"], self.said.read_text()[-2000:]
        assert "this server ends by itself: server" in self.said.read_text()

    def clear(self):
        for group in self.lines(self.groups):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(group), signal.SIGKILL)


def server(three, seen_by, number):
    """Server NUMBER (from 0) as another one sees it."""
    view = three.view(seen_by)
    return next((s for s in view["servers"] if s["id"] == number + 1), None) if view else None


def status(three, i):
    return run(STOA, "status", "--dir", str(three.dirs[i]))


def change(address):
    client = Client(address)
    with contextlib.closing(client):
        answer = client.call("POST", "/carts",
                             {"line_items": [{"item": {"id": SPREAD[0]}, "quantity": 1}]})
    assert answer[0] == 201
    return answer[1]["id"]


def has_cart(address, cart):
    client = Client(address)
    with contextlib.closing(client):
        return client.call("GET", f"/carts/{cart}")[0] == 200


class Four(Three):
    """The last of them is to be cold."""

    count = 4
    COLD = 3

    def __init__(self, folder, products):
        network = Loopback(self.count)
        super().__init__(folder, products, network)
        self.bed = Bed(folder, super().command(self.COLD))

    def command(self, i):
        return super().command(i) + ["--replace-after", "1s", "--wake-after", "1s",
                                     "--wake", f"{self.COLD + 1}={self.bed.command}"]

    def __exit__(self, *about):
        self.bed.clear()
        super().__exit__(*about)


def test_a_cold_server_stands_in_for_one_that_is_missing(tmp_path):
    with Four(tmp_path, catalogue(tmp_path)) as four:
        four.wait_healthy()
        run(STOA, "ready", str(four.COLD + 1), "cold", "--dir", str(four.dirs[0]))
        wait_until(lambda: not four.runs(four.COLD), LONG, "its going to sleep")
        assert four.processes[four.COLD].returncode == 0, four.log(four.COLD)
        wait_until(lambda: not server(four, 0, four.COLD)["vote"], 10, "its vote given up")
        wait_until(lambda: "may be down at once: 1\n" in status(four, 0), 10, "three voters")
        four.bed.armed.touch()
        primary = four.view(0)["primary"] - 1
        missing = (primary + 1) % 3
        change(four.addresses[primary])
        four.kill(missing)
        wait_until(lambda: (s := server(four, primary, four.COLD)) and s["vote"], LONG,
                   "a vote for the stand-in")
        assert f"server 4 is woken: server {missing + 1} has been down" in four.said(primary)
        assert "waking server 4: it was called as 4" in four.said(primary)
        four.start(missing)
        four.bed.wait_ended_well()
        wait_until(lambda: server(four, primary, missing)["vote"] and
                   not server(four, primary, four.COLD)["vote"], 10, "its vote given back")
        assert four.digest(four.COLD) == four.digest(primary)
        assert four.audit(four.COLD)[0] == 0


class Lone(Pair):
    """One server that runs, a witness, and a cold server."""

    RUNS, COLD = 0, 1

    def __init__(self, folder, who_wakes, witness_options=()):
        super().__init__(folder, catalogue(folder), Loopback())
        self.bed = Bed(folder, super().command(self.COLD))
        self.who_wakes, self.witness_options = who_wakes, list(witness_options)

    def command(self, i):
        wake = ["--wake", f"2={self.bed.command}", "--wake-after", "1s"]
        return super().command(i) + (wake if i == self.who_wakes else []) + \
            (self.witness_options if i == WITNESS else [])

    def begin(self):
        """As far as that the cold one is to be cold; it runs still."""
        self.wait_healthy()
        self.join_witness()
        self.wait_healthy()
        if self.primary() != self.RUNS:
            run(STOA, "handover", "--to", "1", "--dir", str(self.dirs[0]))
        wait_until(lambda: self.primary() == self.RUNS, 10, "server 1 being primary")
        run(STOA, "ready", "2", "cold", "--dir", str(self.dirs[0]))
        wait_until(lambda: "server 2 is to be cold" in self.said(WITNESS), 10,
                   "the witness having heard of it")
        self.bed.armed.touch()

    def index(self, i):
        return server(self, i, i)["index"]

    def __exit__(self, *about):
        self.bed.clear()
        super().__exit__(*about)


def test_a_witness_wakes_who_can_go_on_when_the_primary_dies(tmp_path):
    with Lone(tmp_path, who_wakes=WITNESS) as lone:
        lone.begin()
        lone.kill(lone.COLD)
        wait_until(lambda: server(lone, 0, lone.COLD)["state"] == "down", 10, "its being asleep")
        assert server(lone, 0, lone.COLD)["vote"]
        assert "may be down at once: 1 (server 2 is cold" in status(lone, 0)
        crowd = Crowd(lone.addresses, lone.token, SPREAD, HOT, count=60,
                      seed=random.randrange(10000))
        crowd.begin()
        try:
            slept_at = lone.index(0)
            wait_until(lambda: lone.index(0) > slept_at + 200, 20, "changes that it lacks")
            lone.kill(0)
            took = lone.sells(lone.COLD, 30)
            assert "server 2 is woken: there has been no primary" in lone.said(WITNESS)
            wait_until(lambda: lone.index(lone.COLD) > slept_at + 400, 20, "the shop going on")
            crowd.end()
        finally:
            crowd.abandon()
        lone.start(0)
        wait_until(lambda: (v := lone.view(0)) and v["primary"] == 1, 30, "its being primary again")
        lone.bed.wait_ended_well()
        judged = judge_copies(lone, crowd)
        print(f"no change for {took:.2f} s, of which the witness waits for one; {judged} "
              "operations judged")
        assert crowd.counts["orders"] > 20 and crowd.counts["carts"] > 20, crowd.counts


def test_a_witness_that_cannot_wake_says_what_to_do(tmp_path):
    with Lone(tmp_path, who_wakes=None) as lone:
        lone.begin()
        lone.kill(lone.COLD)
        cart = change(lone.addresses[0])
        lone.kill(0)
        wait_until(lambda: "server 2 is cold and has to be started" in lone.said(WITNESS), 10,
                   "word of what is to be done")
        assert "--wake 2=COMMAND" in lone.said(WITNESS)
        lone.start(lone.COLD)
        lone.sells(lone.COLD, 20)
        assert has_cart(lone.addresses[lone.COLD], cart)


@pytest.mark.long
def test_a_primary_that_loses_its_majority_wakes_who_makes_it_one(tmp_path):
    with Lone(tmp_path, who_wakes=0) as lone:
        lone.begin()
        lone.kill(lone.COLD)
        change(lone.addresses[0])
        lone.kill(WITNESS)
        lone.sells(0, LONG)
        assert "server 2 is woken: there has been no primary" in lone.said(0)


@pytest.mark.long
def test_a_witness_wakes_who_lacks_more_than_it_likes_to_keep(tmp_path):
    with Lone(tmp_path, who_wakes=WITNESS, witness_options=["--log-max", "1M"]) as lone:
        lone.begin()
        lone.kill(lone.COLD)
        more = tmp_path / "more.csv"
        words = " ".join(str(number) for number in range(10000))
        more.write_text("Title,URL handle,Price,Inventory quantity,Description\n" + "".join(
            f"More {i},more-{i},5.00,1,{words}\n" for i in range(15)))
        run(STOA, "import", "--dir", str(lone.dirs[0]), str(more))
        wait_until(lambda: "server 2 is woken: this witness keeps more than half" in
                   lone.said(WITNESS), 20, "its being woken to catch up")
        lone.bed.wait_ended_well()
        wait_until(lambda: lone.digest(lone.COLD) == lone.digest(0), 10, "its having all of it")
        assert "drops its begin" not in lone.said(WITNESS)
