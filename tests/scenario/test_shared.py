"""Several processes over one directory: one writes, the others read, pass on, and take over."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import threading
import uuid

import pytest

from engine_server import not_of_engines, of_engines
from shop_server import (STOA, Client, Shop, begin_checkout, buy, checkout_body, payment_body,
                         wait_until)
from three_servers import Three

pytestmark = [pytest.mark.outside,
              not_of_engines("fork", why="who takes over has threads, and no zygote")]

ITEM = "harrow-mug~chalk-250-ml"
MUG = checkout_body({ITEM: 1})


class Process(Shop):
    """One of the processes of the directory that all of FOLDER's have."""

    def __init__(self, folder, name, *options):
        super().__init__(folder, "--shared", *options)
        self.log = folder / f"{name}.log"

    def client(self):
        return Client(self.address)

    def says(self, text):
        return text in self.log.read_text()

    def writes(self):
        return writer_pid(self) == self.process.pid


def writer_pid(shop):
    try:
        return json.loads((shop.dir / "server.json").read_text())["pid"]
    except OSError:
        return None


def wait_readers(shop, *processes):
    """Until these, and no others, read SHOP's directory: who takes over is a reader for a moment
    longer."""
    pids = sorted(one.process.pid for one in processes)
    wait_until(lambda: reader_pids(shop) == pids, what=f"{len(pids)} readers")


def two(folder, *options):
    writer, reader = Process(folder, "one", *options), Process(folder, "two", *options)
    writer.start()
    reader.start()
    assert writer.writes() and reader_pids(reader) == [reader.process.pid]
    return writer, reader


def status_of(folder):
    status = subprocess.run([STOA, "status", "--json", "--dir", str(folder)],
                            capture_output=True, text=True, timeout=60, check=True)
    return json.loads(status.stdout)


def reader_pids(shop):
    return [one["pid"] for one in status_of(shop.dir)["readers"]]


def cart_body(quantity, item=ITEM):
    return {"line_items": [{"item": {"id": item}, "quantity": quantity}]}


def new_cart(client, quantity=1):
    code, cart = client.call("POST", "/carts", cart_body(quantity))
    assert code in (200, 201), (code, cart)
    return cart["id"]


def quantity_of(client, cart):
    code, found = client.call("GET", f"/carts/{cart}")
    assert code == 200, (code, found)
    return found["line_items"][0]["quantity"]


def page(shop, path):
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def operate(shop, method, path, body):
    """By the operator, at SHOP; it is acknowledged."""
    client = shop.client()
    code, answer = client.call(method, f"/admin/api/variants/{ITEM}/{path}", body,
                               Authorization=f"Bearer {shop.token()}")
    client.close()
    assert code == 200, (code, answer)


@pytest.mark.quick
def test_a_reader_shows_what_was_just_acknowledged_by_whichever_process(tmp_path):
    writer, reader = two(tmp_path)
    clients = [writer.client(), reader.client()]
    cart = new_cart(clients[1])
    for turn in range(200):
        quantity = 1 + turn % 9
        code, _ = clients[turn % 2].call("PUT", f"/carts/{cart}", cart_body(quantity))
        assert code == 200
        assert quantity_of(clients[1 - turn % 2], cart) == quantity
        assert quantity_of(clients[turn % 2], cart) == quantity
    order = buy(clients[1], MUG)
    for client in clients:
        assert client.call("GET", f"/orders/{order}")[0] == 200
    assert reader.stop() == 0 and writer.stop() == 0
    assert writer.audit()[0] == 0


def test_a_readers_ready_made_pages_are_never_older_than_a_change(tmp_path):
    writer, reader = two(tmp_path)
    for turn in range(30):
        operate(writer, "PUT", "price", {"price": 1125 + 100 * turn})
        for _ in range(3):  # rendered, then from the cache
            status, text = page(reader, "/product/harrow-mug")
            assert status == 200 and f"{11 + turn}.25" in text, text
    figures = page(reader, "/metrics")[1]
    hits = [line for line in figures.splitlines() if line.startswith("stoa_cache_hits_total")]
    assert int(hits[0].split()[1]) >= 30, figures


def cache_figures(shop):
    """Name and value of all that a process says of its response cache, but for its histogram."""
    lines = [line.split() for line in page(shop, "/metrics")[1].splitlines()]
    return {line[0]: float(line[1]) for line in lines
            if line[0].startswith("stoa_cache_") and "{" not in line[0]}


@pytest.mark.quick
def test_a_reader_says_the_same_of_its_cache_as_the_writer(tmp_path):
    writer, reader = two(tmp_path)
    operate(writer, "PUT", "price", {"price": 1125})
    for shop in (writer, reader):
        for _ in range(2):
            assert page(shop, "/product/harrow-mug")[0] == 200
    of_writer, of_reader = cache_figures(writer), cache_figures(reader)
    assert of_writer.keys() == of_reader.keys()
    for figures in (of_writer, of_reader):
        assert figures["stoa_cache_hits_total"] >= 1, figures
        assert figures["stoa_cache_bytes"] <= figures["stoa_cache_limit_bytes"], figures
        assert figures["stoa_cache_told_index"] > 0, figures
        assert figures["stoa_cache_lag_entries"] == 0, figures
        assert 0 < figures["stoa_cache_behind_max_seconds"] < 20, figures


class Buyers:
    """Buy at random servers of LIST until told to stop; what was acknowledged is kept."""

    def __init__(self, shops, count=4):
        self.shops = shops
        self.over = threading.Event()
        self.orders, self.failed = [], []
        operate(shops[0], "POST", "receive", {"quantity": 1000000})
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def purchase(client):
        """The order's id. A connection that is kept may end when its server does: whoever finds it
        so asks again on a new one, as browsers do."""
        path = f"/checkout-sessions/{begin_checkout(client, MUG)}/complete"
        key = str(uuid.uuid4())
        try:
            code, done = client.call("POST", path, payment_body(), Idempotency_Key=key)
        except ConnectionError:
            client.close()
            code, done = client.call("POST", path, payment_body(), Idempotency_Key=key)
        assert code == 200 and done["status"] == "completed", (code, done)
        return done["order"]["id"]

    def run(self, number):
        turn = number
        while not self.over.is_set():
            turn += 1
            shop = self.shops[turn % len(self.shops)]
            try:
                client = shop.client()
                self.orders.append(self.purchase(client))
                client.close()
            except (AssertionError, OSError, http.client.HTTPException) as problem:
                self.failed.append((shop.log.name, repr(problem)))

    def wait_more(self, count=5, seconds=60):
        wanted = len(self.orders) + count
        wait_until(lambda: len(self.orders) >= wanted, seconds, f"{count} more purchases")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def orders_in(shop):
    with sqlite3.connect(f"file:{shop.dir}/shop.db?mode=ro", uri=True) as database:
        return {str(row[0]) for row in database.execute("SELECT number FROM orders")}


def check_orders(shop, orders):
    client = shop.client()
    for order in orders:
        assert client.call("GET", f"/orders/{order}")[0] == 200, order
        client.close()  # one that is kept may end with who served before
    assert len(orders_in(shop)) >= len(set(orders)) == len(orders)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_when_the_writer_goes_the_reader_takes_over_and_nobody_there_notices(tmp_path, how):
    """Those who are with the reader see no failure: what they change waits for the takeover."""
    writer, reader = two(tmp_path)
    buyers = Buyers([reader])
    buyers.wait_more()
    if how == "kill":
        writer.kill()
    else:
        assert writer.stop() == 0
    wait_until(reader.writes, what="the takeover")
    buyers.wait_more()
    buyers.stop()
    assert not buyers.failed
    wait_until(lambda: reader.says("this process writes now"), what="its saying so")
    wait_readers(reader)
    check_orders(reader, buyers.orders)
    # And back, to a process that has been started again.
    again = Process(tmp_path, "three").start()
    assert reader.writes() and reader_pids(reader) == [again.process.pid]
    cart = new_cart(again.client(), 3)
    reader.kill()
    wait_until(again.writes, what="the second takeover")
    assert quantity_of(again.client(), cart) == 3
    check_orders(again, buyers.orders)
    assert again.stop() == 0
    assert again.audit()[0] == 0


@pytest.mark.every_engine
@of_engines("loop", why="only there an exchange keeps others from their turn")
def test_who_takes_over_does_not_wait_for_itself(tmp_path):
    """For a moment its reader's engine and its server's listen at the same address: what the one
    passes on to the other does not come back to it."""
    writer, reader = two(tmp_path)
    for _ in range(10):
        buyers = Buyers([reader])
        buyers.wait_more()
        assert writer.stop() == 0
        wait_until(reader.writes, what="the takeover")
        buyers.wait_more()
        buyers.stop()
        assert not buyers.failed
        writer, reader = reader, writer.start()


def test_of_three_one_writes_at_any_time(tmp_path):
    one, two_ = two(tmp_path)
    three = Process(tmp_path, "three").start()
    assert reader_pids(one) == sorted([two_.process.pid, three.process.pid])
    shops = [one, two_, three]
    buyers = Buyers(shops)
    for _ in range(4):
        buyers.wait_more()
        writer = next(s for s in shops if s.writes())
        others = [s for s in shops if s is not writer]
        writer.kill()
        wait_until(lambda others=others: [s for s in others if s.writes()], what="the next writer")
        assert sum(s.writes() for s in others) == 1
        writer.start()
        assert not writer.writes()
    buyers.wait_more()
    buyers.stop()
    check_orders(one, buyers.orders)
    wait_readers(one, *(s for s in shops if not s.writes()))
    for shop in shops:  # whoever is left takes over from who stops
        assert shop.stop() == 0
    assert one.audit()[0] == 0
    # A takeover for each death and each stop, and none that the lock did not give.
    takeovers = sum(s.log.read_text().count("this process takes over") for s in shops)
    assert 4 <= takeovers <= 6


def test_a_reader_that_stops_or_dies_is_missed_by_nobody(tmp_path):
    writer, reader = two(tmp_path)
    other = Process(tmp_path, "three").start()
    reader.kill()
    assert reader_pids(writer) == [other.process.pid]
    assert other.stop() == 0
    assert reader_pids(writer) == [] and writer.writes()
    buy(writer.client(), MUG)
    reader.start()
    assert reader_pids(writer) == [reader.process.pid]
    assert [p.name for p in (writer.dir / "readers").iterdir()] == [f"{reader.process.pid}.json"]
    assert writer.stop() == 0 and reader.stop() == 0


def test_a_writer_that_hangs_is_killed_and_its_reader_goes_on(tmp_path):
    writer, reader = two(tmp_path, "--shared-kill-after", "1s")
    cart = new_cart(reader.client(), 2)
    writer.process.send_signal(signal.SIGSTOP)
    client = reader.client()
    assert quantity_of(client, cart) == 2  # reads need no writer
    assert client.call("PUT", f"/carts/{cart}", cart_body(5))[0] == 200
    assert reader.writes() and writer.process.wait(60) == -signal.SIGKILL
    assert reader.says("it is killed")
    assert quantity_of(reader.client(), cart) == 5
    assert reader.stop() == 0
    assert reader.audit()[0] == 0


def test_a_writer_that_hangs_is_left_alone_when_that_is_wanted(tmp_path):
    writer, reader = two(tmp_path, "--shared-kill-after", "0s")
    os.kill(writer.process.pid, signal.SIGSTOP)

    def complaint():
        status, text = page(reader, "/healthz")
        return status == 503 and "does not answer" in text

    wait_until(complaint, what="a reader that says so")
    os.kill(writer.process.pid, signal.SIGCONT)
    wait_until(lambda: page(reader, "/healthz")[0] == 200, what="a reader that is well")
    buy(reader.client(), MUG)
    assert writer.writes()
    assert reader.stop() == 0 and writer.stop() == 0


def test_beside_a_server_that_does_not_share_nobody_reads(tmp_path):
    alone = Shop(tmp_path).start()
    reader = Process(tmp_path, "two")
    reader.spawn()
    assert reader.process.wait(60) == 1
    assert reader.says("was started without --shared")
    assert alone.stop() == 0


class Demo(Shop):
    """`stoa demo --shared`; its processes have one directory."""

    def spawn(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [STOA, "demo", "--shared", "--dir", str(self.dir), "--listen", "127.0.0.1:0",
                 "--catalogue", "demo", *self.options],
                stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(self.process)

    def server(self):
        shop = Shop(self.dir)
        shop.dir = self.dir / "server-1"
        return shop


def test_a_demo_of_processes_over_one_directory_sells_on(tmp_path):
    with Demo(tmp_path, "--no-warehouse", "--no-bank") as demo:
        server = demo.server()
        wait_until(lambda: len(reader_pids(server)) == 2, what="two readers")
        client = Client(demo.address)
        order = buy(client, MUG)
        writer = writer_pid(server)
        os.kill(writer, signal.SIGKILL)
        wait_until(lambda: writer_pid(server) not in (writer, None), what="the next writer")
        wait_until(lambda: len(readers := reader_pids(server)) == 2 and
                   writer_pid(server) not in readers, what="its successor")
        assert buy(Client(demo.address), MUG) != order
        assert Client(demo.address).call("GET", f"/orders/{order}")[0] == 200
        assert demo.stop() == 0
    assert server.audit()[0] == 0


def test_a_member_of_a_cluster_is_taken_over_with_its_identity(tmp_path):
    with Three(tmp_path, "demo", options=["--shared"]) as three:
        primary = three.wait_primary()
        beside = Process(tmp_path, "beside")
        beside.dir = three.dirs[primary]
        beside.catalogue = None
        beside.start()
        assert reader_pids(beside) == [beside.process.pid]
        client = beside.client()
        cart = new_cart(client, 2)
        assert quantity_of(client, cart) == 2
        buyers = Buyers([beside], 2)
        buyers.wait_more()
        three.kill(primary)
        wait_until(beside.writes, what="the takeover")
        buyers.wait_more()
        buyers.stop()
        assert quantity_of(beside.client(), cart) == 2
        check_orders(beside, buyers.orders)

        def own():
            return {s["id"]: s for s in status_of(three.dirs[primary])["servers"]
                    }[three.ids[primary]]
        wait_until(lambda: own()["pid"] == beside.process.pid, what="its being told as that one")
        assert len(status_of(three.dirs[primary])["servers"]) == 3
        assert beside.stop() == 0
        assert beside.audit()[0] == 0
