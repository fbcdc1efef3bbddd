"""Workers and fronts on another machine: the same shop, whoever dies and whatever is cut."""

import contextlib
import json
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from cluster_server import free_port
from engine_server import not_of_engines
from shop_server import STOA, Client, buy, wait_until
from test_tiers import MUG, Buyers, check_orders, check_whole, page
from tiers import BenchTiers, Member
from tiers_far import FarTiers, token_of

pytestmark = not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                            why="fronts and workers have engines of their own")


@pytest.fixture(name="far")
def far_tiers(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "other"))
    with FarTiers(tmp_path, fronts=2, front_options=["--wait", "20s"]) as tiers:
        yield tiers


def check_members(far):
    """At the master each of another machine is what it is, with where it came from."""
    def are_there():
        view = json.loads(page(far.status, "/tiers.json")[1])
        fronts = [member for member in view["fronts"] if member["host"]]
        return len(view["workers"]) == 2 and len(view["fronts"]) == 3 and len(fronts) == 1 and \
            fronts[0]["requests"] > 0 and sum(one["handled"] for one in view["workers"]) > 0 and \
            {one["pid"] for one in view["workers"]} == {w.process.pid for w in far.workers} and \
            all(one["host"].startswith("127.0.0.1:") and one["empty_polls"] for one in
                view["workers"])
    wait_until(are_there, what="all members on the status page")
    top = subprocess.run([STOA, "top", "--front", f"http://{far.status}", "--once"], text=True,
                         stdout=subprocess.PIPE, check=True).stdout
    assert top.count("127.0.0.1:") >= 4, top


def test_through_the_link_the_shop_is_the_same(far):
    direct = far.server.address
    for path in ("/", "/product/harrow-mug", "/search?q=mug", "/nothing", "/assets/style.css"):
        there, expected = page(direct, path)
        for address in (far.listen, far.far_listen):
            here, found = page(address, path)
            assert (here.status, found) == (there.status, expected), path
    long = random.Random(7).randbytes(3 << 20)
    media = far.server.dir / "media"
    media.mkdir(exist_ok=True)
    (media / "long.png").write_bytes(long)
    for address in (far.listen, far.far_listen):
        answer, found = page(address, "/media/long.png")
        assert answer.status == 200 and found == long
    too_much = {"line_items": [{"item": {"id": "x" * 700000}, "quantity": 1}]}
    here, there = (client.call("POST", "/carts", too_much) for client in
                   (far.client(), Client(far.server.address)))
    assert here[0] == there[0] and here[0] in range(400, 500)
    buy(far.client(), MUG)
    check_members(far)
    check_whole(far)


def test_nobody_is_served_twice_whoever_dies(far):
    buyers = Buyers(far)
    buyers.wait_more()
    for _ in range(2):
        for victim in (far.workers[0], far.fronts[0], far.workers[1], far.far_front):
            victim.kill()
            if victim is far.fronts[0]:
                victim.options = far.new_front(1).options  # it follows the other
            victim.start()
            buyers.wait_more(3)
    far.workers[0].hang()
    buyers.wait_more(3)
    far.workers[0].process.send_signal(signal.SIGCONT)
    buyers.wait_more(3)
    buyers.stop()
    check_orders(far, buyers)
    check_whole(far)


def test_a_link_that_is_cut_is_made_again(far):
    buyers = Buyers(far)
    buyers.wait_more()
    far.relay.is_cut = True
    wait_until(lambda: all(one.says("no link to") for one in [*far.workers, far.far_front]),
               what="the notices")
    far.relay.is_cut = False
    buyers.wait_more()
    buyers.stop()
    assert buyers.broken == 0
    check_orders(far, buyers)
    check_whole(far)


def test_workers_that_are_told_to_stop_lose_nothing(far):
    buyers = Buyers(far)
    for turn in range(4):
        buyers.wait_more(3)
        worker = far.workers[turn % 2]
        assert worker.stop() == 0
        worker.start()
    buyers.stop()
    assert buyers.broken == 0
    assert not any(front.says("requests are given to others") for front in far.fronts)
    check_orders(far, buyers)
    check_whole(far)


def test_fronts_that_are_told_to_stop_lose_nothing_of_the_links(far):
    buyers = Buyers(far)
    for turn in range(2):
        buyers.wait_more(3)
        front = far.fronts[turn % 2]
        assert front.stop() == 0
        front.options = far.new_front(1).options
        front.start()
    buyers.wait_more(3)
    buyers.stop()
    assert buyers.broken == 0
    assert any(front.says("this front stops") for front in far.fronts)
    assert not any(front.says("requests are given to others") for front in far.fronts)
    check_orders(far, buyers)
    check_whole(far)


def test_when_the_masters_machine_dies_another_takes_over(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    links = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as stack:
        one, other = (BenchTiers(folder, "--link", link, "--wait", "20s")
                      for folder, link in zip(folders, links))
        stack.enter_context(one)
        token = tmp_path / "tiers.token"
        token.write_text(token_of(one.dir))
        shutil.copytree(one.server.dir / "link", other.server.dir / "link")
        stack.enter_context(other)
        place = [",".join(links), "--token-file", str(token)]
        listen = f"127.0.0.1:{free_port()}"
        worker = Member(one, "far_worker", "worker", "stoa: worker ready at ", "--queue", *place,
                        "--bench", "100000")
        front = Member(one, "far_front", "front", "stoa: front ready at ", "--follow", *place,
                       "--listen", listen, "--wait", "20s")
        for far in (worker, front):
            far.start()
            stack.callback(far.stop)
        assert page(listen, "/compute?us=0")[0].status == 200
        for dead in (one.fronts[0], one.workers[0]):
            dead.kill()
        assert page(listen, "/compute?us=0")[0].status == 200
        assert front.says(f"linked to the queue at {links[1]}")
        wait_until(lambda: worker.says(f"linked to the queue at {links[1]}"), what="the worker")
        other.workers[0].kill()
        assert page(listen, "/compute?us=0")[0].status == 200


def check_versions(far):
    """One of another version is told so in words that it knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", far.link), timeout=20) as plain, \
            context.wrap_socket(plain) as link:
        hello = bytes([99]) + b"what only that version knows"
        link.sendall(struct.pack("<IB3x", len(hello), 1) + hello)
        answer = link.recv(4096)
        assert answer[4] == 3 and b"of another version" in answer
        assert link.recv(4096) == b""


def test_who_has_no_token_is_told_so_on_both_sides(far):
    key = far.server.dir / "link" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    wait_until(lambda: any(f.says("its token was revoked") for f in far.fronts), what="the cut")
    late = subprocess.run([STOA, "worker", "--bench", "1", "--queue", *far.far()], text=True,
                          capture_output=True, timeout=30, check=False)
    assert late.returncode != 0 and "its token is not one of this shop's" in late.stderr
    assert any(f.says("its token is not one of this shop's") for f in far.fronts)
    check_versions(far)
    strangers = [socket.create_connection(("127.0.0.1", far.link)) for _ in range(300)]
    far.make_token()
    assert "stoa-tiers-" in far.token_file.read_text()
    for worker in far.workers:
        worker.kill()
        worker.start()
    assert page(far.listen, "/product/harrow-mug")[0].status == 200
    for one in strangers:
        one.close()


def test_a_token_of_another_shop_opens_nothing(far):
    text = far.token_file.read_text().strip()
    far.token_file.write_text(text[:-1])
    short = subprocess.run([STOA, "front", "--follow", *far.far()], text=True, capture_output=True,
                           timeout=30, check=False)
    assert short.returncode != 0 and "the token is not whole" in short.stderr
    other = far.place / "shop"
    other.mkdir()
    far.token_file.write_text(token_of(str(other)))
    stranger = far.new_worker(9)
    stranger.spawn()
    wait_until(lambda: stranger.says("is not the --link of the shop that has the token"),
               what="the stranger's notice")
    stranger.kill()


def told(*words):
    done = subprocess.run([STOA, *words], text=True, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2, done
    return done.stderr


def test_what_does_not_fit_together_is_said(tmp_path):
    for words in (["worker", "--queue"], ["front", "--follow"]):
        assert "--token-file is missing" in told(*words, "master.example:8443")
    here = ["worker", "--queue", str(tmp_path)]
    shop = ["--server", "http://127.0.0.1:1", "--server-token-file", "file"]
    assert "either --server or --bench" in told(*here, *shop, "--bench", "1")
    assert "leave it out" in told(*here, *shop, "--dir", str(tmp_path))
    assert "belong to --server" in told(*here, "--server-token-file", "file")
