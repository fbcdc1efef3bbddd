"""A load manager sends the very same request again, under the same stamp, to another server: it has
one effect, and the second answer is the first one's. Every way to change something is tried: one
attempt after the other, both at once, and with the first server killed."""

import concurrent.futures
import itertools
import random
import re
import time
import uuid

import pytest

from cluster_client import AGENT, GOODS, LAMP, MUG, Answer, Browser, send, told
from shop_server import checkout_body, payment_body
from three_servers import COUNT, Three

pytestmark = pytest.mark.front

FORM = "application/x-www-form-urlencoded"
ADDRESS = ("email=ada%40shopper.example&first_name=Ada&last_name=Byron&country=US&street=1+Main+St"
           "&postal_code=62704&locality=Springfield&region=IL")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stamp")
    goods = folder / "goods.csv"
    goods.write_text(GOODS)
    with Three(folder, goods) as three:
        three.wait_healthy()
        yield three


@pytest.fixture(autouse=True)
def no_server_outlives_its_test():
    """In place of conftest.py's: the servers are the module's."""
    yield


@pytest.fixture(autouse=True)
def all_are_well(three):
    yield
    three.mend()


def stamp():
    """A UUID of version 7, as load managers make them (src/balance/stamp.h)."""
    bits = int(time.time() * 1000) << 80 | 7 << 76 | random.getrandbits(76)
    bits = bits & ~(3 << 62) | 2 << 62
    return str(uuid.UUID(int=bits))


class Request:
    """What is sent, as often as one likes: always the same bytes."""

    def __init__(self, method, path, body=None, kind=None, cookies=None, **headers):
        self.method, self.path, self.body = method, path, body
        # Host as shoppers say it, wherever the load manager sends it.
        self.headers = dict(headers, Stoa_Operation=stamp(), Host="shop.example")
        if kind:
            self.headers["Content_Type"] = kind
        if cookies:
            self.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in cookies.items())

    def send(self, three, i) -> Answer:
        return send(three, i, self.method, self.path, self.body, timeout=60, **self.headers)


def form(browser, path, body, **headers):
    return Request("POST", path, body, FORM, browser.cookies, **headers)


def platform(method, path, body=None):
    return Request(method, path, body, UCP_Agent=AGENT)


def operator(three, method, path, body=None):
    return Request(method, path, body, Authorization="Bearer " + three.token)


# ---- What an answer means, and what there is


def cookies_in(answer):
    pairs = (line.split(";")[0].split("=", 1) for line in answer.headers.get_all("Set-Cookie", []))
    return {name: value for name, value in pairs if name != "seen"}


def meaning(answer):
    """All of ANSWER that has to be the same again."""
    json = answer.json
    if isinstance(json, dict):
        json = {k: v for k, v in json.items() if k not in ("index", "expires_at")}
    page = None
    if json is None:
        page = re.sub(rb'name="(token|agreed)" value="[^"]*"', b"", answer.text)
    return answer.status, answer.headers.get("Location"), cookies_in(answer), json, page


def right(three):
    return {"Authorization": "Bearer " + three.token}


def look(three, path, **headers):
    """What is at PATH, once it is answered: a machine that stood still elects first."""
    seen = told(send, three, 0, "GET", path, **headers)
    assert seen.status == 200, seen.text
    return seen.json


def variant(three, key=MUG):
    return look(three, f"/admin/api/variants/{key}", **right(three))


def order_count(three):
    return len(look(three, "/admin/api/orders?limit=100", **right(three))["orders"])


def quantities(three, cart):
    seen = look(three, f"/carts/{cart}", UCP_Agent=AGENT)
    return {line["item"]["id"]: line["quantity"] for line in seen["line_items"]}


def token_of(page):
    return re.search(rb'name="token" value="([0-9a-f]+)"', page.text)[1].decode()


# ---- Shoppers at some step


def with_cart(three, units=2):
    browser = Browser(three)
    for _ in range(units):
        assert browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    browser.page_token = token_of(browser.go(0, "GET", "/cart"))
    return browser


def at_checkout(three):
    browser = with_cart(three, 1)
    begun = browser.go(0, "POST", "/checkout", "token=" + browser.page_token)
    assert begun.status == 303, begun.text
    browser.checkout = begun.headers["Location"]
    browser.page_token = token_of(browser.go(0, "GET", browser.checkout))
    return browser


def at_delivery(three):
    browser = at_checkout(three)
    taken = browser.go(0, "POST", browser.checkout, f"token={browser.page_token}&{ADDRESS}")
    assert taken.status == 303 and taken.headers["Location"].endswith("/delivery"), taken.text
    page = browser.go(0, "GET", browser.checkout + "/delivery")
    browser.rates = re.findall(rb'name="rate"[^>]* value="([^"]+)"', page.text)
    assert browser.rates, page.text
    return browser


def at_payment(three):
    browser = at_delivery(three)
    taken = browser.go(0, "POST", browser.checkout + "/delivery",
                       f"token={browser.page_token}&rate={browser.rates[0].decode()}")
    assert taken.status == 303 and taken.headers["Location"].endswith("/payment"), taken.text
    page = browser.go(0, "GET", browser.checkout + "/payment")
    browser.agreed = re.search(rb'name="agreed" value="(\d+)"', page.text)[1].decode()
    return browser


def paying(three, card):
    browser = at_payment(three)
    return form(browser, browser.checkout + "/payment",
                f"token={browser.page_token}&agreed={browser.agreed}&card={card}")


def cart_of(three):
    made = platform("POST", "/carts", {"line_items": [{"item": {"id": MUG}, "quantity": 1}]})
    answer = made.send(three, 0)
    assert answer.status == 201, answer.text
    return answer.json["id"]


def session_of(three):
    answer = platform("POST", "/checkout-sessions", checkout_body({MUG: 1})).send(three, 0)
    assert answer.status == 201, answer.text
    return answer.json["id"]


# ---- Every way to change something: each makes a request and gives, with it, how its effect is
# ---- told from two of them. EFFECT(answer) is called before (answer None) and after.


def add_to_no_cart(three):
    return form(Browser(three), "/cart/add", f"item={MUG}&quantity=1"), \
        lambda answer: answer and quantities(three, cookies_in(answer)["cart"]), {MUG: 1}


def add_to_a_cart(three):
    browser = with_cart(three)
    return form(browser, "/cart/add", f"item={MUG}&quantity=3"), \
        lambda _: quantities(three, browser.cookies["cart"]), {MUG: 5}


def add_by_script(three):
    browser = with_cart(three)
    return form(browser, "/cart/add", f"item={LAMP}&quantity=1", Accept="application/json"), \
        lambda _: quantities(three, browser.cookies["cart"]), {MUG: 2, LAMP: 1}


def set_in_cart(three):
    browser = with_cart(three)
    return form(browser, "/cart/set", f"item={MUG}&quantity=7&token={browser.page_token}"), \
        lambda _: quantities(three, browser.cookies["cart"]), {MUG: 7}


def remove_from_cart(three):
    browser = with_cart(three)
    assert browser.go(0, "POST", "/cart/add", f"item={LAMP}&quantity=1").status == 303
    return form(browser, "/cart/set", f"item={MUG}&remove=1&token={browser.page_token}"), \
        lambda _: quantities(three, browser.cookies["cart"]), {LAMP: 1}


def codes(three, cart):
    seen = send(three, 0, "GET", f"/carts/{cart}", UCP_Agent=AGENT)
    assert seen.status == 200, seen.text
    return seen.json.get("discounts", {}).get("codes", [])


def a_code(three):
    request, *_ = put_discount(three)
    assert request.send(three, 0).status == 200
    return request.path.rsplit("/", 1)[1]


def drop_code(three):
    browser, code = with_cart(three), a_code(three)
    cart = browser.cookies["cart"]
    taken = browser.go(0, "POST", "/cart/codes", f"code={code}&token={browser.page_token}")
    assert taken.status == 303 and codes(three, cart) == [code]
    return form(browser, "/cart/codes", f"drop={code}&token={browser.page_token}"), \
        lambda _: codes(three, cart), []


def add_code(three):
    browser, code = with_cart(three), a_code(three)
    return form(browser, "/cart/codes", f"code={code}&token={browser.page_token}"), \
        lambda _: codes(three, browser.cookies["cart"]), [code]


def begin_checkout(three):
    browser = with_cart(three)
    return form(browser, "/checkout", "token=" + browser.page_token), \
        lambda answer: answer and answer.headers["Location"].startswith("/checkout/"), True


def give_address(three):
    browser = at_checkout(three)
    return form(browser, browser.checkout, f"token={browser.page_token}&{ADDRESS}"), \
        lambda answer: answer and answer.headers["Location"], browser.checkout + "/delivery"


def choose_delivery(three):
    browser = at_delivery(three)
    return form(browser, browser.checkout + "/delivery",
                f"token={browser.page_token}&rate={browser.rates[-1].decode()}"), \
        lambda answer: answer and answer.headers["Location"], browser.checkout + "/payment"


def pay(three):
    request = paying(three, "success_token")
    before = variant(three)["available"], order_count(three)
    return request, lambda _: (variant(three)["available"], order_count(three)), \
        (before[0] - 1, before[1] + 1)


def pay_by_a_card_that_is_refused(three):
    request = paying(three, "fail_token")
    before = variant(three)["available"], order_count(three)
    return request, lambda _: (variant(three)["available"], order_count(three)), before


def create_cart(three):
    return platform("POST", "/carts", {"line_items": [{"item": {"id": MUG}, "quantity": 4}]}), \
        lambda answer: answer and quantities(three, answer.json["id"]), {MUG: 4}


def replace_cart(three):
    cart = cart_of(three)
    return platform("PUT", f"/carts/{cart}",
                    {"line_items": [{"item": {"id": LAMP}, "quantity": 2}]}), \
        lambda _: quantities(three, cart), {LAMP: 2}


def cancel_cart(three):
    cart = cart_of(three)
    return platform("POST", f"/carts/{cart}/cancel"), \
        lambda _: send(three, 0, "GET", f"/carts/{cart}", UCP_Agent=AGENT).json.get("id"), None


def create_session(three):
    return platform("POST", "/checkout-sessions", checkout_body({MUG: 1})), \
        lambda answer: answer and answer.status, 201


def update_session(three):
    session = session_of(three)
    return platform("PUT", f"/checkout-sessions/{session}", checkout_body({LAMP: 3})), \
        lambda answer: answer and answer.json["line_items"][0]["quantity"], 3


def cancel_session(three):
    session = session_of(three)
    return platform("POST", f"/checkout-sessions/{session}/cancel"), \
        lambda answer: answer and answer.json["status"], "canceled"


def complete_session(three):
    session = session_of(three)
    before = variant(three)["available"], order_count(three)
    return platform("POST", f"/checkout-sessions/{session}/complete", payment_body()), \
        lambda _: (variant(three)["available"], order_count(three)), (before[0] - 1, before[1] + 1)


def complete_session_refused(three):
    session = session_of(three)
    before = variant(three)["available"], order_count(three)
    return platform("POST", f"/checkout-sessions/{session}/complete", payment_body("fail_token")), \
        lambda _: (variant(three)["available"], order_count(three)), before


def receive(three):
    before = variant(three)["available"]
    return operator(three, "POST", f"/admin/api/variants/{MUG}/receive", {"quantity": 10}), \
        lambda _: variant(three)["available"], before + 10


def adjust(three):
    before = variant(three)["available"]
    return operator(three, "POST", f"/admin/api/variants/{MUG}/adjust", {"difference": -2}), \
        lambda _: variant(three)["available"], before - 2


def set_price(three):
    return operator(three, "PUT", f"/admin/api/variants/{LAMP}/price", {"price": 5000}), \
        lambda _: variant(three, LAMP)["price"], 5000


def change_settings(three):
    return operator(three, "PUT", "/admin/api/settings", {"name": "Stamped"}), \
        lambda _: send(three, 0, "GET", "/admin/api/settings", **right(three)).json["name"], "Stamped"


def put_a_product(three):
    request, *_ = put_product(three)
    assert request.send(three, 0).status == 200
    return request.path.rsplit("/", 1)[1]


def sells(three, key):
    return b'"retired":false' in send(three, 0, "GET", f"/admin/api/products/{key}",
                                      **right(three)).text


def kept(three, what, name):
    answer = send(three, 0, "GET", f"/admin/api/{what}", **right(three))
    return [each[name] for each in next(v for v in answer.json.values() if isinstance(v, list))]


def put_product(three):
    handle = "stamped-" + uuid.uuid4().hex[:8]
    body = {"title": "Stamped", "variants": [{"key": handle, "price": 100, "available": 5}]}
    return operator(three, "PUT", f"/admin/api/products/{handle}", body), \
        lambda answer: answer and variant(three, handle)["available"], 5


def retire_product(three):
    handle = put_a_product(three)
    return operator(three, "DELETE", f"/admin/api/products/{handle}"), \
        lambda answer: answer and (answer.status, sells(three, handle)), (200, False)


def retire_variant(three):
    handle = "stamped-" + uuid.uuid4().hex[:8]
    variants = [{"key": f"{handle}-{size}", "price": 100, "available": 5,
                 "options": [size]} for size in ("s", "m")]
    body = {"title": "Stamped", "options": ["Size"], "variants": variants}
    made = operator(three, "PUT", f"/admin/api/products/{handle}", body).send(three, 0)
    assert made.status == 200, made.text
    def sold():
        seen = send(three, 0, "GET", f"/admin/api/products/{handle}", **right(three))
        assert seen.status == 200, seen.text
        return [each["key"] for each in seen.json["variants"]]
    return operator(three, "DELETE", f"/admin/api/variants/{handle}-s"), \
        lambda answer: answer and (answer.status, sold()), (200, [f"{handle}-m"])


def put_discount(three):
    key = "STAMP" + uuid.uuid4().hex[:6].upper()
    body = {"code": key, "type": "percent", "value": 10, "title": "Stamped"}
    return operator(three, "PUT", f"/admin/api/discounts/{key}", body), \
        lambda _: kept(three, "discounts", "key").count(key), 1


def put_shipping_rate(three):
    key = "stamp-" + uuid.uuid4().hex[:6]
    body = {"title": "By stamp", "country": "FR", "level": "standard", "price": 700}
    return operator(three, "PUT", f"/admin/api/shipping-rates/{key}", body), \
        lambda _: kept(three, "shipping-rates", "key").count(key), 1


def put_tax_rate(three):
    return operator(three, "PUT", "/admin/api/tax-rates/FR", {"ppm": 200000, "title": "TVA"}), \
        lambda _: kept(three, "tax-rates", "country").count("FR"), 1


WAYS = [add_to_no_cart, add_to_a_cart, add_by_script, set_in_cart, add_code, begin_checkout,
        give_address, choose_delivery, pay, pay_by_a_card_that_is_refused, create_cart,
        replace_cart, cancel_cart, create_session, update_session, cancel_session,
        complete_session, complete_session_refused, receive, adjust, set_price, change_settings,
        put_product, retire_product, retire_variant, put_discount, put_shipping_rate, put_tax_rate,
        remove_from_cart, drop_code]


def check(way, effect, expected, first, *others):
    assert first.status < 500, first.text
    for other in others:
        assert meaning(other) == meaning(first), way.__name__
    assert effect(first) == expected, (way.__name__, first.status, first.text)


@pytest.mark.parametrize("way", WAYS)
def test_a_second_attempt_on_another_server_changes_nothing_more(three, way):
    request, effect, expected = way(three)
    answers = [request.send(three, i) for i in (1, 2, 0)]
    check(way, effect, expected, *answers)


def figures(three, i):
    lines = send(three, i, "GET", "/metrics").text.decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@pytest.mark.parametrize("way", ["page", "platform"])
def test_what_was_paid_already_is_no_failed_purchase(three, way):
    request, *_ = pay(three) if way == "page" else complete_session(three)
    first = request.send(three, 1)
    assert first.status in (200, 303), first.text
    # Read without a token: after that the copy has the purchase.
    assert send(three, 2, "GET", f"/admin/api/variants/{MUG}", **right(three)).status == 200
    before = figures(three, 2)
    assert meaning(request.send(three, 2)) == meaning(first)
    after = figures(three, 2)
    assert after["stoa_purchases_failed_total"] == before["stoa_purchases_failed_total"]
    if way == "page":  # which needs no command to know it
        commands = "stoa_commands_submitted_total"
        assert after[commands] == before[commands]


@pytest.mark.parametrize("way", WAYS)
def test_two_attempts_at_once_are_one(three, way):
    request, effect, expected = way(three)
    with concurrent.futures.ThreadPoolExecutor(COUNT) as pool:
        answers = list(pool.map(lambda i: request.send(three, i), range(COUNT)))
    check(way, effect, expected, *answers)


@pytest.mark.parametrize("way", [add_to_no_cart, begin_checkout, pay, create_session,
                                 complete_session, receive])
def test_the_server_that_did_it_is_killed_and_another_one_answers_the_same(three, way):
    request, effect, expected = way(three)
    doer = next(i for i in (1, 2) if i != three.wait_primary())
    first = request.send(three, doer)
    three.kill(doer)
    other = next(i for i in range(COUNT) if i != doer)
    check(way, effect, expected, first, request.send(three, other))


@pytest.mark.parametrize("way", [add_to_a_cart, pay, complete_session, receive])
def test_the_server_is_killed_at_any_moment_and_it_is_done_once(three, way):
    """The first answer may be lost or not, the first attempt may have begun or not."""
    for delay in (0, 0.001, 0.003, 0.01):
        request, effect, expected = way(three)
        doer = next(i for i in range(1, COUNT) if i != three.wait_primary())
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            attempt = pool.submit(request.send, three, doer)
            time.sleep(delay)  # no wait: the moment of the kill
            three.kill(doer)
            lost = attempt.exception()
        other = next(i for i in range(COUNT) if i != doer)
        answers = [request.send(three, other), request.send(three, other)]
        if not lost:
            answers.insert(0, attempt.result())
        check(way, effect, expected, *answers)
        three.start(doer)
        three.wait_healthy()


# ---- What a stamp is not


def test_another_request_under_the_same_stamp_is_another_one(three):
    """Neither refused, nor answered with what somebody else was told."""
    mine = form(Browser(three), "/cart/add", f"item={MUG}&quantity=1")
    theirs = form(Browser(three), "/cart/add", f"item={MUG}&quantity=2")
    theirs.headers["Stoa_Operation"] = mine.headers["Stoa_Operation"]
    first, second = mine.send(three, 1), theirs.send(three, 2)
    carts = [cookies_in(answer)["cart"] for answer in (first, second)]
    assert carts[0] != carts[1]
    assert [quantities(three, cart) for cart in carts] == [{MUG: 1}, {MUG: 2}]


def test_a_stamp_of_another_time_counts_all_the_same(three):
    """A load manager whose clock is years off."""
    for time_bits in ("00000000-0000", "ffffffff-ffff"):
        request = form(Browser(three), "/cart/add", f"item={MUG}&quantity=1")
        request.headers["Stoa_Operation"] = time_bits + stamp()[13:]
        first, second = request.send(three, 1), request.send(three, 2)
        assert meaning(first) == meaning(second)
        assert quantities(three, cookies_in(first)["cart"]) == {MUG: 1}


def test_a_form_that_is_sent_again_in_another_way_is_one(three):
    """A page's script got no answer, and lets the browser send the form: with the field that it
    put there, past another load manager or none, and asking for a page."""
    browser = with_cart(three, 1)
    body = f"item={MUG}&quantity=1&operation={stamp()}"
    for i, accept in ((1, "application/json"), (2, "text/html"), (0, "text/html")):
        request = form(browser, "/cart/add", body, Accept=accept)  # with a stamp of its own
        if i == 0:
            del request.headers["Stoa_Operation"]
        assert request.send(three, i).status == (200 if i == 1 else 303)
    assert quantities(three, browser.cookies["cart"]) == {MUG: 2}


def test_what_is_no_stamp_is_none(three):
    for text in ("", "1", "00000000-0000-0000-0000-000000000000", "x" * 36):
        request = form(Browser(three), "/cart/add", f"item={MUG}&quantity=1")
        request.headers["Stoa_Operation"] = text
        carts = {cookies_in(request.send(three, i))["cart"] for i in (1, 2)}
        assert len(carts) == 2


def test_a_shopper_who_does_it_twice_has_it_twice(three):
    browser = with_cart(three, 1)
    for i, _ in itertools.product((1, 2), range(2)):
        assert form(browser, "/cart/add", f"item={MUG}&quantity=1").send(three, i).status == 303
    assert quantities(three, browser.cookies["cart"]) == {MUG: 5}
