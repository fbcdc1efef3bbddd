"""Several servers: one whose copy stays behind asks the primary, and nobody sees anything old."""

import contextlib
import sqlite3

import pytest

from cluster_client import GOODS, LAMP, MUG, Browser, cart_of, quantity_in, send, ucp
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
    """Server I's copy stays as it is: somebody else has its database."""
    with contextlib.closing(sqlite3.connect(three.dirs[i] / "shop.db", isolation_level=None,
                                            timeout=5)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


def test_a_copy_that_stays_behind_asks_the_primary(three):
    behind = (three.primary() + 1) % COUNT
    other = (three.primary() + 2) % COUNT
    made = ucp(three, other, "POST", "/carts", cart_of(1))
    path = "/carts/" + made.json["id"]
    with held(three, behind):
        changed = ucp(three, other, "PUT", path, cart_of(2), made.token)
        seen = ucp(three, behind, "GET", path, token=changed.token)
        assert quantity_in(seen) == 2
        assert seen.seconds > 0.9  # it was worth waiting for
        without = ucp(three, behind, "GET", path)
        assert quantity_in(without) == 2
        # What writes without looking goes through this server all the same.
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
    behind = (three.primary() + 1) % COUNT
    browser.go(three.primary(), "POST", "/cart/add", f"item={MUG}&quantity=1")
    with held(three, behind):
        browser.go(three.primary(), "POST", "/cart/add", f"item={MUG}&quantity=1")
        added = browser.go(behind, "POST", "/cart/add", f"item={LAMP}&quantity=1",
                           Accept="application/json", Origin=f"http://{three.addresses[behind]}")
        assert added.status == 200, added.text
        assert added.json["units"] == 3
        page = browser.go(behind, "GET", "/cart")
        assert page.status == 200 and b"Lamp" in page.text
