"""How ready a backup is: a warm one keeps the log and applies it late, serves no shoppers, stands
behind the hot ones, and loses nothing when it has to take over; leadership goes back as the
operator wants it."""

import contextlib
import http.client
import json
import threading
import time
import uuid

import pytest

from balancer import PATIENT, Balancer
from cluster_server import run as stoa
from cluster_server import status
from shop_server import Client, Shop, wait_until
from shoppers import LOST, told
from three_servers import Loopback, Three

pytestmark = pytest.mark.outside

# Longer than any test: what is applied then, was because somebody needed it.
EVERY = "1h"
ITEM, HANDLE, UNITS = "thing", "thing", 100000
STEADY_S = 5


@pytest.fixture(name="shop", scope="module")
def three_servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ready")
    file = folder / "stock.csv"
    file.write_text(f"Title,URL handle,Price,Inventory quantity\nThing,{HANDLE},5.00,{UNITS}\n")
    # Nobody is primary because another was held up for a moment; who dies has a successor at once.
    with Three(folder, file, Loopback(3), options=("--election-timeout", "2s")) as three:
        three.wait_healthy()
        yield three


@pytest.fixture(autouse=True)
def all_hot_again(shop):
    """What a test has left behind is not the next one's."""
    yield
    shop.mend()
    Shop.running.difference_update(shop.processes)  # those of the module, again
    for i in range(shop.count):
        says(shop, "ready", str(i + 1), "hot")
    says(shop, "failback", "at-once")
    says(shop, "prefer", "--none")
    wait_until(lambda: all(seen(shop, 0, i)["ready"] == "hot" for i in range(shop.count)), 30,
               "all being hot")
    shop.wait_healthy()


def says(shop, *words):
    """What `stoa WORDS` prints."""
    done = stoa(*words, "--dir", str(shop.dirs[0]))
    assert done.returncode == 0, done.stderr
    return done.stdout


def seen(shop, i, server):
    """What server I says of SERVER, as soon as it says anything."""
    view = wait_until(lambda: shop.view(i), 20, f"a word of server {i + 1}")
    return next(s for s in view["servers"] if s["id"] == server + 1)


def make_warm(shop, server):
    says(shop, "ready", str(server + 1), "warm", "--every", EVERY)
    wait_until(lambda: seen(shop, server, server)["ready"] == "warm", 30, "its being warm")


def lead(shop, server):
    """Makes SERVER primary, if it is not."""
    if shop.primary() != server:
        says(shop, "handover", "--to", str(server + 1))
    wait_until(lambda: shop.primary() == server, 30, f"server {server + 1} leading")


def new_cart(address, timeout=20):
    """The id of a new cart, once that is acknowledged."""
    client = Client(address, timeout)
    with contextlib.closing(client):
        code, cart = told(client, "POST", "/carts",
                          {"line_items": [{"item": {"id": ITEM}, "quantity": 1}]},
                          Idempotency_Key=str(uuid.uuid4()))
        assert code in (200, 201), cart
        return cart["id"]


def cart_at(address, cart):
    """The status with which ADDRESS shows CART."""
    client = Client(address)
    with contextlib.closing(client):
        return told(client, "GET", f"/carts/{cart}")[0]


def asked(address, path):
    """(status, JSON)"""
    connection = http.client.HTTPConnection(address, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def fill(shop, server, count):
    """COUNT carts, made at SERVER; their ids."""
    return [new_cart(shop.addresses[server]) for _ in range(count)]


def test_what_cannot_be_is_refused_in_words(shop):
    lead(shop, 0)
    for words, why in [
            (["ready", "9", "warm"], "there is no server 9"),
            (["ready", "2", "tepid"], "hot, warm or cold"),
            (["ready", "2"], "hot|warm|cold"),
            (["ready", "2", "hot", "--every", "5s"], "--every is for warm and cold"),
            (["ready", "2", "warm", "--every", "5ms"], "every"),
            (["failback", "later"], "at-once, idle or never")]:
        done = stoa(*words, "--dir", str(shop.dirs[0]))
        assert done.returncode != 0 and why in done.stderr, done
    assert "applies it every 30 s" in says(shop, "ready", "2", "warm")
    assert "Server 3 is warm" in says(shop, "ready", "3", "warm", "--every", "7s")
    # Whichever server is asked: it is judged by what the others were told a moment ago.
    code, answer = shop.ask(2, "/api/v1/cluster/ready", "POST", {"id": 1, "ready": "warm"}, 20)
    assert code == 409 and "the last one that is hot" in json.dumps(answer), answer
    for body in [{"id": 1}, {"id": 1, "ready": "hot", "every_ms": 5}, {"ready": "warm"},
                 {"id": 1, "ready": "warm", "every_ms": 1}, {"id": 1, "ready": 7}]:
        code, answer = shop.ask(0, "/api/v1/cluster/ready", "POST", body)
        assert code == 422, (body, answer)
    says(shop, "failback", "idle")
    wanted = [("hot", None), ("warm", 30000), ("warm", 7000)]
    wait_until(lambda: (v := status(shop.dirs[0]))["failback"] == "idle" and
               [(s["ready"], s.get("every_ms")) for s in v["servers"]] == wanted, 30,
               "status saying so")
    text = wait_until(lambda: (t := says(shop, "status")) and "may be down at once: 1" in t and t,
                      30, "two of three being up")
    assert "(warm, every 7 s)" in text and "failback after a takeover: idle" in text


def test_warm_one_votes_lags_and_sends_shoppers_to_the_primary(shop):
    lead(shop, 0)
    make_warm(shop, 2)
    shop.kill(1)
    carts = fill(shop, 0, 30)  # a majority has them: it is the warm one that confirms
    lag = wait_until(lambda: (s := seen(shop, 2, 2))["lag_entries"] >= len(carts) and s, 30,
                     "its lag")
    assert lag["state"] == "up" and lag["vote"]
    assert cart_at(shop.addresses[2], carts[-1]) == 200
    price = {"title": "Thing", "variants": [{"key": ITEM, "price": 777, "stock": UNITS}]}
    code, _ = shop.ask(0, f"/admin/api/products/{HANDLE}", "PUT", price, 20)
    assert code in (200, 201)
    assert asked(shop.addresses[2], f"/product/{HANDLE}.json") == \
        asked(shop.addresses[0], f"/product/{HANDLE}.json")
    assert asked(shop.addresses[2], "/healthz") == (200, {"status": "ok", "ready": "warm"})
    assert seen(shop, 2, 2)["lag_entries"] >= len(carts)  # nobody needed its own copy
    there = seen(shop, 0, 0)["index"]
    code, _ = shop.ask(2, "/admin/api/orders", timeout=20)  # here somebody does
    assert code == 200
    wait_until(lambda: seen(shop, 2, 2)["index"] >= there, 30, "its having applied that")
    fill(shop, 0, 5)
    says(shop, "ready", "3", "hot")
    shop.mend()
    wait_until(shop.copies_agree, 60, "the copies being the same")


def test_load_manager_sends_shoppers_to_the_warm_one_only_if_nobody_else_is_left(shop, tmp_path):
    lead(shop, 0)
    make_warm(shop, 2)
    token = str(shop.dirs[0] / "operator.token")
    # Who is silent for a moment is left, and rightly so: here that is who refuses alone.
    with Balancer(tmp_path, "--server", f"http://{shop.addresses[0]}", "--token-file",
                  token, *PATIENT) as front:
        def requests(*servers):
            known = front.servers()
            return sum(known[f"server {server}"]["requests"] for server in servers)
        front.wait_event("note", "server 3")
        wait_until(lambda: front.servers()["server 3"]["role"] == "backup", 20, "its role")
        before, others = requests(3), requests(1, 2)
        for _ in range(30):
            assert front.get()[0] == 200
        wait_until(lambda: requests(1, 2) >= others + 30, 20, "all of them at the others")
        assert requests(3) == before
        shop.kill(0)
        shop.kill(1)
        # No majority is left: what the shop looked like is all that there is.
        wait_until(lambda: front.get(f"/product/{HANDLE}")[0] == 200, 30, "a page")
        wait_until(lambda: requests(3) > before, 20, "it having been asked")


def test_warm_one_takes_over_with_a_backlog_and_loses_nothing(shop):
    lead(shop, 0)
    make_warm(shop, 2)
    shop.kill(1)
    carts = fill(shop, 0, 200)
    wait_until(lambda: seen(shop, 2, 2)["lag_entries"] >= len(carts), 30, "its lag")
    shop.kill(0)
    shop.start(1, wait=False)  # it lacks what only the warm one has now
    wait_until(lambda: shop.primary() == 2, 40, "the warm one leading")
    assert all(cart_at(shop.addresses[2], cart) == 200 for cart in carts)
    new_cart(shop.addresses[2])
    # It is not what the operator wants to be primary, once a hot one has all.
    wait_until(lambda: shop.primary() == 1, STEADY_S + 40, "the hot one leading")
    shop.mend()
    says(shop, "ready", "3", "hot")
    wait_until(shop.copies_agree, 60, "the copies being the same")
    code, report = shop.audit(2)
    assert code == 0, report


class Shopping:
    """A cart now and then, at whoever takes it, until it is stopped."""

    def __init__(self, addresses):
        self.addresses = addresses
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.shop)

    def shop(self):
        while not self.ended.wait(0.05):
            for address in self.addresses:
                with contextlib.suppress(*LOST, AssertionError):
                    new_cart(address, 5)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def stays(shop, server, seconds):
    """Whether SERVER is primary at each look for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        view = wait_until(lambda: shop.view(server), 20, f"a word of server {server + 1}")
        if view["primary"] != server + 1:
            return False
    return True


def test_leadership_goes_back_as_the_operator_wants(shop):
    says(shop, "failback", "never")
    says(shop, "prefer", "1")
    wait_until(lambda: all((v := shop.view(i)) and v["failback"] == "never" and
                           v["servers"][0]["preferred"] for i in range(shop.count)),
               30, "all knowing it")
    make_warm(shop, 1)
    with Shopping(shop.addresses):
        lead(shop, 1)
        assert stays(shop, 1, STEADY_S + 2)  # neither to the preferred one nor to a hot one
        says(shop, "failback", "idle")
        wait_until(lambda: (v := shop.view(1)) and v["failback"] == "idle", 30, "its knowing it")
        assert stays(shop, 1, 3)
    wait_until(lambda: shop.primary() == 0, 60, "the preferred one leading, as nothing is bought")
    says(shop, "handover")  # to the best of the others, which is not the warm one
    another = wait_until(lambda: (p := shop.primary()) not in (0, None) and [p], 30,
                         "another leading")
    assert another == [2]
