"""kill -9 of fronts, workers and the master while people buy, and an exact account of it: what was
acknowledged is what the shop has and what the bank charged, once each; and what was in flight was
answered, but for that of a front that died itself."""

import http.client
import random
import threading
import time
import uuid

import pytest

from bank_server import Bank
from cluster_server import free_port
from engine_server import not_of_engines
from shop_server import Client, payment_body, wait_until
from test_audit_outside import audit
from test_saga import paying_at
from test_tiers import MUG, check_whole, operate
from tiers import Member, Tiers

pytestmark = [pytest.mark.outside,
              not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                             why="fronts and workers have engines of their own")]

FRONTS, WORKERS, BUYERS, KILLS = 3, 3, 6, 24
BETWEEN = 4    # purchases between two kills
PATIENCE = 30  # s with one request, through all deaths


class Place(Member):
    """A front at an address of its own, which comes back there. It knows what is in flight."""

    def __init__(self, tiers, number):
        self.listen = f"127.0.0.1:{free_port()}"
        where = ["--follow", tiers.dir] if number else ["--master", "--dir", tiers.dir]
        super().__init__(tiers, f"place{number}", "front", "stoa: front ready at ", *where,
                         "--listen", self.listen)
        self.follow = ["--follow", tiers.dir, "--listen", self.listen]
        self.deaths, self.in_flight, self.caught = 0, {}, 0
        self.lock = threading.Lock()

    def die_and_come_back(self):
        with self.lock:
            self.deaths += 1
            self.kill()
            self.caught += len(self.in_flight)
        self.options = self.follow
        self.start()

    def begin(self, key):
        with self.lock:
            self.in_flight[key] = self.deaths

    def end(self, key):
        """Whether it has died since KEY began."""
        with self.lock:
            return self.deaths > self.in_flight.pop(key)


class Buyer(threading.Thread):
    """Buys at PLACES[0] again and again. What breaks off there is asked of the next one, under the
    same key, as a load manager would; what is neither that nor an answer is `strange`."""

    def __init__(self, places):
        super().__init__()
        self.places, self.over = places, threading.Event()
        self.orders, self.strange, self.broken = [], [], 0

    def ask_at(self, place, key, path, body):
        """What it answers; None: nobody is there, or it died with the request."""
        client = Client(place.listen, PATIENCE)
        place.begin(key)
        answer = problem = None
        try:
            answer = client.call("POST", path, body, Idempotency_Key=key)
        except ConnectionRefusedError:
            place.end(key)
            return None
        except (OSError, http.client.HTTPException) as error:
            problem = error
        finally:
            client.close()
        died = place.end(key)
        assert answer or died, f"{path} broke off though its front lives: {problem!r}"
        self.broken += answer is None
        return answer

    def ask(self, path, body):
        key, end = str(uuid.uuid4()), time.monotonic() + PATIENCE
        turn = 0
        while time.monotonic() < end:
            answer = self.ask_at(self.places[turn % len(self.places)], key, path, body)
            if answer:
                assert answer[0] in (200, 201), answer
                return answer[1]
            turn += 1
        raise AssertionError(f"nobody answers {path}")

    def purchase(self):
        checkout = self.ask("/checkout-sessions", MUG)
        done = self.ask(f"/checkout-sessions/{checkout['id']}/complete", payment_body())
        assert done["status"] == "completed", done
        self.orders.append(done["order"]["id"])

    def run(self):
        try:
            while not self.over.is_set():
                self.purchase()
        except (AssertionError, OSError) as problem:
            self.strange.append(repr(problem))


def kill_one_after_the_other(tiers, buyers):
    """Of all kinds; the first is the master, and whoever is that then may be one of the next."""
    chance = random.Random(20261123)

    def bought():
        return sum(len(buyer.orders) for buyer in buyers)

    for turn in range(KILLS):
        enough = bought() + BETWEEN
        wait_until(lambda enough=enough: bought() >= enough or any(b.strange for b in buyers),
                   PATIENCE, f"{BETWEEN} more purchases")
        victim = tiers.fronts[0] if turn == 0 else chance.choice(tiers.fronts + tiers.workers)
        if isinstance(victim, Place):
            victim.die_and_come_back()
        else:
            victim.kill()
            victim.start()


def books_of(tiers, bank):
    """How many orders the shop has and how many charges the bank, when nothing is under way."""
    def rests():
        status, said, found = audit(tiers.dir, bank.dir)
        assert status == 0, said
        return found if found["under_way"] == 0 else None
    found = wait_until(rests, 60, "a rest")
    return found["orders"], found["charges"]


def test_whoever_is_killed_what_was_acknowledged_is_what_was_charged(tmp_path):
    with Bank(tmp_path) as bank:
        tiers = Tiers(tmp_path, fronts=0, workers=WORKERS)
        tiers.server.options += tuple(paying_at(bank))
        tiers.fronts = [Place(tiers, i) for i in range(FRONTS)]
        tiers.listen = tiers.fronts[0].listen
        with tiers:
            operate(tiers, "POST", "receive", {"quantity": 1000000})
            buyers = [Buyer(tiers.fronts[i % FRONTS:] + tiers.fronts[:i % FRONTS])
                      for i in range(BUYERS)]
            for buyer in buyers:
                buyer.start()
            kill_one_after_the_other(tiers, buyers)
            for buyer in buyers:
                buyer.over.set()
            for buyer in buyers:
                buyer.join()
            assert not [buyer.strange for buyer in buyers if buyer.strange]
            orders = [order for buyer in buyers for order in buyer.orders]
            assert len(set(orders)) == len(orders) >= KILLS * BETWEEN
            assert sum(place.deaths for place in tiers.fronts) > FRONTS
            caught = sum(place.caught for place in tiers.fronts)
            assert 0 < caught and sum(buyer.broken for buyer in buyers) <= caught
            assert books_of(tiers, bank) == (len(orders), len(orders))
            charged = [payment for payment in bank.ledger() if payment["status"] != "canceled"]
            assert len(charged) == len(orders)
            check_whole(tiers)
