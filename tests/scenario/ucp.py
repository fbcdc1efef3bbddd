"""A platform that speaks UCP and holds every answer against the protocol's own schemas."""

import functools
import http.client
import json
import re
import urllib.parse
import uuid
import warnings

from shop_server import ROOT, payment_body

warnings.filterwarnings("ignore", category=DeprecationWarning, module="jsonschema")
import jsonschema  # noqa: E402

VERSION = "2026-04-08"
SCHEMAS = ROOT / "tests" / "data" / "ucp" / VERSION
SHOPPING = "https://ucp.dev/schemas/shopping/"
FLOWERS = ROOT / "tests" / "data" / "flower_shop"

formats = jsonschema.FormatChecker(formats=())


@formats.checks("uri")
def is_uri(text):
    return not isinstance(text, str) or re.fullmatch(r"[a-z][a-z0-9+.-]*:[^\s<>\"]+", text) is not None


@formats.checks("date-time")
def is_date_time(text):
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return not isinstance(text, str) or re.fullmatch(pattern, text) is not None


def absolute(value, base):
    """A schema in which every reference is a whole address, and so needs no id to start from:
    releases of jsonschema differ in which of the ids around a reference they take."""
    if isinstance(value, list):
        return [absolute(one, base) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: urllib.parse.urljoin(base, one) if name == "$ref" and isinstance(one, str)
            else absolute(one, base) for name, one in value.items()
            if name != "$id" or not isinstance(one, str)}


@functools.cache
def store():
    """All schemas by their ids; nothing is fetched from a network. References go by the files,
    as the profile's id lies a folder lower than its file."""
    found = {}
    for path in SCHEMAS.rglob("*.json"):
        schema = json.loads(path.read_text())
        if "$id" in schema:
            file = "https://ucp.dev/" + path.relative_to(SCHEMAS).as_posix()
            found[schema["$id"]] = found[file] = absolute(schema, file)
    assert len(found) > 50
    return found


def fits(answer, *references):
    """Fails unless ANSWER fits each schema: "cart.json", "discount.json#/$defs/…"."""
    for reference in references:
        address = reference if reference.startswith("https:") else SHOPPING + reference
        resolver = jsonschema.RefResolver(SHOPPING, None, store=dict(store()), handlers={
            "https": lambda uri: (_ for _ in ()).throw(AssertionError(f"no schema {uri}"))})
        validator = jsonschema.Draft202012Validator(
            {"$ref": address}, resolver=resolver, format_checker=formats)
        errors = sorted(validator.iter_errors(answer), key=lambda e: list(e.absolute_path))
        assert not errors, "\n".join(
            f"{reference} {e.json_path}: {e.message[:300]}" for e in errors[:5])


CHECKOUT = ("checkout.json", "discount.json#/$defs/dev.ucp.shopping.checkout",
            "fulfillment.json#/$defs/dev.ucp.shopping.checkout")
CART = ("cart.json", "discount.json#/$defs/dev.ucp.shopping.cart")
ERROR = ("types/error_response.json",)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read()
        self.json = json.loads(self.text) if self.text else None

    def __getitem__(self, name):
        return self.json[name]

    def codes(self):
        return [message["code"] for message in self.json.get("messages", [])]

    def total(self, kind="total"):
        return sum(t["amount"] for t in self.json["totals"] if t["type"] == kind)


class Platform:
    """Calls a shop as a platform does; each answer is checked against its schema."""

    agent = 'profile="https://platform.example/.well-known/ucp"'

    def __init__(self, shop):
        self.connection = http.client.HTTPConnection(shop.address, timeout=20)

    def send(self, method, path, body=None, headers=None, agent=True):
        all_headers = {"UCP-Agent": self.agent} if agent else {}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        all_headers.update(headers or {})
        self.connection.request(method, path, body, all_headers)
        return Answer(self.connection.getresponse())

    def checked(self, answer, *schemas):
        if answer.status in (200, 201):
            if answer["ucp"].get("status") == "error":
                fits(answer.json, *ERROR)
            else:
                fits(answer.json, *schemas)
                self.adds_up(answer.json)
        elif "ucp" in answer.json:
            assert answer["ucp"]["status"] == "error"
            fits(answer.json, *ERROR)
        else:
            assert answer["code"] and answer["content"]
        return answer

    @staticmethod
    def adds_up(thing):
        """The entries of totals add up to the total, a total's lines to it, parts to discounts."""
        if "totals" not in thing:
            return
        parts = sum(t["amount"] for t in thing["totals"] if t["type"] != "total")
        assert [parts] == [t["amount"] for t in thing["totals"] if t["type"] == "total"]
        for total in thing["totals"]:
            if "lines" in total:
                assert sum(line["amount"] for line in total["lines"]) == total["amount"]
        for applied in thing.get("discounts", {}).get("applied", []):
            assert sum(a["amount"] for a in applied["allocations"]) == applied["amount"]

    # ---- The operations ----

    def create(self, items=None, key=None, **more):
        body = {"line_items": lines(items or {"bouquet_tulips": 1}), **more}
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.checked(self.send("POST", "/checkout-sessions", body, headers), *CHECKOUT)

    def get(self, checkout_id):
        return self.checked(self.send("GET", f"/checkout-sessions/{checkout_id}"), *CHECKOUT)

    def update(self, checkout_id, items, key=None, **more):
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.checked(
            self.send("PUT", f"/checkout-sessions/{checkout_id}",
                      {"line_items": lines(items), **more}, headers), *CHECKOUT)

    def complete(self, checkout_id, token="success_token", key=None, body=None):
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.checked(
            self.send("POST", f"/checkout-sessions/{checkout_id}/complete",
                      body or payment_body(token), headers), *CHECKOUT)

    def cancel(self, checkout_id, key=None):
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.checked(
            self.send("POST", f"/checkout-sessions/{checkout_id}/cancel", None, headers), *CHECKOUT)

    def order(self, order_id):
        return self.checked(self.send("GET", f"/orders/{order_id}"), "order.json")

    def cart(self, method, path, body=None, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        return self.checked(self.send(method, path, body, headers), *CART)

    def search(self, **body):
        return self.checked(self.send("POST", "/catalog/search", body),
                            "catalog_search.json#/$defs/search_response")

    def lookup(self, **body):
        return self.checked(self.send("POST", "/catalog/lookup", body),
                            "catalog_lookup.json#/$defs/lookup_response")

    def product(self, **body):
        return self.checked(self.send("POST", "/catalog/product", body),
                            "catalog_lookup.json#/$defs/get_product_response")


def lines(items):
    return [{"item": {"id": item}, "quantity": quantity} for item, quantity in items.items()]


def shipping(country="US", option=None, **address):
    """A fulfillment whose one destination is selected."""
    method = {"type": "shipping", "selected_destination_id": "dest_1",
              "destinations": [{"id": "dest_1", "address_country": country, **address}]}
    if option:
        method["groups"] = [{"selected_option_id": option}]
    return {"methods": [method]}


def options(answer):
    """The fulfillment options offered: {id: price}."""
    group = answer["fulfillment"]["methods"][0]["groups"][0]
    return {o["id"]: next(t["amount"] for t in o["totals"] if t["type"] == "total")
            for o in group["options"]}
