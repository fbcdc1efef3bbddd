"""A primary that is cut off from its majority, but not from its shoppers, takes no change any more:
what it had acknowledged is all older than what the next primary acknowledges."""

import contextlib
import threading
import time

import pytest

from shop_server import Client, wait_until
from shoppers import LOST, told
from three_servers import COUNT, Namespaces, Three, may_cut

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not may_cut(), reason="needs root who may make network namespaces"),
]

ELECTION = 0.3  # --election-timeout
SHOPPERS = 4    # at each server
CHANGE = {"line_items": [{"item": {"id": "thing"}, "quantity": 1}]}


class Shopper(threading.Thread):
    """Makes one cart after the other at one server, and writes down when it asked and when it was
    answered."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        self.carts = []  # (asked, answered, id)
        self.refused = []  # when it was asked what was not done
        self.halt = threading.Event()

    def run(self):
        while not self.halt.is_set():
            client = Client(self.address, timeout=1)
            with contextlib.closing(client), contextlib.suppress(*LOST):
                self.shop(client)

    def shop(self, client):
        while not self.halt.is_set():
            asked = time.monotonic()
            try:
                status, cart = client.call("POST", "/carts", CHANGE)
            except LOST:
                self.refused.append(asked)
                raise
            if status == 201:
                self.carts.append((asked, time.monotonic(), cart["id"]))
            else:
                self.refused.append(asked)


class Metronome(threading.Thread):
    """By how much the scheduler is late, at the most, with who wants to run."""

    def __init__(self):
        super().__init__()
        self.halt = threading.Event()
        self.late = 0.0

    def run(self):
        while not self.halt.is_set():
            due = time.monotonic() + 0.01
            time.sleep(0.01)  # no wait: the beat
            self.late = max(self.late, time.monotonic() - due)


@pytest.fixture(name="three")
def three_servers(tmp_path):
    file = tmp_path / "stock.csv"
    file.write_text("Title,URL handle,Price,Inventory quantity\nThing,thing,5.00,100000\n")
    with Three(tmp_path, file, Namespaces(),
               options=["--election-timeout", f"{round(ELECTION * 1000)}ms"]) as three:
        three.wait_healthy()
        yield three


def cut_off(three, old, at_old, at_others):
    """Cuts server OLD off; when that was done, and when the next primary acknowledged its first
    change. Shoppers have asked the old one since."""
    wait_until(lambda: all(len(s.carts) > 20 for s in at_old + at_others), 20,
               "shoppers at each server")
    three.network.cut(old, everything=False)
    after = time.monotonic()

    def first():
        """What was asked for after the cut, and done, is the next primary's."""
        return min((c[1] for s in at_others for c in s.carts[-1000:] if c[0] > after), default=None)
    wait_until(first, 20, "changes at the other servers")
    wait_until(lambda: any(asked > first() for s in at_old for asked in s.refused[-100:]), 20,
               "the old primary being asked for more")
    wait_until(lambda: (view := three.view(old)) and view["primary"] == 0, 20,
               "its knowing that it is none")
    return after, first()


def test_a_primary_without_its_majority_takes_no_change(three):
    old = three.wait_primary()
    at_old = [Shopper(three.addresses[old]) for _ in range(SHOPPERS)]
    at_others = [Shopper(three.addresses[i]) for i in range(COUNT) if i != old
                 for _ in range(SHOPPERS)]
    metronome = Metronome()
    threads = [*at_old, *at_others, metronome]
    for thread in threads:
        thread.start()
    try:
        after, first = cut_off(three, old, at_old, at_others)
    finally:
        for thread in threads:
            thread.halt.set()
        for thread in threads:
            thread.join()
    late = [cart for s in at_old for cart in s.carts if cart[0] >= first]
    assert not late, f"acknowledged by the old primary after the next one had done so: {late[:3]}"
    last = max(cart[1] for s in at_old for cart in s.carts)
    assert last < after + ELECTION + metronome.late, (last - after, metronome.late)
    print(f"the last change {last - after:.3f} s after the cut, the next primary's first "
          f"{first - after:.3f} s after it; scheduler late by {metronome.late:.3f} s")
    three.network.heal(old)
    three.wait_healthy()
    wait_until(three.copies_agree, 60, "a moment at which all copies are at one entry")
    for cart in [cart[2] for s in at_old + at_others for cart in s.carts[-20:]]:
        client = Client(three.addresses[old])
        with contextlib.closing(client):
            assert told(client, "GET", f"/carts/{cart}")[0] == 200, f"cart {cart} is gone"
