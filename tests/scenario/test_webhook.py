"""Platforms are told what happens to the orders that they placed."""

import datetime
import json
import subprocess
import types

import pytest

from order_platform import OrderPlatform
from shop_server import STOA, Client, Shop, wait_until
from three_servers import COUNT, Three
from ucp import FLOWERS, Platform, fits, shipping

pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("webhook"), "--profile-private", catalogue=FLOWERS) as shop:
        yield shop


@pytest.fixture(scope="module")
def webhooks():
    with OrderPlatform() as platform:
        yield platform


def buy(shop, webhooks, quantity=1):
    """A completed purchase of QUANTITY tulips: the order's id."""
    platform = Platform(shop)
    platform.agent = webhooks.agent
    checkout = platform.create({"bouquet_tulips": quantity}, fulfillment=shipping(),
                               buyer={"email": "jane@example.com", "first_name": "Jane"})
    done = platform.complete(checkout["id"])
    assert done["status"] == "completed"
    return done["order"]["id"]


def operate(shop, order_id, what, **body):
    client = Client(shop.address)
    status, answer = client.call("POST", f"/admin/api/orders/{order_id}/{what}", body,
                                 Authorization="Bearer " + shop.token())
    assert status == 200, answer


def told(webhooks, order_id, count):
    """The webhook number COUNT about an order."""
    wait_until(lambda: len(webhooks.of(order_id)) >= count, 60, f"webhook {count}")
    return webhooks.of(order_id)[count - 1]


@pytest.mark.quick
def test_an_order_is_told_whole_and_signed(shop, webhooks):
    order_id = buy(shop, webhooks, 2)
    hook = told(webhooks, order_id, 1)
    hook.check()
    assert (hook.method, hook.target) == ("POST", "/hooks?shop=7")
    assert hook.headers["content-type"] == "application/json"
    covered, params = hook.covered()
    assert {"@method", "@authority", "@path", "@query", "ucp-agent", "content-digest",
            "content-type", "idempotency-key", "webhook-id", "webhook-timestamp"} == set(covered)
    assert "alg=" not in params and ";created=" in params
    fits(hook.order, "order.json")
    assert hook.headers["idempotency-key"] == hook.id and len(hook.id) == 36
    assert hook.order["event_id"] == hook.id.replace("-", "")
    time = datetime.datetime.fromisoformat(hook.order["created_time"].replace("Z", "+00:00"))
    assert int(time.timestamp()) == int(hook.headers["webhook-timestamp"])
    asker = Platform(shop)
    asker.agent = webhooks.agent
    asked = asker.order(order_id).json
    assert {**hook.order, "event_id": 0, "created_time": 0} == {
        **asked, "event_id": 0, "created_time": 0}


def test_each_event_is_told_with_the_order_as_it_was_then(shop, webhooks):
    order_id = buy(shop, webhooks, 3)
    told(webhooks, order_id, 1)
    operate(shop, order_id, "ship", lines=[{"line": 1, "quantity": 2}], carrier="Post",
            tracking="T7", tracking_url="https://post.example/T7")
    shipped = told(webhooks, order_id, 2).order
    fits(shipped, "order.json")
    assert shipped["line_items"][0]["quantity"] == {"original": 3, "total": 3, "fulfilled": 2}
    assert shipped["line_items"][0]["status"] == "partial"
    event = shipped["fulfillment"]["events"][0]
    assert event["type"] == "shipped" and event["line_items"] == [{"id": "li_1", "quantity": 2}]
    assert (event["carrier"], event["tracking_number"]) == ("Post", "T7")
    assert event["tracking_url"] == "https://post.example/T7"
    operate(shop, order_id, "cancel")
    canceled = told(webhooks, order_id, 3).order
    fits(canceled, "order.json")
    assert canceled["line_items"][0]["quantity"] == {"original": 3, "total": 2, "fulfilled": 2}
    assert canceled["line_items"][0]["status"] == "fulfilled"
    adjustment = canceled["adjustments"][0]
    assert (adjustment["type"], adjustment["status"]) == ("cancellation", "completed")
    assert adjustment["line_items"] == [{"id": "li_1", "quantity": -1}]
    refunded = told(webhooks, order_id, 4).order  # the whole was taken with the first parcel
    fits(refunded, "order.json")
    adjustment = next(one for one in refunded["adjustments"] if one["type"] == "refund")
    assert adjustment["status"] == "completed" and adjustment["totals"][0]["amount"] < 0
    hooks = webhooks.of(order_id)
    assert len({hook.id for hook in hooks}) == len(hooks) == 4
    assert hooks[0].order["fulfillment"]["events"] == []


def test_a_webhook_that_is_not_taken_comes_again_the_same(shop):
    with OrderPlatform(answers=[(503, {"Retry-After": "1"}), (429, {"Retry-After": "1"})]) as flaky:
        order_id = buy(shop, flaky)
        operate(shop, order_id, "ship")  # waits behind the first
        told(flaky, order_id, 4)
        first, *again, shipped = flaky.of(order_id)
        assert [hook.id for hook in again] == [first.id] * 2
        assert again[0].came - first.came > 0.9 and again[1].came - again[0].came > 0.9
        assert shipped.id != first.id
        for hook in again:
            hook.check()
            assert hook.body == first.body
            for name in ("webhook-timestamp", "content-digest", "idempotency-key"):
                assert hook.headers[name] == first.headers[name]


def test_gone_and_no_address_are_for_good(shop):
    with OrderPlatform(answers=[(410, {})]) as gone:
        order_id = buy(shop, gone)
        told(gone, order_id, 1)
        operate(shop, order_id, "ship")
        shipped = told(gone, order_id, 2)  # what comes after it is tried anew
        assert shipped.order["fulfillment"]["events"]
    with OrderPlatform() as silent:
        silent.profile = lambda: {"ucp": {"version": "2026-04-08", "capabilities": {}}}
        buy(shop, silent)
        wait_until(lambda: "names no webhook_url" in shop.log.read_text(), what="a line in the log")
        assert not silent.webhooks


def test_a_redirect_of_a_profile_is_not_followed(shop):
    with OrderPlatform(profile_status=302) as elsewhere:
        buy(shop, elsewhere)
        wait_until(lambda: elsewhere.profiles, what="a fetch of the profile")
        assert not elsewhere.webhooks


def test_a_profile_is_fetched_once_for_many_orders(shop):
    with OrderPlatform() as platform:
        orders = [buy(shop, platform) for _ in range(5)]
        for order_id in orders:
            told(platform, order_id, 1)
        assert platform.profiles == 1


def test_a_rotated_key_signs_and_is_published(shop, webhooks):
    def key(*words):
        done = subprocess.run([STOA, "key", *words, "--dir", str(shop.dir), "--json"],
                              capture_output=True, text=True, timeout=20, check=True)
        return [(one["kid"], one["state"]) for one in json.loads(done.stdout)["keys"]]

    (first, state), = key()
    assert state == "signing"
    assert [state for _, state in key("rotate")] == ["signing", "published"]
    order_id = buy(shop, webhooks)
    assert told(webhooks, order_id, 1).check() == first
    (last, state), = key("rotate", "--at-once")
    assert state == "signing" and last != first
    order_id = buy(shop, webhooks)
    assert told(webhooks, order_id, 1).check() == last


def test_without_leave_no_private_address_is_asked(tmp_path):
    with Shop(tmp_path, catalogue=FLOWERS) as shop, OrderPlatform() as private:
        buy(shop, private)
        wait_until(lambda: "the platform is not told" in shop.log.read_text(),
                   what="a line in the log")
        assert private.profiles == 0 and not private.webhooks
        log = shop.log.read_text()
        assert "https:// addresses alone" in log


def test_what_was_not_told_yet_is_told_after_a_kill(tmp_path):
    with OrderPlatform(answers=[(503, {"Retry-After": "1"})] * 1000) as platform:
        shop = Shop(tmp_path, "--profile-private", "--url", "http://shop.example",
                    catalogue=FLOWERS).start()
        order_id = buy(shop, platform)
        told(platform, order_id, 1)
        shop.kill()
        platform.answers.clear()
        before = len(platform.of(order_id))
        shop.start()
        second = told(platform, order_id, before + 1)
        first, *_ = platform.of(order_id)
        assert first.id == second.id and first.body == second.body
        assert shop.stop() == 0


def test_the_next_primary_says_the_same_by_the_same_key(tmp_path):
    options = ("--profile-private", "--url", "http://shop.example")
    with OrderPlatform(answers=[(503, {"Retry-After": "3"})]) as platform, \
            Three(tmp_path, FLOWERS, options=options) as three:
        three.wait_healthy()
        primary = three.wait_primary()
        order_id = buy(types.SimpleNamespace(address=three.addresses[primary]), platform)
        first = told(platform, order_id, 1)
        three.kill(primary)
        second = told(platform, order_id, 2)
        assert second.id == first.id and second.body == first.body
        names = {second.check(three.addresses[i]) for i in range(COUNT) if i != primary}
        assert len(names) == 1 and names == {first.headers["signature-input"].split('"')[-2]}
