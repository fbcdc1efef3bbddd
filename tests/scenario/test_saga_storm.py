"""Many purchases while servers and the bank die at random between any two steps, and the bank loses
every tenth answer. In the end each order has one payment, nothing else is reserved, and whoever was
told that the order is placed has it."""

import contextlib
import http.client
import random
import threading
import time

import pytest

from cluster_client import MUG, ucp
from shop_server import checkout_body, payment_body, wait_until
from test_saga import DECIDED, GOOD, BAD, Payers, TAKEN, bank_for, check
from three_servers import COUNT

pytestmark = pytest.mark.outside

SHOPPERS = 8
HOLD_MS = 1500
SERVER_DIES = ("buy_held:3%", "buy_created:3%", "buy_authorised:3%", "buy_refused:3%",
               "buy_confirmed:3%", "settle_claimed:10%", "settle_asked:10%")
BANK_DIES = ("--crash-at", "bank_before:1%", "--crash-at", "bank_after:1%", "--lost", "10%")
AWAY = (OSError, http.client.HTTPException)


class Storm:
    """The servers and the bank, each started again when it has died."""

    def __init__(self, three, bank):
        self.three, self.bank = three, bank
        self.deaths = {"servers": -COUNT, "bank": -1}  # the first are ours
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(0.02):
            for i in range(COUNT):
                if not self.three.runs(i):
                    self.deaths["servers"] += 1
                    self.three.crashes[i] = SERVER_DIES
                    self.three.start(i, wait=False)
            if self.bank.process.poll() is not None:
                self.deaths["bank"] += 1
                self.bank.start(*BANK_DIES)

    def __enter__(self):
        for i in range(COUNT):
            self.three.kill(i)
        self.bank.kill()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.bank.kill()
        self.bank.start()
        for i in range(COUNT):
            self.three.kill(i)
            self.three.crashes[i] = []
            self.three.start(i, wait=False)


class Shopper(threading.Thread):
    """Buys so often, each time until it is told how it ended."""

    def __init__(self, three, seed, purchases):
        super().__init__(daemon=True)
        self.three, self.purchases = three, purchases
        self.choose = random.Random(seed)
        self.tried, self.placed, self.errors = [], [], []

    def ask(self, *words):
        """An answer of any server that has one, or None after a while."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(*AWAY):
                answer = ucp(self.three, self.choose.randrange(COUNT), *words)
                if answer.status < 500:
                    return answer
            time.sleep(0.05)  # no wait: the pace of asking
        return None

    def buy(self):
        made = self.ask("POST", "/checkout-sessions", checkout_body({MUG: 1}))
        assert made is not None and made.status == 201, made and made.text
        checkout = made.json["id"]
        self.tried.append(checkout)
        token = BAD if self.choose.random() < 0.2 else GOOD
        for _ in range(200):
            seen = self.ask("POST", f"/checkout-sessions/{checkout}/complete", payment_body(token))
            assert seen is not None, "nobody answers any more"
            seen = self.ask("GET", f"/checkout-sessions/{checkout}")
            if seen.status == 200 and seen.json["status"] == "completed":
                self.placed.append(checkout)
                return
            if seen.status == 200 and seen.json["status"] in DECIDED and token == BAD:
                return
            time.sleep(0.1)  # no wait: the pace of asking

    def run(self):
        try:
            for _ in range(self.purchases):
                self.buy()
        except AssertionError as error:
            self.errors.append(repr(error))


def weather(tmp_path, purchases, seed):
    bank = bank_for(tmp_path)
    with bank.start(), Payers(tmp_path, bank) as three:
        three.wait_healthy()
        three.hold_for(HOLD_MS)
        shoppers = [Shopper(three, seed + i, purchases // SHOPPERS) for i in range(SHOPPERS)]
        with Storm(three, bank) as storm:
            for shopper in shoppers:
                shopper.start()
            for shopper in shoppers:
                shopper.join(600)
        assert not any(shopper.is_alive() for shopper in shoppers)
        assert not [e for shopper in shoppers for e in shopper.errors]
        three.wait_healthy(60)
        tried = [c for shopper in shoppers for c in shopper.tried]
        placed = [c for shopper in shoppers for c in shopper.placed]

        def settled():
            ends = [ucp(three, 0, "GET", f"/checkout-sessions/{c}").json["status"] for c in tried]
            return all(end in DECIDED for end in ends)
        wait_until(settled, 30, "the end of all purchases")
        orders = three.orders(0)
        assert set(placed) <= set(orders), "an order that was told of is gone"
        check(bank, orders, tried)
        ledger = bank.ledger()
        assert len([p for p in ledger if p["status"] in TAKEN]) == len(orders)
        assert len(placed) > purchases // 2, (len(placed), storm.deaths)
        assert min(storm.deaths.values()) > 0, storm.deaths
        print(f"{len(tried)} purchases, {len(orders)} orders, deaths {storm.deaths}")
        for i in range(COUNT):
            assert three.stop(i) == 0
        status, report = three.audit(0)
        assert status == 0, report


def test_a_hundred_purchases_while_all_die_at_random(tmp_path):
    weather(tmp_path, 104, int(time.time()))


@pytest.mark.long
def test_a_thousand_purchases_while_all_die_at_random(tmp_path):
    weather(tmp_path, 1000, int(time.time()))
