"""Two servers refuse to guess; two and a witness survive the death of any one of the three, also
when only the witness has what the dead primary had acknowledged."""

import contextlib
import http.client
import json
import pathlib
import random
import shutil
import time

import pytest

from cluster_server import run as stoa
from crowd import Crowd
from linear import check_carts, check_stock
from shop_server import STOA, Client, wait_until
from shoppers import LOST
from three_servers import Loopback, Namespaces, Three, may_cut, run

pytestmark = pytest.mark.outside

WITNESS = 2
SERVERS = [0, 1]
HOT, HOT_UNITS, UNITS = "hot", 60, 100000
SPREAD = [f"thing-{i}" for i in range(20)]
# Measured: 15 MB. Not all of a router's 64.
RSS_KB_MAX = 40 << 10


class Pair(Three):
    """Two servers, and a witness that has not joined yet."""

    founders = len(SERVERS)

    def __init__(self, folder, catalogue, network):
        super().__init__(folder, catalogue, network)
        self.with_witness = False

    def join_witness(self):
        token = run(STOA, "token", "--witness", "--dir", str(self.dirs[0])).split()[-1]
        run(*self.network.enter(WITNESS), STOA, "join", "--token", token,
            "--dir", str(self.dirs[WITNESS]), "--peer-listen", self.network.peer[WITNESS])
        self.with_witness = True
        self.start(WITNESS)

    def command(self, i):
        if i == WITNESS:
            return [STOA, "witness", "--dir", str(self.dirs[i])]
        return super().command(i)

    def start_all(self):
        for i in SERVERS:
            self.start(i, wait=False)
        for i in SERVERS:
            self.wait_ready(i)

    @property
    def addresses(self):
        return [self.network.shop[i] for i in SERVERS]

    def view(self, i):
        return super().view(i) if i in SERVERS else None

    def primary(self):
        """The primary that all servers see which run, or None."""
        seen = {view["primary"] for view in map(self.view, SERVERS) if view}
        return seen.pop() - 1 if len(seen) == 1 and seen != {0} else None

    def index(self, of, as_seen_by):
        """The last entry of one of the three, as a server knows it."""
        view = wait_until(lambda: self.view(as_seen_by), what=f"server {as_seen_by + 1}'s view")
        return view["servers"][of]["index"]

    def healthy(self):
        for view in map(self.view, SERVERS):
            if not view or len(view["servers"]) != len(SERVERS) + self.with_witness:
                return False
            if not all(s["state"] == "up" and s["vote"] and s["lag_entries"] <= 1000
                       for s in view["servers"]):
                return False
        return self.primary() in SERVERS

    def copies_agree(self):
        digests = [self.digest(i) for i in SERVERS]
        if len({index for index, _ in digests}) > 1:
            return False
        assert len(set(digests)) == 1, f"the copies differ: {digests}"
        return True

    def add_to_cart(self, i, timeout=20):
        client = Client(self.addresses[i], timeout)
        with contextlib.closing(client):
            return client.call("POST", "/carts",
                               {"line_items": [{"item": {"id": SPREAD[0]}, "quantity": 1}]})

    def sells(self, i, seconds=30):
        """Waits until server I takes a change; how long that was."""
        begun = time.monotonic()

        def changes():
            with contextlib.suppress(*LOST):
                return self.add_to_cart(i, 2)[0] == 201
            return False
        wait_until(changes, seconds, f"server {i + 1} taking a change")
        return time.monotonic() - begun


def catalogue(folder):
    file = folder / "stock.csv"
    rows = ["Title,URL handle,Price,Inventory quantity", f"Hot,{HOT},9.00,{HOT_UNITS}"]
    rows += [f"Thing {i},{item},{i + 5}.00,{UNITS}" for i, item in enumerate(SPREAD)]
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.fixture(name="pair")
def two_servers(tmp_path):
    network = Namespaces() if may_cut() else Loopback()
    with Pair(tmp_path, catalogue(tmp_path), network) as pair:
        pair.wait_healthy()
        yield pair


def asked(address, path):
    """(status, text)"""
    connection = http.client.HTTPConnection(address, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def wait_for_words(say, *words):
    """Waits until SAY() has all of WORDS: what a server tells of others is a moment old."""
    wait_until(lambda: (text := say()) and all(word in text for word in words), what=str(words))


def test_two_servers_refuse_to_guess_and_say_so(pair):
    dead = pair.wait_primary()
    left = 1 - dead
    pair.kill(dead)
    try:
        wait_for_words(lambda: asked(pair.addresses[left], "/healthz")[1],
                       f"server {dead + 1} cannot be reached. It may be dead, or only cut off",
                       "there is no primary", "stoa witness --help")
        with pytest.raises(TimeoutError):  # it would be told after ten seconds
            pair.add_to_cart(left, 1)
        assert asked(pair.addresses[left], f"/product/{SPREAD[0]}")[0] == 200
        wait_for_words(lambda: stoa("status", "--dir", str(pair.dirs[left])).stdout,
                       "no primary, so nothing can be changed now",
                       "may be down at once: 0 more (neither of two goes on alone")
    finally:
        pair.start(dead)
    pair.wait_healthy()


def check_secrets(pair):
    """The witness's directory has none of them."""
    folder = pair.dirs[WITNESS]
    held = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert not held & {"secret", "operator.token", "shop.db", "cluster/authority.key"}, held
    assert not [file for file in folder.rglob("*")
                if file.is_file() and file.stat().st_mode & 0o077]


def check_role(pair):
    pair.wait_healthy()
    witness = wait_until(lambda: pair.view(0), what="a view")["servers"][WITNESS]
    assert (witness["id"], witness["role"], witness["vote"]) == (3, "witness", True)
    wait_for_words(lambda: stoa("status", "--dir", str(pair.dirs[0])).stdout,
                   "may be down at once: 1\n")
    for words in (["prefer", "3"], ["handover", "--to", "3"]):
        done = stoa(*words, "--dir", str(pair.dirs[0]))
        assert done.returncode == 1 and "witness" in done.stderr, done


def check_directories(pair):
    """They are not taken for each other."""
    for words, dir_of in ((["serve", "--listen", "127.0.0.1:0"], WITNESS), (["recover"], WITNESS),
                          (["witness"], 0)):
        done = stoa(*words, "--dir", str(pair.dirs[dir_of]))
        assert done.returncode == 1 and "witness" in done.stderr, (words, done)
    assert not (pair.dirs[WITNESS] / "secret").exists()


# ---- Under load


def judge(pair, crowd):
    """What was acknowledged is there, once, on both; and explained by one order of all."""
    pair.wait_healthy()
    return judge_copies(pair, crowd)


def judge_copies(pair, crowd):
    wait_until(pair.copies_agree, 60, "a moment at which both copies are at one entry")
    for i in SERVERS:
        status, report = pair.audit(i)
        assert status == 0, (i, report)
    placed = pair.orders(0)
    lost = set(crowd.orders) - set(placed)
    assert not lost, f"{len(lost)} acknowledged orders are gone: {list(lost)[:3]}"
    assert len(set(placed) - set(crowd.orders)) <= len(crowd.unknown)
    units = {item: UNITS for item in SPREAD} | {HOT: HOT_UNITS}
    judged = check_carts(crowd.carts) + check_stock(crowd.stock, units)
    assert judged == crowd.operations()
    return judged


def die_in_turn(pair):
    """The primary, the other server and the witness; the longest that the shop took no change."""
    longest, first = 0, pair.wait_primary()
    for i in (first, 1 - first, WITNESS):
        pair.wait_healthy()
        pair.kill(i)
        longest = max(longest, *[pair.sells(left) for left in SERVERS if left != i])
        pair.start(i)
    pair.wait_healthy()
    return longest


def carry(pair):
    """One server is cut off from the others while the shop goes on, then the primary dies: only the
    witness has what was acknowledged meanwhile. How long nothing could be changed."""
    primary = pair.wait_primary()
    other = 1 - primary
    pair.network.cut(other, everything=False)
    wait_until(lambda: pair.index(primary, primary) > pair.index(other, other) + 200, 60,
               "the shop going on without one server")
    pair.kill(primary)
    pair.network.heal(other)
    took = pair.sells(other)
    wait_for_words(lambda: pair.said(WITNESS), "this witness leads in term")
    pair.start(primary)
    pair.wait_healthy()
    return took


def check_size(pair):
    """How much of its machine the witness takes, in words."""
    pid = json.loads((pair.dirs[WITNESS] / "server.json").read_text())["pid"]
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    rss = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    disk = sum(f.stat().st_blocks for f in pair.dirs[WITNESS].rglob("*") if f.is_file()) // 2
    assert rss < RSS_KB_MAX
    return f"{rss} KiB of memory, {disk} KiB of disk"


def is_found_out(pair):
    """Whether an old copy of the witness's directory, which has forgotten what it confirmed, is
    found out. The primary to which it did so is the one who does that; the next one fills it up."""
    old = pair.dirs[WITNESS].with_name("old")
    pair.kill(WITNESS)
    primary = pair.wait_primary()
    index = pair.index(primary, primary)
    shutil.copytree(pair.dirs[WITNESS], old)
    pair.start(WITNESS)
    pair.wait_healthy()
    primary, term = pair.wait_primary(), pair.term()
    pair.sells(0)
    wait_until(lambda: pair.index(WITNESS, primary) > index,
               what="the witness having confirmed what its old copy has not")
    pair.kill(WITNESS)
    shutil.rmtree(pair.dirs[WITNESS])
    old.rename(pair.dirs[WITNESS])
    pair.start(WITNESS, wait=False)
    wait_until(lambda: not pair.runs(WITNESS) or pair.term() not in (0, term), 60,
               "the end of the old copy, or of the term")
    return not pair.runs(WITNESS)


def go_back_in_time(pair):
    """Once the machine lets the servers be for as long as that takes."""
    wait_until(lambda: is_found_out(pair), 120, "an old copy being found out")
    assert pair.processes[WITNESS].returncode == 1
    assert "had confirmed to server" in pair.said(WITNESS)
    pair.sells(0)


def test_any_one_of_two_and_a_witness_may_die(pair):
    pair.join_witness()
    check_secrets(pair)
    check_role(pair)
    check_directories(pair)
    crowd = Crowd(pair.addresses, pair.token, SPREAD, HOT, count=100,
                  seed=random.randrange(10000))
    crowd.begin()
    try:
        longest = die_in_turn(pair)
        carried = carry(pair) if pair.network.cuttable else None
        crowd.end()
        judged = judge(pair, crowd)
    finally:
        crowd.abandon()
    size = check_size(pair)
    go_back_in_time(pair)
    print(f"no change for {longest:.2f} s at the most, for {carried} s while the witness carried; "
          f"{judged} operations judged; the witness: {size}")
    assert crowd.counts["orders"] > 50 and crowd.counts["carts"] > 50, crowd.counts
