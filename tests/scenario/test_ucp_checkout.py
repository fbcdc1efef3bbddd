"""Checkouts by UCP, at the flower shop of the protocol's own conformance suite."""

import concurrent.futures
import uuid

import pytest

from shop_server import Shop
from ucp import FLOWERS, Platform, lines, options, shipping


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("flowers"), catalogue=FLOWERS) as shop:
        yield shop


@pytest.fixture
def platform(shop):
    return Platform(shop)


@pytest.mark.quick
def test_a_purchase_goes_through(platform):
    checkout = platform.create({"bouquet_tulips": 2}, fulfillment=shipping("US", "exp-ship-us"),
                               buyer={"email": "jane@example.com", "first_name": "Jane"})
    assert checkout.status == 201
    assert checkout["status"] == "ready_for_complete"
    assert checkout["currency"] == "USD"
    assert checkout.total("subtotal") == 6000 and checkout.total() == 7500
    assert checkout["continue_url"].endswith("/checkout/" + checkout["id"])
    assert {link["type"] for link in checkout["links"]} >= {"terms_of_service", "privacy_policy"}
    assert "dev.ucp.shopping.fulfillment" in checkout["ucp"]["capabilities"]
    handlers = [h["id"] for group in checkout["ucp"]["payment_handlers"].values() for h in group]
    assert handlers == ["mock_payment_handler"]

    done = platform.complete(checkout["id"])
    assert done.status == 200 and done["status"] == "completed"
    assert "continue_url" not in done.json
    assert done["order"]["permalink_url"].endswith("/order/" + done["order"]["id"])
    assert "credential" not in str(done["payment"])

    order = platform.order(done["order"]["id"])
    assert order["checkout_id"] == checkout["id"]
    assert order.total() == 7500
    assert order["line_items"][0]["quantity"] == {"original": 2, "total": 2, "fulfilled": 0}
    expectation = order["fulfillment"]["expectations"][0]
    assert expectation["description"] == "Express Shipping (US)"
    assert expectation["destination"]["address_country"] == "US"


def test_get_shows_what_update_did(platform):
    checkout = platform.create(fulfillment=shipping())
    updated = platform.update(checkout["id"], {"bouquet_tulips": 3}, fulfillment=shipping(),
                              buyer={"email": "t@example.com", "first_name": "Test"})
    assert updated.status == 200 and updated.total("subtotal") == 9000
    seen = platform.get(checkout["id"])
    assert seen.json == updated.json
    assert seen["buyer"] == {"email": "t@example.com", "first_name": "Test"}


def test_prices_and_titles_are_the_shops(platform):
    body = {"line_items": [{"item": {"id": "bouquet_roses", "title": "Wrong", "price": 1},
                            "quantity": 1}]}
    checkout = platform.send("POST", "/checkout-sessions", body)
    assert checkout["line_items"][0]["item"]["title"] == "Bouquet of Red Roses"
    assert checkout["line_items"][0]["item"]["price"] == 3500
    assert checkout.total("subtotal") == 3500


def test_lines_keep_their_ids(platform):
    checkout = platform.create({"bouquet_roses": 1, "pot_ceramic": 1})
    first, second = (line["id"] for line in checkout["line_items"])
    body = {"line_items": [{"id": second, "item": {"id": "pot_ceramic"}, "quantity": 4}]}
    updated = platform.send("PUT", f"/checkout-sessions/{checkout['id']}", body)
    assert [line["id"] for line in updated["line_items"]] == [second]
    assert first != second


# ---- Fulfillment ----


def test_options_follow_the_destination(platform):
    checkout = platform.create()
    assert "groups" not in checkout["fulfillment"]["methods"][0]
    assert checkout["status"] == "incomplete" and "missing" in checkout.codes()
    american = platform.update(checkout["id"], {"bouquet_tulips": 1}, fulfillment=shipping("US"))
    assert options(american) == {"std-ship": 500, "exp-ship-us": 1500}
    canadian = platform.update(checkout["id"], {"bouquet_tulips": 1}, fulfillment=shipping("CA"))
    assert options(canadian) == {"std-ship": 500, "exp-ship-intl": 2500}


def test_the_selected_option_is_paid(platform):
    checkout = platform.create(fulfillment=shipping())
    for option, price in {"std-ship": 500, "exp-ship-us": 1500}.items():
        chosen = platform.update(checkout["id"], {"bouquet_tulips": 1},
                                 fulfillment=shipping("US", option))
        group = chosen["fulfillment"]["methods"][0]["groups"][0]
        assert group["selected_option_id"] == option
        assert chosen.total("fulfillment") == price and chosen.total() == 3000 + price


def test_a_destination_without_id_gets_one(platform):
    method = {"type": "shipping", "destinations": [{"address_country": "US"}]}
    checkout = platform.create(fulfillment={"methods": [method]})
    shown = checkout["fulfillment"]["methods"][0]
    assert shown["destinations"][0]["id"] == shown["selected_destination_id"] != ""


def test_a_known_destination_can_be_selected_by_id_alone(platform):
    destinations = [{"id": "home", "address_country": "US"}, {"id": "work", "address_country": "CA"}]
    method = {"type": "shipping", "destinations": destinations}
    checkout = platform.create(fulfillment={"methods": [method]})
    chosen = platform.update(checkout["id"], {"bouquet_tulips": 1}, fulfillment={
        "methods": [{"type": "shipping", "selected_destination_id": "work"}]})
    assert chosen["fulfillment"]["methods"][0]["selected_destination_id"] == "work"
    assert "exp-ship-intl" in options(chosen)


def test_shipping_is_free_above_a_sum_and_for_roses(platform):
    dear = platform.create({"bouquet_sunflowers": 5}, fulfillment=shipping())
    roses = platform.create({"bouquet_roses": 1}, fulfillment=shipping())
    for checkout in (dear, roses):
        assert options(checkout)["std-ship"] == 0
        titles = [o["title"] for o in
                  checkout["fulfillment"]["methods"][0]["groups"][0]["options"]]
        assert any("Free" in title for title in titles)
    assert roses.total() == 3500


def test_complete_without_a_destination_says_what_is_missing(platform):
    checkout = platform.create()
    answer = platform.complete(checkout["id"])
    assert answer.status == 200 and answer["status"] == "incomplete"
    assert "order" not in answer.json
    assert any("selected_destination_id" in m.get("path", "") for m in answer["messages"])


# ---- Discounts ----


@pytest.mark.parametrize("codes, total", [
    (["10OFF"], 3150), (["10off"], 3150), (["10OFF", "WELCOME20"], 2520), (["FIXED500"], 3000),
    (["10OFF", "NONSENSE"], 3150), (["NONSENSE"], 3500), ([], 3500)])
def test_codes_reduce_the_total(platform, codes, total):
    checkout = platform.create({"bouquet_roses": 1}, discounts={"codes": codes})
    assert checkout.total() == total
    applied = [a["code"] for a in checkout.json.get("discounts", {}).get("applied", [])
               if "code" in a]
    assert [c.upper() for c in codes if c != "NONSENSE"] == applied
    assert ("NONSENSE" in codes) == ("discount_code_invalid" in checkout.codes())


def test_codes_can_be_taken_back(platform):
    checkout = platform.create({"bouquet_roses": 1}, discounts={"codes": ["10OFF"]})
    updated = platform.update(checkout["id"], {"bouquet_roses": 1}, discounts={"codes": []})
    assert updated.total() == 3500


# ---- Stock and payment ----


def test_what_is_sold_out_is_said_at_once(platform):
    checkout = platform.create({"gardenias": 1})
    assert "out_of_stock" in checkout.codes()
    assert checkout["status"] == "incomplete"


def test_an_unknown_item_is_said(platform):
    checkout = platform.create({"pink_wumpus": 1})
    assert set(checkout.codes()) & {"item_unavailable", "not_found"}
    assert checkout["status"] == "incomplete"


def test_more_than_there_is_cannot_be_bought(platform):
    checkout = platform.create(fulfillment=shipping())
    greedy = platform.update(checkout["id"], {"bouquet_tulips": 9000}, fulfillment=shipping())
    assert "out_of_stock" in greedy.codes()
    answer = platform.complete(checkout["id"])
    assert answer.status == 200 and answer["status"] == "incomplete"


def test_a_refused_card_leaves_the_checkout_ready(platform):
    checkout = platform.create(fulfillment=shipping())
    refused = platform.complete(checkout["id"], "fail_token")
    assert refused.status == 200
    assert refused["status"] == "ready_for_complete"
    assert "payment_failed" in refused.codes() and "order" not in refused.json
    assert platform.complete(checkout["id"])["status"] == "completed"


def test_an_unknown_handler_takes_no_money(platform):
    checkout = platform.create(fulfillment=shipping())
    body = {"payment": {"instruments": [{
        "id": "i", "handler_id": "gold", "type": "card", "credential": {"type": "t", "token": "x"}}]}}
    answer = platform.complete(checkout["id"], body=body)
    assert answer.status == 200 and "payment_failed" in answer.codes()
    assert answer["status"] == "ready_for_complete"


@pytest.mark.parametrize("body, path", [
    ({}, "$.payment"), ({"payment": {}}, "$.payment.instruments"),
    ({"payment": {"instruments": []}}, "$.payment.instruments"),
    ({"payment": {"instruments": [{"id": "a"}]}}, "$.payment.instruments[0].handler_id")])
def test_a_payment_that_is_none_is_refused_with_its_path(platform, body, path):
    checkout = platform.create(fulfillment=shipping())
    answer = platform.send("POST", f"/checkout-sessions/{checkout['id']}/complete", body)
    assert answer.status == 422 and answer["path"] == path


# ---- The end ----


def test_a_completed_checkout_does_not_change(platform):
    checkout = platform.create(fulfillment=shipping())
    platform.complete(checkout["id"])
    for answer in (platform.update(checkout["id"], {"bouquet_tulips": 2}),
                   platform.cancel(checkout["id"]), platform.complete(checkout["id"])):
        assert answer.status == 409
        assert answer["ucp"]["status"] == "error"
    assert platform.get(checkout["id"])["status"] == "completed"


def test_a_canceled_checkout_stays_so(platform):
    checkout = platform.create(fulfillment=shipping())
    canceled = platform.cancel(checkout["id"])
    assert canceled.status == 200 and canceled["status"] == "canceled"
    for answer in (platform.update(checkout["id"], {"bouquet_tulips": 2}),
                   platform.cancel(checkout["id"]), platform.complete(checkout["id"])):
        assert answer.status == 409


@pytest.mark.parametrize("path", ["/checkout-sessions/", "/carts/", "/orders/"])
@pytest.mark.parametrize("name", ["nonsense", "0" * 32, str(uuid.uuid4())])
def test_an_unknown_id_is_not_found(platform, path, name):
    answer = platform.send("GET", path + name)
    assert answer.status == 404
    platform.checked(answer)
    assert answer.codes() == ["not_found"]


# ---- Again and again ----


@pytest.mark.quick
def test_the_same_key_gives_the_same_answer(platform):
    key = str(uuid.uuid4())
    first = platform.create(key=key, fulfillment=shipping())
    again = platform.create(key=key, fulfillment=shipping())
    assert again.status == first.status == 201
    assert again.text == first.text
    other = platform.create({"bouquet_roses": 1}, key=key, fulfillment=shipping())
    assert other.status == 409 and other["code"] == "idempotency_conflict"

    path = f"/checkout-sessions/{first['id']}/complete"
    key = str(uuid.uuid4())
    done = platform.complete(first["id"], key=key)
    assert done["status"] == "completed"
    assert platform.complete(first["id"], key=key).text == done.text
    assert platform.complete(first["id"], "other_token", key=key).status == 409
    assert platform.send("GET", path).status == 405


def test_update_and_cancel_are_remembered_too(platform):
    checkout = platform.create(fulfillment=shipping())
    key = str(uuid.uuid4())
    first = platform.update(checkout["id"], {"bouquet_tulips": 2}, key=key)
    assert platform.update(checkout["id"], {"bouquet_tulips": 2}, key=key).text == first.text
    assert platform.update(checkout["id"], {"bouquet_tulips": 3}, key=key).status == 409
    key = str(uuid.uuid4())
    canceled = platform.cancel(checkout["id"], key=key)
    assert platform.cancel(checkout["id"], key=key).text == canceled.text


def test_a_key_belongs_to_its_platform(shop, platform):
    key = str(uuid.uuid4())
    first = platform.create(key=key)
    other = Platform(shop)
    other.agent = 'profile="https://other.example/.well-known/ucp"'
    assert other.create(key=key)["id"] != first["id"]


def test_parallel_completes_make_one_order(shop, platform):
    for _ in range(5):
        checkout = platform.create(fulfillment=shipping())
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(
                lambda _, i=checkout["id"]: Platform(shop).complete(i), range(4)))
        assert {a.status for a in answers} <= {200, 409}
        done = [a for a in answers if a.status == 200 and a["status"] == "completed"]
        assert done and {a["order"]["id"] for a in done} == {checkout["id"]}
        assert len({a["order"]["label"] for a in done}) == 1


def test_the_last_ones_are_sold_once(tmp_path):
    with Shop(tmp_path, catalogue=FLOWERS) as shop:
        platform = Platform(shop)
        token = {"Authorization": "Bearer " + shop.token()}
        made = platform.send("POST", "/admin/api/variants/gardenias/receive", {"quantity": 3}, token)
        assert made.status == 200, made.text
        ids = [platform.create({"gardenias": 1}, fulfillment=shipping())["id"] for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: Platform(shop).complete(i), ids))
        assert all(a.status == 200 for a in answers)
        sold = [a for a in answers if a["status"] == "completed"]
        assert len(sold) == 3
        for answer in answers:
            if answer not in sold:
                assert "out_of_stock" in answer.codes() and answer["status"] == "incomplete"
        assert shop.stop() == 0
        status, report = shop.audit()
        assert status == 0, report


# ---- What cannot be taken ----


@pytest.mark.parametrize("body, path", [
    ("{nonsense", "$"), ("[]", "$"), ("{}", "$.line_items"),
    ({"line_items": [{"item": {"id": "x"}, "quantity": "two"}]}, "$.line_items[0].quantity"),
    ({"line_items": [{"item": {"id": "x"}, "quantity": 0}]}, "$.line_items[0].quantity"),
    ({"line_items": [{"item": {"id": 7}, "quantity": 1}]}, "$.line_items[0].item.id"),
    ({"line_items": [], "buyer": "me"}, "$.buyer"),
    ({"line_items": [], "fulfillment": {"methods": [{"type": "teleport"}]}},
     "$.fulfillment.methods[0].type"),
    ("[" * 100 + "]" * 100, "$")])
def test_malformed_bodies_are_refused_with_their_path(platform, body, path):
    answer = platform.send("POST", "/checkout-sessions", body)
    assert answer.status == 422
    assert answer["path"] == path and answer["content"]


def test_unknown_members_are_passed_over(platform):
    checkout = platform.create(signals={"dev.ucp.buyer_ip": "203.0.113.1"}, nonsense=[1, 2, 3])
    assert checkout.status == 201


def test_a_body_must_be_json_and_not_huge(platform):
    answer = platform.send("POST", "/checkout-sessions", "a=b",
                           {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 415
    many = {"line_items": lines({f"item{i}": 1 for i in range(101)})}
    assert platform.send("POST", "/checkout-sessions", many).status == 422
