"""Many purchases while all that a shop is made of dies at random, at any moment and between any two
steps, and the bank loses every tenth answer. In the end every order has one charge, which was taken
once, and was sent once; nothing else is reserved; and whoever was told that it is placed has it."""

import os
import time

import pytest

from shop_server import wait_until
from storm import DECIDED, People, Shopper, Town, ask
from three_servers import COUNT

pytestmark = pytest.mark.outside

SHOPPERS = 8
ROUNDS, LATER = 6, 200  # of purchases, until somebody has died at each point; in a later one
TAKEN = ("requires_capture", "succeeded")  # money is reserved, or taken


class Tale:
    """What the shoppers, taken together, were told."""

    def __init__(self, shoppers):
        def all_of(name):
            return [one for shopper in shoppers for one in getattr(shopper, name)]
        self.tried, self.placed = all_of("tried"), all_of("placed")
        self.refused, self.left = all_of("refused"), all_of("left")
        self.anew = sum(shopper.anew for shopper in shoppers)
        self.lost_answers = sum(shopper.lost_answers for shopper in shoppers)
        assert sorted(self.tried) == sorted(self.placed + self.refused + self.left)


def buy_all(shoppers):
    for shopper in shoppers:
        shopper.start()
    for shopper in shoppers:
        shopper.join(2400)
    assert not any(shopper.is_alive() for shopper in shoppers), "shoppers who never end"
    assert not [shopper.error for shopper in shoppers if shopper.error]


def go_shopping(town, purchases, everywhere):
    """Until all are through, and, if EVERYWHERE, somebody has died at each crash point; what they
    were told."""
    people, shoppers = People(town), []
    with town.storm():
        people.start()
        while not shoppers or everywhere and len(shoppers) < ROUNDS * SHOPPERS and \
                min(town.reached().values()) == 0:
            each = (LATER if shoppers else purchases) // SHOPPERS
            new = [Shopper(town, len(shoppers) + i, each) for i in range(SHOPPERS)]
            shoppers += new
            buy_all(new)
    return Tale(shoppers), people


def settle(town, tale):
    """Waits until each purchase has ended; those that ended well although nobody was told."""
    open_ones, lost = list(tale.tried), []

    def all_decided():
        for checkout in list(open_ones):
            status, seen = ask(town.managers[0], "GET", f"/checkout-sessions/{checkout}")
            if status == 200 and seen["status"] in DECIDED:
                open_ones.remove(checkout)
                if seen["status"] == "completed" and checkout in tale.left:
                    lost.append(checkout)
        return not open_ones
    wait_until(all_decided, 120, "the end of all purchases")
    # Whoever said so had them; this copy may be behind by then.
    wait_until(lambda: {*tale.placed, *lost} <= set(town.orders(0)), 60,
               "all orders in a copy, an order that was told of among them")
    return lost


def ship_all(town, people, orders):
    """Waits until each order has left, and its money was taken: what was away for long is tried
    again within a minute."""
    wait_until(lambda: set(orders) == set(town.warehouse.ledger()), 120,
               "all orders at the warehouse")
    people.over.set()
    people.join(120)
    assert not people.is_alive() and not people.error, people.error
    wait_until(lambda: town.warehouse.sees("/v1/status")["waiting"] == 0, 120, "all reports")

    def captured():
        return sum(payment["status"] == "succeeded" for payment in town.bank.ledger())
    wait_until(lambda: captured() == len(orders), 120, "all captures")

    def nothing_waits():
        lanes = town.operate("GET", "/api/v1/outbox")["lanes"]
        return not any(one["rows"] for one in lanes
                       if one["lane"] in ("bank", "warehouse/main"))
    wait_until(nothing_waits, 60, "an empty outbox")
    wait_until(town.copies_agree, 60, "copies at one entry")


def check_bank(town, orders):
    """One charge each, taken whole and once; nothing else is reserved."""
    taken = [payment for payment in town.bank.ledger() if payment["status"] in TAKEN]
    assert sorted(p["metadata"]["checkout"] for p in taken) == sorted(orders)
    assert all(p["received"] == p["amount"] == p["charge"]["captured"] for p in taken)
    assert not any(p["refunds"] for p in taken)
    assert town.captures() == {p["charge"]["id"]: 1 for p in taken}


def check_warehouse(town, people, orders):
    """There once each, and sent once."""
    ledger = town.warehouse.ledger()
    assert sorted(ledger) == sorted(orders) == sorted(people.shipped)
    for order in ledger.values():
        assert order["state"] == "shipped", order
        assert all(line["shipped"] == line["quantity"] for line in order["lines"]), order
    assert sum(len(order["parcels"]) for order in ledger.values()) == people.parcels
    town.warehouse.check()


def weather(tmp_path, purchases, everywhere=False):
    """PURCHASES of them in a storm, and then a look at all that was promised."""
    seed = int(os.environ.get("STORM_SEED", time.time()))
    print(f"STORM_SEED={seed}")
    with Town(tmp_path, seed) as town:
        tale, people = go_shopping(town, purchases, everywhere)
        lost = settle(town, tale)
        orders = town.orders(0)
        ship_all(town, people, orders)
        check_bank(town, orders)
        check_warehouse(town, people, orders)
        for i in range(COUNT):
            assert sorted(town.orders(i)) == sorted(orders)
        ledger = town.bank.ledger()
        town.stop_all()
        found = town.audit_all()
        charges = sum(p["status"] in TAKEN for p in ledger)
        print(f"{len(tale.tried)} purchases: {len(orders)} orders = {charges} charges = "
              f"{len(tale.placed)} acknowledged + {len(lost)} whose answer was lost; "
              f"{len(tale.refused)} cards refused, {tale.anew} attempts called off and begun anew, "
              f"{tale.lost_answers} requests without an answer, {people.parcels} parcels")
        print("deaths:", {m.name: m.deaths for m in town.members})
        print("killed at any moment:", dict(town.killed))
        print("killed at a point:", town.reached())
        assert len(orders) == charges == len(tale.placed) + len(lost)
        assert found["parcels"] == people.parcels and found["under_way"] == 0
        assert len(tale.placed) > purchases // 3, "hardly anybody was told of an order"
        assert not any(m.strange for m in town.members), {m.name: m.strange for m in town.members}
        if everywhere:
            assert min(town.reached().values()) > 0, "a point at which nobody died"


def test_eighty_purchases_while_all_die_at_random(tmp_path):
    weather(tmp_path, 80)


@pytest.mark.long
def test_a_thousand_purchases_while_all_die_at_random(tmp_path):
    weather(tmp_path, 1000, everywhere=True)
