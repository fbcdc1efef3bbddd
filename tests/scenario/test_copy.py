"""A server whose log cannot be caught up gets a copy of the database, while the others sell."""

import contextlib
import os
import random
import re
import sqlite3
import time
import uuid

import pytest

from cluster_server import Cluster
from shop_server import Client, Shop, wait_until
from shoppers import Shopper, check_promises
from test_kill import stock_of
from three_servers import COUNT, Three

FEW = ["--log-entries", "64"]  # a server that lacks more than 16 entries needs a copy


class Sale:
    """Shoppers on some of the servers, as long as they are wanted."""

    def __init__(self, three, items, servers, count=6):
        self.begin([Shopper(three.addresses[servers[i % len(servers)]], items, i)
                    for i in range(count)])

    @classmethod
    def of(cls, shoppers):
        """Of shoppers that were made elsewhere."""
        sale = cls.__new__(cls)
        sale.begin(shoppers)
        return sale

    def begin(self, shoppers):
        self.shoppers = shoppers
        self.present = list(shoppers)
        for shopper in shoppers:
            shopper.start()

    def come_again(self):
        """With so short a log a server that was slow for a moment begins anew. Its shoppers'
        connections break then, and others come in their place."""
        for i, gone in enumerate(self.present):
            if gone.is_alive() or gone.errors:
                continue
            if not (gone.carts or gone.orders or gone.doubt and gone.doubt[1]):
                self.shoppers.remove(gone)
            self.present[i] = Shopper(gone.address, gone.items, len(self.shoppers))
            self.shoppers.append(self.present[i])
            self.present[i].start()

    def orders(self):
        return sum(len(shopper.orders) for shopper in self.shoppers)

    def go_on(self, count, seconds=60):
        """Waits for COUNT more orders."""
        enough = self.orders() + count
        wait_until(lambda: self.orders() >= enough or self.come_again(), seconds,
                   f"{count} more orders")

    def end(self):
        for shopper in self.shoppers:
            shopper.halt.set()
        for shopper in self.shoppers:
            shopper.join(30)
            assert not shopper.is_alive() and not shopper.errors, shopper.errors[:3]


def big_stock(folder):
    """A catalogue whose database is some MB, which a copy at 1 MB/s takes seconds for; and what is
    sold of it."""
    file = folder / "big.csv"
    choose = random.Random(1)
    words = [str(uuid.UUID(int=choose.getrandbits(128))) for _ in range(400)]
    rows = ["Title,URL handle,Price,Inventory quantity,Description"]
    rows += [f"Thing {i},thing-{i},5.00,1000,{' '.join(choose.choices(words, k=40))}"
             for i in range(600)]
    file.write_text("\n".join(rows) + "\n")
    return file, [f"thing-{i}" for i in range(10)]


def others(three, i):
    return [j for j in range(COUNT) if j != i]


def a_secondary(three):
    primary = three.wait_primary()
    return next(i for i in range(COUNT) if i != primary)


def has_caught_up(three, i):
    """Whether server I's log goes on by itself after its copy, and its mark is gone."""
    return not (three.dirs[i] / "raft" / "copy" / "copied").exists() and \
        not (three.dirs[i] / "raft" / "copy" / "wanted").exists() and three.healthy()


def check_all(three, sale):
    """All that was promised is there, on each server the same."""
    wait_until(three.copies_agree, 30, "the copies' agreement")
    for i in range(COUNT):
        client = Client(three.addresses[i])
        for shopper in sale.shoppers:
            check_promises(client, shopper)
        client.close()
        assert three.audit(i)[0] == 0
    assert sale.orders() > 0


def test_a_server_that_was_down_for_long_gets_a_copy(tmp_path):
    file, items = stock_of(tmp_path, 100000)
    with Three(tmp_path, file, options=FEW) as three:
        three.wait_healthy()
        down = a_secondary(three)
        sale = Sale(three, items, others(three, down))
        sale.go_on(10)
        three.kill(down)
        sale.go_on(150)
        three.start(down)
        process = three.processes[down]
        wait_until(lambda: has_caught_up(three, down), 60, "the copy")
        log = three.log(down, 20000)
        assert "begins anew" in log and "the copy is here" in log, log
        assert process.poll() is None
        view = wait_until(lambda: three.view(down), 20, "its view of the cluster")
        assert view["servers"][down]["pid"] == process.pid
        sale.go_on(20)
        sale.end()
        check_all(three, sale)
        # It is a full member: the shop goes on with it and one other.
        three.kill(others(three, down)[0])
        again = Sale(three, items, [down])
        again.go_on(10)
        again.end()


def test_a_server_without_its_database_gets_a_copy_at_its_start(tmp_path):
    file, items = stock_of(tmp_path, 100000)
    with Three(tmp_path, file) as three:
        three.wait_healthy()
        sold_from = a_secondary(three)
        for bare in others(three, sold_from):  # one of them is the primary
            three.wait_healthy()
            sale = Sale(three, items, [sold_from])
            sale.go_on(10)
            three.kill(bare)
            for name in ("shop.db", "shop.db-wal", "shop.db-shm"):
                (three.dirs[bare] / name).unlink(missing_ok=True)
            sale.go_on(10)
            three.start(bare)
            wait_until(lambda i=bare: has_caught_up(three, i), 60, "the copy")
            sale.go_on(10)
            sale.end()
            check_all(three, sale)


def test_a_copy_goes_on_where_it_was_when_its_server_is_killed(tmp_path):
    file, items = big_stock(tmp_path)
    with Three(tmp_path, file, options=FEW + ["--copy-rate", "1M"]) as three:
        three.wait_healthy()
        down = a_secondary(three)
        sale = Sale(three, items, others(three, down))
        three.kill(down)
        part = three.dirs[down] / "raft" / "copy" / "part"
        (three.dirs[down] / "shop.db").unlink()
        three.start(down, wait=False)
        for size in (300_000, 800_000, 1_300_000):  # far from its end, if this is held up
            wait_until(lambda n=size: part.exists() and part.stat().st_size > n, 30, "some of it")
            os.kill(three.processes[down].pid, 9)
            three.processes[down].wait()
            three.start(down, wait=False)
        three.wait_ready(down, 60)
        wait_until(lambda: has_caught_up(three, down), 60, "the copy")
        log = three.log(down, 30000)
        assert len(re.findall("of a copy are here already", log)) == 3, log
        assert "begun anew" not in log, log
        assert len(re.findall(r"sends \d+ MB", log)) == 1, log
        sale.go_on(10)
        sale.end()
        check_all(three, sale)


def test_a_copy_whose_sender_is_killed_is_begun_anew(tmp_path):
    file, items = big_stock(tmp_path)
    with Three(tmp_path, file, options=FEW + ["--copy-rate", "1M"]) as three:
        three.wait_healthy()
        down = a_secondary(three)
        three.kill(down)
        (three.dirs[down] / "shop.db").unlink()
        three.start(down, wait=False)
        part = three.dirs[down] / "raft" / "copy" / "part"
        wait_until(lambda: part.exists() and part.stat().st_size > 500_000, 30, "some of it")
        sender = int(re.findall(r"server (\d) sends", three.said(down))[-1]) - 1
        assert sender != three.primary()  # a secondary is asked first
        three.kill(sender)  # two of three are without their databases now: nothing is sold
        three.start(sender)  # its copy is a new one: the file that was held is no longer
        three.wait_ready(down, 90)
        wait_until(lambda: has_caught_up(three, down), 60, "the copy")
        sale = Sale(three, items, [down])
        sale.go_on(10)
        sale.end()
        check_all(three, sale)


def heavy_shop(folder, size):
    """The data directory of a shop whose database has SIZE bytes; what it sells."""
    file, items = stock_of(folder, 1000000)
    shop = Shop(folder, catalogue=file).start()
    assert shop.stop() == 0
    with contextlib.closing(sqlite3.connect(shop.dir / "shop.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TABLE ballast (id INTEGER PRIMARY KEY, bytes BLOB)")
        for _ in range(size // (100 << 20) or 1):
            db.execute("INSERT INTO ballast (bytes) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
                       " SELECT i + 1 FROM n WHERE i < ?) SELECT randomblob(1048576) FROM n",
                       (min(100, size >> 20),))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return items


def rate(sale, seconds):
    """Orders a second, over SECONDS."""
    before, begun = sale.orders(), time.monotonic()
    time.sleep(seconds)  # no wait: the length of the measurement
    return (sale.orders() - before) / (time.monotonic() - begun)


def heavy_copy(tmp_path, size, report):
    """A server gets a copy of a database of SIZE bytes; the others sell meanwhile."""
    items = heavy_shop(tmp_path, size)
    cluster = Cluster(tmp_path, catalogue=None)
    try:
        begun = time.monotonic()
        cluster.start(3600)  # the two new ones get a copy, one after the other
        report("founded in", time.monotonic() - begun)
        down = cluster.secondary()
        selling = [i for i in (1, 2, 3) if i != down]
        shoppers = [Shopper(cluster.server_address(i), items, i * 10 + n)
                    for i in selling for n in range(3)]
        sale = Sale.of(shoppers)
        sale.go_on(20)
        before = rate(sale, 10)
        (cluster.server_dir(down) / "shop.db").unlink()
        cluster.kill_server(down)
        begun = time.monotonic()
        wait_until(lambda: cluster.view()[down]["state"] == "copying", 60, "a copy")
        during = []
        while cluster.view()[down]["state"] != "up":
            during.append(rate(sale, 2))
            assert time.monotonic() - begun < 3600
        report("copied in", time.monotonic() - begun)
        after = rate(sale, 10)
        sale.end()
        report("orders/s before", before, "during", sum(during) / len(during), "worst 2 s",
               min(during), "after", after)
        assert min(during) > 0, "selling stopped"
        assert sum(during) / len(during) > before / 3
        cluster.wait_all_up(60)
        client = Client(cluster.server_address(down))
        for shopper in sale.shoppers:
            check_promises(client, shopper)
        client.close()
        assert cluster.stop(60) == 0
    finally:
        if cluster.process.poll() is None:
            cluster.kill()
    with contextlib.closing(sqlite3.connect(cluster.server_dir(down) / "shop.db")) as db:
        assert db.execute("SELECT count(*), sum(length(bytes)) FROM ballast").fetchone()[1] \
            >= size * 0.9
    wals = [cluster.server_dir(i) / "shop.db-wal" for i in (1, 2, 3)]
    assert all(not wal.exists() or wal.stat().st_size < 64 << 20 for wal in wals)


def say(*words):
    print(*(f"{w:.1f}" if isinstance(w, float) else w for w in words), flush=True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_copy_of_half_a_gigabyte_comes_while_the_others_sell(tmp_path):
    heavy_copy(tmp_path, 500 << 20, say)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_copy_of_five_gigabytes_comes_while_the_others_sell(tmp_path):
    heavy_copy(tmp_path, 5 << 30, say)


@pytest.mark.long
def test_copies_without_end(tmp_path):
    """Each server in turn, the primary too, is down for long or loses its database, in the middle
    of a sale."""
    file, items = stock_of(tmp_path, 1000000)
    with Three(tmp_path, file, options=FEW) as three:
        for number in range(30):
            three.wait_healthy(60)
            down = number % COUNT
            sale = Sale(three, items, others(three, down))
            three.kill(down)
            sale.go_on(60)
            if number % 2:
                (three.dirs[down] / "shop.db").unlink()
            three.start(down)
            wait_until(lambda i=down: has_caught_up(three, i), 60, f"copy {number}")
            sale.go_on(10)
            sale.end()
            check_all(three, sale)
