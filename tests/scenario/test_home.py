"""What servers do for load managers: they keep where a cart's shopper belongs, serve whoever comes,
tell a load manager whom there is, and say when another server had better be asked."""

import contextlib
import hashlib
import http.client
import hmac
import time

import pytest

from balancer import Balancer
from cluster_client import AGENT, GOODS, MUG, Browser, cart_of, operate, quantity_in, send, ucp
from raw_front import PATIENT
from shop_server import Shop, wait_until
from three_servers import COUNT, Three

pytestmark = pytest.mark.front


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    goods = folder / "goods.csv"
    goods.write_text(GOODS)
    with Three(folder, goods, options=["--server-header"]) as three:
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


def home_key(three):
    secret = bytes.fromhex((three.dirs[0] / "secret").read_text().strip())
    return hmac.new(secret, b"stoa home 1", hashlib.sha256).digest()


def home_text(three, *servers, key=None):
    """A set as load managers sign it (src/balance/home.h)."""
    text = ".".join(str(s) for s in servers) + "-towkgx"
    mac = hmac.new(key or home_key(three), text.encode(), hashlib.sha256).hexdigest()[:32]
    return f"{text}-{mac}"


def home_of(three, i, cart):
    answer = operate(three, i, f"/home?cart={cart}")
    assert answer.status == 200, answer.text
    assert answer.json["cart"] == cart
    return answer.json["servers"]


# ---- Homes


def test_a_cart_keeps_where_its_shopper_belongs(three):
    browser = Browser(three)
    browser.cookies["home"] = home_text(three, 2, 3, 1)
    assert browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    cart = browser.cookies["cart"]
    assert [home_of(three, i, cart) for i in range(COUNT)] == [[2, 3, 1]] * COUNT
    browser.cookies["home"] = home_text(three, 3, 1)
    assert browser.go(1, "GET", "/cart").status == 200
    assert home_of(three, 2, cart) == [2, 3, 1]  # who only looks writes nothing
    assert browser.go(2, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    assert [home_of(three, i, cart) for i in range(COUNT)] == [[3, 1]] * COUNT


def test_a_platforms_cart_keeps_it_by_the_header(three):
    made = ucp(three, 0, "POST", "/carts", cart_of(1), Stoa_Home=home_text(three, 1, 3))
    assert made.status == 201
    assert home_of(three, 1, made.json["id"]) == [1, 3]
    path = "/carts/" + made.json["id"]
    assert ucp(three, 2, "PUT", path, cart_of(2)).status == 200
    assert home_of(three, 1, made.json["id"]) == [1, 3]  # not said means not changed
    assert ucp(three, 2, "PUT", path, cart_of(2), Stoa_Home=home_text(three, 2)).status == 200
    assert home_of(three, 0, made.json["id"]) == [2]


@pytest.mark.parametrize("text", ["2.3.1", "", "2.3.1-towkgx-" + "0" * 32, "x" * 4000],
                         ids=["unsigned", "empty", "wrong", "long"])
def test_a_home_that_nobody_signed_is_none(three, text):
    browser = Browser(three)
    browser.cookies["home"] = text
    assert browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    assert home_of(three, 1, browser.cookies["cart"]) == []


def test_another_clusters_home_is_none(three):
    browser = Browser(three)
    browser.cookies["home"] = home_text(three, 2, 3, key=bytes(32))
    assert browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    assert home_of(three, 1, browser.cookies["cart"]) == []


def test_the_home_of_no_cart_is_told_as_such(three):
    assert operate(three, 0, "/home?cart=" + "ab" * 16).status == 404
    assert operate(three, 0, "/home?cart=mug").status == 422
    assert operate(three, 0, "/home").status == 422
    assert send(three, 0, "GET", "/api/v1/cluster/home?cart=" + "ab" * 16).status == 401


def test_whoever_comes_is_served_and_never_shown_anything_old(three):
    """Home is server 1 all the while, and every other one is asked."""
    browser = Browser(three)
    browser.cookies["home"] = home_text(three, *three.ids)
    for units in range(1, 16):
        added = browser.go(units % COUNT, "POST", "/cart/add", f"item={MUG}&quantity=1",
                           Accept="application/json")
        assert added.status == 200 and added.json["units"] == units, added.text
        for reader in range(COUNT):
            page = browser.go(reader, "GET", "/cart")
            assert page.status == 200 and f'value="{units}"'.encode() in page.text


# ---- A shopper who has lost the cookie


class Front:
    """A load manager as a Browser wants it."""

    def __init__(self, balancer):
        self.addresses = [balancer.address]


def balance(three, folder, *options):
    """Nobody is left for another server because of a moment in which it stood still."""
    servers = [word for address in three.addresses for word in ("--server", f"http://{address}")]
    return Balancer(folder, *servers, "--token-file", three.dirs[0] / "operator.token", *PATIENT,
                    *options)


@contextlib.contextmanager
def front_of(three, folder, *options):
    with balance(three, folder, *options) as balancer:
        def all_are_up():
            servers = balancer.servers().values()
            return len(servers) == COUNT and all(one["state"] == "up" for one in servers)
        def is_known_to_all():
            urls = [{one["url"] for one in managers(three, i)} for i in range(COUNT)]
            return all(balancer.url in known for known in urls)
        wait_until(all_are_up, what="the load manager knowing all servers")
        wait_until(is_known_to_all, what="all servers knowing the load manager")
        yield Front(balancer)


@pytest.fixture(scope="module")
def front(three, tmp_path_factory):
    with front_of(three, tmp_path_factory.mktemp("front")) as front:
        yield front


def with_record(three, *servers):
    """Cookies of a shopper whose cart's row says SERVERS, and who has lost `home`."""
    browser = Browser(three)
    if servers:
        browser.cookies["home"] = home_text(three, *servers)
    assert browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    cookies = dict(browser.cookies)
    cookies.pop("home", None)
    for i in range(COUNT):  # and all copies have it
        assert home_of(three, i, cookies["cart"]) == list(servers)
    return cookies


def turned(three, first):
    """All servers, FIRST of them first."""
    at = three.ids.index(first)
    return three.ids[at:] + three.ids[:at]


def servers_in(cookie):
    return [int(server) for server in cookie.split("-")[0].split(".")]


def shopper(place, cookies):
    browser = Browser(place)
    browser.cookies = dict(cookies)
    return browser


WAYS_BACK = [("GET", "/", None), ("GET", "/cart", None), ("GET", "/product/mug", None),
             ("POST", "/cart/add", f"item={MUG}&quantity=1")]


@pytest.mark.parametrize("method,path,body", WAYS_BACK)
def test_a_shopper_who_lost_the_cookie_finds_home_again(three, front, method, path, body):
    """Whichever server the hash chooses: home is one of the others for most of them."""
    for home in three.ids:
        cookies = with_record(three, *turned(three, home))
        browser = shopper(front, cookies)
        for _ in range(2):  # the second time pages are kept ready
            browser = shopper(front, cookies)
            first = browser.go(0, method, path, body)
            assert first.status in (200, 303), first.text
            assert "Stoa-Home" not in first.headers
            assert servers_in(browser.cookies["home"]) == turned(three, home)
        for _ in range(3):
            assert browser.go(0, "GET", "/cart").headers["Stoa-Server"] == str(home)
        assert home_of(three, 0, cookies["cart"]) == turned(three, home)


def test_a_server_that_is_behind_says_nothing_of_home(three):
    """Neither that there is none, nor an older one: all are asked as soon as it is written."""
    for i in range(COUNT):
        assert announce(three, i).status == 200
    browser = Browser(three)
    said = set()
    for turn in range(30):
        home = turned(three, three.ids[turn % COUNT])
        browser.cookies["home"] = home_text(three, *home)
        assert browser.go(turn % 2, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
        cookies = {name: value for name, value in browser.cookies.items() if name != "home"}
        for i in range(COUNT):
            answer = shopper(three, cookies).go(i, "GET", "/about", Stoa_Home="ask")
            word = answer.headers["Stoa-Home"]
            said.add(word and "some")
            assert word is None or servers_in(word) == home
    assert "some" in said


def test_the_hashs_choice_does_not_become_the_record(three, front):
    for home in three.ids:
        cookies = with_record(three, *turned(three, home))
        for _ in range(2):  # a client that keeps the cart alone
            added = shopper(front, cookies).go(0, "POST", "/cart/add", f"item={MUG}&quantity=1")
            assert added.status == 303
        path = "/carts/" + cookies["cart"]
        body = cart_of(1)
        assert send(front, 0, "PUT", path, body, UCP_Agent=AGENT).status == 200
        assert home_of(three, 0, cookies["cart"]) == turned(three, home)


def test_a_cart_without_a_record_gets_one(three, front):
    browser = shopper(front, with_record(three))
    page = browser.go(0, "GET", "/cart")
    home = servers_in(browser.cookies["home"])
    assert page.status == 200 and sorted(home) == three.ids
    assert page.headers["Stoa-Server"] == str(home[0])
    assert home_of(three, 0, browser.cookies["cart"]) == []
    assert browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    assert home_of(three, 0, browser.cookies["cart"]) == home


def test_a_cart_that_is_gone_leaves_the_hashs_choice(three, front):
    browser = shopper(front, {"cart": "ab" * 16})
    assert browser.go(0, "GET", "/").status == 200
    assert sorted(servers_in(browser.cookies["home"])) == three.ids


def test_in_direct_mode_a_shopper_is_sent_to_the_recorded_home(three, tmp_path):
    page = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    with front_of(three, tmp_path, "--mode", "direct") as front:
        for home in three.ids:
            browser = shopper(front, with_record(three, *turned(three, home)))
            assert browser.go(0, "GET", "/about", **page).status == 200  # who knows, is asked
            assert servers_in(browser.cookies["home"]) == turned(three, home)
            sent = browser.go(0, "GET", "/about", **page)
            assert sent.status == 307
            address = three.addresses[three.ids.index(home)]
            assert sent.headers["Location"] == f"http://{address}/about"
    # Servers know the way back to it for a while.
    wait_until(lambda: not any(one["mode"] == "direct" for i in range(COUNT)
                               for one in managers(three, i)), what="its being forgotten")


@pytest.mark.parametrize("path", ["/about", "/cart"])
def test_in_direct_mode_servers_give_the_cookie_back_themselves(three, path):
    """So that the load manager knows where to when this server is gone."""
    cookies = with_record(three, *turned(three, 2))
    assert announce(three, 0, mode="direct").status == 200
    browser = shopper(three, cookies)
    for _ in range(2):  # made, and kept ready
        browser.cookies = dict(cookies)
        page = browser.go(0, "GET", path)
        assert page.status == 200 and "Stoa-Home" not in page.headers
        assert servers_in(browser.cookies["home"]) == turned(three, 2)
        assert "form-action 'self' http://127.0.0.1:8080" in page.headers["Content-Security-Policy"]
    assert announce(three, 0, mode="direct").status == 200  # it is forgotten after five seconds
    again = browser.go(0, "GET", path)
    assert "home" not in cookies_set(again)  # the browser has it
    assert announce(three, 0).status == 200  # in proxy mode the load manager does that
    page = shopper(three, cookies).go(0, "GET", path)
    assert "home" not in cookies_set(page)
    assert "form-action 'self';" in page.headers["Content-Security-Policy"]  # no way back


def cookies_set(answer):
    return {line.split("=")[0] for line in answer.headers.get_all("Set-Cookie", [])}


# ---- Load managers


def announce(three, i, **more):
    body = {"id": "00112233445566aa", "pid": 4711, "url": "http://127.0.0.1:8080",
            "policy": "two-choices", "started_at": "2026-11-22T11:40:00.000Z"} | more
    return operate(three, i, "/managers", body)


def managers(three, i):
    return operate(three, i, "").json["load_managers"]


def test_a_load_manager_learns_who_there_is(three):
    answer = announce(three, 1)
    assert answer.status == 200, answer.text
    told = answer.json
    assert bytes.fromhex(told["key"]) == home_key(three)
    assert told["own"] == three.ids[1] and told["primary"] in three.ids
    assert told["term"] > 0 and told["index"] > 0 and len(told["cluster"]) == 32
    assert [s["id"] for s in told["servers"]] == sorted(three.ids)
    for server in told["servers"]:
        assert server["url"].startswith("http://") and server["state"] == "up"
        assert server["role"] in ("primary", "secondary") and server["weight"] == 100


def test_a_load_manager_is_listed_until_it_is_silent(three):
    assert announce(three, 0, id="0123456789abcdef", pid=11, status="http://a:9").status == 200
    begun = time.monotonic()
    assert announce(three, 0, id="0123456789abcdef", pid=12, status="http://a:9").status == 200
    one = next(m for m in managers(three, 0) if m["id"] == "0123456789abcdef")
    assert one["pid"] == 12 and one["url"] == "http://127.0.0.1:8080" and one["seen_ms"] < 5000
    assert one["policy"] == "two-choices" and one["mode"] == "proxy"
    assert one["status"] == "http://a:9"
    wait_until(lambda: not any(m["id"] == "0123456789abcdef" for m in managers(three, 0)),
               what="its being forgotten")
    assert time.monotonic() - begun > 4


def test_who_is_no_load_manager_learns_nothing(three):
    assert send(three, 0, "POST", "/api/v1/cluster/managers", {"id": "x", "pid": 1}).status == 401
    assert operate(three, 0, "/managers", {"pid": 1}).status == 422
    assert operate(three, 0, "/managers", {"id": "x" * 17, "pid": 1}).status == 422
    assert operate(three, 0, "/managers", {"id": "x", "pid": 1, "url": "x" * 200}).status == 422


def test_a_load_manager_is_believed_that_the_shopper_speaks_https(three):
    headers = {"UCP-Agent": AGENT, "X-Forwarded-Proto": "https", "Host": "shop.example"}
    assert announce(three, 0).status == 200
    page = Browser(three)
    added = page.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1", X_Forwarded_Proto="https",
                    Host="shop.example", Origin="https://shop.example")
    assert added.status == 303
    assert all("; Secure" in line for line in added.headers.get_all("Set-Cookie"))
    assert announce(three, 0).status == 200  # it is forgotten after five seconds
    made = send(three, 0, "POST", "/carts", cart_of(1), **headers)
    assert made.json["continue_url"].startswith("https://shop.example/carts/")
    plain = send(three, 0, "POST", "/carts", cart_of(1), **(headers | {"X-Forwarded-Proto": "x"}))
    assert plain.json["continue_url"].startswith("http://shop.example/carts/")


def test_in_direct_mode_pages_know_the_way_back(three):
    assert announce(three, 2, mode="direct").status == 200
    for _ in range(2):  # made, and kept ready
        page = send(three, 2, "GET", "/about")
        assert b'<base href="http://127.0.0.1:8080/about">' in page.text
        assert "base-uri http://127.0.0.1:8080;" in page.headers["Content-Security-Policy"]
    origin = "http://" + three.addresses[0]
    assert announce(three, 2, mode="direct").status == 200  # it is forgotten after five seconds
    def add(origin):
        return send(three, 2, "POST", "/cart/add", f"item={MUG}&quantity=1", Origin=origin,
                    Content_Type="application/x-www-form-urlencoded", Sec_Fetch_Site="same-site")
    assert add(origin).status == 303
    assert add("http://127.0.0.1:8080").status == 303
    assert add("http://127.0.0.1:8081").status == 403
    assert add("null").status == 403
    assert announce(three, 2).status == 200  # in proxy mode again
    page = send(three, 2, "GET", "/about")
    assert b"<base" not in page.text
    assert "base-uri 'none'" in page.headers["Content-Security-Policy"]
    assert add(origin).status == 403


# ---- Who answers, and who had better be asked


def test_every_answer_names_its_server(three):
    for i in range(COUNT):
        for path in ("/", "/", "/cart", "/assets/none", "/api/v1/cluster", "/livez"):
            assert send(three, i, "GET", path).headers["Stoa-Server"] == str(three.ids[i])


def test_a_check_is_answered_with_how_busy_the_server_is(three):
    def is_idle(method):
        answer = send(three, 1, method, "/livez")
        assert answer.status == 200
        assert answer.text == (b"ok\n" if method == "GET" else b"")
        load = dict(part.strip().split("=") for part in answer.headers["Stoa-Load"].split(","))
        assert int(load["latency-us"]) >= 0
        return load["in-flight"] == "0"
    for method in ("GET", "HEAD"):  # a load manager tells of itself now and then
        wait_until(lambda method=method: is_idle(method), what="an idle server")
    assert send(three, 1, "POST", "/livez").status == 405


def test_a_server_without_a_primary_sends_elsewhere(three):
    """Another one may know of one; one that is only busy says nothing of the kind."""
    three.kill(0)
    three.kill(1)
    def lonely():
        made = ucp(three, 2, "POST", "/carts", cart_of(1), timeout=60,
                   Stoa_Operation="01a2031e-6509-74ec-ac05-a2e173c35481")
        return made.status == 503 and made
    made = wait_until(lonely, 60, "the server's noticing that it is alone")
    assert made.headers["Stoa-Try"] == "elsewhere" and made.headers["Retry-After"]
    read = ucp(three, 2, "GET", "/carts/" + "ab" * 16, timeout=60)
    assert read.status == 503 and read.headers["Stoa-Try"] == "elsewhere"


def test_what_was_bought_by_shoppers_of_all_homes_is_on_all_servers(three):
    for i in range(COUNT):
        browser = Browser(three)
        browser.cookies["home"] = home_text(three, three.ids[i], three.ids[(i + 1) % COUNT])
        for _ in range(3):
            assert browser.go(i, "POST", "/cart/add", f"item={MUG}&quantity=1").status == 303
    made = ucp(three, 0, "POST", "/carts", cart_of(3))
    for i in range(COUNT):
        assert quantity_in(ucp(three, i, "GET", "/carts/" + made.json["id"])) == 3
    wait_until(three.copies_agree, 60, "equal copies")
    for i in range(COUNT):
        assert three.audit(i)[0] == 0


# ---- A server alone


@pytest.mark.parametrize("trust", [False, True])
def test_a_peer_is_believed_only_if_it_is_trusted(tmp_path, trust):
    """Neither that the shopper speaks https, nor that it is one to be told where carts belong."""
    goods = tmp_path / "goods.csv"
    goods.write_text(GOODS)
    with Shop(tmp_path, *(["--trust", "127.0.0.1"] if trust else []), catalogue=goods) as shop:
        class Alone:
            addresses = [shop.address]
        browser = Browser(Alone)
        added = browser.go(0, "POST", "/cart/add", f"item={MUG}&quantity=1", Stoa_Home="ask",
                           X_Forwarded_Proto="https")
        assert added.status == 303
        assert all(("; Secure" in line) == trust for line in added.headers.get_all("Set-Cookie"))
        for path in ("/cart", "/", "/"):
            asked = browser.go(0, "GET", path, Stoa_Home="ask")
            assert asked.headers["Stoa-Home"] == ("none" if trust else None)
            assert "Stoa-Home" not in browser.go(0, "GET", path).headers


def test_cookies_are_for_all_hosts_of_a_domain_where_that_is_set(tmp_path):
    goods = tmp_path / "goods.csv"
    goods.write_text(GOODS)
    with Shop(tmp_path, "--cookie-domain", "shop.example", catalogue=goods) as shop:
        connection = http.client.HTTPConnection(shop.address, timeout=10)
        connection.request("POST", "/cart/add", f"item={MUG}&quantity=1",
                           {"Content-Type": "application/x-www-form-urlencoded"})
        cookies = connection.getresponse().headers.get_all("Set-Cookie")
        connection.close()
    assert len(cookies) == 2
    assert all(cookie.endswith("; Domain=shop.example") for cookie in cookies)
