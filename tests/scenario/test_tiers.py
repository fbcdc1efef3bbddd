"""Fronts that queue and workers that work, over one shop: nobody notices which of them dies."""

import http.client
import pathlib
import random
import threading
import time
import uuid

import pytest

from cluster_server import free_port
from engine_server import not_of_engines
from shop_server import buy, checkout_body, payment_body, wait_until
from tiers import BenchTiers, Tiers

pytestmark = not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                            why="fronts and workers have engines of their own")

ITEM = "harrow-mug~chalk-250-ml"
MUG = checkout_body({ITEM: 1})


def cart_body(quantity):
    return {"line_items": [{"item": {"id": ITEM}, "quantity": quantity}]}


def page(address, path, **headers):
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer, text


def operate(tiers, method, path, body):
    client = tiers.client()
    code, answer = client.call(method, f"/admin/api/variants/{ITEM}/{path}", body,
                               Authorization=f"Bearer {tiers.server.token()}")
    client.close()
    assert code == 200, (code, answer)


class Buyers:
    """COUNT of them buy through the fronts until told to stop. A request whose connection broke off
    is sent again under its key, and that is counted; any other failure is one."""

    def __init__(self, tiers, count=4):
        self.tiers = tiers
        self.over = threading.Event()
        self.orders, self.failed, self.broken = [], [], 0
        operate(tiers, "POST", "receive", {"quantity": 1000000})
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, path, body):
        key = str(uuid.uuid4())
        end = time.monotonic() + 30
        while True:
            client = self.tiers.client()
            try:
                return client.call("POST", path, body, Idempotency_Key=key)
            except (OSError, http.client.HTTPException):
                self.broken += 1
                if time.monotonic() > end:
                    raise
            finally:
                client.close()

    def purchase(self):
        code, checkout = self.ask("/checkout-sessions", MUG)
        assert code in (200, 201), (code, checkout)
        code, done = self.ask(f"/checkout-sessions/{checkout['id']}/complete", payment_body())
        assert code == 200 and done["status"] == "completed", (code, done)
        return done["order"]["id"]

    def run(self):
        while not self.over.is_set():
            try:
                self.orders.append(self.purchase())
            except (AssertionError, OSError, http.client.HTTPException) as problem:
                self.failed.append(repr(problem))

    def wait_more(self, count=5, seconds=60):
        wanted = len(self.orders) + count
        wait_until(lambda: len(self.orders) >= wanted or self.failed, seconds,
                   f"{count} more purchases")
        assert not self.failed, self.failed

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed


def check_orders(tiers, buyers):
    """Each that was acknowledged is there once, and what is there was paid once."""
    assert len(set(buyers.orders)) == len(buyers.orders)
    for order in buyers.orders:
        client = tiers.client()
        assert client.call("GET", f"/orders/{order}")[0] == 200, order
        client.close()


def check_whole(tiers):
    tiers.stop()
    status, report = tiers.server.audit()
    assert status == 0, report


def test_through_front_and_worker_the_shop_is_the_same(tmp_path):
    with Tiers(tmp_path) as tiers:
        direct = tiers.server.address
        for path in ("/", "/product/harrow-mug", "/product/harrow-mug.json", "/assets/style.css",
                     "/search?q=mug", "/nothing", "/cart", "/pictures/harrow-mug.svg"):
            there, expected = page(direct, path)
            here, found = page(tiers.listen, path)
            assert (here.status, found) == (there.status, expected), path
            for name in ("Content-Type", "ETag", "Cache-Control"):
                assert here.getheader(name) == there.getheader(name), (path, name)
        etag = page(tiers.listen, "/product/harrow-mug")[0].getheader("ETag")
        answer, text = page(tiers.listen, "/product/harrow-mug", **{"If-None-Match": etag})
        assert (answer.status, text) == (304, b"")
        buy(tiers.client(), MUG)
        check_whole(tiers)


@pytest.mark.quick
def test_a_worker_shows_what_another_has_just_changed(tmp_path):
    with Tiers(tmp_path, fronts=2, workers=2) as tiers:
        clients = [tiers.client() for _ in range(4)]
        code, cart = clients[0].call("POST", "/carts", cart_body(1))
        assert code in (200, 201)
        for turn in range(200):
            quantity = 1 + turn % 9
            path = f"/carts/{cart['id']}"
            assert clients[turn % 4].call("PUT", path, cart_body(quantity))[0] == 200
            for client in clients:
                code, seen = client.call("GET", path)
                assert code == 200 and seen["line_items"][0]["quantity"] == quantity
        check_whole(tiers)


def test_a_ready_made_page_is_never_older_than_a_change(tmp_path):
    with Tiers(tmp_path) as tiers:
        for turn in range(30):
            operate(tiers, "PUT", "price", {"price": 1125 + 100 * turn})
            for _ in range(4):  # rendered by each worker, and from their caches
                answer, text = page(tiers.listen, "/product/harrow-mug")
                assert answer.status == 200 and f"{11 + turn}.25".encode() in text


def test_workers_are_killed_and_nobody_notices(tmp_path):
    with Tiers(tmp_path, workers=3) as tiers:
        buyers = Buyers(tiers)
        chance = random.Random(20261123)
        for _ in range(20):
            buyers.wait_more(3)
            victim = chance.choice(tiers.workers)
            victim.kill()
            victim.start()
        buyers.wait_more()
        buyers.stop()
        assert buyers.broken == 0
        check_orders(tiers, buyers)
        check_whole(tiers)


def test_workers_that_are_told_to_stop_finish_what_they_have(tmp_path):
    with Tiers(tmp_path, workers=2) as tiers:
        buyers = Buyers(tiers)
        for turn in range(10):
            buyers.wait_more(3)
            worker = tiers.workers[turn % 2]
            assert worker.stop() == 0
            worker.start()
        buyers.stop()
        assert buyers.broken == 0
        check_orders(tiers, buyers)
        check_whole(tiers)


def test_when_a_front_is_killed_only_its_own_clients_ask_again(tmp_path):
    with Tiers(tmp_path, fronts=3, workers=2) as tiers:
        buyers = Buyers(tiers)
        chance = random.Random(20261123)
        for _ in range(15):
            buyers.wait_more(3)
            victim = chance.choice(tiers.fronts)
            victim.kill()
            victim.options = tiers.new_front(1).options  # it follows whoever is master now
            victim.start()
        buyers.stop()
        check_orders(tiers, buyers)
        check_whole(tiers)


def test_when_the_master_dies_a_follower_is_master(tmp_path):
    with Tiers(tmp_path, fronts=2, workers=1) as tiers:
        master, follower = tiers.fronts
        wait_until(lambda: master.says("is the master of its queue"), what="a master")
        buyers = Buyers(tiers)
        buyers.wait_more()
        master.kill()
        wait_until(lambda: follower.says("is the master of its queue"), what="the next master")
        # Who looks after the dead now: a worker that dies is missed by nobody.
        tiers.workers.append(tiers.new_worker(1).start())
        tiers.workers[0].kill()
        buyers.wait_more()
        buyers.stop()
        check_orders(tiers, buyers)
        check_whole(tiers)


def test_a_worker_that_hangs_is_killed_and_others_do_its_work(tmp_path):
    with Tiers(tmp_path, workers=2, front_options=["--worker-kill-after", "500ms"]) as tiers:
        buyers = Buyers(tiers)
        buyers.wait_more()
        victim = tiers.workers[0]
        victim.hang()
        assert victim.process.wait(30) == -9
        buyers.wait_more()
        buyers.stop()
        assert buyers.broken == 0 and tiers.fronts[0].says("it is killed")
        check_orders(tiers, buyers)
        check_whole(tiers)


def test_without_a_worker_a_request_is_told_so_in_time(tmp_path):
    with Tiers(tmp_path, workers=0, front_options=["--wait", "300ms"]) as tiers:
        answer, text = page(tiers.listen, "/")
        assert answer.status == 503 and answer.getheader("Retry-After") == "1", text
        tiers.workers.append(tiers.new_worker(0).start())
        assert page(tiers.listen, "/")[0].status == 200


class Crowd:
    """COUNT clients ask for PATH, each again as soon as it has its answer, until told to stop."""

    def __init__(self, address, path, count):
        self.address, self.path = address, path
        self.over = threading.Event()
        self.statuses = []
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        while not self.over.is_set():
            connection.request("GET", self.path)
            answer = connection.getresponse()
            answer.read()
            self.statuses.append(answer.status)
        connection.close()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def memory_of(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def figures_of(door):
    """Each line of /metrics there, by its name with labels."""
    lines = page(door, "/metrics")[1].decode().splitlines()
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def sizes_of(tiers):
    """Of all that may grow: processes in kB, and what the queue's memory has of the machine's."""
    area = (tiers.queue / "area").stat()
    return [memory_of(one.process) for one in tiers.fronts + tiers.workers], \
        (area.st_size, area.st_blocks)


def test_at_twice_what_it_can_do_waiting_is_bounded_shares_are_kept_and_memory_stays(tmp_path):
    """Each of so many clients would ask again within the 300 ms that it may wait: that is more than
    450 a second, where one worker has 5 ms for each request."""
    door = f"127.0.0.1:{free_port()}"
    counts = {"pages": ("", 24), "carts": ("cart/", 32), "buys": ("checkout/", 80)}
    with BenchTiers(tmp_path, "--share", "pages=1", "--share", "carts=2", "--share", "buys=4",
                    "--wait", "300ms", "--status", door) as tiers:
        crowds = {name: Crowd(tiers.listen, f"/{path}compute?us=0&wait=5000", count)
                  for name, (path, count) in counts.items()}

        def answered():
            return {name: one.statuses.count(200) for name, one in crowds.items()}

        def wait_answered(count):
            enough = sum(answered().values()) + count
            wait_until(lambda: sum(answered().values()) >= enough, 60, f"{count} answers")
        wait_answered(100)  # what each class costs is known now, and all wait
        before, (memory, area) = answered(), sizes_of(tiers)
        wait_answered(700)
        got = {name: count - before[name] for name, count in answered().items()}
        memory_after, area_after = sizes_of(tiers)
        for one in crowds.values():
            one.stop()
        statuses = {status for one in crowds.values() for status in one.statuses}
        figures = figures_of(door)
    assert statuses == {200, 503}
    # All that was begun was begun in time, and for somebody; whoever was not begun was told so.
    assert figures['stoa_queue_wait_seconds_bucket{le="0.536870912"}'] == \
        figures["stoa_queue_wait_seconds_count"] > 800
    for name, one in crowds.items():
        assert figures[f'stoa_queue_done_total{{class="{name}"}}'] == one.statuses.count(200)
        assert figures[f'stoa_queue_dropped_total{{class="{name}"}}'] == one.statuses.count(503) > 0
    assert 0.75 < got["carts"] / (2 * got["pages"]) < 1.33, got
    assert 0.75 < got["buys"] / (4 * got["pages"]) < 1.33, got
    assert all(now < then + 2048 for then, now in zip(memory, memory_after)), (memory, memory_after)
    assert area_after == area


def test_what_the_queue_has_no_room_for_is_told_so_at_once(tmp_path):
    with BenchTiers(tmp_path, "--queue", "16", "--wait", "60s") as tiers:
        crowd = Crowd(tiers.listen, "/compute?us=0&wait=3000", 40)
        wait_until(lambda: crowd.statuses.count(200) > 50, 60, "50 answers")
        # Of an eighth each, the others' part is free for them.
        answer, _ = page(tiers.listen, "/cart/compute?us=0")
        crowd.stop()
        assert set(crowd.statuses) == {200, 503} and answer.status == 200


def post_to_a_worker_that_dies(tiers, door, path):
    """POST PATH, whose worker is killed with it; another comes. The answer, and how often workers
    have taken it."""
    answers = []

    def taken():
        return sum(count for name, count in figures_of(door).items()
                   if name.startswith("stoa_queue_taken_total"))

    def ask():
        connection = http.client.HTTPConnection(tiers.listen, timeout=20)
        connection.request("POST", f"{path}compute?us=0&wait=800000", b"{}")
        answers.append(connection.getresponse())
        answers[0].text = answers[0].read().decode()
        connection.close()

    before = taken()
    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: taken() == before + 1, what="a worker that has it")
    tiers.workers[0].kill()
    tiers.workers[0].start()
    asking.join()
    return answers[0], taken() - before


def test_what_is_not_known_to_be_done_once_is_not_sent_to_a_second_worker(tmp_path):
    door = f"127.0.0.1:{free_port()}"
    with BenchTiers(tmp_path, "--status", door) as tiers:
        answer, times = post_to_a_worker_that_dies(tiers, door, "/api/v1/")
        assert answer.status == 502 and "not known whether this was done" in answer.text
        assert answer.getheader("Retry-After") is None and times == 1
        answer, times = post_to_a_worker_that_dies(tiers, door, "/carts/")
        assert (answer.status, times) == (200, 2)


def test_everything_goes_and_leaves_nothing(tmp_path):
    with Tiers(tmp_path) as tiers:
        assert page(tiers.listen, "/")[0].status == 200
        assert tiers.queue.is_dir()
        tiers.stop()
        assert not tiers.queue.exists()
