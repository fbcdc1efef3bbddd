"""Several servers: one whose copy stays behind asks the primary, and nobody sees anything old."""

import contextlib
import sqlite3

import pytest

from cluster_client import GOODS, LAMP, MUG, Browser, cart_of, quantity_in, send, ucp
from shop_server import wait_until
from three_servers import COUNT, Three


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("behind")
    goods = folder / "goods.csv"
    goods.write_text(GOODS)
    # A read waits a second for a primary: no election in between on a slow machine, please.
    with Three(folder, goods, options=["--election-timeout", "3s"]) as three:
        three.wait_healthy()
        yield three


@pytest.fixture(autouse=True)
def no_server_outlives_its_test():
    """In place of conftest.py's: the servers are the module's; their fixture ends them all."""
    yield


@contextlib.contextmanager
def held(three, i):
    """Server I's copy stays as it is: somebody else has its database, for less than the 5 s that a
    server waits for it. Something is to be changed meanwhile: afterwards the copy gets it."""
    with contextlib.closing(sqlite3.connect(three.dirs[i] / "shop.db", isolation_level=None,
                                            timeout=30)) as database:
        def version():
            return database.execute("PRAGMA data_version").fetchone()[0]

        database.execute("BEGIN IMMEDIATE")
        try:
            before = version()
            yield
        finally:
            database.execute("ROLLBACK")
        wait_until(lambda: version() != before, 30, "a copy that goes on")


def test_a_copy_that_stays_behind_asks_the_primary(three):
    primary = three.wait_primary()
    behind, other = (primary + 1) % COUNT, (primary + 2) % COUNT
    made = ucp(three, other, "POST", "/carts", cart_of(1))
    assert made.status == 201, made.text
    path = "/carts/" + made.json["id"]
    with held(three, behind):
        changed = ucp(three, other, "PUT", path, cart_of(2), made.token)
        seen = ucp(three, behind, "GET", path, token=changed.token)
        assert quantity_in(seen) == 2
        assert seen.seconds > 0.9  # it was worth waiting for
    with held(three, behind):
        changed = ucp(three, other, "PUT", path, cart_of(3), changed.token)
        without = ucp(three, behind, "GET", path)
        assert quantity_in(without) == 3
    with held(three, behind):  # what writes without looking goes through this server all the same
        changed = ucp(three, other, "PUT", path, cart_of(4), changed.token)
        written = ucp(three, behind, "PUT", path, cart_of(5), changed.token)
        assert quantity_in(written) == 5
        assert quantity_in(ucp(three, other, "GET", path, token=written.token)) == 5
    three.wait_healthy()
    assert quantity_in(ucp(three, behind, "GET", path, token=written.token)) == 5
    figures = send(three, behind, "GET", "/metrics").text.decode()
    assert [int(line.split()[1]) for line in figures.splitlines()
            if line.startswith("stoa_relayed_total ")][0] >= 2


def test_a_form_on_a_copy_that_stays_behind_is_taken_by_the_primary(three):
    browser = Browser(three)
    primary = three.wait_primary()
    behind = (primary + 1) % COUNT

    def add(item):
        assert browser.go(primary, "POST", "/cart/add", f"item={item}&quantity=1").status == 303

    add(MUG)
    with held(three, behind):
        add(MUG)
        added = browser.go(behind, "POST", "/cart/add", f"item={MUG}&quantity=1",
                           Accept="application/json", Origin=f"http://{three.addresses[behind]}")
        assert added.status == 200, added.text
        assert added.json["units"] == 3
    with held(three, behind):
        add(LAMP)
        page = browser.go(behind, "GET", "/cart")
        assert page.status == 200 and b"Lamp" in page.text
