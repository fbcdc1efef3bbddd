"""Money after the sale, each row of the table in docs/buying.md that a bank is needed for: what the
bank refuses or takes back is known, tried again when the operator says so, and both books agree."""

import contextlib
import hashlib
import hmac
import http.client
import json
import signal
import subprocess
import time

import pytest

from bank_server import Bank
from cluster_server import free_port
from shop_server import STOA, Client, Shop, wait_until
from test_audit_outside import audit
from test_saga import bank_for, paying_at, side_by_side
from test_warehouse_reports import operate, sell, warehouses
from ucp import FLOWERS
from warehouse_server import Warehouse

pytestmark = pytest.mark.outside

ROSES = "bouquet_roses"


@pytest.fixture
def bank(tmp_path):
    """It tells whoever listens at bank.shop_at."""
    address = f"127.0.0.1:{free_port()}"
    with Bank(tmp_path, "--webhook", f"http://{address}/api/bank/events") as bank:
        bank.shop_at = address
        yield bank


def shop_of(folder, bank, catalogue=FLOWERS):
    return Shop(folder, "--listen", bank.shop_at, "--bank", bank.url, "--bank-key-file",
                str(bank.dir / "key"), "--bank-pin", bank.pin, "--bank-webhook-secret-file",
                str(bank.dir / "webhook.secret"), catalogue=catalogue)


def order_of(shop, order):
    status, seen = operate(shop, "GET", f"/orders/{order}")
    assert status == 200, seen
    return seen


def does(shop, order, what, **body):
    status, answer = operate(shop, "POST", f"/orders/{order}/{what}", body)
    assert status == 200, answer
    return answer


def money(shop, order):
    seen = order_of(shop, order)["payment"]
    return {name: seen[name] for name in ("state", "captured", "refunding", "refunded",
                                          "unrefunded")}


def wait_money(shop, order, **expected):
    wait_until(lambda: expected.items() <= money(shop, order).items(), 60,
               f"{expected}, in place of {money(shop, order)}")


def types(shop, order):
    return [event["type"] for event in order_of(shop, order)["events"]]


def sent_and_paid(shop):
    """An order whose money was taken, and how much."""
    order = sell(shop, {ROSES: 1})
    does(shop, order, "ship")
    wait_money(shop, order, state="captured")
    return order, money(shop, order)["captured"]


def page_of(shop, order, headers=None):
    """Its text; HEADERS gets those of the answer."""
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", f"/order/{order}")
        answer = connection.getresponse()
        if headers is not None:
            headers.update(answer.headers)
        return answer.read().decode()


def refunds(bank, order):
    mine, = [payment for payment in bank.ledger()
             if payment["metadata"].get("checkout") == order.replace("-", "")]
    return sorted((one["amount"], one["status"]) for one in mine["refunds"])


def stuck(shop):
    status, seen = operate(shop, "GET", "/orders?stuck=1")
    assert status == 200, seen
    return [order["id"] for order in seen["orders"]]


def agree(shop, bank):
    """Each book, and both together."""
    status, report = shop.audit()
    assert status == 0, report
    status, said, _ = audit(shop.dir, bank.dir)
    assert status == 0, said


def test_a_refund_that_fails_later_is_known_and_given_again(tmp_path, bank):
    with shop_of(tmp_path, bank) as shop:
        order, _ = sent_and_paid(shop)
        bank.faults(fail_refunds="100%")
        does(shop, order, "refund", amount=500)
        wait_money(shop, order, refunded=0, refunding=0, unrefunded=500)
        happened = types(shop, order)
        assert happened[-3:] == ["refund_begun", "refunded", "refund_failed"], happened
        assert refunds(bank, order) == [(500, "failed")]
        agree(shop, bank)
        assert "Your bank did not take the money" in page_of(shop, order)
        assert stuck(shop) == [order.replace("-", "")]
        client = Client(shop.address)
        with contextlib.closing(client):
            _, seen = client.call("GET", f"/orders/{order}")
        assert [one["status"] for one in seen["adjustments"] if one["type"] == "refund"] == [
            "failed"], seen["adjustments"]
        bank.faults(fail_refunds="0")
        does(shop, order, "retry-payment", reason="the card was renewed")
        wait_money(shop, order, refunded=500, unrefunded=0)
        assert types(shop, order)[-3:] == ["retried", "refund_begun", "refunded"]
        assert refunds(bank, order) == [(500, "failed"), (500, "succeeded")]
        assert stuck(shop) == []
        status, said = operate(shop, "POST", f"/orders/{order}/retry-payment", {})
        assert status == 409 and "refused nothing" in str(said), said
        agree(shop, bank)


def tell(shop, bank, age_s, refund):
    """What the shop answers to an event of the bank's, of AGE_S seconds ago."""
    now = int(time.time())
    body = json.dumps({"id": "evt_1", "object": "event", "type": "refund.failed",
                       "created": now - age_s, "data": {"object": refund}})
    mac = hmac.new(bank.hook_secret.encode(), f"{now}.{body}".encode(), hashlib.sha256)
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", "/api/bank/events", body,
                           {"Stripe-Signature": f"t={now},v1={mac.hexdigest()}"})
        return connection.getresponse().status


def test_a_refund_that_nobody_knows_changes_nothing(tmp_path, bank):
    with shop_of(tmp_path, bank) as shop:
        order, _ = sent_and_paid(shop)
        before = types(shop, order)
        refund = {"object": "refund", "id": "re_1", "status": "failed",
                  "metadata": {"checkout": order.replace("-", ""), "effect": "1"}}
        assert tell(shop, bank, 0, refund) == 200  # and none is on its way
        assert tell(shop, bank, 0, {**refund, "status": "succeeded"}) == 200
        assert tell(shop, bank, 0, {**refund, "metadata": {}}) == 200  # made by hand
        strange = {"checkout": "00112233445566778899aabbccddeeff", "effect": "1"}
        assert tell(shop, bank, 0, {**refund, "metadata": strange}) == 200
        assert types(shop, order) == before


def test_a_refund_whose_answer_is_long_in_coming_is_waited_for(tmp_path, bank):
    with shop_of(tmp_path, bank) as shop:
        order, _ = sent_and_paid(shop)
        bank.faults(lost="100%")
        does(shop, order, "refund", amount=500)
        refund = {"object": "refund", "id": "re_1", "status": "failed",
                  "metadata": {"checkout": order.replace("-", ""), "effect": "1"}}
        assert tell(shop, bank, 7200, refund) == 503  # it was made two hours ago
        bank.faults(lost="0")
        wait_money(shop, order, refunding=0, refunded=500)
        assert tell(shop, bank, 7200, refund) == 200


def test_an_order_is_seen_by_its_platform_and_whoever_has_the_link(tmp_path, bank):
    with shop_of(tmp_path, bank) as shop:
        order = sell(shop, {ROSES: 1})
        other = {"UCP_Agent": 'profile="https://other.example/profile.json"'}
        client = Client(shop.address)
        with contextlib.closing(client):
            status, seen = client.call("GET", f"/orders/{order}")
            assert status == 200 and seen["id"].replace("-", "") == order.replace("-", "")
            status, seen = client.call("GET", f"/orders/{order}", **other)
            assert status == 404 and "li_1" not in str(seen), seen
            assert client.call("GET", "/orders")[0] == 404
            assert client.call("GET", "/admin/api/orders")[0] == 401
        headers = {}
        assert "1 Main St" in page_of(shop, order, headers)
        assert "no-store" in headers["Cache-Control"], headers
        assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), headers


def test_a_capture_that_the_bank_refuses_is_asked_for_again(tmp_path, bank):
    """What it reserved has lapsed before it was taken: no retry can bring that back, and each says
    so; the books agree that nothing was taken."""
    bank.faults(lapse_ms=1)
    with shop_of(tmp_path, bank) as shop:
        order = sell(shop, {ROSES: 1})
        wait_until(lambda: bank.ledger()[0]["status"] == "canceled", what="the lapse")
        does(shop, order, "ship")
        wait_money(shop, order, state="failed")
        does(shop, order, "retry-payment")
        wait_until(lambda: types(shop, order).count("payment_failed") == 2, what="the bank's answer")
        assert types(shop, order)[-3:] == ["retried", "capture_begun", "payment_failed"]
        assert money(shop, order)["state"] == "failed"
        agree(shop, bank)


def warehouse_of(folder, shop):
    status, said = operate(shop, "PUT", "/warehouses/main", {"url": "http://127.0.0.1:1"})
    assert status == 200, said
    house = Warehouse(folder, "--id", "main", shop=shop)
    house.token_file.write_text(warehouses(shop)[0]["token"] + "\n")
    house.start()
    status, said = operate(shop, "PUT", "/warehouses/main", {"url": house.url})
    assert status == 200, said
    return house


def ship_from(house, shop, order):
    number = order_of(shop, order)["number"]
    wait_until(lambda: house.people("GET", f"/v1/orders/{number}")[0] == 200,
               what="the order at its warehouse")
    house.does(f"/v1/orders/{number}/parcels", {"ship": True})


def test_a_restored_shop_gives_back_under_keys_of_its_own(tmp_path, bank):
    """And what the bank and the warehouse know of the time between is named by the audit."""
    (tmp_path / "again").mkdir()
    with shop_of(tmp_path, bank) as shop:
        house = warehouse_of(tmp_path, shop)
        order = sell(shop, {ROSES: 1})
        ship_from(house, shop, order)
        wait_money(shop, order, state="captured")
        backup = tmp_path / "backup.db"
        subprocess.run([STOA, "backup", "--dir", shop.dir, backup], check=True, timeout=60,
                       capture_output=True)
        does(shop, order, "refund", amount=300)
        wait_money(shop, order, refunded=300)
        lost = sell(shop, {ROSES: 1})
        ship_from(house, shop, lost)
        wait_money(shop, lost, state="captured")
        assert shop.stop() == 0
        again = shop_of(tmp_path / "again", bank, catalogue=None)
        subprocess.run([STOA, "restore", "--dir", again.dir, backup], check=True, timeout=60,
                       capture_output=True)
        with again:
            # The second event after the copy, as the refund before was: another one nevertheless.
            does(again, order, "refund", amount=300)
            wait_money(again, order, refunded=300)
            assert refunds(bank, order) == [(300, "succeeded"), (300, "succeeded")]
            status, said, _ = audit(again.dir, bank.dir, [house.dir])
        house.stop()
        bare = lost.replace("-", "")
        assert status == 1
        assert any("300 were given back" in one and "by the bank 600" in one for one in said), said
        assert any(f"taken for checkout {bare}, which is no order" in one for one in said), said
        assert any(bare in one and "which the shop has not" in one for one in said), said


# ---- Somebody dies between two steps

# What is begun, after which state of the money, and what the bank has of it in the end.
STEPS = {
    "capture": ("ship", {}, "captured", ("succeeded", [])),
    "let go": ("cancel", {}, "canceled", ("canceled", [])),
    "refund": ("refund", {"amount": 500}, "captured", ("succeeded", [(500, "succeeded")])),
}
POINTS = ("outbox_paying", "outbox_answered", "outbox_done", "bank_before", "bank_after")


def asked_of(shop, order, what, body):
    """Maybe the server dies of it."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        operate(shop, "POST", f"/orders/{order}/{what}", body)


def one_dies(folder, step, point):
    what, body, state, there = STEPS[step]
    bank = bank_for(folder)
    with bank.start():
        shop = Shop(folder, *paying_at(bank), catalogue=FLOWERS)
        usual, crash = shop.options, ["--crash-at", point]
        with shop:
            order = sent_and_paid(shop)[0] if step == "refund" else sell(shop, {ROSES: 1})
            if point.startswith("bank"):
                assert bank.stop() == 0
                bank.start(*crash)
                asked_of(shop, order, what, body)
                assert bank.process.wait(60) == -signal.SIGKILL
                bank.start()
            else:
                assert shop.stop() == 0
                shop.options = [*usual, *crash]
                shop.start()
                asked_of(shop, order, what, body)
                assert shop.process.wait(60) == -signal.SIGKILL
                shop.options = usual
                shop.start()
            wait_money(shop, order, state=state, refunding=0,
                       refunded=500 if step == "refund" else 0)
            mine, = bank.ledger()
            assert mine["status"] == there[0] and refunds(bank, order) == there[1], mine
            agree(shop, bank)


@pytest.mark.parametrize("step", STEPS)
def test_money_moves_once_whoever_dies(tmp_path, step):
    side_by_side(tmp_path, [(step, point) for point in POINTS], one_dies)


def test_a_bank_that_loses_answers_gives_back_once(tmp_path, bank):
    """Or answers 500 for good under a key, having done what was asked."""
    with shop_of(tmp_path, bank) as shop:
        orders = [sell(shop, {ROSES: 1}) for _ in range(5)]
        bank.faults(lost="30%", error_after="20%")
        for order in orders:
            does(shop, order, "ship")
        for order in orders:
            wait_money(shop, order, state="captured")
            does(shop, order, "refund", amount=500)
        for order in orders:
            wait_money(shop, order, refunded=500, refunding=0)
            assert refunds(bank, order) == [(500, "succeeded")]
        bank.faults(lost="0", error_after="0")
        agree(shop, bank)
