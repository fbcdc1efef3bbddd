"""A shop and a warehouse: an order goes there, leaves in parcels, and the shopper sees it; what
happens in the building reaches the shop, whichever of the two was away meanwhile."""

import http.client
import json
import subprocess

import pytest

from shop_server import STOA, Shop, wait_until
from ucp import FLOWERS, Platform, shipping
from warehouse_server import Warehouse

pytestmark = pytest.mark.outside


def operator(shop, method, path, body=None):
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    try:
        connection.request(method, "/admin/api" + path,
                           json.dumps(body) if body is not None else None,
                           {"Authorization": f"Bearer {shop.token()}",
                            "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (answer.status, text)
        return json.loads(text) if text else None
    finally:
        connection.close()


def stoa(*words):
    """What the command prints."""
    done = subprocess.run([STOA, *map(str, words)], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fixed_address(server):
    """SERVER comes back at the address that it had first."""
    return ["--listen", server.url.split("//")[1]]


@pytest.fixture
def both(tmp_path):
    """A shop with a warehouse that knows it, both running."""
    shop = Shop(tmp_path, catalogue=FLOWERS)
    shop.start()
    house = Warehouse(tmp_path)
    house.options = ["--shop", shop.url]
    operator(shop, "PUT", "/warehouses/main", {"name": "Main", "url": "http://127.0.0.1:9"})
    house.token_file.write_text(operator(shop, "GET", "/warehouses")["warehouses"][0]["token"])
    house.start()
    operator(shop, "PUT", "/warehouses/main", {"url": house.url})
    yield shop, house
    for server in (house, shop):
        if server.process.poll() is None:
            server.kill()


def buy(shop, **items):
    platform = Platform(shop)
    checkout = platform.create(items, fulfillment=shipping("US", "exp-ship-us"),
                               buyer={"email": "jane@example.com", "first_name": "Jane"})
    done = platform.complete(checkout["id"])
    assert done["status"] == "completed", done.json
    return done["order"]["id"]


def fulfilled(shop, order):
    return sum(line["quantity"]["fulfilled"]
               for line in Platform(shop).order(order)["line_items"])


def test_order_is_shipped_in_two_parcels_and_the_shopper_sees_it(both):
    shop, house = both
    order = buy(shop, bouquet_tulips=2, bouquet_roses=1)
    came = wait_until(lambda: house.sees("/v1/orders?state=open")["orders"], what="the order")[0]
    assert came["order"] == order.replace("-", "")
    assert came["destination"]["country"] == "US" and came["email"] == "jane@example.com"
    assert sorted(line["quantity"] for line in came["lines"]) == [1, 2]
    first = came["lines"][0]
    house.does(f"/v1/orders/{order}/parcels", {
        "lines": [{"line": first["line"], "quantity": 1}], "ship": True, "carrier": "Post",
        "tracking": "T1", "tracking_url": "https://post.example/T1"})
    wait_until(lambda: fulfilled(shop, order) == 1, what="the first parcel")
    house.does(f"/v1/orders/{order}/parcels", {"ship": True})
    wait_until(lambda: fulfilled(shop, order) == 3, what="the second parcel")
    parcel = house.ledger()[came["order"]]["parcels"][0]["parcel"]
    house.does(f"/v1/parcels/{parcel}/deliver")
    wait_until(lambda: house.sees("/v1/status")["waiting"] == 0, what="all being told")
    events = [event["type"] for event in Platform(shop).order(order)["fulfillment"]["events"]]
    assert events.count("shipped") == 2 and "delivered" in events
    house.check()
    shop.stop()
    status, report = shop.audit()
    assert status == 0, report


def test_goods_that_arrive_can_be_sold(both):
    shop, house = both
    key = "bouquet_tulips"
    before = operator(shop, "GET", f"/variants/{key}")["available"]
    house.does("/v1/arrivals", {"item": key, "quantity": 7, "note": "delivery note 4711"})
    wait_until(lambda: operator(shop, "GET", f"/variants/{key}")["available"] == before + 7,
               what="the arrival")
    house.does("/v1/arrivals", {"item": "no-such-thing", "quantity": 1})
    refused = wait_until(lambda: [report for report in house.sees("/v1/reports")["reports"]
                                  if report["problem"]], what="the refusal")[0]
    house.does("/v1/arrivals", {"item": key, "quantity": 1})
    house.does(f"/v1/reports/{refused['id']}/drop")
    wait_until(lambda: operator(shop, "GET", f"/variants/{key}")["available"] == before + 8,
               what="the arrival behind it")


def test_orders_wait_for_a_warehouse_that_is_away_and_reports_for_a_shop(both):
    shop, house = both
    at = fixed_address(house)
    house.kill()
    orders = [buy(shop, bouquet_tulips=1) for _ in range(5)]
    house.start(*at)
    wait_until(lambda: len(house.sees("/v1/orders?state=open")["orders"]) == 5, 20, "all orders")
    at = fixed_address(shop)
    shop.kill()
    for order in orders:
        house.does(f"/v1/orders/{order}/parcels", {"ship": True})
    shop.options = at
    shop.start()
    wait_until(lambda: all(fulfilled(shop, order) == 1 for order in orders), 20, "all parcels")
    assert len(house.ledger()) == 5
    house.check()
    shop.stop()
    status, report = shop.audit()
    assert status == 0, report


def test_token_that_was_renewed_is_the_only_one(both):
    shop, house = both
    key, at = "bouquet_tulips", fixed_address(house)
    before = operator(shop, "GET", f"/variants/{key}")["available"]
    old = house.token_file.read_text()
    new = stoa("warehouses", "token", "main", "--renew", "--dir", shop.dir)
    assert new.strip() != old.strip() and len(new.strip()) == 64
    house.does("/v1/arrivals", {"item": key, "quantity": 3})
    wait_until(lambda: "401" in house.sees("/v1/status")["trouble"], what="the refusal")
    order = buy(shop, bouquet_tulips=1)
    assert not house.sees("/v1/orders")["orders"]
    house.token_file.write_text(new)
    house.stop()
    house.start(*at)
    wait_until(lambda: operator(shop, "GET", f"/variants/{key}")["available"] == before + 2,
               what="what arrived, less what was bought")
    wait_until(lambda: order.replace("-", "") in house.ledger(), 20, "the order")
