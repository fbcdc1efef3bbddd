"""What leaves the shop by its outbox: to a warehouse, whoever of both dies, hangs or is away."""

import contextlib
import http.client
import json
import re
import signal
import subprocess
import threading
import uuid

import pytest

from bank_server import Bank
from cluster_server import free_port
from shop_server import STOA, Client, Shop, checkout_body, payment_body, wait_until
from shoppers import LOST, told
from three_servers import Three
from ucp import FLOWERS
from warehouse_server import Warehouse

pytestmark = pytest.mark.outside


def operate(address, token, method, path, body=None):
    connection = http.client.HTTPConnection(address, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Authorization": "Bearer " + token})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def complete(address, checkout):
    """Buys what is in CHECKOUT; the order's id. Asked again while the shop cannot say."""
    key = str(uuid.uuid4())

    def done():
        client = Client(address)
        with contextlib.closing(client):
            try:
                status, bought = client.call("POST", f"/checkout-sessions/{checkout}/complete",
                                             payment_body(), Idempotency_Key=key)
            except LOST:
                return False
        assert status in (200, 503, 504), bought
        return status == 200 and bought["status"] == "completed" and bought["order"]["id"]
    return wait_until(done, 60, "the purchase").replace("-", "")


def begin(address, items):
    client = Client(address)
    with contextlib.closing(client):
        status, checkout = told(client, "POST", "/checkout-sessions", checkout_body(items),
                                Idempotency_Key=str(uuid.uuid4()))
    assert status == 201, checkout
    return checkout["id"]


def register(address, token, warehouse, shop_urls, name="main"):
    """Starts WAREHOUSE with what the shop says of it, and tells the shop where it is."""
    status, answer = operate(address, token, "PUT", f"/admin/api/warehouses/{name}",
                             {"name": name, "url": "https://127.0.0.1:1"})
    assert status == 200, answer
    _, answer = operate(address, token, "GET", "/admin/api/warehouses")
    known = next(one for one in answer["warehouses"] if one["id"] == name)
    warehouse.token_file.write_text(known["token"] + "\n")
    warehouse.options += ["--shop", ",".join(shop_urls), "--id", name]
    warehouse.start()
    tell_place(address, token, warehouse, name)


def tell_place(address, token, warehouse, name="main"):
    pin = (warehouse.dir / "pin").read_text().strip()
    status, answer = operate(address, token, "PUT", f"/admin/api/warehouses/{name}",
                             {"url": warehouse.url, "pin": pin})
    assert status == 200, answer


def refused_at(bank):
    client = bank.client()
    with contextlib.closing(client):
        return [json.loads(line) for line in client.raw("GET", "/sandbox/refused").splitlines()]


def lane(shop):
    """How the warehouse's lane is; it is there a second after the warehouse, at the latest."""
    status, answer = operate(shop.address, shop.token(), "GET", "/api/v1/outbox")
    assert status == 200, answer
    found = [one for one in answer["lanes"] if one["lane"] == "warehouse/main"]
    return found[0] if found else {"rows": None, "error": ""}


@pytest.fixture
def shop(tmp_path):
    with Shop(tmp_path, catalogue=FLOWERS) as shop:
        yield shop


def test_an_order_goes_to_the_warehouse_and_its_money_comes_when_it_ships(shop, tmp_path):
    with contextlib.ExitStack() as stack:
        warehouse = Warehouse(tmp_path, "--auto-ship", "1ms", plain=False)
        stack.callback(lambda: warehouse.process.poll() is None and warehouse.kill())
        register(shop.address, shop.token(), warehouse, [shop.url])
        order = complete(shop.address, begin(shop.address, {"bouquet_roses": 2}))

        def shown():
            return operate(shop.address, shop.token(), "GET", f"/admin/api/orders/{order}")[1]
        wait_until(lambda: shown()["status"] == "shipped", 20, "the shipment")
        wait_until(lambda: shown()["payment"]["state"] == "captured", 20, "the money")
        # That it is done goes through the log like anything else, after it was sent.
        wait_until(lambda: (said := lane(shop)).get("sent") == 1 and said["rows"] == 0 and
                   said["error"] == "", 30, "its lane's own word")


def test_orders_wait_for_a_warehouse_that_is_away_and_come_once(shop, tmp_path):
    with contextlib.ExitStack() as stack:
        warehouse = Warehouse(tmp_path, plain=False)
        stack.callback(lambda: warehouse.process.poll() is None and warehouse.kill())
        register(shop.address, shop.token(), warehouse, [shop.url])
        warehouse.kill()
        orders = {complete(shop.address, begin(shop.address, {"bouquet_roses": 1}))
                  for _ in range(5)}
        waits = wait_until(lambda: lane(shop)["rows"] == 5 and lane(shop)["error"] and lane(shop),
                           30, "five orders that wait")
        assert waits["failed"] > 0
        said = subprocess.run([STOA, "status", "--dir", shop.dir], capture_output=True, text=True,
                              check=True).stdout
        assert "warehouse/main" in said, said
        shop.kill()  # whoever sends next knows nothing of what this one tried
        shop.start()
        warehouse.start()
        tell_place(shop.address, shop.token(), warehouse)
        wait_until(lambda: set(warehouse.ledger()) == orders, 30, "all orders")
        wait_until(lambda: lane(shop)["rows"] == 0, 30, "its lane's end")
        warehouse.check()
    assert shop.audit()[0] == 0


@pytest.mark.parametrize("point", ["outbox_sending", "outbox_shipping", "outbox_answered",
                                   "outbox_done"])
def test_the_primary_dies_and_each_order_comes_once(tmp_path, point):
    """Alone: whoever leads next is the same server, after its next start."""
    with contextlib.ExitStack() as stack:
        warehouse = Warehouse(tmp_path, plain=False)
        stack.callback(lambda: warehouse.process.poll() is None and warehouse.kill())
        shop = Shop(tmp_path, "--listen", f"127.0.0.1:{free_port()}", catalogue=FLOWERS)
        with shop:
            register(shop.address, shop.token(), warehouse, [shop.url])
            assert shop.stop() == 0
        usual, shop.options = shop.options, [*shop.options, "--crash-at", point]
        with shop:
            checkout = begin(shop.address, {"bouquet_roses": 1})
            with contextlib.suppress(OSError, http.client.HTTPException):
                client = Client(shop.address)
                client.call("POST", f"/checkout-sessions/{checkout}/complete", payment_body(),
                            Idempotency_Key=checkout)
            assert shop.process.wait(60) == -signal.SIGKILL
            shop.process.stdout.close()
        shop.options = usual
        with shop:
            wait_until(lambda: len(warehouse.ledger()) == 1, 30, "the order")
            wait_until(lambda: lane(shop)["rows"] == 0, 30, "its lane's end")
            warehouse.check()


def is_stopped(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def primary_with(three, *options):
    """Makes a server with OPTIONS besides the usual ones the primary; which."""
    chosen = (three.wait_primary() + 1) % 3
    three.stop(chosen)
    usual, three.options = three.options, three.options + list(options)
    three.start(chosen)
    three.options = usual
    three.wait_healthy()
    subprocess.run([STOA, "handover", "--dir", three.dirs[chosen], "--to", str(three.ids[chosen])],
                   check=True, capture_output=True, timeout=30)
    wait_until(lambda: three.primary() == chosen, 30, "the handover")
    return chosen


def stops_before(three, point):
    """Somebody buys, and the primary is stopped at POINT; another is primary, and the order is
    there. (the one that is stopped, the order)"""
    old = primary_with(three, "--crash-at", f"{point}:stop")
    home = three.addresses[(old + 1) % 3]
    checkout, bought = begin(home, {"bouquet_roses": 1}), []
    buyer = threading.Thread(target=lambda: bought.append(complete(home, checkout)))
    buyer.start()
    wait_until(lambda: is_stopped(three.processes[old]), 40, "the stop before the sending")
    wait_until(lambda: three.primary() not in (None, old), 40, "another primary")
    buyer.join(90)
    assert bought, "it was not sold"
    return old, bought[0]


def goes_on(three, old, refused):
    """The one that was stopped goes on; REFUSED() is what was refused so far. The first that is of
    it, and it hears of that."""
    before = len(refused())
    three.go_on(old)
    late = wait_until(lambda: refused()[before:], 30, "the late one")
    wait_until(lambda: "it has seen a newer primary" in three.said(old), 30, "its own word")
    three.wait_healthy()
    return late[0]


def test_a_deposed_primary_can_neither_ship_nor_charge(tmp_path):
    """It is stopped after it has read a row and before it has sent it. Who is primary then does
    it; what comes late is refused, as the warehouse's and the bank's own books say."""
    with contextlib.ExitStack() as stack:
        bank = stack.enter_context(Bank(tmp_path))
        three = stack.enter_context(Three(tmp_path, FLOWERS, options=[
            "--bank", bank.url, "--bank-key-file", str(bank.dir / "key"), "--bank-pin", bank.pin]))
        warehouse = Warehouse(tmp_path, plain=False)
        stack.callback(lambda: warehouse.process.poll() is None and warehouse.kill())
        three.wait_healthy()
        address = three.addresses[0]
        register(address, three.token, warehouse, [f"http://{one}" for one in three.addresses])
        status, answer = operate(address, three.token, "PUT", "/admin/api/settings",
                                 {"capture_at_once": True})
        assert status == 200, answer

        old, first = stops_before(three, "outbox_shipping")
        wait_until(lambda: list(warehouse.ledger()) == [first], 40, "the order, from the next")
        late = goes_on(three, old, lambda: warehouse.sees("/v1/refused")["refused"][::-1])
        assert late["what"] == "orders"
        assert list(warehouse.ledger()) == [first]
        assert int(late["theirs"].rpartition(".")[2]) < int(late["ours"].rpartition(".")[2])

        def captured():
            return [one["metadata"]["checkout"] for one in bank.ledger()
                    if one["status"] == "succeeded"]
        old, second = stops_before(three, "outbox_paying")
        wait_until(lambda: sorted(captured()) == sorted([first, second]), 40, "both captures")
        late = goes_on(three, old, lambda: refused_at(bank))
        assert late["what"].endswith("/capture")
        assert sorted(captured()) == sorted([first, second])
        wait_until(lambda: sorted(warehouse.ledger()) == sorted([first, second]), 40, "both orders")
        warehouse.check()
        for said, of_whom in ((warehouse.log, r"orders of \S+ refused: its fence"),
                              (bank.log, r"refused POST \S+/capture from \S+: its fence")):
            lines = wait_until(lambda said=said, of_whom=of_whom: [
                line for line in said.read_text().splitlines() if re.search(of_whom, line)],
                20, f"{of_whom} in {said}")
            print(lines[0])


def test_a_restored_shop_outranks_the_one_that_it_was_made_of(tmp_path):
    """Its log begins anew, with term 1; its epoch says that it is the later one."""
    (tmp_path / "restored").mkdir()
    with contextlib.ExitStack() as stack:
        shop = stack.enter_context(Shop(tmp_path, catalogue=FLOWERS))
        warehouse = Warehouse(tmp_path, plain=False)
        stack.callback(lambda: warehouse.process.poll() is None and warehouse.kill())
        register(shop.address, shop.token(), warehouse, [shop.url])
        first = complete(shop.address, begin(shop.address, {"bouquet_roses": 1}))
        wait_until(lambda: list(warehouse.ledger()) == [first], 30, "the first order")
        restored = Shop(tmp_path / "restored", catalogue=None)
        for words in (["backup", "--dir", shop.dir, tmp_path / "backup.db"],
                      ["restore", "--dir", restored.dir, tmp_path / "backup.db"]):
            subprocess.run([STOA, *words], check=True, capture_output=True, timeout=60)
        (restored.dir / "secret").write_bytes((shop.dir / "secret").read_bytes())
        stack.enter_context(restored)
        second = complete(restored.address, begin(restored.address, {"bouquet_roses": 1}))
        wait_until(lambda: set(warehouse.ledger()) == {first, second}, 30, "the second order")
        complete(shop.address, begin(shop.address, {"bouquet_roses": 1}))
        wait_until(lambda: "fence is" in lane(shop)["error"], 30, "the old shop's refusal")
        assert set(warehouse.ledger()) == {first, second}
        old, new = [warehouse.sees("/v1/refused")["refused"][0][whose].split()
                    for whose in ("theirs", "ours")]
        assert old[0] == new[0], "the shop is the same"
        assert old[1].startswith("0.") and int(new[1].partition(".")[0]) > 10**9


def test_a_recovered_shop_outranks_what_its_cluster_was(tmp_path):
    shop = Shop(tmp_path, catalogue=FLOWERS)
    subprocess.run([STOA, "init", "--dir", shop.dir, "--peer-listen",
                    f"127.0.0.1:{free_port()}"], check=True, capture_output=True, timeout=30)

    def fence():
        return re.findall(r"this server sends, with fence (\w+) (\d+)\.(\d+)",
                          shop.log.read_text())[-1]
    with shop:
        before = wait_until(lambda: "with fence" in shop.log.read_text() and fence(), 30)
        assert shop.stop() == 0
    subprocess.run([STOA, "recover", "--dir", shop.dir, "--yes"], check=True, capture_output=True,
                   timeout=30)
    with shop:
        after = wait_until(lambda: fence() != before and fence(), 30, "its fence")
    assert after[0] == before[0]
    assert int(before[1]) == 0 and int(after[1]) > 10**9
