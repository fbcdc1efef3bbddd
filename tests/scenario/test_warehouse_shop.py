"""A shop and a warehouse: an order goes there, leaves in parcels, and the shopper sees it; what
happens in the building reaches the shop, whichever of the two was away meanwhile."""

import http.client
import json
import re
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
    wait_until(lambda: len(house.sees("/v1/orders?state=open")["orders"]) == 5, 60, "all orders")
    at = fixed_address(shop)
    shop.kill()
    for order in orders:
        house.does(f"/v1/orders/{order}/parcels", {"ship": True})
    shop.options = at
    shop.start()
    wait_until(lambda: all(fulfilled(shop, order) == 1 for order in orders), 60, "all parcels")
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
    wait_until(lambda: order.replace("-", "") in house.ledger(), 60, "the order")


@pytest.fixture
def houses(both, tmp_path):
    """The shop, its main warehouse, and another one, which has 30 of the tulips."""
    shop, house = both
    (tmp_path / "south").mkdir()
    other = Warehouse(tmp_path / "south", "--id", "south", shop=shop)
    operator(shop, "PUT", "/warehouses/south", {"name": "South", "url": "http://127.0.0.1:9"})
    other.token_file.write_text(operator(shop, "GET", "/warehouses")["warehouses"][1]["token"])
    other.start()
    operator(shop, "PUT", "/warehouses/south", {"url": other.url})
    house.does("/v1/counts", {"item": "bouquet_tulips", "on_hand": 0})
    other.does("/v1/arrivals", {"item": "bouquet_tulips", "quantity": 30})
    wait_until(lambda: operator(shop, "GET", "/variants/bouquet_tulips")["available"] == 30,
               what="the counts")
    yield shop, house, other
    if other.process.poll() is None:
        other.kill()


def ships(shop, order):
    """What each warehouse has still to ship of it."""
    return {one["warehouse"]: one["quantity"] - one["shipped"] - one["canceled"]
            for one in operator(shop, "GET", f"/orders/{order}")["allotments"]}


def test_what_a_closed_warehouse_has_not_packed_is_shipped_by_another(houses):
    shop, house, other = houses
    packed, picked = buy(shop, bouquet_tulips=2), buy(shop, bouquet_tulips=3)
    wait_until(lambda: len(other.ledger()) == 2, what="both orders")
    other.does(f"/v1/orders/{packed}/parcels", {"ship": False})
    house.does("/v1/arrivals", {"item": "bouquet_tulips", "quantity": 9})
    wait_until(lambda: operator(shop, "GET", "/variants/bouquet_tulips")["available"] == 34,
               what="the arrival")
    stoa("warehouses", "put", "south", "--close", "--dir", shop.dir)
    wait_until(lambda: ships(shop, picked) == {"main": 3, "south": 0}, what="the move")
    wait_until(lambda: picked.replace("-", "") in house.ledger(), what="it at the other")
    assert ships(shop, packed) == {"south": 2}
    house.does(f"/v1/orders/{picked}/parcels", {"ship": True})
    parcel = other.ledger()[packed.replace("-", "")]["parcels"][0]["parcel"]
    other.does(f"/v1/parcels/{parcel}/ship")
    wait_until(lambda: fulfilled(shop, packed) == 2 and fulfilled(shop, picked) == 3,
               what="both parcels")
    # There and back: it has now been given 3 + 3 units in all, and ships 3.
    again = buy(shop, bouquet_tulips=3)
    wait_until(lambda: ships(shop, again) == {"main": 3}, what="the order at main")
    stoa("warehouses", "put", "south", "--open", "--dir", shop.dir)
    stoa("warehouses", "put", "main", "--close", "--dir", shop.dir)
    wait_until(lambda: ships(shop, again) == {"main": 0, "south": 3}, what="the way back")
    wait_until(lambda: again.replace("-", "") in other.ledger(), what="it there")
    other.does(f"/v1/orders/{again}/parcels", {"ship": True})
    wait_until(lambda: fulfilled(shop, again) == 3, what="its parcel")
    for one in (house, other):
        one.check()
    shop.stop()
    status, report = shop.audit()
    assert status == 0, report


def test_what_a_warehouse_that_is_gone_had_to_ship_is_shipped_by_another(houses):
    shop, house, other = houses
    at = fixed_address(other)
    order = buy(shop, bouquet_tulips=3)
    wait_until(lambda: len(other.ledger()) == 1, what="the order")
    other.kill()
    never_came = buy(shop, bouquet_tulips=1)
    house.does("/v1/arrivals", {"item": "bouquet_tulips", "quantity": 9})
    unsure = subprocess.run([STOA, "warehouses", "gone", "south", "--dir", str(shop.dir)],
                            capture_output=True, text=True, timeout=60, check=False)
    assert unsure.returncode != 0 and "--sure" in unsure.stderr
    stoa("warehouses", "gone", "south", "--sure", "--dir", shop.dir)
    wait_until(lambda: re.search("south .* gone ", stoa("warehouses", "--dir", shop.dir)),
               what="its being cleared")
    wait_until(lambda: len(house.ledger()) == 2, what="both orders at the other")
    for one in (order, never_came):
        house.does(f"/v1/orders/{one}/parcels", {"ship": True})
    wait_until(lambda: fulfilled(shop, order) == 3 and fulfilled(shop, never_came) == 1,
               what="both parcels")
    # It was there after all, and did not know.
    other.start(*at)
    other.does(f"/v1/orders/{order}/parcels", {"ship": True})
    wait_until(lambda: "Ship nothing more" in other.sees("/v1/status")["trouble"],
               what="its people being told")
    assert fulfilled(shop, order) == 3
    shop.stop()
    status, report = shop.audit()
    assert status == 0, report
