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
# somebody is called again; on a busy machine that begins anew now and then.
LONG = 120


class Bed:
    """Where a server sleeps: `command` wakes it, as a supervisor would, and notes how it ends."""

    def __init__(self, folder, words):
        self.folder = pathlib.Path(folder)
        self.script, self.ends = self.folder / "wake", self.folder / "ends"
        self.groups, self.armed = self.folder / "groups", self.folder / "armed"
        self.said = self.folder / "woken.log"
        # It says that it is there before it looks whether it may be: clear() misses none.
        serve = (f"echo $$ >>{self.groups}; test -e {self.armed} || exit 0; "
                 f"{shlex.join(words)} >>{self.said} 2>&1; echo $? >>{self.ends}")
        self.script.write_text(
            f"test -e {self.armed} || exit 0\n"
            f"setsid sh -c {shlex.quote(serve)} >/dev/null 2>&1 &\n"
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
        """Nobody sleeps here any more, nor is woken, nor has an address that the next test wants."""
        self.armed.unlink(missing_ok=True)
        wait_until(lambda: not self.kill(), what="the end of who was woken")

    def kill(self):
        """Those that were woken, as far as they run still: a number may be somebody else's by
        now."""
        found = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
                words = (stat.parent / "cmdline").read_text()
                if group in self.lines(self.groups) and str(self.folder) in words and state != "Z":
                    found.append(int(stat.parent.name))
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found


def server(three, seen_by, number):
    """Server NUMBER (from 0) as another one sees it. {}: not at all, or that one does not say."""
    view = three.view(seen_by)
    return next((s for s in view["servers"] if s["id"] == number + 1), {}) if view else {}


def vote(three, seen_by, number):
    """Whether it has one; None: nobody says."""
    return server(three, seen_by, number).get("vote")


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

    def was_said(self, words):
        """By any that are to run: whoever is primary wakes."""
        return any(words in self.said(i) for i in range(self.COLD))

    def __exit__(self, *about):
        super().__exit__(*about)
        self.bed.clear()


def test_a_cold_server_stands_in_for_one_that_is_missing(tmp_path):
    with Four(tmp_path, catalogue(tmp_path)) as four:
        four.wait_healthy()
        run(STOA, "ready", str(four.COLD + 1), "cold", "--dir", str(four.dirs[0]))
        wait_until(lambda: not four.runs(four.COLD), LONG, "its going to sleep")
        assert four.processes[four.COLD].returncode == 0, four.log(four.COLD)
        wait_until(lambda: vote(four, 0, four.COLD) is False, what="its vote given up")
        wait_until(lambda: "may be down at once: 1\n" in status(four, 0), what="three voters")
        four.bed.armed.touch()
        primary = four.wait_primary()
        missing = (primary + 1) % 3
        change(four.addresses[primary])
        four.kill(missing)
        wait_until(lambda: vote(four, primary, four.COLD), LONG, "a vote for the stand-in")
        assert four.was_said(f"server 4 is woken: server {missing + 1} has been down")
        wait_until(lambda: four.was_said("waking server 4: it was called as 4"),
                   what="what its waker printed")
        four.start(missing)
        four.bed.wait_ended_well()
        wait_until(lambda: vote(four, primary, missing) and
                   vote(four, primary, four.COLD) is False, what="its vote given back")
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
        if self.wait_primary() != self.RUNS:
            run(STOA, "handover", "--to", "1", "--dir", str(self.dirs[0]))
        wait_until(lambda: self.primary() == self.RUNS, what="server 1 being primary")
        run(STOA, "ready", "2", "cold", "--dir", str(self.dirs[0]))
        wait_until(lambda: "server 2 is to be cold" in self.said(WITNESS),
                   what="the witness having heard of it")
        self.bed.armed.touch()

    def __exit__(self, *about):
        super().__exit__(*about)
        self.bed.clear()


def test_a_witness_wakes_who_can_go_on_when_the_primary_dies(tmp_path):
    with Lone(tmp_path, who_wakes=WITNESS) as lone:
        lone.begin()
        lone.kill(lone.COLD)
        asleep = wait_until(lambda: (s := server(lone, 0, lone.COLD)) and s["state"] == "down" and s,
                            LONG, "its being asleep")
        assert asleep["vote"]
        wait_until(lambda: "may be down at once: 1 (server 2 is cold" in status(lone, 0),
                   what="its being told as asleep")
        crowd = Crowd(lone.addresses, lone.token, SPREAD, HOT, count=60,
                      seed=random.randrange(10000))
        crowd.begin()
        try:
            slept_at = lone.index(0, 0)
            wait_until(lambda: lone.index(0, 0) > slept_at + 200, LONG, "changes that it lacks")
            lone.kill(0)
            took = lone.sells(lone.COLD, LONG)
            assert "server 2 is woken: there has been no primary" in lone.said(WITNESS)
            wait_until(lambda: lone.index(lone.COLD, lone.COLD) > slept_at + 400, LONG,
                       "the shop going on")
            crowd.end()
        finally:
            crowd.abandon()
        lone.start(0)
        wait_until(lambda: (v := lone.view(0)) and v["primary"] == 1, LONG,
                   "its being primary again")
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
        wait_until(lambda: "server 2 is cold and has to be started" in lone.said(WITNESS),
                   what="word of what is to be done")
        assert "--wake 2=COMMAND" in lone.said(WITNESS)
        lone.start(lone.COLD)
        lone.sells(lone.COLD, LONG)
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
                   lone.said(WITNESS), LONG, "its being woken to catch up")
        lone.bed.wait_ended_well()
        wait_until(lambda: lone.digest(lone.COLD) == lone.digest(0), what="its having all of it")
        assert "drops its begin" not in lone.said(WITNESS)
