"""A demo is a whole shop: what is bought on its pages is paid at its bank, sent by its warehouse and
told by mail; and neither the death of the bank nor that of the warehouse loses anything."""

import json
import os
import signal
import threading
import uuid

import pytest

from bank_server import Bank
from cluster_server import Cluster, is_alive, run, wait_dead, wait_until
from shop_server import Client, checkout_body, payment_body
from test_warehouse_reports import operate, sell, warehouses
from warehouse_server import Browser, Warehouse

pytestmark = pytest.mark.outside

ITEM = "harrow-mug~chalk-350-ml"


class Demo(Cluster):
    """With what runs beside its servers: `bank` and `warehouse` are as in scenarios of their own."""

    def __init__(self, folder, *options, **more):
        super().__init__(folder, *options, **more)
        self.bank = Bank(self.dir)
        self.warehouse = Warehouse(folder, plain=False)
        self.warehouse.dir = self.dir / "warehouse"

    def start(self, seconds=30):
        super().start(seconds)
        for service in (self.bank, self.warehouse):
            service.url = self.file()[service.dir.name]["url"]
        return self

    def file(self):
        return json.loads((self.dir / "demo.json").read_text())

    def wait_furnished(self):
        """Of a new demo the ready line waits for what its purchases need, or says that it does so
        no longer."""
        if "takes its time: orders are paid and sent later" not in self.log.read_text():
            assert warehouses(self)
        wait_until(lambda: warehouses(self), what="the warehouse to be registered")
        self.found(self.bank)

    @staticmethod
    def found(service, other_than=None):
        """Its server.json, once a process that is not OTHER_THAN serves."""
        def serves():
            try:
                about = json.loads((service.dir / "server.json").read_text())
                return about if about["pid"] != other_than and is_alive(about["pid"]) else None
            except (OSError, ValueError):
                return None
        return wait_until(serves, 60, f"{service.dir.name} to serve")

    def kill_service(self, service):
        pid = self.found(service)["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_dead(pid)
        return pid

    def state(self, order):
        return operate(self, "GET", f"/orders/{order}")[1].get("status")

    def wait_state(self, order, state):
        wait_until(lambda: self.state(order) == state, 60, f"order {order} to be {state}")

    def mails(self):
        return sorted(path.read_text() for path in (self.dir / "mail" / "new").iterdir())

    def whole_audit(self, *words):
        """`stoa audit` of the demo's DIR: (exit status, its last line, all it said)."""
        done = run("audit", *words, str(self.dir), timeout=120)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout.splitlines()[-1], done.stdout


@pytest.mark.front
def test_what_is_bought_is_paid_sent_and_told(tmp_path):
    with Demo(tmp_path, managers=1) as demo:
        demo.wait_furnished()
        order = sell(demo, {ITEM: 2})
        demo.found(demo.warehouse)
        wait_until(lambda: demo.warehouse.sees("/v1/orders")["orders"], what="the order to be there")
        charge, = demo.bank.ledger()
        assert charge["status"] == "requires_capture" and charge["received"] == 0
        # The people's page, by the phrase that the demo keeps.
        phrase = (demo.dir / "warehouse.phrase").read_text().strip()
        people = Browser(demo.warehouse)
        assert people.post("/login", phrase=phrase)[0] == 303
        assert "1001" in people.get("/")[2]
        demo.warehouse.does("/v1/orders/1001/parcels", {"ship": True, "carrier": "DHL"})
        demo.wait_state(order, "shipped")
        wait_until(lambda: demo.bank.ledger()[0]["status"] == "succeeded", what="the charge")
        wait_until(lambda: len(demo.mails()) == 2, what="both mails")
        assert all("ada@shopper.example" in mail for mail in demo.mails())
        status, last, said = demo.whole_audit()
        assert status == 0 and last.startswith(
            "0 differences between 1 orders, 1 charges, 1 parcels"), said
        done = run("ready", "2", "cold", "--dir", str(demo.dir))
        assert done.returncode == 1 and "none of them can be cold" in done.stderr, done
        # Without them, when asked; and not where others are given.
        assert "between" not in demo.whole_audit("--inside")[2]
        other = tmp_path / "other"
        other.mkdir()
        with Bank(other).start() as bank:
            status, _, said = demo.whole_audit("--bank", str(bank.dir))
            assert status == 1 and "has no charge" in said, said
        pids = [demo.found(service)["pid"] for service in (demo.bank, demo.warehouse)]
        assert demo.stop() == 0
        assert not any(is_alive(pid) for pid in pids)


class Buyer(threading.Thread):
    """Buys again and again until it is told to stop, each purchase under one key until it is
    answered for good; what went wrong is in `errors`."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.halt = address, threading.Event()
        self.orders, self.errors = [], []

    def purchase(self, client):
        def told(path, body, good):
            key = str(uuid.uuid4())

            def answer():
                status, said = client.call("POST", path, body, Idempotency_Key=key)
                assert status == good or status >= 500, (status, said)
                return said if status == good else None
            return wait_until(answer, 60, f"{path} to be answered for good")
        checkout = told("/checkout-sessions", checkout_body({ITEM: 1}), 201)
        bought = told(f"/checkout-sessions/{checkout['id']}/complete", payment_body(), 200)
        assert bought["status"] == "completed", bought["messages"]
        self.orders.append(bought["order"]["id"])

    def run(self):
        client = Client(self.address, timeout=30)
        try:
            while not self.halt.is_set():
                self.purchase(client)
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(repr(error))
        finally:
            client.close()


@pytest.mark.front
def test_bank_and_warehouse_that_are_killed_come_back_and_every_purchase_ends_well(tmp_path):
    with Demo(tmp_path, "--auto-ship", "10ms", managers=1) as demo:
        demo.wait_furnished()
        status, answer = operate(demo, "POST", f"/variants/{ITEM}/receive", {"quantity": 9999})
        assert status == 200, answer
        buyers = [Buyer(demo.address) for _ in range(4)]
        for buyer in buyers:
            buyer.start()

        def go_on(orders=3):
            ends = [len(buyer.orders) + orders for buyer in buyers]
            wait_until(lambda: any(buyer.errors for buyer in buyers) or all(
                len(buyer.orders) >= end for buyer, end in zip(buyers, ends)), 120, "purchases")
            assert not any(buyer.errors for buyer in buyers), [b.errors for b in buyers]
        for _ in range(3):
            go_on()
            for service in (demo.bank, demo.warehouse):
                before = demo.kill_service(service)
                assert demo.found(service, other_than=before)["url"] == service.url
        go_on()
        for buyer in buyers:
            buyer.halt.set()
        for buyer in buyers:
            buyer.join(130)
            assert not buyer.is_alive() and not buyer.errors, buyer.errors
        orders = [order for buyer in buyers for order in buyer.orders]
        for order in orders:
            demo.wait_state(order, "shipped")
        wait_until(lambda: all(charge["status"] == "succeeded" for charge in demo.bank.ledger()
                               if charge["status"] != "canceled"), 60, "all charges to be taken")
        demo.warehouse.check()
        status, last, said = demo.whole_audit()
        assert status == 0 and last.startswith(
            f"0 differences between {len(orders)} orders"), said
        log = demo.log.read_text()
        assert log.count("bank died (signal 9)") == log.count("warehouse died (signal 9)") == 3


def test_a_demo_of_before_gets_a_bank_and_a_warehouse(tmp_path):
    demo = Demo(tmp_path, "--no-bank", "--no-warehouse", servers=1)
    with demo:
        before = sell(demo, {ITEM: 1})
        assert not warehouses(demo) and not (demo.dir / "bank").exists()
        assert "--no-bank: " in demo.log.read_text()
        status, last, said = demo.whole_audit()
        assert status == 0 and "between" not in said, said
    demo.options = ["--auto-ship", "10ms"]
    with demo:
        assert demo.state(before) == "placed"
        wait_until(lambda: warehouses(demo), what="the warehouse to be registered")
        demo.found(demo.bank)
        order = sell(demo, {ITEM: 1})
        demo.wait_state(order, "shipped")
        # What was paid within a server is at no bank.
        status, last, said = demo.whole_audit()
        assert status == 0 and last.startswith("0 differences between 2 orders, 1 charges"), said
        told = demo.file()
        phrase = (demo.dir / "warehouse.phrase").read_text()
    with demo:  # and once more: all of it is where it was
        for service in ("bank", "warehouse"):
            assert {**demo.file()[service], "pid": 0} == {**told[service], "pid": 0}
        assert (demo.dir / "warehouse.phrase").read_text() == phrase
        demo.found(demo.bank)
        order = sell(demo, {ITEM: 1})
        demo.wait_state(order, "shipped")


def test_a_shop_with_warehouses_of_its_own_keeps_them(tmp_path):
    demo = Demo(tmp_path, "--no-warehouse", servers=1)
    with demo:
        status, answer = operate(demo, "PUT", "/warehouses/main", {"url": "http://127.0.0.1:1"})
        assert status == 200, answer
        mine = warehouses(demo)
    demo.options = []
    with demo:
        wait_until(lambda: "the shop has warehouses of its own" in demo.log.read_text(),
                   what="the demo to say so")
        assert warehouses(demo) == mine
        assert not (demo.dir / "warehouse" / "server.json").exists()


def test_a_demo_pays_at_the_bank_that_it_is_given(tmp_path):
    with Bank(tmp_path).start() as bank:
        words = ("--bank", bank.url, "--bank-key-file", str(bank.dir / "key"), "--bank-pin",
                 bank.pin, "--no-warehouse")
        with Demo(tmp_path, *words, servers=1) as demo:
            assert not demo.file()["bank"]["wanted"] and not (demo.dir / "bank").exists()
            sell(demo, {ITEM: 1})
            assert [charge["status"] for charge in bank.ledger()] == ["requires_capture"]
