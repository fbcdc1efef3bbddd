"""A server is killed at any moment under load; nothing acknowledged is lost."""

import concurrent.futures
import random
import subprocess
import time

import pytest

from shop_server import STOA, Client, Shop, wait_until
from shoppers import Shopper, check_promises
from test_cli import handles

SHOPPERS = 12


def stock_of(folder, units):
    """A catalogue of ten products, one of them nearly sold out."""
    file = folder / "stock.csv"
    rows = ["Title,URL handle,Price,Inventory quantity"]
    rows += [f"Thing {i},thing-{i},{i + 5}.00,{units if i else 40}" for i in range(10)]
    file.write_text("\n".join(rows) + "\n")
    return file, [f"thing-{i}" for i in range(10)]


def promises(shoppers):
    return sum(len(shopper.carts) + len(shopper.orders) for shopper in shoppers)


def shop_until_killed(shop, items, seed, seconds, enough):
    """Lets shoppers loose on SHOP and kills it SECONDS after ENOUGH(shoppers); the shoppers."""
    shoppers = [Shopper(shop.address, items, seed * 1000 + i) for i in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.start()
    wait_until(lambda: enough(shoppers), 60, "enough for a kill")
    time.sleep(seconds)  # no wait: the moment of death is varied
    shop.kill()
    for shopper in shoppers:
        shopper.join(30)
        assert not shopper.is_alive()
        assert not shopper.errors, shopper.errors[:3]
    return shoppers


def kill_rounds(tmp_path, rounds, seed):
    file, items = stock_of(tmp_path, 100000)
    shop = Shop(tmp_path, catalogue=file)
    choose = random.Random(seed)
    past, promised = [], 0

    def enough(shoppers):
        """Every other time the kill may also come before anything was promised. What nearly is sold
        out at the end of many rounds is sold out then."""
        if number == rounds - 1 >= 19:
            return any(shopper.sold_out for shopper in past + shoppers)
        return number % 2 == 0 or promises(shoppers) >= 3
    for number in range(rounds):
        if number % 4 == 3:  # also while it starts, and while it catches up
            shop.spawn()
            time.sleep(choose.uniform(0, 0.08))  # no wait: the same
            shop.kill()
        shop.start()
        shoppers = shop_until_killed(shop, items, seed + number, choose.uniform(0.01, 0.4), enough)
        status, report = shop.audit()
        assert status == 0, (number, report)
        shop.start()
        client = Client(shop.address)
        for shopper in shoppers:
            check_promises(client, shopper)
        promised += promises(shoppers)
        past += shoppers
        client.close()
        shop.kill()
    shop.start()
    client = Client(shop.address)
    for shopper in past:
        check_promises(client, shopper)
    client.close()
    assert shop.stop() == 0
    status, report = shop.audit()
    assert status == 0, report
    assert promised > rounds, "the shoppers hardly did anything"
    assert any(shopper.sold_out for shopper in past) or rounds < 20
    return report


@pytest.mark.quick
@pytest.mark.every_engine
def test_nothing_acknowledged_is_lost_at_five_random_kills(tmp_path):
    kill_rounds(tmp_path, 5, 7)


@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_at_a_hundred_random_kills(tmp_path):
    """Two shops at once, as each mostly waits for its death."""
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    seed = int(time.time())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda i: kill_rounds(folders[i], 50, seed + 500 * i), range(2)))


@pytest.mark.long
def test_nothing_acknowledged_is_lost_at_a_thousand_random_kills(tmp_path):
    kill_rounds(tmp_path, 1000, int(time.time()))


def begin_import(folder, file):
    """A new shop that runs, and an import into it."""
    folder.mkdir()
    shop = Shop(folder, catalogue=None).start()
    return shop, subprocess.Popen([STOA, "import", "--dir", str(shop.dir), str(file)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_nothing_is_left_behind_when_killed_mid_import(tmp_path):
    """Either all of it or none: a server dies while products are staged or moving."""
    file = tmp_path / "many.csv"
    with open(file, "w", encoding="utf-8") as out:
        out.write("Title,URL handle,Price\n")
        for i in range(4000):
            out.write(f"Thing {i},thing-{i},1.00\n")
    shop, importing = begin_import(tmp_path / "whole", file)
    begin = time.monotonic()
    assert importing.wait(60) == 0
    whole = time.monotonic() - begin
    assert len(handles(shop.dir)) == 4000
    assert shop.stop() == 0
    for part in (0.1, 0.3, 0.5, 0.7, 0.9):
        shop, importing = begin_import(tmp_path / str(part), file)
        time.sleep(part * whole)  # no wait: the moment of death is varied
        shop.kill()
        importing.wait(60)
        shop.start()
        if handles(shop.dir):  # decided before it died: it is finished without anyone asking
            wait_until(lambda: len(handles(shop.dir)) == 4000, 60, "the decided import")
        assert shop.stop() == 0
        assert shop.audit()[0] == 0
