"""The operator's API: products, stock, terms, media, import and export."""

import csv
import http.client
import io
import json
import socket
import time

import pytest

from shop_server import ROOT, Shop, payment_body, wait_until
from ucp import FLOWERS, Answer, Platform, shipping


class Operator:
    def __init__(self, shop, token=None):
        self.connection = http.client.HTTPConnection(shop.address, timeout=30)
        self.token = shop.token() if token is None else token

    def send(self, method, path, body=None, headers=None):
        all_headers = {"Authorization": "Bearer " + self.token, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        self.connection.request(method, "/admin/api" + path, body, all_headers)
        return self.connection.getresponse()

    def call(self, method, path, body=None):
        return Answer(self.send(method, path, body))

    def import_lines(self, text, query="name=goods.csv"):
        answer = self.send("POST", "/import?" + query, text, {"Content-Type": "text/csv"})
        assert answer.status == 200, answer.read()
        return [json.loads(line) for line in answer.read().splitlines()]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("operator"), catalogue=FLOWERS) as shop:
        yield shop


@pytest.fixture
def operator(shop):
    return Operator(shop)


MUG = {"title": "Mug", "category": "Kitchen", "options": ["Colour"], "variants": [
    {"options": ["Blue"], "price": 1200, "available": 5},
    {"options": ["Red"], "price": 1300, "available": 0}]}


# ---- Who may ----


@pytest.mark.quick
@pytest.mark.parametrize("token", ["", "nonsense", "0" * 64])
def test_a_wrong_token_opens_nothing(shop, token):
    stranger = Operator(shop, token)
    for method, path in (("GET", "/products"), ("PUT", "/products/x"), ("GET", "/orders"),
                         ("PUT", "/media/x"), ("POST", "/import"), ("GET", "/export")):
        answer = stranger.call(method, path)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "token" in answer["error"]["message"]


# ---- Products and stock ----


@pytest.mark.quick
def test_a_product_is_put_sold_and_retired(shop, operator):
    made = operator.call("PUT", "/products/mug", MUG)
    assert made.status == 200, made.text
    seen = operator.call("GET", "/products/mug")
    blue, red = seen["variants"]
    assert (blue["key"], blue["available"], red["price"]) == ("mug~blue", 5, 1300)

    platform = Platform(shop)
    checkout = platform.create({"mug~blue": 2}, fulfillment=shipping())
    assert platform.complete(checkout["id"])["status"] == "completed"
    stock = operator.call("GET", "/variants/mug~blue")
    assert (stock["available"], stock["held"], stock["sold"]) == (3, 0, 2)

    assert operator.call("DELETE", "/products/mug").status == 200
    assert platform.product(id="mug")["ucp"]["status"] == "error"
    assert operator.call("GET", "/products/mug")["retired"] is True


def test_a_delivery_reported_twice_has_arrived_once(operator):
    def receive(key, quantity):
        answer = operator.send("POST", "/variants/pot_ceramic/receive", {"quantity": quantity},
                               {"Idempotency-Key": key})
        answer.read()
        return answer.status

    def available():
        return operator.call("GET", "/variants/pot_ceramic").json["available"]

    before = available()
    assert receive("delivery-7", 10) == receive("delivery-7", 10) == 200
    assert available() == before + 10
    assert receive("delivery-7", 11) == 409
    assert receive("x" * 256, 1) == 422
    assert available() == before + 10
    assert receive("delivery-8", 10) == 200
    assert available() == before + 20
    assert operator.call("POST", "/variants/pot_ceramic/adjust",
                         {"difference": -20}).status == 200


def test_stock_is_received_and_corrected(operator):
    before = operator.call("GET", "/variants/pot_ceramic")["available"]
    assert operator.call("POST", "/variants/pot_ceramic/receive",
                         {"quantity": 10, "note": "delivery 7"}).status == 200
    assert operator.call("POST", "/variants/pot_ceramic/adjust",
                         {"difference": -3, "note": "broken"}).status == 200
    assert operator.call("GET", "/variants/pot_ceramic")["available"] == before + 7
    too_many = operator.call("POST", "/variants/pot_ceramic/adjust", {"difference": -10**6})
    assert too_many.status == 409 and "available" in too_many["error"]["message"]


@pytest.mark.parametrize("method, path, body, status", [
    ("PUT", "/products/x", {"title": "X"}, 422), ("PUT", "/products/x", "{", 422),
    ("PUT", "/products/Not%20A%20Handle", MUG, 422),
    ("PUT", "/products/x", {**MUG, "handle": "y"}, 422),
    ("POST", "/variants/nonsense/receive", {"quantity": 1}, 404),
    ("POST", "/variants/pot_ceramic/receive", {"quantity": 0}, 422),
    ("POST", "/variants/pot_ceramic/receive", {}, 422),
    ("PUT", "/variants/pot_ceramic/price", {"price": "1.50"}, 422),
    ("GET", "/products/nonsense", None, 404), ("DELETE", "/products/nonsense", None, 404),
    ("GET", "/products?limit=0", None, 422), ("GET", "/orders/999999", None, 404),
    ("GET", "/nonsense", None, 404)])
def test_what_cannot_be_done_is_said(operator, method, path, body, status):
    answer = operator.call(method, path, body)
    assert answer.status == status
    assert answer["error"]["code"] and answer["error"]["message"]


def test_products_are_listed_in_pages(operator):
    seen, after = [], ""
    while True:
        page = operator.call("GET", f"/products?limit=2&after={after}")
        seen += [p["handle"] for p in page["products"]]
        if "next" not in page.json:
            break
        after = page["next"]
    assert seen == sorted(seen) and {"bouquet_roses", "gardenias"} <= set(seen)


# ---- Terms ----


def test_discounts_rates_and_taxes_count_at_once(shop, operator):
    platform = Platform(shop)
    assert operator.call("PUT", "/discounts/half", {
        "code": "half", "type": "percent", "value": 5000, "title": "Half price"}).status == 200
    assert operator.call("PUT", "/shipping-rates/drone", {
        "country": "FR", "level": "drone", "title": "By drone", "price": 990}).status == 200
    assert operator.call("PUT", "/tax-rates/FR", {
        "ppm": 200000, "title": "TVA", "included": False}).status == 200
    checkout = platform.create({"bouquet_tulips": 2}, fulfillment=shipping("FR", "drone"),
                               discounts={"codes": ["HALF"]})
    assert checkout.total("items_discount") == -3000
    assert checkout.total("fulfillment") == 990
    assert checkout.total("tax") in (600, 798)
    assert {"HALF"} <= {d["key"] for d in operator.call("GET", "/discounts")["discounts"]}
    assert {"drone"} <= {r["key"] for r in operator.call("GET", "/shipping-rates")["shipping_rates"]}
    assert {"FR"} <= {t["country"] for t in operator.call("GET", "/tax-rates")["tax_rates"]}


def test_settings_change_what_they_name(operator):
    before = operator.call("GET", "/settings").json
    assert operator.call("PUT", "/settings", {"name": "Flowers & More"}).status == 200
    assert operator.call("GET", "/settings").json == {**before, "name": "Flowers & More"}
    bad = operator.call("PUT", "/settings", {"currency": "dollars"})
    assert bad.status == 422


def test_orders_are_found_by_number_and_id(shop, operator):
    platform = Platform(shop)
    checkout = platform.create(fulfillment=shipping("US", street_address="1 Main St"),
                               buyer={"email": "o@example.com"})
    done = platform.send("POST", f"/checkout-sessions/{checkout['id']}/complete", payment_body())
    newest = operator.call("GET", "/orders?limit=1")["orders"][0]
    assert newest["id"] == done["order"]["id"]
    assert "#" + str(newest["number"]) == done["order"]["label"]
    for name in (newest["number"], newest["id"]):
        order = operator.call("GET", f"/orders/{name}")
        assert order["buyer"]["email"] == "o@example.com"
        assert order["destination"]["street"] == "1 Main St"
        assert "token" not in order.text.decode()


def test_an_empty_list_of_lines_does_not_mean_all(shop, operator):
    platform = Platform(shop)
    checkout = platform.create(fulfillment=shipping("US"), buyer={"email": "o@example.com"})
    order = platform.complete(checkout["id"])["order"]["id"]
    for what in ("cancel", "ship", "return"):
        answer = operator.call("POST", f"/orders/{order}/{what}", {"lines": []})
        assert answer.status == 422, (what, answer.text)
        assert "empty" in answer["error"]["message"]
    assert operator.call("GET", f"/orders/{order}")["status"] == "placed"
    assert operator.call("POST", f"/orders/{order}/cancel", {})["status"] == "canceled"


# ---- Media ----


def test_media_are_stored_served_and_deleted(shop, operator):
    content = bytes(range(256)) * 8000
    answer = operator.send("PUT", "/media/pattern.bin", content)
    assert answer.status == 200 and json.loads(answer.read())["bytes"] == len(content)
    connection = http.client.HTTPConnection(shop.address, timeout=30)
    connection.request("GET", "/media/pattern.bin")
    assert connection.getresponse().read() == content
    assert "pattern.bin" in {f["name"] for f in operator.call("GET", "/media")["files"]}
    assert operator.call("DELETE", "/media/pattern.bin").status == 200
    assert operator.call("DELETE", "/media/pattern.bin").status == 404
    assert operator.call("GET", "/media").json == {"files": []}, "nothing is left over"


@pytest.mark.parametrize("name", ["..%2Fsecret", ".hidden", "%2Fetc", "a%2Fb", "%00"])
def test_media_stay_in_their_folder(operator, name):
    assert operator.call("PUT", "/media/" + name, "x").status in (400, 422)


def test_a_large_upload_takes_no_memory(shop, operator):
    size = 200 << 20
    piece = b"x" * (1 << 20)
    before = resident(shop)
    answer = operator.send("PUT", "/media/large.bin", (piece for _ in range(size >> 20)),
                           {"Content-Length": str(size)})
    assert answer.status == 200, answer.read()
    assert json.loads(answer.read())["bytes"] == size
    assert resident(shop) - before < 16 << 20
    assert operator.call("DELETE", "/media/large.bin").status == 200


def resident(shop):
    with open(f"/proc/{shop.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_an_upload_that_breaks_off_leaves_nothing(shop, operator):
    operator.connection.putrequest("PUT", "/admin/api/media/half.bin")
    operator.connection.putheader("Authorization", "Bearer " + operator.token)
    operator.connection.putheader("Content-Length", "1000000")
    operator.connection.endheaders()
    operator.connection.send(b"x" * 500000)
    operator.connection.close()
    assert Operator(shop).call("GET", "/media/half.bin").status == 404


# ---- Import and export ----


def goods(count, price="9.50", start=0):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Title", "URL handle", "Type", "Status", "SKU", "Price", "Inventory tracker",
                     "Inventory quantity"])
    for i in range(start, start + count):
        writer.writerow([f"Thing {i}", f"thing-{i}", "Things", "Active", f"T{i}", price, "shopify", 7])
    return out.getvalue()


def test_an_import_tells_how_it_goes(shop, operator):
    told = operator.import_lines(goods(3000))
    assert told[-1]["done"] is True and told[-1]["products"] == 3000
    assert operator.call("GET", "/products/thing-2999")["variants"][0]["available"] == 7
    assert Platform(shop).lookup(ids=["thing-17"])["products"][0]["title"] == "Thing 17"


def test_bad_rows_are_told_and_nothing_is_imported(operator):
    text = goods(3, start=90000) + "Odd,odd-one,Things,Active,O1,not a price,shopify,1\n"
    told = operator.import_lines(text)
    assert any("goods.csv:5" in line.get("bad", "") for line in told)
    assert "error" in told[-1] and "nothing was imported" in told[-1]["error"]
    assert operator.call("GET", "/products/thing-90000").status == 404
    told = operator.import_lines(text, "name=goods.csv&skip_bad=1")
    assert told[-1]["done"] is True and told[-1]["bad_rows"] == 1
    assert operator.call("GET", "/products/thing-90000").status == 200


def test_one_import_at_a_time(shop, operator):
    """A second one is refused while the first still sends its file."""
    first = Operator(shop)
    text = goods(10, start=80000).encode()
    first.connection.putrequest("POST", "/admin/api/import?name=slow.csv")
    first.connection.putheader("Authorization", "Bearer " + first.token)
    first.connection.putheader("Content-Length", str(len(text)))
    first.connection.putheader("Expect", "100-continue")
    first.connection.endheaders()
    go_on = b"HTTP/1.1 100 Continue\r\n\r\n"  # it has its turn, and is to send its file
    assert first.connection.sock.recv(len(go_on), socket.MSG_WAITALL) == go_on
    first.connection.send(text[:10])
    answer = operator.send("POST", "/import?name=b.csv", goods(1, start=70000))
    assert answer.status == 409, answer.read()
    answer.read()
    first.connection.send(text[10:])
    answer = first.connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read().splitlines()[-1])["done"] is True
    assert operator.import_lines(goods(1, start=70000))[-1]["done"] is True


def test_a_stop_does_not_wait_for_an_import(tmp_path):
    """The server ends before what is in flight has to (--stop-grace, ten seconds); the import is
    dropped, or goes on with the next start."""
    with Shop(tmp_path, catalogue=None) as shop:
        operator = Operator(shop)
        answer = operator.send("POST", "/import?name=many.csv", goods(200000))
        assert answer.status == 200
        begun = time.monotonic()
        assert shop.stop() == 0
        assert time.monotonic() - begun < 8
        told = [json.loads(line) for line in answer.read().splitlines()]
        assert "done" in told[-1] or "error" in told[-1]
        status, report = shop.audit()
        assert status == 0, report
        shop.start()
        products = figures_of(shop)["stoa_products"]
        assert products == 0 or wait_until(
            lambda: figures_of(shop)["stoa_products"] == 200000, 60, "the rest of the import")


def test_an_import_goes_on_without_its_client(tmp_path):
    with Shop(tmp_path, catalogue=None) as shop:
        operator = Operator(shop)
        answer = operator.send("POST", "/import?name=many.csv", goods(20000))
        assert answer.status == 200
        operator.connection.sock.close()
        answer.close()
        wait_until(lambda: figures_of(shop)["stoa_products"] == 20000, 60, "the import")
        wait_until(lambda: Operator(shop).send("POST", "/import", goods(1)).status == 200, 30,
                   "the next import's turn")


def test_an_export_whose_reader_leaves_makes_room(tmp_path):
    """A reader takes a little and goes; the next one gets everything."""
    with Shop(tmp_path, catalogue=None) as shop:
        assert Operator(shop).import_lines(goods(20000))[-1]["done"] is True
        operator = Operator(shop)
        answer = operator.send("GET", "/export")
        assert answer.read(1000)
        operator.connection.sock.close()
        answer.close()
        whole = wait_until(lambda: exported(shop), 30, "the next export's turn")
        assert whole.count("\n") == 20001


def exported(shop):
    answer = Operator(shop).send("GET", "/export")
    text = answer.read().decode()
    return text if answer.status == 200 else None


def figures_of(shop):
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
            if not line.startswith("#")}


def test_an_export_can_be_imported_again(shop, operator, tmp_path):
    answer = operator.send("GET", "/export")
    assert answer.status == 200 and answer.getheader("Content-Type").startswith("text/csv")
    text = answer.read().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len({row["URL handle"] for row in rows}) >= 6
    with Shop(tmp_path, catalogue=None) as other:
        told = Operator(other).import_lines(text.encode())
        assert told[-1]["done"] is True, told[-1]
        again = Operator(other).send("GET", "/export").read().decode()
        assert len(list(csv.DictReader(io.StringIO(again)))) == len(rows)


def test_the_flower_shop_has_what_its_files_say(operator):
    roses = operator.call("GET", "/products/bouquet_roses")["variants"][0]
    assert roses["price"] == 3500 and roses["available"] > 0
    assert (ROOT / "tests/data/flower_shop/products.csv").exists()
