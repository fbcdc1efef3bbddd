"""Several servers: no shopper is shown anything older than what they have seen, on whichever server
they come to; files are on all servers; the operator reaches the cluster through any of them."""

import contextlib
import hashlib
import hmac
import json
import uuid

import pytest

from cluster_client import (GOODS, LAMP, MUG, Browser, cart_of, index_of, operate, quantity_in,
                            send, told, ucp)
from shop_server import checkout_body, payment_body, wait_until
from test_stamp import stamp
from three_servers import COUNT, Three


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    goods = folder / "goods.csv"
    goods.write_text(GOODS)
    with Three(folder, goods) as three:
        three.wait_healthy()
        yield three


@pytest.fixture(autouse=True)
def no_server_outlives_its_test():
    """In place of conftest.py's: the servers are the module's, also when a test starts one again;
    their fixture ends them all."""
    yield


@pytest.fixture(autouse=True)
def all_are_well(three):
    """Each test finds the cluster as it was made, and leaves it so."""
    yield
    three.mend()


def make_token(three, index, cluster=None):
    """A token as the shop itself signs it (src/web/token.h)."""
    known = json.loads((three.dirs[0] / "cluster" / "cluster.json").read_text())
    secret = bytes.fromhex((three.dirs[0] / "secret").read_text().strip())
    message = (b"session\0" + bytes([1]) + bytes.fromhex(cluster or known["cluster"]) +
               known["generation"].to_bytes(8, "big") + index.to_bytes(8, "big"))
    mac = hmac.new(secret, message, hashlib.sha256).hexdigest()[:32]
    return f"1-{index}-{mac}"


def does(three, i, method, path, body, token=None):
    """What the shop answers to a command, which is done once however often it is sent."""
    return told(ucp, three, i, method, path, body, token, Idempotency_Key=str(uuid.uuid4()))


def goes(browser, i, method, path, body=None, **headers):
    """What a browser is answered, through a load manager: a form is stamped (docs/api.md, Sent
    twice), so that it is done once."""
    if method == "POST":
        headers["Stoa_Operation"] = stamp()
    return told(browser.go, i, method, path, body, **headers)


# ---- Reading what was written elsewhere


@pytest.mark.parametrize("with_token", [True, False], ids=["with token", "without"])
def test_what_one_server_wrote_every_other_shows_at_once(three, with_token):
    made = does(three, 0, "POST", "/carts", cart_of(1))
    assert made.status == 201
    path, token = "/carts/" + made.json["id"], made.token
    for quantity in range(2, 32):
        writer = quantity % COUNT
        changed = does(three, writer, "PUT", path, cart_of(quantity), token)
        assert quantity_in(changed) == quantity
        assert index_of(changed.token) > index_of(token)
        token = changed.token
        for reader in range(COUNT):
            seen = told(ucp, three, reader, "GET", path, token=token if with_token else None)
            assert quantity_in(seen) == quantity, f"written on {writer}, read on {reader}"
            if with_token:
                assert not seen.token or index_of(seen.token) > index_of(token)


def test_a_purchase_is_seen_everywhere_at_once(three):
    for buyer in range(COUNT):
        made = does(three, buyer, "POST", "/checkout-sessions", checkout_body({LAMP: 1}))
        path = "/checkout-sessions/" + made.json["id"]
        paid = does(three, (buyer + 1) % COUNT, "POST", path + "/complete", payment_body(),
                    made.token)
        assert paid.status == 200 and paid.json["status"] == "completed", paid.text
        for reader in range(COUNT):
            for token in (paid.token, None):
                order = told(ucp, three, reader, "GET", "/orders/" + made.json["id"], token=token)
                assert order.status == 200, (reader, token, order.text)
                seen = told(ucp, three, reader, "GET", path, token=token)
                assert seen.json["status"] == "completed"


def test_what_the_operator_changes_the_operator_sees_on_every_server(three):
    for round in range(9):
        right = {"Authorization": "Bearer " + three.token}
        count = told(send, three, 0, "GET", "/admin/api/variants/" + MUG,
                     **right).json["available"]
        done = told(send, three, round % COUNT, "POST", f"/admin/api/variants/{MUG}/receive",
                    {"quantity": 1}, Idempotency_Key=str(uuid.uuid4()), **right)
        assert done.status == 200 and index_of(done.token) == done.json["index"]
        for reader in range(COUNT):
            seen = told(send, three, reader, "GET", "/admin/api/variants/" + MUG, **right)
            assert seen.json["available"] == count + 1


# ---- Browsers


def test_a_browser_sees_its_own_cart_on_every_server(three):
    browser = Browser(three)
    for quantity in range(1, 13):
        added = goes(browser, quantity % COUNT, "POST", "/cart/add", f"item={MUG}&quantity=1",
                     Accept="application/json")
        assert added.status == 200, added.text
        assert added.json["units"] == quantity
        for reader in range(COUNT):
            page = goes(browser, reader, "GET", "/cart")
            assert page.status == 200
            assert browser.cookies["cart_count"] == str(quantity)
            assert f'value="{quantity}"'.encode() in page.text


def test_the_cookie_is_hidden_and_only_on_what_nobody_else_gets(three):
    browser = Browser(three)
    added = goes(browser, 1, "POST", "/cart/add", f"item={MUG}&quantity=1")
    seen = [c for c in added.headers.get_all("Set-Cookie") if c.startswith("seen=")]
    assert len(seen) == 1 and added.token is None
    assert "HttpOnly" in seen[0] and "SameSite=Lax" in seen[0] and "Path=/" in seen[0]
    for path in ("/", f"/product/{MUG}", "/search?q=mug", f"/product/{MUG}.json", "/about"):
        for _ in range(2):  # the second comes from the cache
            page = goes(browser, 2, "GET", path)
            assert page.status == 200
            assert not page.headers.get_all("Set-Cookie"), path


def test_paying_empties_the_cart_on_every_server(three):
    browser = Browser(three)
    goes(browser, 0, "POST", "/cart/add", f"item={MUG}&quantity=2")
    cart = goes(browser, 1, "GET", "/cart").text.decode()
    token = cart.split('name="token" value="')[1].split('"')[0]
    at = goes(browser, 2, "POST", "/checkout", f"token={token}").headers["Location"]
    form = goes(browser, 0, "GET", at).text.decode()
    token = form.split('name="token" value="')[1].split('"')[0]
    goes(browser, 1, "POST", at, f"token={token}&email=ada%40shopper.example&last_name=Byron"
         "&country=DE&street=Hauptstr+1&postal_code=10115&locality=Berlin")
    delivery = goes(browser, 2, "GET", at + "/delivery").text.decode()
    rate = delivery.split('name="rate"')[1].split('value="')[1].split('"')[0]
    chosen = goes(browser, 0, "POST", at + "/delivery", f"token={token}&rate={rate}")
    assert chosen.headers["Location"] == at + "/payment"
    payment = goes(browser, 1, "GET", at + "/payment").text.decode()
    agreed = payment.split('name="agreed" value="')[1].split('"')[0]
    refused = goes(browser, 2, "POST", at + "/payment",
                   f"token={token}&agreed={agreed}&card=fail_token")
    assert refused.status == 422 and b"refused" in refused.text
    paid = goes(browser, 2, "POST", at + "/payment",
                f"token={token}&agreed={agreed}&card=success_token")
    assert paid.status == 303 and "/order/" in paid.headers["Location"], paid.text
    assert not browser.cookies["cart"]
    for reader in range(COUNT):
        assert goes(browser, reader, "GET", paid.headers["Location"]).status == 200


def test_cached_pages_of_every_server_follow_a_change(three):
    path = f"/product/{LAMP}"
    for round in range(6):
        price = 5000 + round + 1
        text = f"{price // 100}.{price % 100:02}".encode()
        for i in range(COUNT):  # into the caches
            assert text not in send(three, i, "GET", path).text
            assert text not in send(three, i, "GET", path).text
        done = told(send, three, round % COUNT, "PUT", f"/admin/api/variants/{LAMP}/price",
                    {"price": price}, Authorization="Bearer " + three.token)
        assert done.status == 200
        for i in range(COUNT):
            wait_until(lambda: text in send(three, i, "GET", path).text, what="the new price")
            assert text in told(send, three, i, "GET", path).text  # and it stays


# ---- Tokens that are none


def test_a_token_that_is_not_ours_is_taken_for_none_and_replaced(three):
    made = does(three, 0, "POST", "/carts", cart_of(3))
    path = "/carts/" + made.json["id"]
    good = make_token(three, index_of(made.token))
    assert good == made.token  # what follows differs from a good one in what it says alone
    foreign = make_token(three, 10**9, cluster="00" * 16)
    forged = f"1-{10**9}-{'0' * 32}"
    for reader in range(COUNT):
        for token in (foreign, forged, "garbage", "1--", "x" * 4000):
            # Who waited for what such a token says would never be told.
            seen = told(ucp, three, reader, "GET", path, token=token)
            assert quantity_in(seen) == 3
            assert index_of(seen.token) >= index_of(made.token)


def test_a_token_from_the_future_does_not_hang(three):
    made = does(three, 0, "POST", "/carts", cart_of(3))
    token = make_token(three, index_of(made.token) + 10**6)
    for reader in range(COUNT):
        seen = ucp(three, reader, "GET", "/carts/" + made.json["id"], token=token)
        assert seen.status == 503 and seen.json["code"] == "no_primary", seen.text
        assert seen.headers["Retry-After"]
        assert 0.9 < seen.seconds < 9
    assert quantity_in(told(ucp, three, 1, "GET", "/carts/" + made.json["id"])) == 3


# ---- Servers that are away


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_server_that_was_stopped_shows_nothing_old(three, which):
    stopped = (three.wait_primary() + which) % COUNT
    others = [i for i in range(COUNT) if i != stopped]
    made = does(three, stopped, "POST", "/carts", cart_of(1))
    path, token = "/carts/" + made.json["id"], made.token
    three.hang(stopped)

    def write(quantity):
        with contextlib.suppress(OSError):
            changed = ucp(three, others[0], "PUT", path, cart_of(quantity), token)
            return changed if changed.status == 200 else None

    for quantity in range(2, 8):
        changed = wait_until(lambda: write(quantity), 60, "a write without the stopped server")
        token = changed.token
        assert quantity_in(told(ucp, three, others[1], "GET", path, token=token)) == quantity
        assert quantity_in(told(ucp, three, others[1], "GET", path)) == quantity
    three.go_on(stopped)
    for token in (token, None):
        seen = ucp(three, stopped, "GET", path, token=token)
        # It may not find out in time how far the others are; what it shows is never old.
        assert seen.status == 503 or quantity_in(seen) == 7


def test_without_a_majority_what_was_seen_is_shown_and_the_rest_refused(three):
    left = three.wait_primary()
    made = does(three, left, "POST", "/carts", cart_of(4))
    path = "/carts/" + made.json["id"]
    # It may be primary no more, and has been answered for by another one.
    assert quantity_in(told(ucp, three, left, "GET", path, token=made.token)) == 4
    for i in range(COUNT):
        if i != left:
            three.kill(i)
    assert quantity_in(ucp(three, left, "GET", path, token=made.token)) == 4
    alone = ucp(three, left, "GET", path)
    assert alone.status == 503 and alone.json["code"] == "no_primary", alone.text
    assert alone.headers["Retry-After"] and alone.seconds < 9
    page = send(three, left, "GET", "/order/" + made.json["id"])
    assert page.status == 503 and b"cannot be reached" in page.text
    wait_until(lambda: send(three, left, "GET", "/healthz").status == 503, what="a sick server")
    assert send(three, left, "GET", "/").status == 200


# ---- Files


def media(three, i, method, name, body=None, timeout=15):
    return send(three, i, method, "/admin/api/media/" + name, body, timeout,
                Authorization="Bearer " + three.token)


def upload(three, i, name, body, servers=COUNT):
    """Until so many have it: whoever did not answer in time is left out, and would fetch it."""
    def taken():
        answer = media(three, i, "PUT", name, body)
        return answer.status == 200 and answer.json["servers"] == servers
    wait_until(taken, what=f"{name} on {servers} servers")


def test_an_uploaded_file_is_on_every_server_and_outlives_the_one_that_took_it(three):
    picture = bytes(range(256)) * 8192
    for i in range(COUNT):
        name = f"picture-{i}.jpg"
        upload(three, i, name, picture)
        seen = [send(three, reader, "GET", "/media/" + name) for reader in range(COUNT)]
        assert all(s.status == 200 and s.text == picture for s in seen)
        assert len({s.headers["ETag"] for s in seen}) == 1
        three.kill(i)
        for reader in range(COUNT):
            if reader != i:
                assert send(three, reader, "GET", "/media/" + name).text == picture
        three.start(i)
        three.wait_healthy()


def test_a_server_that_was_down_fetches_a_file_when_it_is_asked_for(three):
    up = three.wait_primary()
    down = (up + 1) % COUNT
    picture = b"picture" * 100000
    three.kill(down)
    upload(three, up, "late.png", picture, COUNT - 1)
    three.start(down)
    three.wait_healthy()
    first = told(send, three, down, "GET", "/media/late.png")
    assert first.status == 200 and first.text == picture
    assert first.headers["ETag"] == send(three, up, "GET", "/media/late.png").headers["ETag"]
    assert (three.dirs[down] / "media" / "late.png").read_bytes() == picture
    again = send(three, down, "GET", "/media/late.png", If_None_Match=first.headers["ETag"])
    assert again.status == 304


def test_a_file_that_no_server_has_is_not_found(three):
    for _ in range(2):
        for i in range(COUNT):
            assert told(send, three, i, "GET", "/media/nothing.png").status == 404
            assert told(send, three, i, "GET", "/media/sub/nothing.png").status == 404
    assert not [f for d in three.dirs for f in (d / "media").iterdir() if f.name.startswith(".")]


def test_a_deleted_file_is_gone_everywhere(three):
    upload(three, 0, "gone.txt", b"text")

    def deleted():
        answer = media(three, 1, "DELETE", "gone.txt")
        assert answer.status == 200, answer.text
        return "missed" not in answer.json  # else it names whoever did not answer
    wait_until(deleted)
    for i in range(COUNT):
        assert told(send, three, i, "GET", "/media/gone.txt").status == 404


def test_an_upload_that_no_other_server_has_is_not_called_done(three):
    left = three.wait_primary()
    for i in range(COUNT):
        if i != left:
            three.kill(i)
    wait_until(lambda: (seen := three.view(left)) and
               all(s["state"] == "down" for s in seen["servers"] if s["id"] != left + 1),
               what="their death being noticed")
    taken = media(three, left, "PUT", "single.txt", b"text")
    assert taken.status == 503 and taken.json["error"]["code"] == "no_copy", taken.text


# ---- The operator


def test_the_cluster_is_shown_by_every_server(three):
    for i in range(COUNT):
        seen = operate(three, i, "")
        assert seen.status == 200 and seen.json["own"] == i + 1
        assert len(seen.json["cluster"]) == 32
        assert [s["id"] for s in seen.json["servers"]] == [1, 2, 3]

        def all_is_well():  # what is told of the others is a moment old
            servers = operate(three, i, "").json["servers"]
            return [s["state"] for s in servers] == ["up"] * COUNT and \
                [s["url"] for s in servers] == ["http://" + a for a in three.addresses] and \
                all(s["term"] > 0 and s["index"] > 0 for s in servers) and \
                [s["pid"] for s in servers] == [process.pid for process in three.processes] and \
                sorted(s["role"] for s in servers) == ["primary", "secondary", "secondary"]
        wait_until(all_is_well, what=f"all are up, as server {i + 1} sees them")


def test_handing_over_may_be_asked_of_any_server(three):
    for asked in range(COUNT):
        to = (three.wait_primary() + 1) % COUNT
        made = does(three, asked, "POST", "/carts", cart_of(asked + 1))

        def handed_over():  # not to one that is held up
            done = operate(three, asked, "/handover", {"to": to + 1})
            return done.status == 200 and done.json == {"done": True}
        wait_until(handed_over, what=f"a handover asked of server {asked + 1}")
        wait_until(lambda: three.primary() == to, what="the other primary")
        for reader in range(COUNT):
            path = "/carts/" + made.json["id"]
            assert quantity_in(told(ucp, three, reader, "GET", path,
                                    token=made.token)) == asked + 1
            assert quantity_in(told(ucp, three, reader, "GET", path)) == asked + 1


def test_what_cannot_be_is_refused_with_a_sentence(three):
    for i in range(COUNT):
        for path, body, statuses in (
                ("/handover", {"to": 77}, (404,)), ("/handover", {"to": "x"}, (422,)),
                ("/remove", {}, (422,)), ("/remove", {"id": 77}, (404,)),
                ("/prefer", {"id": 77}, (404,)), ("/token", {"lifetime": 0}, (422,)), ("/nothing", {}, (404,))):
            refused = told(operate, three, i, path, body)
            assert refused.status in statuses, (path, body, refused.status, refused.text)
            assert len(refused.json["error"]["message"]) > 10
        stranger = send(three, i, "POST", "/api/v1/cluster/handover", {"to": 1},
                        Authorization="Bearer nonsense")
        assert stranger.status == 401


def test_a_token_for_a_new_server_comes_from_any_server(three):
    tokens = [told(operate, three, i, "/token", {"lifetime": 60}) for i in range(COUNT)]
    assert all(t.status == 200 and t.json["lifetime"] == 60 for t in tokens)
    assert len({t.json["token"] for t in tokens}) == COUNT
