"""Pages on a machine without the database: out of a cache there, and never older than they may
be."""

import contextlib
from concurrent import futures
import http.client
import re
import signal
import socket
import threading
import time

import pytest

from engine_server import not_of_engines
from far import AllFar, Far, figure_of, get, operate, set_price
from shop_server import Client, Shop, buy, checkout_body, wait_until
from three_servers import Namespaces, Three, may_cut

pytestmark = not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                            why="fronts and workers have engines of their own")

ITEM = "harrow-mug~chalk-250-ml"
PAGE = "/product/harrow-mug"
MUG = checkout_body({ITEM: 1})
LATE_S = 0.25


def price_text(turn):
    return f"{11 + turn}.25".encode()


def put_price(address, token, turn, item=ITEM):
    return set_price(address, token, item, 1125 + 100 * turn)


@pytest.fixture(name="shop")
def a_shop(tmp_path):
    with Shop(tmp_path) as shop:
        yield shop


OF_THE_PASSAGE = {"date", "connection", "set-cookie", "stoa-session", "vary"}


def lasting(answer):
    """The headers that say nothing of this very request."""
    return sorted((name.lower(), value) for name, value in answer.getheaders()
                  if name.lower() not in OF_THE_PASSAGE)


def test_the_shop_is_the_same_from_far(tmp_path, shop):
    kept = ("/", PAGE, PAGE + ".json", "/category/kitchen", "/about",
            "/pictures/ambosshof-chefs-knife-8-blade-beech.svg")
    for path in kept:
        get(shop.address, path)  # into the server's cache, long before anybody listens
    put_price(shop.address, shop.token(), 0, item="low-tide-kettle~cream")
    with Far(tmp_path, [shop.address], shop.token()) as far:
        for path in (*kept, "/search?q=mug", "/nothing", "/cart", "/robots.txt"):
            there, expected = get(shop.address, path)
            for _ in range(2):  # of the server, and out of the cache
                here, found = far.get(path)
                assert (here.status, found) == (there.status, expected), path
                assert lasting(here) == lasting(there), path
                assert len(here.headers.get_all("Vary", [])) <= 1, path
        hits = far.figure("stoa_cache_hits_total")
        assert hits == len(kept)
        etag = far.get(PAGE)[0].getheader("ETag")
        answer, text = far.get(PAGE, If_None_Match=etag)
        assert (answer.status, text) == (304, b"")
        assert far.figure("stoa_cache_hits_total") == hits + 2
        client = far.client()
        buy(client, MUG)
        client.close()
        far.stop()


def test_who_knows_of_a_change_sees_it_from_far(tmp_path, shop):
    token = shop.token()
    with Far(tmp_path, [shop.address], token) as far:
        for turn in range(40):
            seen = put_price(shop.address, token, turn)
            assert seen
            for _ in range(4):
                answer, text = far.get(PAGE, Stoa_Session=seen)
                assert answer.status == 200 and price_text(turn) in text
        assert far.figure("stoa_cache_hits_total") > 40
        for name in ("Kiln", "Row"):  # of all pages
            settings, _ = operate(shop.address, token, "GET", "/settings")
            seen = operate(shop.address, token, "PUT", "/settings", settings | {"name": name})[1]
            for path in ("/", PAGE, "/about"):
                assert name.encode() in far.get(path, Stoa_Session=seen)[1], path
        far.get("/category/kitchen")
        mug, _ = operate(shop.address, token, "GET", "/products/harrow-mug")
        seen = operate(shop.address, token, "DELETE", "/products/harrow-mug")[1]
        assert mug["title"].encode() not in far.get("/category/kitchen", Stoa_Session=seen)[1]
        assert far.get(PAGE, Stoa_Session=seen)[0].status in (404, 410)
        answer, _ = far.get(PAGE, Stoa_Session="1-99999999-" + "0" * 32)  # made up
        assert answer.status in (404, 410)


def test_nobody_sees_what_is_too_old(tmp_path, shop):
    """Without a session token, too: what was changed so long ago as may be is seen."""
    with Far(tmp_path, [shop.address], shop.token()) as far:
        for turn in range(10):
            put_price(shop.address, shop.token(), turn)
            changed = time.monotonic()
            while True:
                late = time.monotonic() - changed > LATE_S
                text = far.get(PAGE)[1]
                assert not late or price_text(turn) in text
                if price_text(turn) in text:
                    break


def test_queue_and_shop_may_both_be_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "other"))
    with AllFar(tmp_path) as far:
        client = far.client()
        for turn in range(4):
            seen = put_price(far.server.address, far.server.token(), turn)
            for _ in range(3):
                answer, text = get(far.far_listen, PAGE, Stoa_Session=seen or "")
                assert answer.status == 200 and price_text(turn) in text
            buy(client, MUG)
        client.close()
        assert figure_of(far.far_listen, "stoa_cache_hits_total") > 4
        far.stop()


def test_without_the_operators_token_nothing_is_told(tmp_path, shop):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        connection = http.client.HTTPConnection(shop.address, timeout=20)
        connection.request("GET", "/api/v1/changes", headers=headers)
        assert connection.getresponse().status == 401
        connection.close()
    with Far(tmp_path, [shop.address], shop.token()):
        connection = http.client.HTTPConnection(shop.address, timeout=20)
        for key in ("0" * 32 + " http 127.0.0.1", "x", ""):
            connection.request("GET", PAGE, headers={"Stoa-Far": key})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 421 and not answer.getheader("Stoa-Tags")
        connection.close()


def test_a_server_that_stops_and_one_that_restarts_are_heard_again(tmp_path, shop):
    with Far(tmp_path, [shop.address], shop.token()) as far:
        far.get(PAGE)
        shop.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: not far.hears(), what="silence")
        passed = far.figure("stoa_far_unheard_total")
        with futures.ThreadPoolExecutor() as others:
            answer = others.submit(far.get, PAGE)
            wait_until(lambda: far.figure("stoa_far_unheard_total") > passed, what="the request")
            assert not answer.done()
            shop.process.send_signal(signal.SIGCONT)
            assert answer.result()[0].status == 200
        wait_until(far.hears, what="hearing of changes again")
        address = shop.address
        shop.kill()
        shop.options = ("--listen", address)
        wait_until(lambda: not far.hears(), what="silence")
        shop.start()
        seen = put_price(address, shop.token(), 7)
        answer, text = far.get(PAGE, **({"Stoa_Session": seen} if seen else {}))
        assert answer.status == 200 and price_text(7) in text
        wait_until(far.hears, what="hearing of changes again")
        for _ in range(3):
            assert price_text(7) in far.get(PAGE)[1]


def test_nothing_old_while_the_server_that_is_heard_hangs(tmp_path):
    """The cluster goes on without it, and so do those who are far."""
    with Three(tmp_path, "demo") as three, \
            Far(tmp_path, three.addresses[:2], three.token) as far:
        put_price(three.addresses[2], three.token, 0)
        for turn in range(1, 3):
            wait_until(far.hears, what="hearing of changes")
            wait_until(lambda turn=turn: price_text(turn - 1) in far.get(PAGE)[1],
                       what="the price")
            three.hang(0)
            try:
                seen = put_price(three.addresses[2], three.token, turn)
                for _ in range(4):
                    answer, text = far.get(PAGE, Stoa_Session=seen)
                    assert answer.status == 200 and price_text(turn) in text
            finally:
                three.go_on(0)


@pytest.mark.skipif(not may_cut(), reason="needs root who may make network namespaces")
def test_a_server_without_a_primary_is_not_listened_to(tmp_path):
    """It goes on answering, and so would the far worker, out of its cache, for ever."""
    with Three(tmp_path, "demo", Namespaces()) as three, \
            Far(tmp_path, three.addresses, three.token) as far:
        far.get(PAGE)
        three.network.cut(0, everything=False)
        put_price(three.addresses[2], three.token, 3)
        wait_until(lambda: price_text(3) in far.get(PAGE)[1], what="the price")
        wait_until(far.hears, what="hearing of another server's changes")
        assert far.figure("stoa_far_begun_total") == 2


class Reader(threading.Thread):
    """Reads a page from far, each time with the session of the last change that was acknowledged
    before; what it then saw that was older, or did not get, is in `wrong`."""

    def __init__(self, far, change):
        super().__init__()
        self.far, self.change = far, change
        self.wrong, self.count = [], 0
        self.over = threading.Event()

    def read(self):
        turn, seen = self.change["last"]
        answer, text = self.far.get(PAGE, Stoa_Session=seen)
        found = re.search(rb"(\d+)\.25", text)
        if answer.status != 200 or not found or int(found.group(1)) - 11 < turn:
            self.wrong.append((turn, answer.status, found and found.group(0)))

    def run(self):
        while not self.over.is_set() and not self.wrong:
            try:
                self.read()
            except (OSError, http.client.HTTPException) as failure:
                self.wrong.append(failure)
            self.count += 1


def change_prices(three, change, readers, reads):
    """Until each of the READERS has read READS times more."""
    ends = [reader.count + reads for reader in readers]
    while any(reader.count < end and reader.is_alive() for reader, end in zip(readers, ends)):
        turn = change["last"][0] + 1
        change["last"] = (turn, put_price(three.addresses[2], three.token, turn))


def read_while_prices_change(three, far):
    """The server that is heard is killed meanwhile."""
    change = {"last": (0, put_price(three.addresses[2], three.token, 0))}
    readers = [Reader(far, change) for _ in range(3)]
    for reader in readers:
        reader.start()
    change_prices(three, change, readers, 20)
    three.kill(0)
    change_prices(three, change, readers, 40)
    for reader in readers:
        reader.over.set()
    for reader in readers:
        reader.join()
        assert not reader.wrong


def test_far_from_a_cluster_one_of_whose_servers_is_killed(tmp_path):
    with Three(tmp_path, "demo") as three, \
            Far(tmp_path, three.addresses[:2], three.token) as far:
        client = far.client()
        orders = [buy(client, MUG) for _ in range(3)]
        code, cart = client.call("POST", "/carts", {"line_items": []})
        assert code in (200, 201)
        read_while_prices_change(three, far)
        for turn in range(10):
            body = {"line_items": [{"item": {"id": ITEM}, "quantity": turn + 1}]}
            assert client.call("PUT", f"/carts/{cart['id']}", body)[0] == 200
            code, found = client.call("GET", f"/carts/{cart['id']}")
            assert code == 200 and found["line_items"][0]["quantity"] == turn + 1
        orders += [buy(client, MUG) for _ in range(3)]
        client.close()
        assert len(set(orders)) == len(orders)
        other = Client(three.addresses[2])
        for order in orders:
            assert other.call("GET", f"/orders/{order}")[0] == 200, order
        other.close()
        wait_until(far.hears, what="hearing of the other's changes")


def test_a_server_of_another_shop_is_passed_over(tmp_path, shop):
    (tmp_path / "other").mkdir()
    with Shop(tmp_path / "other") as other:
        get(other.address, PAGE)
        with Far(tmp_path, [other.address, shop.address], shop.token()) as far:
            seen = put_price(shop.address, shop.token(), 3)
            assert price_text(3) in far.get(PAGE, Stoa_Session=seen)[1]
        with contextlib.ExitStack() as stack:
            far = Far(tmp_path / "other", [other.address], shop.token())
            far.hears = lambda: far.workers[0].says("does not know the operator's token")
            stack.enter_context(far)
            assert far.get(PAGE)[0].status == 503
            assert far.workers[0].says("is of another shop")
            far.stop()


class Broken(threading.Thread):
    """A server that breaks off whatever it is asked for; `asked` is what."""

    def __init__(self):
        super().__init__(daemon=True)
        self.door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.door.getsockname()[1]}"
        self.asked = []
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                one = self.door.accept()[0]
                words = one.recv(65536).split()
                self.asked += words[1:2]
                one.close()


def test_a_request_that_breaks_servers_is_not_sent_to_them_for_ever(tmp_path):
    broken = Broken()
    with contextlib.ExitStack() as stack:
        stack.callback(broken.door.close)
        far = Far(tmp_path, [broken.address], "0" * 64)
        far.hears = lambda: any(path.startswith(b"/api/v1/changes") for path in broken.asked)
        stack.enter_context(far)
        answer, _ = far.get("/product/harrow-mug")
        assert answer.status == 503
        assert sum(path.startswith(b"/product/") for path in broken.asked) == 5
        far.stop()
