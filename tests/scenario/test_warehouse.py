"""The bricks-and-mortar server: what the shop sends has effect once, an older primary is refused,
its people pick, pack and ship, and the shop hears all of it once and in order, whoever dies."""

import http.client
import json
import re
import socket
import sqlite3
import subprocess
import uuid

import pytest

from shop_server import STOA
from warehouse_server import (SHOP_ID, TOKEN, Browser, SmallShop, Warehouse, cancel, key_of, order,
                              wait_for)

pytestmark = pytest.mark.outside


@pytest.fixture
def shop():
    made = SmallShop()
    yield made
    made.close()


def test_order_has_effect_once_and_leaves_in_parcels(tmp_path, shop):
    sent = order(1001, [("mug", 2), ("pen", 3)])
    with Warehouse(tmp_path, shop=shop) as house:
        for _ in range(3):
            status, answer = house.send_orders(sent)
            assert status == 200
            assert answer == {"results": [{"effect": sent["effect"], "outcome": "taken"}]}
        again = {**sent, "effect": uuid.uuid4().hex}  # under another effect: nothing twice, either
        assert house.send_orders(again)[1]["results"][0]["outcome"] == "taken"
        house.does("/v1/arrivals", {"item": "mug", "quantity": 5, "note": "delivery note 4711"})
        assert house.stock()["mug"] | {"title": ""} == {
            "item": "mug", "sku": "MUG", "title": "", "on_hand": 5, "allotted": 2, "free": 3,
            "shipped": 0}

        first = house.does("/v1/orders/1001/parcels", {
            "lines": [{"line": 1, "quantity": 1}], "ship": True, "carrier": "Post",
            "tracking": "T1", "tracking_url": "https://post.example/T1"})["parcel"]
        assert house.does("/v1/orders/1001/scan", {"code": "PEN"})["line"] == 2
        second = house.does("/v1/orders/1001/parcels", {"operation": uuid.uuid4().hex})["parcel"]
        status, answer = house.people("POST", "/v1/orders/1001/parcels",
                                      {"lines": [{"line": 2, "quantity": 3}]})
        assert status == 409 and "line 2: 2 are to be packed" in answer["text"]
        house.does(f"/v1/parcels/{second}/ship")
        house.does(f"/v1/parcels/{second}/ship")  # once more: nothing
        house.does(f"/v1/parcels/{first}/deliver")
        house.does("/v1/orders/1001/parcels", {"ship": True})

        wait_for(lambda: len(shop.taken) == 5)
        assert shop.kinds() == ["arrived", "shipped", "shipped", "delivered", "shipped"]
        shipped = [report for report in shop.taken if report["kind"] == "shipped"]
        assert shipped[0] == {
            "sequence": 2, "kind": "shipped", "order": key_of(sent), "parcel": first,
            "lines": [{"line": 1, "quantity": 1}], "carrier": "Post", "tracking": "T1",
            "tracking_url": "https://post.example/T1"}
        assert shipped[1]["lines"] == [{"line": 2, "quantity": 1}]
        assert shipped[2]["lines"] == [{"line": 1, "quantity": 1}, {"line": 2, "quantity": 2}]
        of_order = house.ledger()[key_of(sent)]
        assert of_order["state"] == "shipped" and len(of_order["parcels"]) == 3
        assert house.stock()["mug"]["on_hand"] == 3 and house.stock()["pen"]["on_hand"] == -3
        house.check()


def test_cancel_takes_out_what_is_not_packed(tmp_path):
    sent, late, whole = order(1, [("mug", 5)]), order(2, [("mug", 2)]), order(3, [("pen", 1)])
    with Warehouse(tmp_path) as house:
        house.send_orders(sent)
        house.does("/v1/orders/1/parcels", {"lines": [{"line": 1, "quantity": 2}]})
        house.does("/v1/orders/1/shortages", {"lines": [{"line": 1, "quantity": 1}]})
        asked = cancel(sent, (1, 4), (9, 1))
        for _ in range(2):  # a repeat gives the first answer again
            status, answer = house.send_cancels(asked)
            assert status == 200 and answer["results"] == [
                {"effect": asked["effect"], "outcome": "answered",
                 "lines": [{"line": 1, "canceled": 2}, {"line": 9, "canceled": 0}]}]
        # Canceled before they come: one unit of one, all of the other.
        answer = house.send_cancels(cancel(late, (1, 1)), cancel(whole, (1, 1)))[1]
        assert [result["lines"][0]["canceled"] for result in answer["results"]] == [1, 1]
        house.send_orders(late, whole)
        ledger = house.ledger()
        assert ledger[key_of(late)]["lines"][0]["open"] == 1
        assert ledger[key_of(whole)]["state"] == "canceled"
        assert house.stock()["mug"]["allotted"] == 2 + 1 and house.stock()["pen"]["allotted"] == 0
        house.check()


def test_older_primary_and_other_shop_are_refused(tmp_path):
    sent = order(1, [("mug", 1)])
    with Warehouse(tmp_path) as house:
        assert house.shop_sends("PUT", "/v1/fence", fence="0.7") == (204, None)
        status, answer = house.send_orders(sent, fence="0.6")
        assert (status, answer) == (409, {"error": "fence_too_old", "fence": f"{SHOP_ID} 0.7"})
        assert house.send_cancels(cancel(sent), fence="0.6")[0] == 409
        assert house.send_orders(sent, fence="0.7")[0] == 200
        assert house.send_orders(sent, fence="1.1")[0] == 200  # a new epoch outranks every term
        house.kill()
        house.start()  # it is remembered
        assert house.send_orders(sent, fence="0.9")[0] == 409
        assert house.send_orders(sent, shop=uuid.uuid4().hex, fence="9.9")[0] == 403
        assert house.send_orders(sent, token="another token of some length")[0] == 401
        assert house.shop_sends("POST", "/v1/orders", {"orders": []}, shop="nobody")[0] == 400
        rows = house.sees("/v1/refused")["refused"]
        assert [row["what"] for row in rows] == ["orders", "orders", "cancels", "orders"]
        assert rows[-1]["theirs"].endswith(" 0.6") and rows[-1]["ours"].endswith(" 0.7")
        assert "a deposed primary" in house.log.read_text()
        house.check()


def test_one_bad_order_does_not_stop_the_others(tmp_path):
    good, bad = order(1, [("mug", 1)]), order(2, [("mug", 0)])
    with Warehouse(tmp_path) as house:
        status, answer = house.send_orders(bad, good)
        assert status == 200
        assert [result["outcome"] for result in answer["results"]] == ["refused", "taken"]
        assert "lines[0].quantity must be" in answer["results"][0]["text"]
        status, answer = house.send_orders({**good, "effect": "no id"})
        assert status == 400 and "orders[0].effect" in answer["text"]


def test_the_longest_order_of_a_shop_is_taken(tmp_path):
    sent, text = order(1, [(f"item-{at}", 1) for at in range(100)]), "\x01" * 1000
    for line in sent["lines"]:
        line |= {"item": f"{line['line']:0255}", "sku": f"{line['line']:0255}",
                 "title": text, "options": f"{text} / {text} / {text}"}
    sent |= {"service": text, "email": text,
             "destination": dict.fromkeys([*sent["destination"], "extended", "phone", "region"], text)}
    with Warehouse(tmp_path) as house:
        status, answer = house.send_orders(sent)
        assert status == 200 and answer["results"][0]["outcome"] == "taken", answer
        house.does("/v1/orders/1/parcels", {"ship": True})
        assert house.ledger()[key_of(sent)]["state"] == "shipped"
        house.check()


def test_reports_wait_for_a_shop_that_is_away_and_are_taken_once(tmp_path, shop):
    shop.away = True
    with Warehouse(tmp_path, shop=shop) as house:
        for number in range(150):
            house.does("/v1/arrivals", {"item": f"item-{number}", "quantity": 1})
        wait_for(lambda: house.sees("/v1/status")["trouble"])
        house.kill()
        shop.away, shop.lose_answers = False, 2
        house.start()
        wait_for(lambda: house.sees("/v1/status")["waiting"] == 0)
        assert [report["item"] for report in shop.taken] == [f"item-{at}" for at in range(150)]
        assert house.sees("/v1/status")["taken"] == 150
        # A shop that was restored from a backup hears again what it has lost.
        del shop.taken[140:]
        house.does("/v1/counts", {"item": "item-1", "on_hand": 7})
        wait_for(lambda: len(shop.taken) == 151)
        assert shop.taken[-1] == {"sequence": 151, "kind": "counted", "item": "item-1",
                                  "on_hand": 7, "note": ""}
        house.check()


def test_refused_report_is_mended_or_dropped_by_people(tmp_path, shop):
    shop.refuse = lambda report: "no such item" if report.get("item") == "what" else None
    with Warehouse(tmp_path, shop=shop) as house:
        house.does("/v1/arrivals", {"item": "what", "quantity": 1})
        house.does("/v1/arrivals", {"item": "what", "quantity": 2})
        house.does("/v1/arrivals", {"item": "mug", "quantity": 3})
        first = wait_for(lambda: [report for report in house.sees("/v1/reports")["reports"]
                                  if report["problem"]])[0]
        assert first["problem"] == "no such item" and not shop.taken
        status, _ = house.people("POST", f"/v1/reports/{first['id'] + 1}/drop", {})
        assert status == 409  # only the one that was refused
        house.does(f"/v1/reports/{first['id']}/mend",
                   {"report": {"kind": "arrived", "item": "mug", "quantity": 1, "note": ""}})
        second = wait_for(lambda: [report for report in house.sees("/v1/reports")["reports"]
                                   if report["problem"]])[0]
        house.does(f"/v1/reports/{second['id']}/drop")
        wait_for(lambda: len(shop.taken) == 2)
        assert [(report["sequence"], report["quantity"]) for report in shop.taken] == [
            (1, 1), (2, 3)]


def test_what_is_no_report_is_found_and_people_decide(tmp_path, shop):
    shop.away = True
    with Warehouse(tmp_path, shop=shop) as house:
        for number in range(1, 6):
            house.does("/v1/arrivals", {"item": f"item-{number}", "quantity": number})
        house.stop()
        with sqlite3.connect(house.dir / "warehouse.db") as book:  # as an older version let it be
            book.execute("UPDATE report SET body = '{}' WHERE id IN (2, 4)")
        book.close()
        shop.away = False
        house.start()

        def refused(number):
            return wait_for(lambda: [report for report in house.sees("/v1/reports")["reports"]
                                     if report["problem"] and report["id"] == number])
        assert refused(2) and len(shop.taken) == 1
        for body in ({}, {"kind": "what"}, [], None, "arrived"):
            status, answer = house.people("POST", "/v1/reports/2/mend", {"report": body})
            assert status == 422, (body, answer)
        house.does("/v1/reports/2/mend",
                   {"report": {"kind": "arrived", "item": "mended", "quantity": 2}})
        assert refused(4)
        house.does("/v1/reports/4/drop")
        wait_for(lambda: len(shop.taken) == 4)
        assert [report["item"] for report in shop.taken] == ["item-1", "mended", "item-3", "item-5"]
        house.check()


def test_operation_that_is_sent_twice_is_done_once(tmp_path):
    with Warehouse(tmp_path) as house:
        operation = str(uuid.uuid4())
        for _ in range(3):
            house.does("/v1/arrivals", {"item": "mug", "quantity": 5}, operation)
        assert house.stock()["mug"]["on_hand"] == 5
        house.send_orders(order(1, [("mug", 4)]))
        operation = str(uuid.uuid4())
        parcels = {house.does("/v1/orders/1/parcels",
                              {"lines": [{"line": 1, "quantity": 2}], "ship": True},
                              operation)["parcel"] for _ in range(3)}
        assert len(parcels) == 1 and house.stock()["mug"]["on_hand"] == 3
        operation = str(uuid.uuid4())
        for _ in range(2):
            house.does("/v1/orders/1/returns", {"lines": [{"line": 1, "quantity": 1}]}, operation)
        assert house.stock()["mug"]["on_hand"] == 4
        house.check()


def test_product_is_told_with_what_came_of_it(tmp_path, shop):
    with Warehouse(tmp_path, shop=shop) as house:
        house.does("/v1/products", {"product": {
            "handle": "mug", "title": "Mug", "variants": [
                {"key": "mug-red", "sku": "M-1", "title": "Red", "price": 1200, "quantity": 4},
                {"key": "mug-blue", "sku": "M-2", "title": "Blue", "price": 1200}]}})
        wait_for(lambda: len(shop.taken) == 2)
        assert shop.kinds() == ["product", "arrived"]
        assert [variant["key"] for variant in shop.taken[0]["product"]["variants"]] == [
            "mug-red", "mug-blue"]
        assert (shop.taken[1]["item"], shop.taken[1]["quantity"]) == ("mug-red", 4)
        assert house.stock()["mug-red"]["on_hand"] == 4


@pytest.mark.parametrize("point", ["warehouse_before", "warehouse_after", "warehouse_reported"])
def test_killed_at_each_point_nothing_is_lost_or_done_twice(tmp_path, shop, point):
    house = Warehouse(tmp_path, "--auto-ship", "1ms", "--auto-deliver", "1ms", shop=shop)
    orders = [order(number, [("mug", 1), ("pen", 2)]) for number in range(1, 21)]
    crashes = 0

    def start_to_die(passage):
        """It may report so much that it dies before it is ready; then there is less to report."""
        nonlocal crashes
        for _ in range(100):
            try:
                return house.start("--crash-at", f"{point}:{passage}")
            except AssertionError:
                house.wait_crashed()
                crashes += 1
        raise AssertionError(f"it dies at {point}:{passage} at each start")

    house.start("--crash-at", f"{point}:1")
    try:
        for at, sent in enumerate(orders):
            while True:
                try:
                    if house.send_orders(sent)[0] == 200:
                        break
                except (OSError, http.client.HTTPException):
                    house.wait_crashed()
                    crashes += 1
                    start_to_die(2 + at)
        def all_noted():
            """The point may come once more when the shop has taken the last report."""
            nonlocal crashes
            try:
                waiting = house.sees("/v1/status")["waiting"]
            except (OSError, http.client.HTTPException):
                house.wait_crashed()
                crashes += 1
                house.start()
                return False
            return waiting == 0 and shop.kinds().count("delivered") == len(orders)
        wait_for(all_noted)
        assert crashes >= 1
        shipped = [report["order"] for report in shop.taken if report["kind"] == "shipped"]
        assert sorted(shipped) == sorted(map(key_of, orders))
        assert {sent["state"] for sent in house.ledger().values()} == {"shipped"}
        assert house.stock()["pen"]["shipped"] == 2 * len(orders)
        house.check()
    finally:
        house.kill()


def test_killed_at_random_moments_the_book_agrees_with_the_shop(tmp_path, shop):
    house = Warehouse(tmp_path, "--auto-ship", "1ms", shop=shop)
    orders = [order(number, [("mug", 1)]) for number in range(1, 201)]
    house.start()
    try:
        for at in range(0, len(orders), 10):
            batch = orders[at:at + 10]
            try:
                if at % 40 == 30:  # in the middle of whatever it does with the batch before
                    house.kill()
                house.send_orders(*batch)
            except (OSError, http.client.HTTPException):
                house.start()
                house.send_orders(*batch)
        wait_for(lambda: len(shop.taken) == len(orders), 60)
        assert sorted(report["order"] for report in shop.taken) == sorted(map(key_of, orders))
        house.check()
    finally:
        house.kill()


def log_in(house):
    phrase = re.search(r"shown only now: (\S+)", house.said).group(1)
    browser = Browser(house)
    assert browser.get("/")[0] == 303
    assert browser.post("/login", phrase="wrong")[0] == 422
    assert browser.post("/login", phrase=phrase)[0] == 303
    return browser


def test_first_start_that_succeeds_shows_the_phrase(tmp_path):
    taken = socket.create_server(("127.0.0.1", 0))
    house = Warehouse(tmp_path)
    with taken:
        command = [STOA, "warehouse", "--dir", str(house.dir), "--plain", "--listen",
                   f"127.0.0.1:{taken.getsockname()[1]}", "--token-file", str(house.token_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "shown only now" not in done.stdout, done
    with house:
        log_in(house)
        house.stop()
        house.said = ""
        house.start()  # it is kept, and shown no more
        assert "shown only now" not in house.said


def test_people_pick_pack_and_ship_without_scripts(tmp_path, shop):
    sent = order(1001, [("mug", 2), ("pen", 1)])
    with Warehouse(tmp_path, shop=shop) as house:
        house.send_orders(sent, order(1002, [("cup", 1)]))
        browser = log_in(house)
        page = browser.get("/")[2]
        assert "Ada Löfgren" in page and "<script" not in page
        path = re.search(r'href="(/orders/[0-9a-f]{32})"', page).group(1)
        token = browser.hidden(page, "token")
        assert browser.post("/scan", token=token, code="1001")[1]["Location"] == path
        # A scanner types the SKU and Enter.
        for code in ("MUG", "PEN", "MUG"):
            status, headers, _ = browser.post(f"{path}/scan", token=token, code=code)
            assert status == 303, code
        status, _, page = browser.post(f"{path}/scan", token=token, code="MUG")
        assert status == 422 and "enough of &quot;MUG&quot; is picked" in page
        assert browser.post(f"{path}/scan", token=token, code="CUP")[0] == 422
        assert "All of it is picked" in browser.get(path)[2]

        operation = browser.hidden(browser.get(path)[2], "operation")
        fields = {"token": token, "operation": operation, "pack-1": "1", "carrier": "Post",
                  "tracking": "T<1>", "url": "https://post.example/?a=1&b=2"}
        for _ in range(2):  # a double click
            assert browser.post(f"{path}/send", **fields)[0] == 303
        page = browser.get(path)[2]
        assert page.count("Parcel 1") == 1 and "Parcel 2" not in page
        assert "T&lt;1&gt;" in page and "a=1&amp;b=2" in page
        assert browser.post(f"{path}/pack", token=token, **{"pack-1": "5"})[0] == 422
        assert browser.post(f"{path}/short", token=token, **{"short-2": "1"}, note="gone")[0] == 303
        assert "Next to pick" not in browser.get(path)[2]
        slip = browser.get(f"{path}/slip")[2]
        assert "<svg" in slip and "Order 1001" in slip
        wait_for(lambda: shop.kinds() == ["shipped", "short"])
        assert browser.post("/goods/arrive", token=token, item="MUG", quantity="7")[0] == 303
        assert "+7" in browser.get("/item?item=mug")[2]
        assert browser.post("/goods/product", token=token, title="Blue Cup", sku="C-1",
                            price="990", quantity="2")[0] == 303
        wait_for(lambda: shop.kinds()[2:] == ["arrived", "product", "arrived"])
        for page in ("/stock", "/reports", "/product", "/?state=all&q=mug"):
            assert browser.get(page)[0] == 200, page
        assert browser.post(f"{path}/send", token=token)[0] == 303
        assert "Next to pick: order 1002" in browser.get(path)[2]
        house.check()


def test_slip_of_an_order_has_what_has_not_left(tmp_path):
    sent = order(1, [("mug", 5), ("pen", 1)])
    with Warehouse(tmp_path) as house:
        house.send_orders(sent)
        browser = log_in(house)

        def slip():
            page = browser.get(f"/orders/{key_of(sent)}/slip")[2]
            return re.findall(r"<tr><td>(\d+)</td><td>A (\w+)", page)
        assert slip() == [("5", "mug"), ("1", "pen")]
        house.does("/v1/orders/1/parcels", {"ship": True, "lines": [
            {"line": 1, "quantity": 3}, {"line": 2, "quantity": 1}]})
        house.does("/v1/orders/1/parcels", {"lines": [{"line": 1, "quantity": 1}]})
        assert slip() == [("2", "mug")]  # one of them in a parcel that is still here


def test_pages_are_for_who_knows_the_phrase(tmp_path):
    sent = order(1, [("mug", 1)])
    with Warehouse(tmp_path) as house:
        house.send_orders(sent)
        browser = log_in(house)
        path = f"/orders/{key_of(sent)}"
        token = browser.hidden(browser.get(path)[2], "token")
        assert browser.post(f"{path}/pack")[0] == 403  # without the form's token
        stranger = Browser(house)
        assert stranger.get(path)[0] == 303
        assert stranger.post(f"{path}/pack", token=token)[0] == 303  # to the login
        foreign = house.request("POST", f"{path}/pack", f"token={token}", {
            "Cookie": browser.cookie, "Sec-Fetch-Site": "cross-site",
            "Content-Type": "application/x-www-form-urlencoded"})
        assert foreign[0] == 403
        assert house.ledger()[key_of(sent)]["parcels"] == []
        for _ in range(12):
            status = stranger.post("/login", phrase="guess")[0]
        assert status == 429
        for shops, peoples in (("/v1/ledger", TOKEN), ("/v1/orders", TOKEN)):
            assert house.request("GET", shops, headers={
                "Authorization": f"Bearer {peoples}"})[0] == 401
        house.stop()
        house.start("--new-passphrase")
        assert browser.get("/")[0] == 303  # logged out
        key = (house.dir / "people.key").read_text()
        assert key.strip() not in house.log.read_text()


def test_tls_by_a_certificate_of_its_own_whose_pin_it_tells(tmp_path):
    with Warehouse(tmp_path, plain=False) as house:
        told = json.loads((house.dir / "server.json").read_text())
        assert told["url"] == house.url and house.url.startswith("https://")
        assert told["pin"] == (house.dir / "pin").read_text().strip()
        assert told["pin"] in house.said
        done = subprocess.run(["curl", "-sk", "--pinnedpubkey", told["pin"], "-o", "/dev/null",
                               "-w", "%{http_code} %{http_version}", house.url + "/healthz"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "200 2", done
    done = subprocess.run([STOA, "warehouse", "--dir", str(tmp_path / "x"), "--plain", "--listen",
                           "0.0.0.0:0", "--token-file", str(house.token_file)],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "--plain is for addresses of this machine" in done.stderr


def test_two_processes_never_have_one_book(tmp_path):
    with Warehouse(tmp_path) as house:
        done = subprocess.run([STOA, "warehouse", "--dir", str(house.dir), "--plain", "--listen",
                               "127.0.0.1:0", "--token-file", str(house.token_file)],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and "is in use by another stoa process" in done.stderr
