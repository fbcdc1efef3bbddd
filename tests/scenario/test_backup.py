"""Backups taken while the shop sells, shops made of them, and what is left of a cluster."""

import json
import shutil
import sqlite3
import subprocess
import threading
import urllib.request

import pytest

from cluster_server import Cluster
from shop_server import STOA, Client, Shop, wait_until
from shoppers import Shopper, check_promises, lines_of
from test_kill import stock_of
from three_servers import COUNT, Loopback, Three


def stoa(*words, status=0):
    done = subprocess.run([STOA, *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == status, f"stoa {words}: {done.returncode} {done.stdout} {done.stderr}"
    return done.stdout + done.stderr


def let_loose(addresses, items, count=8):
    shoppers = [Shopper(addresses[i % len(addresses)], items, i) for i in range(count)]
    for shopper in shoppers:
        shopper.start()
    return shoppers


def gather(shoppers):
    for shopper in shoppers:
        shopper.halt.set()
    for shopper in shoppers:
        shopper.join(30)
        assert not shopper.is_alive() and not shopper.errors, shopper.errors[:3]


def units(file):
    """All units of all goods, wherever they are."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        return db.execute("SELECT sum(available + held + sold), sum(received + adjusted)"
                          " FROM stock").fetchone()


def buy_one(address, item):
    shopper = Shopper(address, [item], 99)
    client = Client(address)
    while not shopper.orders:
        shopper.buy(client)
        assert not shopper.errors, shopper.errors
    client.close()


def restored(folder, backup, name):
    """A shop of BACKUP, audited; not started."""
    parent = folder / name
    parent.mkdir()
    shop = Shop(parent, catalogue=None)
    stoa("restore", backup, "--dir", shop.dir)
    status, report = shop.audit()
    assert status == 0, report
    return shop


@pytest.mark.quick
def test_a_backup_under_load_is_a_whole_shop(tmp_path):
    file, items = stock_of(tmp_path, 100000)
    with Shop(tmp_path, catalogue=file) as shop:
        everything = units(shop.dir / "shop.db")
        shoppers = let_loose([shop.address], items)
        taken = []
        for number in range(3):
            wait_until(lambda n=number: sum(len(s.orders) for s in shoppers) > 20 * (n + 1),
                       20, "orders")
            promised = [(order, lines) for s in shoppers for order, lines in list(s.orders.items())]
            backup = tmp_path / f"backup-{number}.db"
            stoa("backup", "--dir", shop.dir, backup)
            taken.append((backup, promised))
        assert all(s.is_alive() for s in shoppers), "selling stopped"
        gather(shoppers)
        token = shop.token()
        assert stoa("backup", "--dir", shop.dir, taken[0][0], status=1).count("there already")
    for number, (backup, promised) in enumerate(taken):
        again = restored(tmp_path, backup, f"again-{number}")
        assert units(again.dir / "shop.db") == everything
        with again:
            client = Client(again.address)
            for order, lines in promised:
                status, answer = client.call("GET", f"/orders/{order}")
                assert status == 200 and lines_of(answer) == lines, (order, status)
            client.close()
            buy_one(again.address, items[1])
            assert again.token() != token
            again.kill()
            again.start()
            buy_one(again.address, items[1])
        status, report = again.audit()
        assert status == 0, report


def test_a_backup_needs_no_server(tmp_path):
    file, items = stock_of(tmp_path, 1000)
    shop = Shop(tmp_path, catalogue=file).start()
    shoppers = let_loose([shop.address], items, 2)
    wait_until(lambda: sum(len(s.orders) for s in shoppers) > 10, 20, "orders")
    gather(shoppers)
    shop.kill()  # what its log has and its database not yet is in the backup too
    backup = tmp_path / "backup.db"
    stoa("backup", "--dir", shop.dir, backup)
    with restored(tmp_path, backup, "again") as again:
        client = Client(again.address)
        for shopper in shoppers:
            check_promises(client, shopper)
        client.close()


def test_a_damaged_backup_is_refused(tmp_path):
    with Shop(tmp_path) as shop:
        backup = tmp_path / "backup.db"
        stoa("backup", "--dir", shop.dir, backup)
        raw = tmp_path / "raw.db"
        request = urllib.request.Request(f"{shop.url}/api/v1/backup",
                                         headers={"Authorization": f"Bearer {shop.token()}"})
        raw.write_bytes(urllib.request.urlopen(request, timeout=20).read())
    assert raw.read_bytes()[:-256] == backup.read_bytes()
    stoa("restore", raw, "--dir", tmp_path / "of-raw")
    for name, change in (("cut", lambda b: b[:len(b) // 2]),
                         ("page", lambda b: b[:8192] + bytes(4096) + b[12288:])):
        bad = tmp_path / f"{name}.db"
        bad.write_bytes(change(backup.read_bytes()))
        said = stoa("restore", bad, "--dir", tmp_path / f"of-{name}", status=1)
        assert "damaged" in said, said
        assert not list((tmp_path / f"of-{name}").iterdir()), "a good one may follow"
    changed = bytearray(raw.read_bytes())
    changed[9000] ^= 1
    raw.write_bytes(changed)
    said = stoa("restore", raw, "--dir", tmp_path / "of-changed", status=1)
    assert "SHA-256" in said, said
    said = stoa("restore", backup, "--dir", tmp_path / "of-raw", status=1)
    assert "not empty" in said, said


def test_a_cluster_is_made_of_a_backup_of_one(tmp_path):
    file, items = stock_of(tmp_path, 100000)
    backup = tmp_path / "backup.db"
    with Cluster(tmp_path, catalogue=file) as cluster:
        shoppers = let_loose([cluster.server_address(i) for i in (1, 2, 3)], items)
        wait_until(lambda: sum(len(s.orders) for s in shoppers) > 30, 30, "orders")
        stoa("backup", "--dir", cluster.dir, backup)
        gather(shoppers)
        everything = units(cluster.server_dir(1) / "shop.db")
        assert cluster.stop() == 0
    parent = tmp_path / "again"
    parent.mkdir()
    again = Cluster(parent, catalogue=None)
    stoa("restore", backup, "--dir", again.dir)
    assert units(again.dir / "shop.db") == everything
    with again:
        for server in (1, 2, 3):
            buy_one(again.server_address(server), items[1])

        def are_the_same():
            return len({stoa("audit", "--digest", again.server_dir(i)) for i in (1, 2, 3)}) == 1
        wait_until(are_the_same, 30, "the copies' agreement")
        assert again.stop() == 0
    assert again.audit()[0] == 0


def test_one_server_goes_on_when_the_others_are_lost_for_good(tmp_path):
    file, items = stock_of(tmp_path, 100000)
    with Three(tmp_path, file) as three:
        three.wait_healthy()
        shoppers = let_loose(three.addresses, items)
        wait_until(lambda: sum(len(s.orders) for s in shoppers) > 30, 30, "orders")
        gather(shoppers)
        wait_until(three.copies_agree, 20, "the copies' agreement")
        for i in range(COUNT):
            three.kill(i)
        cluster = three.dirs[2] / "cluster" / "cluster.json"
        before = cluster.read_bytes()
        said = stoa("recover", "--dir", three.dirs[2], status=1)
        assert "other server: 1" in said and "are lost" in said and "--yes" in said, said
        assert cluster.read_bytes() == before
        said = stoa("recover", "--dir", three.dirs[2], "--yes")
        assert "generation 2" in said, said
        three.start(2)
        client = Client(three.addresses[2])
        for shopper in shoppers:
            check_promises(client, shopper)
        client.close()
        buy_one(three.addresses[2], items[1])
        three.kill(2)
        three.start(2)
        buy_one(three.addresses[2], items[1])
        # One of the others as it was is turned away; wiped, it joins.
        three.start(0, wait=False)
        wait_until(lambda: "belongs to generation 1" in three.said(0), 30, "its refusal")
        assert not three.processes[0].ready.is_set()
        three.kill(0)
        shutil.rmtree(three.dirs[0])
        token = stoa("token", "--dir", three.dirs[2]).strip().splitlines()[-1]
        stoa("join", "--token", token, "--dir", three.dirs[0], "--peer-listen",
             three.network.peer[0])
        three.start(0)
        buy_one(three.addresses[0], items[1])
        wait_until(lambda: three.digest(0) == three.digest(2), 20, "the same copy")
        assert three.audit(0)[0] == three.audit(2)[0] == 0


def test_a_recovery_that_was_cut_short_is_done_again(tmp_path):
    shop = Shop(tmp_path)
    stoa("init", "--dir", shop.dir, "--peer-listen", Loopback(1).peer[0])
    with shop:
        assert shop.url
    cluster = shop.dir / "cluster" / "cluster.json"
    # Killed when the generation was written and the old log out of the way, and no new one begun.
    text = cluster.read_text()
    assert '"generation": 1' in text
    cluster.write_text(text.replace('"generation": 1', '"generation": 2'))
    (shop.dir / "raft" / "raft").rename(shop.dir / "raft" / "raft.before-2")
    (shop.dir / "raft" / "vote").rename(shop.dir / "raft" / "vote.before-2")
    said = stoa("recover", "--dir", shop.dir, "--yes")
    assert "generation 3" in said, said
    with shop:
        assert shop.url
    assert shop.audit()[0] == 0


def test_a_server_that_was_to_get_a_copy_goes_on_when_nobody_can_give_it(tmp_path):
    shop = Shop(tmp_path)
    stoa("init", "--dir", shop.dir, "--peer-listen", Loopback(1).peer[0])
    with shop:
        assert shop.url
    (shop.dir / "raft" / "copy").mkdir()
    (shop.dir / "raft" / "copy" / "wanted").write_text("1000000\n")
    said = stoa("recover", "--dir", shop.dir, "--yes")
    assert "generation 2" in said, said
    with shop:
        assert shop.url
    assert shop.audit()[0] == 0


def test_a_database_older_than_its_log_is_not_gone_on_with(tmp_path):
    file, items = stock_of(tmp_path, 1000)
    shop = Shop(tmp_path, "--log-entries", "16", catalogue=file)
    stoa("init", "--dir", shop.dir, "--peer-listen", Loopback(1).peer[0])
    with shop:
        assert shop.stop() == 0
    older = tmp_path / "older.db"
    shutil.copy(shop.dir / "shop.db", older)
    has = json.loads(stoa("audit", "--digest", "--json", shop.dir))["index"]

    def is_cut():
        """The log begins after what the older one lacks first: what is below a snapshot is kept for
        a while."""
        buy_one(shop.address, items[1])
        log = shop.dir / "raft" / "raft"
        first = [int(segment.name.split("-")[0]) for segment in log.glob("[0-9]*-[0-9]*")]
        return bool(first) and min(first) > has + 1
    with shop:
        wait_until(is_cut, 60, "the log's being cut")
        assert shop.stop() == 0
    for name in ("shop.db", "shop.db-wal", "shop.db-shm"):
        (shop.dir / name).unlink(missing_ok=True)
    shutil.copy(older, shop.dir / "shop.db")
    before = (shop.dir / "cluster" / "cluster.json").read_bytes()
    said = stoa("recover", "--dir", shop.dir, "--yes", status=1)
    assert "is on no disk here" in said, said
    assert (shop.dir / "cluster" / "cluster.json").read_bytes() == before


def test_a_backup_that_nobody_takes_any_more_is_ended(tmp_path):
    """A client that goes away leaves nothing held still: the next backup is made at once."""
    with Shop(tmp_path) as shop:
        for number in range(3):
            ask = subprocess.Popen(
                ["curl", "-s", "--limit-rate", "1000", "-H", f"Authorization: Bearer {shop.token()}",
                 f"{shop.url}/api/v1/backup"], stdout=subprocess.PIPE)
            first = threading.Thread(target=lambda p=ask: p.stdout.read(1))
            first.start()
            first.join(10)
            ask.kill()
            ask.wait()
            ask.stdout.close()
            backup = tmp_path / f"backup-{number}.db"
            wait_until(lambda b=backup: subprocess.run(
                [STOA, "backup", "--dir", str(shop.dir), str(b)], capture_output=True,
                check=False).returncode == 0, 20, "a backup")
