"""What a warehouse reports to the shop, and what the operator sees of warehouses. The warehouse
here is this test itself, so that it can say what none would."""

import http.client
import json
import subprocess
import uuid

import pytest

from shop_server import STOA, Client, Shop, buy, checkout_body
from ucp import FLOWERS

pytestmark = pytest.mark.outside

EPOCH = "e1" * 16


class House:
    """A warehouse that knows its token and counts its reports."""

    def __init__(self, shop, name, epoch=EPOCH):
        self.shop, self.name, self.epoch, self.sequence = shop, name, epoch, 0
        self.token = next(one["token"] for one in warehouses(shop) if one["id"] == name)

    def send(self, body, token=None):
        connection = http.client.HTTPConnection(self.shop.address, timeout=20)
        connection.request("POST", f"/api/warehouse/{self.name}/reports", json.dumps(body),
                           {"Authorization": "Bearer " + (token or self.token)})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        return answer.status, body

    def report(self, *reports):
        """Sends them with the numbers that come next; counts those that were taken."""
        numbered = [{"sequence": self.sequence + 1 + i, **one} for i, one in enumerate(reports)]
        status, answer = self.send({"epoch": self.epoch, "reports": numbered})
        if status == 200:
            self.sequence = answer["sequence"]
        elif answer.get("error") == "refused":
            self.sequence = answer["sequence"] - 1
        return status, answer


def operate(shop, method, path, body=None):
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    connection.request(method, "/admin/api" + path, json.dumps(body) if body is not None else None,
                       {"Authorization": "Bearer " + shop.token()})
    answer = connection.getresponse()
    status, body = answer.status, json.loads(answer.read())
    connection.close()
    return status, body


def warehouses(shop):
    return operate(shop, "GET", "/warehouses")[1]["warehouses"]


def lies(shop, item):
    """{warehouse: (free, allotted)}"""
    listed = operate(shop, "GET", f"/variants/{item}/warehouses")[1]["warehouses"]
    return {one["warehouse"]: (one["free"], one["allotted"]) for one in listed}


def sell(shop, items):
    client = Client(shop.address)
    order = buy(client, checkout_body(items))
    client.close()
    return order


@pytest.fixture
def shop(tmp_path):
    with Shop(tmp_path, catalogue=FLOWERS) as shop:
        for name in ("main", "south"):
            status, answer = operate(shop, "PUT", f"/warehouses/{name}",
                                     {"url": "https://127.0.0.1:1/", "name": name.title()})
            assert status == 200, answer
        yield shop
        status, report = shop.audit()
        assert status == 0, report


def shipped(order, quantity, parcel=None, line=1):
    return {"kind": "shipped", "order": order, "parcel": parcel or str(uuid.uuid4()),
            "lines": [{"line": line, "quantity": quantity}], "carrier": "DHL", "tracking": "T1",
            "tracking_url": "https://carrier.example/T1"}


@pytest.mark.quick
def test_a_warehouse_tells_what_it_ships(shop):
    main = House(shop, "main")
    before = lies(shop, "bouquet_roses")["main"][0]
    order = sell(shop, {"bouquet_roses": 3})
    assert lies(shop, "bouquet_roses") == {"main": (before - 3, 3), "south": (0, 0)}
    parcel = str(uuid.uuid4())
    status, answer = main.report(shipped(order, 2, parcel), shipped(order, 1),
                                 {"kind": "delivered", "order": order, "parcel": parcel})
    assert (status, answer) == (200, {"sequence": 3})
    assert lies(shop, "bouquet_roses")["main"] == (before - 3, 0)
    seen = operate(shop, "GET", f"/orders/{order}")[1]
    assert seen["status"] == "shipped", seen
    status, answer = main.report({"kind": "returned", "order": order, "restock": True,
                                  "lines": [{"line": 1, "quantity": 1}], "note": "too red"})
    assert status == 200, answer
    assert lies(shop, "bouquet_roses")["main"] == (before - 2, 0)


@pytest.mark.quick
def test_numbers_count_once_and_a_refused_one_is_not_used_up(shop):
    main = House(shop, "main")
    ten = {"kind": "arrived", "item": "bouquet_tulips", "quantity": 10, "note": "truck,\nby night"}
    before = lies(shop, "bouquet_tulips")["main"][0]
    assert main.report(ten)[0] == 200
    again = {"epoch": EPOCH, "reports": [{"sequence": 1, **ten}]}
    assert main.send(again) == (200, {"sequence": 1})
    gap = {"epoch": EPOCH, "reports": [{"sequence": 5, **ten}]}
    assert main.send(gap) == (409, {"error": "gap", "expected": 2})
    status, answer = main.report(ten, {**ten, "item": "no such thing"}, ten)
    assert (status, answer["error"], answer["sequence"]) == (422, "refused", 3)
    assert "no such thing" in answer["text"]
    status, answer = main.report({"kind": "counted", "item": "bouquet_tulips"})
    assert (status, answer["error"], answer["sequence"]) == (422, "refused", 3)
    assert main.report({"kind": "counted", "item": "bouquet_tulips", "on_hand": before + 21,
                        "note": "all of it"}) == (200, {"sequence": 3})
    assert lies(shop, "bouquet_tulips")["main"] == (before + 21, 0)


def test_a_report_without_lines_is_told_what_it_lacks(shop):
    main = House(shop, "main")
    order = sell(shop, {"bouquet_roses": 3})
    for lacking, word in (({"lines": []}, "lines is empty"), ({"lines": None}, "lines is missing"),
                          ({"lines": [{"line": 1}]}, "quantity is missing"),
                          ({"lines": [{"quantity": 1}]}, "line is missing"),
                          ({"lines": [{"line": 1, "quantity": 0}]}, "quantity")):
        for kind in ("shipped", "returned", "short"):
            status, answer = main.report({**shipped(order, 3), "kind": kind, **lacking})
            assert (status, answer["error"], answer["sequence"]) == (422, "refused", 1), answer
            assert word in answer["text"], answer
    assert operate(shop, "GET", f"/orders/{order}")[1]["status"] == "placed"


def test_many_reports_are_taken_in_their_order_up_to_the_first_that_is_refused(shop):
    main = House(shop, "main")
    before = lies(shop, "bouquet_tulips")["main"][0]
    counts = [{"kind": "counted", "item": "bouquet_tulips", "on_hand": 100 + at}
              for at in range(99)]
    assert main.report(*counts) == (200, {"sequence": 99})
    assert lies(shop, "bouquet_tulips")["main"] == (198, 0), before
    unknown = {"kind": "counted", "item": "no such thing", "on_hand": 1}
    status, answer = main.report(*counts[:50], unknown, *counts[50:])
    assert (status, answer["error"], answer["sequence"]) == (422, "refused", 150), answer
    assert lies(shop, "bouquet_tulips")["main"] == (149, 0)


def test_an_order_is_split_and_what_is_short_is_canceled(shop):
    main, south = House(shop, "main"), House(shop, "south")
    assert main.report({"kind": "counted", "item": "orchid_white", "on_hand": 3})[0] == 200
    assert south.report({"kind": "arrived", "item": "orchid_white", "quantity": 4})[0] == 200
    order = sell(shop, {"orchid_white": 6})
    assert lies(shop, "orchid_white") == {"main": (1, 2), "south": (0, 4)}
    status, answer = main.report(shipped(order, 3))
    assert (status, answer["error"]) == (422, "refused"), "only 2 are to leave from there"
    assert main.report(shipped(order, 2))[0] == 200
    assert south.report({"kind": "short", "order": order, "note": "wilted",
                         "lines": [{"line": 1, "quantity": 1}]})[0] == 200
    assert south.report(shipped(order, 3))[0] == 200
    assert lies(shop, "orchid_white") == {"main": (1, 0), "south": (0, 0)}
    assert operate(shop, "GET", f"/orders/{order}")[1]["status"] == "shipped"


def test_a_new_product_is_for_sale_when_it_arrives(shop):
    main = House(shop, "main")
    assert main.report(
        {"kind": "product", "product": {
            "handle": "lilies", "title": "Lilies", "html": "<p>White.</p>", "vendor": "V",
            "category": "Flowers", "variants": [{"key": "lilies", "sku": "L-1", "price": 900}]}},
        {"kind": "arrived", "item": "L-1", "quantity": 2})[0] == 200
    order = sell(shop, {"lilies": 2})
    assert main.report(shipped(order, 2))[0] == 200


@pytest.mark.quick
def test_only_the_warehouse_itself_reports(shop):
    main, south = House(shop, "main"), House(shop, "south")
    body = {"epoch": EPOCH, "reports": [{"sequence": 1, "kind": "arrived",
                                         "item": "bouquet_roses", "quantity": 1}]}
    for token in (south.token, shop.token(), "0" * 64):
        assert main.send(body, token)[0] == 401
    for wrong in ({}, {"epoch": "x", "reports": []}, {"epoch": EPOCH, "reports": []},
                  {"epoch": EPOCH, "reports": [{"kind": "arrived"}]}, {**body, "reports": 7}):
        status, answer = main.send(wrong)
        assert (status, answer["error"]) == (400, "malformed"), wrong
    assert main.send(body)[0] == 200
    # Another database is believed only when the operator says so.
    other = House(shop, "main", epoch="e2" * 16)
    status, answer = other.report(body["reports"][0])
    assert (status, answer["error"]) == (409, "epoch") and other.epoch in answer["text"]
    assert operate(shop, "PUT", "/warehouses/main", {"epoch": other.epoch})[0] == 200
    assert other.report({"kind": "arrived", "item": "bouquet_roses", "quantity": 1})[0] == 200


@pytest.mark.quick
def test_the_operator_sees_and_closes_warehouses(shop):
    command = [STOA, "warehouses", "--dir", str(shop.dir)]
    done = subprocess.run(command + ["put", "north", "--url", "https://north.example",
                                     "--position", "0"],
                          capture_output=True, text=True, check=True, timeout=30)
    assert "north" in done.stdout
    done = subprocess.run(command + ["token", "north"], capture_output=True, text=True,
                          check=True, timeout=30)
    listed = warehouses(shop)
    assert [one["id"] for one in listed] == ["north", "main", "south"]
    assert listed[0]["main"] and listed[0]["token"] == done.stdout.strip()
    assert lies(shop, "bouquet_roses")["north"] == (0, 0), "its shelves are empty"
    assert operate(shop, "DELETE", "/warehouses/main")[0] == 200
    assert operate(shop, "DELETE", "/warehouses/nowhere")[0] == 404
    assert [one["closed"] for one in warehouses(shop)] == [False, True, False]
    status, answer = operate(shop, "PUT", "/warehouses/Not%20One", {"url": "https://a.example"})
    assert status == 422, answer
    status, answer = operate(shop, "PUT", "/warehouses/west", {"url": "http://west.example"})
    assert status == 422 and "https" in answer["error"]["message"], answer
