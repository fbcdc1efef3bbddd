"""`stoa audit --bank --warehouse`: the shop's book, the bank's and the warehouses' tell one story;
and each kind of lie is named."""

import json
import shutil
import sqlite3
import subprocess

import pytest

from bank_server import Bank
from shop_server import STOA, Shop, wait_until
from test_warehouse_reports import lies, operate, sell, warehouses
from ucp import FLOWERS
from warehouse_server import Warehouse

pytestmark = pytest.mark.outside


def audit(shop, bank=None, houses=(), *more):
    """(exit status, sentences, the report)"""
    command = [STOA, "audit", "--json", *more, str(shop)]
    if bank:
        command += ["--bank", str(bank)]
    for house in houses:
        command += ["--warehouse", str(house)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    assert not done.stderr, done.stderr
    found = json.loads(done.stdout)["outside"]
    return done.returncode, found["differences"], found


class Trade:
    """A shop, its bank and its two warehouses, and some orders in every state."""

    def __init__(self, folder):
        self.folder = folder
        self.bank = Bank(folder).start()
        self.shop = Shop(folder, "--bank", self.bank.url, "--bank-key-file",
                         str(self.bank.dir / "key"), "--bank-pin", self.bank.pin,
                         catalogue=FLOWERS).start()
        self.houses = {}
        for position, name in enumerate(("main", "south")):
            self.open_house(name, position)
        self.trade()

    def open_house(self, name, position):
        folder = self.folder / name
        folder.mkdir()
        url = {"url": "http://127.0.0.1:1", "position": position}
        assert operate(self.shop, "PUT", f"/warehouses/{name}", url)[0] == 200
        house = Warehouse(folder, "--id", name, shop=self.shop)
        token = next(one["token"] for one in warehouses(self.shop) if one["id"] == name)
        house.token_file.write_text(token + "\n")
        house.start()
        status, answer = operate(self.shop, "PUT", f"/warehouses/{name}", {"url": house.url})
        assert status == 200, answer
        self.houses[name] = house

    def state(self, order):
        seen = operate(self.shop, "GET", f"/orders/{order}")[1]
        return seen["status"], seen["payment"].get("state")

    def number(self, order):
        return operate(self.shop, "GET", f"/orders/{order}")[1]["number"]

    def ship(self, house, order, lines=None):
        number = self.number(order)
        wait_until(lambda: house.people("GET", f"/v1/orders/{number}")[0] == 200,
                   seconds=30, what="the order at its warehouse")
        body = {"ship": True}
        if lines:
            body["lines"] = lines
        house.does(f"/v1/orders/{number}/parcels", body)

    def expect(self, order, *state):
        wait_until(lambda: self.state(order) == state, seconds=30,
                   what=f"order {state}, first {self.state(order)}")

    def trade(self):
        main, south = self.houses["main"], self.houses["south"]
        main.does("/v1/counts", {"item": "orchid_white", "on_hand": 2})
        south.does("/v1/arrivals", {"item": "orchid_white", "quantity": 3})
        wait_until(lambda: lies(self.shop, "orchid_white") == {"main": (2, 0), "south": (3, 0)},
                   seconds=30, what="the goods lying there")
        # Split over both, all shipped; one comes back.
        self.split = sell(self.shop, {"orchid_white": 4})
        self.ship(main, self.split)
        self.ship(south, self.split)
        self.expect(self.split, "shipped", "captured")
        # Shipped in part, canceled in part.
        self.part = sell(self.shop, {"bouquet_roses": 3})
        one = [{"line": 1, "quantity": 1}]
        self.ship(main, self.part, one)
        self.expect(self.part, "partly_shipped", "captured")
        status, answer = operate(self.shop, "POST", f"/orders/{self.part}/cancel", {"lines": one})
        assert status == 200, answer
        # Canceled as a whole: let go.
        self.gone = sell(self.shop, {"bouquet_tulips": 1})
        status, answer = operate(self.shop, "POST", f"/orders/{self.gone}/cancel", {})
        assert status == 200, answer
        self.expect(self.gone, "canceled", "canceled")
        # Short in part: not there after all.
        self.short = sell(self.shop, {"bouquet_sunflowers": 3})
        self.ship(main, self.short, one)
        main.does(f"/v1/orders/{self.number(self.short)}/shortages",
                  {"lines": [{"line": 1, "quantity": 2}]})
        self.expect(self.short, "shipped", "captured")
        # Waits to be shipped.
        self.open = sell(self.shop, {"bouquet_roses": 1})
        self.rest()

    def rest(self):
        """Waits until nothing is under way."""
        def rests():
            status, said, report = self.audit()
            assert status == 0, said
            return report["under_way"] == 0
        wait_until(rests, seconds=60, what="a rest")
        for house in self.houses.values():
            wait_until(lambda house=house: house.sees("/v1/status")["waiting"] == 0, seconds=30,
                       what="a warehouse with nothing to tell")

    def audit(self, *more):
        return audit(self.shop.dir, self.bank.dir, [house.dir for house in self.houses.values()],
                     *more)

    def tell_new_address(self):
        """The shop is at another port now."""
        for house in self.houses.values():
            house.stop()
            house.options[house.options.index("--shop") + 1] = self.shop.url
            house.start()
            name = house.options[house.options.index("--id") + 1]
            assert operate(self.shop, "PUT", f"/warehouses/{name}", {"url": house.url})[0] == 200

    def stop(self):
        for one in (self.shop, self.bank, *self.houses.values()):
            one.stop()


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """The books of such a trade, at rest."""
    trade = Trade(tmp_path_factory.mktemp("trade"))
    status, said, report = trade.audit()
    assert (status, said) == (0, []), said
    assert report["orders"] == 5 and report["charges"] == 5 and report["parcels"] == 4, report
    # The bank by its address: the same story, by the lists that Stripe has, too.
    at_bank = ("--bank-key-file", str(trade.bank.dir / "key"), "--bank-pin", trade.bank.pin)
    status, said, by_address = audit(trade.shop.dir, trade.bank.url, [], *at_bank)
    assert (status, said, by_address["charges"]) == (0, [], 5)
    client = trade.bank.client()
    client.authorised(1234, **{"metadata[checkout]": "00112233445566778899aabbccddeeff"})
    status, said, _ = audit(trade.shop.dir, trade.bank.url, [], "--at-rest", *at_bank)
    assert status == 1 and len(said) == 1 and "1234 are reserved for checkout 0011" in said[0]
    client.cancel(client.get("/v1/payment_intents?limit=1").json["data"][0]["id"])
    client.close()
    # What a warehouse has done and could not tell yet is under way, and a lie at rest.
    trade.shop.stop()
    trade.houses["south"].does("/v1/arrivals", {"item": "orchid_white", "quantity": 5})
    status, said, report = trade.audit()
    assert (status, said) == (0, []) and report["under_way"] == 1, report
    status, said, _ = trade.audit("--at-rest")
    assert status == 1 and len(said) == 1 and "orchid_white: 0 lie at" in said[0], said
    trade.shop.start()
    trade.tell_new_address()
    trade.rest()
    trade.stop()
    return trade


@pytest.fixture
def copy(books, tmp_path):
    """Functions to change one of the books, and to audit them."""
    class Copy:
        def __init__(self):
            for name in ("shop", "bank", "main", "south"):
                (tmp_path / name).mkdir()
            shutil.copy(books.shop.dir / "shop.db", tmp_path / "shop")
            shutil.copy(books.bank.dir / "bank.db", tmp_path / "bank")
            for name, house in books.houses.items():
                shutil.copy(house.dir / "warehouse.db", tmp_path / name)

        def change(self, book, sql, *values):
            file = "warehouse" if book in ("main", "south") else book
            connection = sqlite3.connect(tmp_path / book / f"{file}.db")
            done = connection.execute(sql, values)
            assert done.rowcount, "nothing was changed"
            connection.commit()
            connection.close()

        def audit(self, *more):
            return audit(tmp_path / "shop", tmp_path / "bank",
                         [tmp_path / "main", tmp_path / "south"], "--at-rest", *more)
    return Copy()


def test_books_at_rest_agree(copy):
    status, said, report = copy.audit()
    assert (status, said) == (0, [])
    assert report["under_way"] == 0 and report["items"] > 0


def test_books_that_are_not_there_are_told_apart_from_lies(copy, tmp_path):
    for place, words in ((tmp_path / "west", "there is no such book"),
                         ("https://127.0.0.1:1", "not asked for over the network")):
        done = subprocess.run([STOA, "audit", "--warehouse", str(place), str(tmp_path / "shop")],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and words in done.stderr, done.stderr
        assert "warehouse.db" in done.stderr, done.stderr


CHARGE = "(SELECT number FROM payment WHERE json_extract(metadata, '$.checkout') = ?)"

# What is changed in which book, of which order, and what has to be said.
LIES = {
    "a charge is missing": ("bank", f"DELETE FROM payment WHERE number = {CHARGE}", "split",
                            "has no charge"),
    "a charge is over something else": (
        "bank", f"UPDATE payment SET amount = amount + 1 WHERE number = {CHARGE}", "split",
        "its total is"),
    "a charge has another name": (
        "bank", f"UPDATE payment SET number = 4711 WHERE number = {CHARGE}", "split",
        "is paid by"),
    "a charge is twice there": (
        "bank", "UPDATE payment SET status = 3, metadata = json_set(metadata, '$.checkout',"
        f" (SELECT json_extract(metadata, '$.checkout') FROM payment WHERE number = {CHARGE}))"
        " WHERE number = (SELECT max(number) FROM payment)", "split", "is charged 2 times"),
    "money is taken for an open order": (
        "bank", f"UPDATE payment SET status = 4, received = amount WHERE number = {CHARGE}",
        "open", "its payment is authorised, but the bank has taken it"),
    "money is kept for a canceled order": (
        "bank", f"UPDATE payment SET status = 3 WHERE number = {CHARGE}", "gone",
        "its payment is canceled, but the bank has reserved it"),
    "less is taken": (
        "bank", f"UPDATE payment SET received = received - 1 WHERE number = {CHARGE}", "split",
        "what was taken is"),
    "more is given back": (
        "bank", "UPDATE charge SET refunded = refunded + 1 WHERE number ="
        f" (SELECT charge FROM payment WHERE number = {CHARGE})", "part", "were given back"),
    "a charge is of no order": (
        "bank", "UPDATE payment SET metadata = json_set(metadata, '$.checkout',"
        f" '00112233445566778899aabbccddeeff') WHERE number = {CHARGE}", "open",
        "are reserved for checkout 00112233445566778899aabbccddeeff, which is no order"),
    "a warehouse lacks an order": (
        "main", "DELETE FROM orders WHERE order_id = ?", "open",
        "warehouse main does not have order"),
    "a warehouse has a stranger's order": (
        "main", "UPDATE orders SET order_id = x'00112233445566778899aabbccddeeff'"
        " WHERE order_id = ?", "open", "which the shop has not"),
    "a warehouse has another's order": (
        "south", "UPDATE orders SET order_id = ? WHERE id = (SELECT max(id) FROM orders)", "open",
        "which it is not to ship"),
    "a warehouse lacks a line": (
        "main", "DELETE FROM order_line WHERE order_id = ?", "open", "does not know of it"),
    "a warehouse ships more": (
        "main", "UPDATE order_line SET quantity = quantity + 1 WHERE order_id = ?", "open",
        "1 of line 1 are allotted at warehouse main, its book says 2"),
    "a warehouse shipped more": (
        "main", "UPDATE order_line SET shipped = shipped + 1 WHERE order_id = ?", "part",
        "1 of line 1 are shipped at warehouse main, its book says 2"),
    "a warehouse canceled less": (
        "main", "UPDATE order_line SET canceled = 0 WHERE order_id = ?", "part",
        "1 of line 1 are canceled at warehouse main, its book says 0"),
    "something came back": (
        "south", "UPDATE order_line SET returned = 1 WHERE order_id = ?", "split",
        "0 of line 1 are returned at warehouse south, its book says 1"),
    "a parcel is not known": (
        "main", "UPDATE parcel SET parcel = x'00112233445566778899aabbccddeeff'"
        " WHERE order_id = ?", "split", "the shop does not know it"),
    "a parcel is missing": (
        "main", "DELETE FROM parcel WHERE order_id = ?", "split",
        "1 parcels have left warehouse main, its book has 0 of them"),
    "a parcel has other things in it": (
        "main", "UPDATE parcel_line SET quantity = quantity + 1 WHERE parcel ="
        " (SELECT parcel FROM parcel WHERE order_id = ?)", "split", "different things in parcel"),
    "goods lie there that are not": (
        "south", "UPDATE item SET on_hand = on_hand + 1 WHERE ?", None,
        "orchid_white: 5 lie at warehouse south, its book says 6"),
    "goods are gone in the main one": (
        "main", "UPDATE item SET on_hand = on_hand - 1 WHERE item = 'orchid_white' AND ?", None,
        "orchid_white: 1 lie at warehouse main, its book says 0"),
    "goods lie there that are not sold": (
        "south", "UPDATE item SET item = 'what', on_hand = 1 WHERE ?", None, "which the shop does not sell"),
    "a warehouse is another one": (
        "main", "UPDATE meta SET value = 'west' WHERE name = 'id' AND ?", None,
        "the shop has no warehouse west"),
    "a warehouse's book was begun anew": (
        "main", "UPDATE meta SET value = '00112233445566778899aabbccddeeff'"
        " WHERE name = 'epoch' AND ?", None, "its book has epoch 00112233445566778899aabbccddeeff"),
    "the shop lost reports": (
        "main", "UPDATE meta SET value = 99 WHERE name = 'taken' AND ?", None,
        "its book says 99"),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_is_named(books, copy, lie):
    book, sql, order, expected = LIES[lie]
    value = 1
    if order:
        value = getattr(books, order).replace("-", "")
        if book != "bank":
            value = bytes.fromhex(value)
    copy.change(book, sql, value)
    status, said, _ = copy.audit()
    assert status == 1 and any(expected in one for one in said), said
