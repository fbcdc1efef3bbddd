"""Each row of the table in docs/buying.md: a server, or the bank, dies between two steps of a
purchase. Then either the shopper tries again or the primary settles it, and the bank's own ledger
says that each order has one payment and that nothing else was reserved."""

import concurrent.futures
import contextlib
import functools
import http.client
import signal
import sqlite3

import pytest

from bank_server import Bank
from cluster_client import GOODS, MUG, operate, ucp
from cluster_server import free_port
from shop_server import Client, Shop, checkout_body, payment_body, wait_until
from shoppers import told
from three_servers import COUNT, Three

pytestmark = pytest.mark.outside

GOOD, BAD = "success_token", "fail_token"
DECIDED = ("completed", "ready_for_complete")
TAKEN = ("requires_capture", "succeeded")  # money is reserved, or taken
# How long goods are held: for shoppers who try again; for those who do not, and yet longer than a
# busy machine takes from the hold to the step at which somebody dies; less than the bank takes.
LONG_MS, SHORT_MS, TOO_SHORT_MS = 60000, 5000, 1000


def bank_for(folder, *options):
    """At the same address after each start."""
    return Bank(folder, "--listen", f"127.0.0.1:{free_port()}", *options)


def paying_at(bank):
    return ["--bank", bank.url, "--bank-key-file", str(bank.dir / "key"), "--bank-pin", bank.pin]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    with bank_for(tmp_path_factory.mktemp("bank")) as bank:
        yield bank


@pytest.fixture(autouse=True)
def no_server_outlives_its_test(bank):
    """In place of conftest.py's, as the bank is the module's."""
    yield
    for process in list(Shop.running):
        if process is not bank.process and process.poll() is None:
            process.kill()
            process.wait()


class Payshop(Shop):
    """A shop whose shoppers pay at BANK."""

    def __init__(self, folder, bank, hold_ms):
        goods = folder / "goods.csv"
        goods.write_text(GOODS)
        super().__init__(folder, catalogue=goods)
        self.bank, self.hold_ms, self.more = bank, hold_ms, []

    def change(self, **changes):
        client = Client(self.address)
        right = {"Authorization": "Bearer " + self.token()}
        _, settings = client.call("GET", "/admin/api/settings", **right)
        if settings != dict(settings, **changes):
            status, said = client.call("PUT", "/admin/api/settings", dict(settings, **changes),
                                       **right)
            assert status == 200, said
        client.close()

    def begin(self, *crashes):
        self.options = paying_at(self.bank) + self.more
        for point in crashes:
            self.options += ["--crash-at", point]
        self.start()
        self.change(hold_ms=self.hold_ms)
        return self

    def figures(self):
        """Name, with its labels, to value."""
        connection = http.client.HTTPConnection(self.address)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"Authorization":
                                                           "Bearer " + self.token()})
            text = connection.getresponse().read().decode()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("", "#"))}

    def call(self, *words, **more):
        client = Client(self.address, timeout=60)
        with contextlib.closing(client.connection):
            return client.call(*words, **more)

    def new_checkout(self):
        status, checkout = self.call("POST", "/checkout-sessions", checkout_body({MUG: 1}))
        assert status == 201, checkout
        return checkout["id"]

    def pay(self, checkout, token=GOOD):
        return self.call("POST", f"/checkout-sessions/{checkout}/complete", payment_body(token))

    def pay_and_die(self, checkout, token=GOOD):
        """The answer never comes."""
        with pytest.raises((OSError, http.client.HTTPException)):
            self.pay(checkout, token)
        self.wait_death()

    def wait_death(self):
        assert self.process.wait(60) == -signal.SIGKILL
        self.process.stdout.close()

    def status(self, checkout):
        client = Client(self.address)
        with contextlib.closing(client.connection):
            status, seen = told(client, "GET", f"/checkout-sessions/{checkout}")
        assert status == 200, seen
        return seen["status"]

    def wait_decided(self, checkout):
        return wait_until(lambda: (seen := self.status(checkout)) in DECIDED and seen, 60,
                          f"the end of checkout {checkout}")

    def orders(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.dir}/shop.db?mode=ro",
                                                uri=True)) as db:
            return [id.hex() for id, in db.execute("SELECT id FROM orders")]


def check(bank, orders, checkouts):
    """Each order of CHECKOUTS has one payment, and no other checkout has any."""
    ledger = bank.ledger()
    for checkout in checkouts:
        mine = [p for p in ledger if p["metadata"].get("checkout") == checkout]
        taken = [p for p in mine if p["status"] in TAKEN]
        assert len(taken) == orders.count(checkout), (checkout, orders, mine)


def side_by_side(tmp_path, rows, row_holds):
    """ROW_HOLDS(folder, *row) for each row, all at once, as each mostly waits."""
    def run(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        row_holds(folder, *rows[number])

    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        runs = [pool.submit(run, number) for number in range(len(rows))]
    wrong = [f"{row}: {run.exception()!r}" for row, run in zip(rows, runs) if run.exception()]
    assert not wrong, "\n".join(wrong)


# ---- Its home dies


def home_dies(tmp_path, bank, hold_ms, point, token):
    shop = Payshop(tmp_path, bank, hold_ms).begin(point)
    checkout = shop.new_checkout()
    shop.pay_and_die(checkout, token)
    return shop.begin(), checkout


def the_primary_settles(bank, folder, point, token, end):
    shop, checkout = home_dies(folder, bank, SHORT_MS, point, token)
    assert shop.wait_decided(checkout) == end
    check(bank, shop.orders(), [checkout])
    mine = [p for p in bank.ledger() if p["metadata"].get("checkout") == checkout]
    assert len(mine) == 1 and (mine[0]["status"] in TAKEN or mine[0]["status"] == "canceled")
    if end != "completed":  # the goods are there, and another card pays
        status, paid = shop.pay(checkout)
        assert status == 200 and paid["status"] == "completed", paid
        check(bank, shop.orders(), [checkout])
    assert shop.stop() == 0
    status, report = shop.audit()
    assert status == 0, report


def test_home_dies_and_the_primary_settles(tmp_path, bank):
    side_by_side(tmp_path, [
        ("buy_held", GOOD, "ready_for_complete"),
        ("buy_created", GOOD, "ready_for_complete"),
        ("buy_authorised", GOOD, "completed"),
        ("buy_refused", BAD, "ready_for_complete"),
        ("buy_confirmed", GOOD, "completed"),
    ], functools.partial(the_primary_settles, bank))


def the_shopper_tries_again(bank, folder, point, token, end):
    shop, checkout = home_dies(folder, bank, LONG_MS, point, token)
    shop.pay(checkout, token)
    assert shop.status(checkout) == end
    check(bank, shop.orders(), [checkout])
    mine = [p for p in bank.ledger() if p["metadata"].get("checkout") == checkout]
    assert len(mine) == 1, mine


def test_home_dies_and_the_shopper_tries_again(tmp_path, bank):
    side_by_side(tmp_path, [
        ("buy_held", GOOD, "completed"),
        ("buy_created", GOOD, "completed"),
        ("buy_authorised", GOOD, "completed"),
        ("buy_refused", BAD, "ready_for_complete"),
        ("buy_confirmed", GOOD, "completed"),
    ], functools.partial(the_shopper_tries_again, bank))


# ---- The primary dies while it settles


def the_next_primary_settles(bank, folder, point, dead, end):
    shop = Payshop(folder, bank, SHORT_MS).begin(dead)
    checkout = shop.new_checkout()
    shop.pay_and_die(checkout)
    shop.options = paying_at(bank) + ["--crash-at", point]
    shop.spawn()  # which may die before it is ready
    shop.wait_death()
    shop.begin()
    assert shop.wait_decided(checkout) == end
    check(bank, shop.orders(), [checkout])


def test_the_primary_dies_while_it_settles(tmp_path, bank):
    side_by_side(tmp_path, [
        ("settle_claimed", "buy_authorised", "completed"),
        ("settle_claimed", "buy_created", "ready_for_complete"),
        ("settle_asked", "buy_authorised", "completed"),
        ("settle_asked", "buy_created", "ready_for_complete"),
    ], functools.partial(the_next_primary_settles, bank))


# ---- The bank


def the_home_goes_on(folder, point):
    own = bank_for(folder)
    with own.start("--crash-at", point):
        shop = Payshop(folder, own, LONG_MS).begin()
        checkout = shop.new_checkout()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answer = pool.submit(shop.pay, checkout)
            assert own.process.wait(30) == -signal.SIGKILL
            own.start()
            status, paid = answer.result(60)
        assert status == 200 and paid["status"] == "completed", paid
        check(own, shop.orders(), [checkout])
        assert len(own.ledger()) == 1


def test_the_bank_dies_and_comes_back(tmp_path):
    """1: when the payment is made; 2: when the card is sent."""
    side_by_side(tmp_path, [("bank_before:1",), ("bank_after:1",), ("bank_before:2",),
                            ("bank_after:2",)], the_home_goes_on)


def test_a_home_slower_than_its_hold_leaves_the_end_to_the_primary(tmp_path):
    """The bank takes so long that the primary claims what its home is still paying for."""
    own = bank_for(tmp_path)
    with own.start():
        shop = Payshop(tmp_path, own, TOO_SHORT_MS).begin()
        checkouts = [shop.new_checkout() for _ in range(8)]
        own.faults(latency_ms=700)
        with concurrent.futures.ThreadPoolExecutor(len(checkouts)) as pool:
            answers = list(pool.map(shop.pay, checkouts))
        own.faults(latency_ms=0)
        ends = [shop.wait_decided(checkout) for checkout in checkouts]
        for (status, said), end in zip(answers, ends):
            assert status != 200 or said["status"] == end, (said, end)
        check(own, shop.orders(), checkouts)


def test_a_bank_that_loses_answers_charges_once(tmp_path):
    own = bank_for(tmp_path)
    with own.start():
        shop = Payshop(tmp_path, own, LONG_MS).begin()
        checkouts = [shop.new_checkout() for _ in range(40)]
        own.faults(lost="20%", down="5%", conflict="5%")
        with concurrent.futures.ThreadPoolExecutor(len(checkouts)) as pool:
            answers = list(pool.map(shop.pay, checkouts))
        own.faults(lost="0%", down="0%", conflict="0%")
        paid = [c for c, (status, said) in zip(checkouts, answers)
                if status == 200 and said["status"] == "completed"]
        assert len(paid) > 30, answers
        for checkout in checkouts:  # those whose patience ended
            if checkout not in paid:
                shop.pay(checkout)
        assert sorted(shop.orders()) == sorted(checkouts)
        check(own, shop.orders(), checkouts)
        assert len(own.ledger()) == len(checkouts)


def test_a_bank_whose_500s_are_kept_charges_once(tmp_path):
    """Three in ten requests are done and answered 500, which their keys say from then on: payments
    are made, confirmed and taken in spite of it."""
    own = bank_for(tmp_path)
    with own.start():
        shop = Payshop(tmp_path, own, LONG_MS).begin()
        shop.change(capture_at_once=True)
        checkouts = [shop.new_checkout() for _ in range(20)]
        own.faults(error_after="30%")

        def pay(checkout):
            return wait_until(lambda: shop.pay(checkout)[1].get("status") == "completed", 60,
                              f"the end of checkout {checkout}")
        with concurrent.futures.ThreadPoolExecutor(len(checkouts)) as pool:
            assert all(pool.map(pay, checkouts))
        assert sorted(shop.orders()) == sorted(checkouts)

        def taken():
            return sum(p["status"] == "succeeded" for p in own.ledger())
        wait_until(lambda: taken() == len(checkouts), 60, "the end of all captures")
        own.faults(error_after="0%")
        check(own, shop.orders(), checkouts)
        assert taken() == len(checkouts)
        figures = shop.figures()
        assert figures['stoa_bank_calls_total{call="authorise",outcome="authorised"}'] >= 20
        assert figures["stoa_bank_retries_total"] > 0
        assert figures["stoa_bank_requests_total"] > figures["stoa_bank_retries_total"]
        assert shop.stop() == 0


def test_the_primary_settles_what_500s_left(tmp_path):
    """The home dies once it is paid for; the primary goes the same way from key to key."""
    own = bank_for(tmp_path)
    with own.start():
        shop = Payshop(tmp_path, own, SHORT_MS).begin("buy_authorised:3")
        checkouts = [shop.new_checkout() for _ in range(8)]
        own.faults(error_after="30%")

        def pay(checkout):
            with contextlib.suppress(OSError, http.client.HTTPException):
                shop.pay(checkout)
        with concurrent.futures.ThreadPoolExecutor(len(checkouts)) as pool:
            list(pool.map(pay, checkouts))
        shop.wait_death()
        shop.begin()
        for checkout in checkouts:
            if shop.status(checkout) != "ready_for_complete":
                shop.wait_decided(checkout)
        own.faults(error_after="0%")
        check(own, shop.orders(), checkouts)


def test_a_server_that_stops_answers_those_who_wait_for_the_bank(tmp_path):
    """Not known yet, within the grace, in place of a connection that breaks off."""
    own = bank_for(tmp_path)
    with own.start():
        shop = Payshop(tmp_path, own, LONG_MS).begin()
        checkouts = [shop.new_checkout() for _ in range(3)]
        own.faults(hang="100%")
        with concurrent.futures.ThreadPoolExecutor(len(checkouts)) as pool:
            answers = [pool.submit(shop.pay, checkout) for checkout in checkouts]
            wait_until(lambda: shop.figures()["stoa_bank_open"] == 3, 30, "three who wait")
            assert shop.stop(9) == 0  # not by the end of the grace, which is ten seconds
            for answer in answers:
                _, said = answer.result(30)
                assert said["code"] == "unknown_fate", said


def test_the_bank_tells_and_nobody_else_is_believed(tmp_path):
    """Its events come to an end at the shop, which changes nothing because of them."""
    address = f"127.0.0.1:{free_port()}"
    own = bank_for(tmp_path, "--webhook", f"http://{address}/api/bank/events")
    with own.start():
        shop = Payshop(tmp_path, own, LONG_MS)
        shop.more = ["--listen", address, "--bank-webhook-secret-file",
                     str(own.dir / "webhook.secret")]
        shop.begin()
        checkout = shop.new_checkout()
        status, paid = shop.pay(checkout)
        assert status == 200 and paid["status"] == "completed", paid

        def delivered():
            with contextlib.closing(sqlite3.connect(f"file:{own.dir}/bank.db?mode=ro",
                                                    uri=True)) as db:
                events, = db.execute("SELECT count(*) FROM event").fetchone()
                waiting, = db.execute("SELECT count(*) FROM hook").fetchone()
                return events >= 3 and waiting == 0
        wait_until(delivered, 30, "the end of all webhooks")
        forged = {"id": "evt_1", "type": "payment_intent.canceled"}
        for signature in (None, "t=1795361400,v1=" + "0" * 64):
            headers = {"Stripe_Signature": signature} if signature else {}
            assert shop.call("POST", "/api/bank/events", forged, **headers)[0] == 400
        check(own, shop.orders(), [checkout])


# ---- Three servers


class Payers(Three):
    """Three servers whose shoppers pay at a bank; each may be told where to die."""

    def __init__(self, folder, bank):
        goods = folder / "goods.csv"
        goods.write_text(GOODS)
        self.crashes = [[] for _ in range(COUNT)]
        self.paying = paying_at(bank)
        super().__init__(folder, goods)

    def start(self, i, wait=True):
        # An election while one is held up would only take away who is to die.
        self.options = ["--election-timeout", "3s", *self.paying]
        self.options += [word for point in self.crashes[i] for word in ("--crash-at", point)]
        super().start(i, wait)

    def start_to_die(self, i, *points):
        self.stop(i)
        self.crashes[i] = points
        self.start(i)
        self.crashes[i] = []

    def hold_for(self, ms):
        i = self.wait_primary()
        status, settings = self.ask(i, "/admin/api/settings")
        assert status == 200, settings
        status, said = self.ask(i, "/admin/api/settings", "PUT", dict(settings, hold_ms=ms))
        assert status == 200, said

    def pay_and_die(self, i, checkout):
        with pytest.raises((OSError, http.client.HTTPException)):
            ucp(self, i, "POST", f"/checkout-sessions/{checkout}/complete", payment_body(GOOD))
        assert self.processes[i].wait(60) == -signal.SIGKILL

    def new_checkout(self, i):
        made = ucp(self, i, "POST", "/checkout-sessions", checkout_body({MUG: 1}))
        assert made.status == 201, made.text
        return made.json["id"]

    def end_of(self, checkout):
        """How any server that runs says that it ended, or None."""
        for i in range(COUNT):
            with contextlib.suppress(OSError, http.client.HTTPException):
                seen = ucp(self, i, "GET", f"/checkout-sessions/{checkout}")
                if seen.status == 200 and seen.json["status"] in DECIDED:
                    return seen.json["status"]
        return None

    def wait_decided(self, checkout):
        return wait_until(lambda: self.end_of(checkout), 60, f"the end of checkout {checkout}")

    def check(self, bank, i, checkout):
        """That it has become an order, also by server I's copy, and was paid once."""
        wait_until(lambda: checkout in self.orders(i), 30, "the order in a copy")
        check(bank, self.orders(i), [checkout])


def test_a_home_dies_and_another_server_settles(tmp_path, bank):
    with Payers(tmp_path, bank) as three:
        three.wait_healthy()
        three.hold_for(SHORT_MS)
        home = (three.wait_primary() + 1) % COUNT
        three.start_to_die(home, "buy_authorised")
        three.wait_healthy()
        checkout = three.new_checkout(home)
        three.pay_and_die(home, checkout)
        assert three.wait_decided(checkout) == "completed"
        three.check(bank, three.wait_primary(), checkout)


def test_home_and_primary_die_and_the_next_primary_settles(tmp_path, bank):
    with Payers(tmp_path, bank) as three:
        three.wait_healthy()
        three.hold_for(SHORT_MS)
        home = (three.wait_primary() + 1) % COUNT
        for i in range(COUNT):  # whoever settles first dies of it
            three.start_to_die(i, "buy_authorised" if i == home else "settle_claimed")
            three.wait_healthy()
        if three.wait_primary() == home:
            done = operate(three, home, "/handover", {})
            assert done.status == 200, done.text
            wait_until(lambda: three.primary() not in (None, home), 30, "another primary")
            three.wait_healthy()
        checkout = three.new_checkout(home)
        three.pay_and_die(home, checkout)
        dead = wait_until(lambda: [i for i in range(COUNT) if i != home and not three.runs(i)], 60,
                          "a primary's death while it settles")
        three.start(home, wait=False)
        assert three.wait_decided(checkout) == "completed", dead
        three.check(bank, home, checkout)
