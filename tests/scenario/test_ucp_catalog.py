"""Discovery, headers, catalog and carts by UCP, with the demo catalogue."""

import uuid

import pytest

from shop_server import ROOT, Shop, wait_until
from ucp import CHECKOUT, VERSION, Platform, fits, lines, shipping


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("demo")) as shop:
        yield shop


@pytest.fixture
def platform(shop):
    return Platform(shop)


@pytest.fixture(scope="module")
def several(shop):
    """A product with more than one variant and one that can be had."""
    found = Platform(shop).search(filters={"price": {"min": 0}}, pagination={"limit": 50})
    return next(p for p in found["products"] if len(p["variants"]) > 2 and len(p["options"]) == 1)


# ---- Discovery and headers ----


@pytest.mark.quick
def test_the_profile_says_what_the_shop_offers(shop, platform):
    answer = platform.send("GET", "/.well-known/ucp", agent=False)
    assert answer.status == 200
    assert "max-age=" in answer.headers["Cache-Control"]
    assert int(answer.headers["Cache-Control"].split("max-age=")[1].split(",")[0]) >= 60
    fits(answer.json, "https://ucp.dev/schemas/discovery/profile.json#/$defs/business_profile")
    profile = answer["ucp"]
    assert profile["version"] == VERSION
    service, = profile["services"]["dev.ucp.shopping"]
    assert service["endpoint"] == shop.url and service["transport"] == "rest"
    assert {"dev.ucp.shopping.checkout", "dev.ucp.shopping.cart", "dev.ucp.shopping.order",
            "dev.ucp.shopping.discount", "dev.ucp.shopping.fulfillment",
            "dev.ucp.shopping.catalog.search",
            "dev.ucp.shopping.catalog.lookup"} == set(profile["capabilities"])
    ids = [h["id"] for group in profile["payment_handlers"].values() for h in group]
    assert ids == ["mock_payment_handler"]


def test_addresses_of_schemas_are_their_owners(platform):
    folder = ROOT / "tests" / "data" / "ucp" / VERSION / "schemas"
    for capability, in platform.send("GET", "/.well-known/ucp")["ucp"]["capabilities"].values():
        assert capability["spec"].startswith("https://ucp.dev/")
        prefix = "https://ucp.dev/schemas/"
        assert capability["schema"].startswith(prefix)
        text = (folder / capability["schema"][len(prefix):]).read_text()
        assert f'"$id": "{capability["schema"]}"' in text


@pytest.mark.parametrize("agent, status, code", [
    (None, 400, "invalid_profile_url"), ("", 400, "invalid_profile_url"),
    ('profile="not an address"', 400, "invalid_profile_url"),
    ('profile="http://platform.example/p"', 400, "invalid_profile_url"),
    ('profile="https://p.example/p"; version="2099-01-01"', 422, "version_unsupported"),
    ('profile="https://p.example/p", version="2026-01-11"', 422, "version_unsupported"),
    ('profile="https://p.example/p"; version="2026-04-08"', 201, None),
    ('profile="http://localhost:8285/p"', 201, None)])
def test_the_agent_is_looked_at(platform, agent, status, code):
    headers = {} if agent is None else {"UCP-Agent": agent}
    answer = platform.send("POST", "/carts", {"line_items": []}, headers, agent=False)
    assert answer.status == status
    assert answer.json.get("code") == code


def test_the_request_id_comes_back(platform):
    mine = str(uuid.uuid4())
    for path in ("/carts/nonsense", "/orders/nonsense"):
        answer = platform.send("GET", path, headers={"Request-Id": mine})
        assert answer.headers["Request-Id"] == mine


def test_other_methods_are_not_allowed(platform):
    answer = platform.send("DELETE", "/carts")
    assert answer.status == 405 and "POST" in answer.headers["Allow"]
    assert answer["code"] == "method_not_allowed"


# ---- Search ----


@pytest.mark.quick
def test_words_find_products(platform):
    found = platform.search(query="lamp")
    assert found["products"] and len(found["products"]) <= 10
    for product in found["products"]:
        assert product["url"].endswith("/product/" + product["handle"])
        for picture in product["media"]:
            assert picture["url"].startswith("http")
    assert platform.search(query="zzzunfindable")["products"] == []


def test_pages_follow_each_other(platform):
    seen, cursor = [], None
    while True:
        pagination = {"limit": 7, **({"cursor": cursor} if cursor else {})}
        page = platform.search(filters={"price": {"min": 1}}, pagination=pagination)
        seen += [p["id"] for p in page["products"]]
        if not page["pagination"]["has_next_page"]:
            break
        cursor = page["pagination"]["cursor"]
    assert len(seen) == len(set(seen)) == page["pagination"]["total_count"] >= 80


def test_filters_are_kept(platform):
    everything = platform.search(filters={"price": {"min": 0}}, pagination={"limit": 50})
    categories = sorted({c["value"] for p in everything["products"] for c in p["categories"]})[:2]
    for chosen in ([categories[0]], categories):
        found = platform.search(filters={"categories": chosen}, pagination={"limit": 50})
        assert found["products"]
        assert {c["value"] for p in found["products"] for c in p["categories"]} == set(chosen)
    cheap = platform.search(filters={"price": {"max": 2000}}, pagination={"limit": 50})
    assert cheap["products"]
    for product in cheap["products"]:
        assert all(v["price"]["amount"] <= 2000 for v in product["variants"])


@pytest.mark.parametrize("body, path", [
    ({}, "$"), ({"query": 7}, "$.query"), ({"filters": []}, "$.filters"),
    ({"query": "x", "pagination": {"limit": 0}}, "$.pagination.limit"),
    ({"query": "x", "pagination": {"cursor": "?"}}, "$.pagination.cursor")])
def test_a_search_that_is_none_is_refused(platform, body, path):
    answer = platform.send("POST", "/catalog/search", body)
    assert answer.status == 422 and answer["path"] == path


# ---- Lookup and detail ----


def test_identifiers_are_told_apart(platform, several):
    variant = several["variants"][1]["id"]
    found = platform.lookup(ids=[several["id"], variant, "nonsense", variant])
    product, = found["products"]
    inputs = {(v["id"], i["id"], i["match"]) for v in product["variants"] for i in v["inputs"]}
    assert (variant, variant, "exact") in inputs
    assert any(i == several["id"] and match == "featured" for _, i, match in inputs)
    assert [(m["code"], m["content"]) for m in found["messages"]] == [("not_found", "nonsense")]


def test_too_many_identifiers_are_too_many(platform):
    assert len(platform.lookup(ids=[f"x{i}" for i in range(50)])["messages"]) == 50
    answer = platform.send("POST", "/catalog/lookup", {"ids": [f"x{i}" for i in range(51)]})
    assert answer.status == 400 and answer["code"] == "request_too_large"
    assert platform.send("POST", "/catalog/lookup", {"ids": []}).status == 422


def test_a_variant_comes_first_in_its_detail(platform, several):
    variant = several["variants"][1]
    product = platform.product(id=variant["id"])["product"]
    assert product["variants"][0]["id"] == variant["id"]
    assert product["selected"] == variant["options"]
    for option in product["options"]:
        for value in option["values"]:
            assert value["exists"] is True and "available" in value


def test_selections_that_do_not_fit_are_relaxed(platform, several):
    name = several["options"][0]["name"]
    label = several["options"][0]["values"][-1]["label"]
    chosen = platform.product(id=several["id"], selected=[{"name": name, "label": label}])
    assert chosen["product"]["selected"] == [{"name": name, "label": label}]
    assert {"name": name, "label": label} in chosen["product"]["variants"][0]["options"]
    relaxed = platform.product(id=several["id"], selected=[{"name": name, "label": "Invisible"}])
    assert relaxed["product"]["selected"] == []


def test_a_price_filter_leaves_out_variants(platform, several):
    prices = sorted(v["price"]["amount"] for v in platform.product(
        id=several["id"])["product"]["variants"])
    found = platform.product(id=several["id"], filters={"price": {"max": prices[0]}})
    assert {v["price"]["amount"] for v in found["product"]["variants"]} == {prices[0]}
    none = platform.product(id=several["id"], filters={"price": {"min": 10**9}})
    assert none["ucp"]["status"] == "error"
    assert platform.lookup(ids=[several["id"]], filters={"price": {"min": 10**9}})["products"] == []


def test_an_unknown_product_is_an_outcome(platform):
    answer = platform.product(id="nonsense")
    assert answer.status == 200 and answer["ucp"]["status"] == "error"
    assert answer.codes() == ["not_found"]


def test_what_the_catalog_shows_can_be_bought(platform, several):
    variant = next(v for v in several["variants"] if v["availability"]["available"])
    checkout = platform.create({variant["id"]: 1}, fulfillment=shipping("DE"))
    item = checkout["line_items"][0]["item"]
    assert item["id"] == variant["id"] and item["price"] == variant["price"]["amount"]
    assert platform.complete(checkout["id"])["status"] == "completed"


def test_tax_and_total_add_up_wherever_it_goes(platform, several):
    variant = next(v for v in several["variants"] if v["availability"]["available"])
    for country in ("DE", "US", "GB", "JP"):
        platform.create({variant["id"]: 3}, fulfillment=shipping(country))


# ---- Carts ----


@pytest.mark.quick
def test_a_cart_becomes_a_checkout(platform, several):
    variant = next(v for v in several["variants"] if v["availability"]["available"])["id"]
    cart = platform.cart("POST", "/carts", {"line_items": lines({variant: 2}),
                                            "buyer": {"email": "c@example.com"}})
    assert cart.status == 201
    cart = platform.cart("PUT", "/carts/" + cart["id"], {
        "id": cart["id"], "line_items": lines({variant: 3}), "buyer": {"email": "c@example.com"}})
    assert cart.status == 200 and cart["line_items"][0]["quantity"] == 3
    assert platform.cart("GET", "/carts/" + cart["id"])["line_items"] == cart["line_items"]

    body = {"cart_id": cart["id"], "line_items": lines({variant: 1}),
            "fulfillment": shipping("DE")}
    first = platform.checked(platform.send("POST", "/checkout-sessions", body), *CHECKOUT)
    assert first.status == 201
    assert first["line_items"][0]["quantity"] == 3, "the cart's content wins"
    assert first["buyer"]["email"] == "c@example.com"
    second = platform.checked(platform.send("POST", "/checkout-sessions", body), *CHECKOUT)
    assert second["id"] == first["id"], "one open checkout per cart"
    assert platform.complete(first["id"])["status"] == "completed"


def test_a_canceled_cart_is_gone(platform, several):
    cart = platform.cart("POST", "/carts", {"line_items": lines({several["variants"][0]["id"]: 1})})
    canceled = platform.cart("POST", f"/carts/{cart['id']}/cancel")
    assert canceled.status == 200 and canceled["id"] == cart["id"]
    assert canceled["line_items"], "the state before it went"
    assert platform.cart("GET", "/carts/" + cart["id"]).status == 404
    assert platform.cart("PUT", "/carts/" + cart["id"], {"line_items": []}).status == 404


def test_a_cart_opens_in_a_browser(shop, platform, several):
    """The browser gets the goods in a cart of its own; opening the link twice changes nothing."""
    variant = next(v for v in several["variants"] if v["availability"]["available"])["id"]
    cart = platform.cart("POST", "/carts", {"line_items": lines({variant: 2})})
    address = cart["continue_url"]
    assert address.startswith(shop.url)
    cookie, own = "", None
    for _ in range(2):
        platform.connection.request("GET", address[len(shop.url):], headers={"Cookie": cookie})
        answer = platform.connection.getresponse()
        answer.read()
        assert answer.status == 303 and answer.headers["Location"] == "/cart"
        cookies = [c.split(";")[0] for c in answer.headers.get_all("Set-Cookie")]
        cookie = "; ".join(cookies)
        own = dict(c.split("=") for c in cookies)["cart"]
        assert own != cart["id"]
    seen = platform.cart("GET", "/carts/" + own)
    assert [line["quantity"] for line in seen["line_items"]] == [2]


def test_a_cart_of_nobody_is_not_converted(platform):
    answer = platform.send("POST", "/checkout-sessions", {"cart_id": "0" * 31 + "1"})
    assert answer.status == 404 and answer.codes() == ["not_found"]


def test_cart_writes_are_idempotent(platform, several):
    key = str(uuid.uuid4())
    body = {"line_items": lines({several["variants"][0]["id"]: 1})}
    first = platform.cart("POST", "/carts", body, key)
    assert platform.cart("POST", "/carts", body, key).text == first.text
    assert platform.cart("POST", "/carts", {"line_items": []}, key).status == 409


def test_a_new_price_is_seen_at_once(shop, platform, several):
    variant = several["variants"][0]
    token = {"Authorization": "Bearer " + shop.token()}
    path = f"/admin/api/variants/{variant['id']}/price"
    assert platform.send("PUT", path, {"price": 4321}, token).status == 200
    found = platform.lookup(ids=[variant["id"]])["products"][0]["variants"][0]
    assert found["price"]["amount"] == 4321
    assert wait_until(lambda: platform.product(id=variant["id"]), what="the product")
