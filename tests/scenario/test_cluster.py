"""Clusters: founded, joined, left; a demo whose servers are killed; commands that look at them."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from cluster_server import (Cluster, Member, free_port, is_alive, run, status, wait_dead,
                            wait_until)
from shop_server import STOA, Client, Shop, buy, checkout_body
from shoppers import LOST

MUG = checkout_body({"harrow-mug~chalk-350-ml": 1})


def digests(cluster, servers):
    """What the copies' audits say, by server: all as of one entry."""
    return {s: cluster.audit(s)[1]["index"] for s in servers}


# ---- The demo ----


@pytest.mark.quick
def test_a_demo_sells_on_each_of_its_servers(tmp_path):
    with Cluster(tmp_path) as cluster:
        view = wait_until(lambda: all_have_roles(cluster), 20, "a primary and two secondaries")
        assert cluster.url == view[1]["url"]
        for server in view.values():
            assert pathlib.Path(f"/proc/{server['pid']}/comm").read_text() == "stoa\n"
        orders = [buy(cluster.client(s), MUG) for s in view]
        assert len(set(orders)) == 3
        for server in view:
            for order in orders:
                assert cluster.client(server).call("GET", f"/orders/{order}")[0] == 200
        # Whoever lags is answered for by the primary: that it shows them is not that it has them.
        for server in view:
            wait_until(lambda server=server: cluster.audit(server)[1]["orders"] == 3, 30,
                       f"all orders in the copy of server {server}")
        assert cluster.stop() == 0
    for server in (1, 2, 3):
        code, report = cluster.audit(server)
        assert code == 0 and report["orders"] == 3, report


def all_have_roles(cluster):
    """The view, if it has one primary and two secondaries."""
    view = cluster.view()
    roles = sorted(s["role"] for s in view.values())
    return sorted(view) == [1, 2, 3] and roles == ["primary", "secondary", "secondary"] and view


def test_each_server_of_a_demo_can_be_killed(tmp_path):
    with Cluster(tmp_path) as cluster:
        for server in (cluster.wait_primary(), cluster.secondary(), 3, 2, 1):
            others = [s for s in cluster.view() if s != server]
            address = cluster.server_address(others[0])
            before = cluster.kill_server(server)
            wait_until(lambda address=address: buys(Client(address)), 30, "a purchase")
            cluster.wait_back(server, before)
        orders = [len(orders_of(cluster, s)) for s in (1, 2, 3)]
        assert orders[0] == orders[1] == orders[2] >= 5
        cluster.stop()
    text = cluster.log.read_text()
    assert "died (signal 9); it starts again in" in text
    assert "is primary now (term" in text


def buys(client):
    """Whether a purchase goes through now."""
    try:
        return buy(client, MUG)
    except (AssertionError, *LOST):
        return None
    finally:
        client.close()


def orders_of(cluster, server):
    done = subprocess.run(
        ["curl", "-sf", "-H", f"Authorization: Bearer {cluster.token()}",
         cluster.server_url(server) + "/admin/api/orders"],
        capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)["orders"]


def test_nothing_survives_a_demo_that_is_killed(tmp_path):
    cluster = Cluster(tmp_path).start()
    pids = [s["pid"] for s in cluster.view().values()]
    assert all(is_alive(p) for p in pids)
    cluster.kill()
    for pid in pids:
        wait_dead(pid)
    with Cluster(tmp_path) as again:
        assert len(again.view()) == 3


def test_a_demo_ends_within_two_seconds(tmp_path):
    cluster = Cluster(tmp_path).start()
    pids = [s["pid"] for s in cluster.view().values()]
    began = time.monotonic()
    cluster.process.send_signal(signal.SIGINT)
    assert cluster.process.wait(5) == 0
    assert time.monotonic() - began < 2
    assert not any(is_alive(p) for p in pids)
    cluster.process.stdout.close()


def test_without_restart_a_dead_server_stays_dead(tmp_path):
    with Cluster(tmp_path, "--no-restart") as cluster:
        server = cluster.secondary()
        wait_dead(cluster.kill_server(server))
        wait_until(lambda: cluster.view()[server]["state"] == "down", 20, "its death to be seen")
        buy(cluster.client(cluster.wait_primary()), MUG)
        assert "starts again" not in cluster.log.read_text()


def test_a_demo_is_found_again_as_it_was(tmp_path):
    with Cluster(tmp_path) as cluster:
        before = cluster.status()
        order = buy(cluster.client(2), MUG)
        cluster.stop()
    down = status(cluster.dir)
    assert [s["state"] for s in down["servers"]] == ["down"] * 3
    assert down["cluster"] == before["cluster"]
    with Cluster(tmp_path, servers=None) as cluster:
        after = cluster.status()
        assert after["cluster"] == before["cluster"]
        assert [s["url"] for s in after["servers"]] == [s["url"] for s in before["servers"]]
        assert cluster.client(3).call("GET", f"/orders/{order}")[0] == 200


def test_a_demo_grows_and_shrinks(tmp_path):
    with Cluster(tmp_path, servers=1) as cluster:
        order = buy(cluster.client(1), MUG)
        cluster.stop()
    with Cluster(tmp_path, servers=3) as cluster:
        assert sorted(cluster.view()) == [1, 2, 3]
        assert cluster.client(3).call("GET", f"/orders/{order}")[0] == 200
        wait_until(lambda: voters(cluster) == 3, 20, "three servers to vote")
        cluster.stop()
    with Cluster(tmp_path, servers=5) as cluster:
        wait_until(lambda: voters(cluster) == 5, 30, "five servers to vote")
        cluster.stop()
    with Cluster(tmp_path, servers=3) as cluster:
        wait_until(lambda: len(list(cluster.dir.glob("server-*"))) == 3, 30, "two to be gone")
        buy(cluster.client(cluster.wait_primary()), MUG)


def voters(cluster):
    return sum(s["role"] in ("primary", "secondary") for s in cluster.view().values())


def test_a_shop_that_was_alone_becomes_the_first_of_three(tmp_path):
    with Shop(tmp_path) as shop:
        token = shop.token()
        client = Client(shop.address)
        order = buy(client, MUG)
        client.close()
        assert shop.stop() == 0
    with Cluster(tmp_path, servers=3) as cluster:
        assert cluster.token() == token
        assert not (cluster.dir / "shop.db").exists()
        for server in (1, 2, 3):
            assert cluster.client(server).call("GET", f"/orders/{order}")[0] == 200
        assert len(orders_of(cluster, 2)) == 1


def test_commands_find_a_demos_servers(tmp_path):
    with Cluster(tmp_path) as cluster:
        done = run("export", "--dir", str(cluster.dir))
        assert done.returncode == 0 and done.stdout.count("\n") > 100
        wait_until(lambda: all_have_roles(cluster), 20, "a primary and two secondaries")
        done = run("status", "--dir", str(cluster.dir))
        assert done.returncode == 0
        assert done.stdout.count("secondary") == 2 and done.stdout.count("primary") == 1
        again = subprocess.run([STOA, "demo", "--dir", str(cluster.dir)], capture_output=True,
                               text=True, timeout=30, check=False)
        assert again.returncode == 1 and "is in use" in again.stderr


def test_a_server_that_was_removed_is_dropped_by_its_demo(tmp_path):
    with Cluster(tmp_path) as cluster:
        wait_until(lambda: voters(cluster) == 3, 20, "three servers to vote")
        server = cluster.secondary()
        pid = cluster.view()[server]["pid"]
        done = run("remove", str(server), "--dir", str(cluster.dir))
        assert done.returncode == 0, done.stderr
        wait_dead(pid, 20)
        wait_until(lambda: (cluster.dir / f"removed-{server}").exists(), 30, "its retirement")
        buy(cluster.client(cluster.wait_primary()), MUG)
        cluster.stop()
    with Cluster(tmp_path, servers=None) as cluster:
        assert len(cluster.view()) == 2


def test_no_second_shop_is_made_beside_a_demos_servers(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.stop()
    for command in ("serve", "import"):
        words = [command, "--dir", str(cluster.dir)]
        done = run(*words, *(["/dev/null"] if command == "import" else []))
        assert done.returncode == 1 and "belongs to a demo" in done.stderr, done.stderr
    assert not (cluster.dir / "shop.db").exists()


def test_a_demo_of_nonsense_is_refused(tmp_path):
    folder = ("--dir", str(tmp_path / "shop"))
    for words, what in ((("--servers", "0"), "from 1 to 9"), (("--servers", "10"), "from 1 to 9"),
                        (("--nonsense",), "no option --nonsense"),
                        (("--listen", "127.0.0.1:http"), "127.0.0.1:http")):
        done = run("demo", *folder, *words)
        assert done.returncode in (1, 2) and what in done.stderr, (words, done.stderr)


# ---- Founding, joining, leaving ----


class Harbour:
    """A cluster whose servers are started one by one, by init and join."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.members = {}
        self.options = ()  # of the servers that are started from now on

    def dir(self, name):
        return self.folder / name / "shop"

    def init(self, name="a"):
        (self.folder / name).mkdir()
        done = run("init", "--dir", str(self.dir(name)), "--name", "harbour",
                   "--peer-listen", f"127.0.0.1:{free_port()}")
        assert done.returncode == 0, done.stderr
        assert "stoa token" in done.stdout
        return self.serve(name, catalogue="demo")

    def serve(self, name, catalogue=None):
        member = Member(self.folder / name, *self.options, catalogue=catalogue).start()
        self.members[name] = member
        return member

    def token(self, name="a", *words):
        done = run("token", "--dir", str(self.dir(name)), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def join(self, name, token):
        (self.folder / name).mkdir(exist_ok=True)
        return run("join", "--token", token, "--dir", str(self.dir(name)),
                   "--peer-listen", f"127.0.0.1:{free_port()}")

    def add(self, name, at="a"):
        done = self.join(name, self.token(at))
        assert done.returncode == 0, done.stderr
        return self.serve(name)

    def status(self, name="a"):
        return status(self.dir(name))

    def wait_servers(self, *ids, name="a"):
        """Until these are the members, as NAME tells, which has heard of it a moment later."""
        wait_until(lambda: [s["id"] for s in self.status(name)["servers"]] == list(ids), 30,
                   f"servers {ids}")

    def wait_primary(self, server, name="a"):
        wait_until(lambda: self.status(name)["primary"] == server, 30, f"server {server} leading")

    def wait_voters(self, count, name="a"):
        wait_until(lambda: sum(s["role"] in ("primary", "secondary") and s["state"] == "up"
                               for s in self.status(name)["servers"]) == count, 30,
                   f"{count} servers to vote")

    def run(self, *words, at="a"):
        return run(*words, "--dir", str(self.dir(at)))

    def close(self):
        for member in self.members.values():
            if member.process.poll() is None:
                member.kill()


@pytest.fixture
def harbour(tmp_path):
    cluster = Harbour(tmp_path)
    yield cluster
    cluster.close()


def test_servers_join_and_leave(harbour):
    first = harbour.init()
    order = buy(Client(first.address), MUG)
    harbour.add("b")
    harbour.add("c", at="b")
    harbour.wait_voters(3)
    for name in "abc":
        client = Client(harbour.members[name].address)
        assert client.call("GET", f"/orders/{order}")[0] == 200
        buy(client, MUG)
    token = (harbour.dir("a") / "operator.token").read_text()
    assert all((harbour.dir(n) / "operator.token").read_text() == token for n in "bc")

    done = harbour.run("leave", at="c")
    assert done.returncode == 0, done.stderr
    assert "With two servers" in done.stdout
    assert harbour.members["c"].process.wait(30) == 0
    harbour.wait_servers(1, 2)
    buy(Client(harbour.members["b"].address), MUG)

    # Who left does not come back.
    gone = Member(harbour.folder / "c")
    gone.spawn()
    wait_until(lambda: "any more" in gone.log.read_text() or gone.process.poll() is not None, 30,
               "its being turned away")
    gone.kill()


def test_a_token_is_good_for_one_server(harbour):
    harbour.init()
    token = harbour.token()
    assert harbour.join("b", token).returncode == 0
    done = harbour.join("c", token)
    assert done.returncode == 1
    assert "used already" in done.stderr
    assert not harbour.dir("c").exists()
    assert harbour.join("c", harbour.token()).returncode == 0
    harbour.wait_servers(1, 2, 3)


def test_a_token_expires(harbour):
    harbour.init()
    token = harbour.token("a", "--expires", "1s")
    end = time.time() + 1.1
    wait_until(lambda: time.time() > end, 30, "the token's time to pass")
    done = harbour.join("b", token)
    assert done.returncode == 1 and "expired" in done.stderr
    assert not harbour.dir("b").exists()


def test_wrong_tokens_are_refused(harbour):
    harbour.init()
    token = harbour.token()
    other = Harbour(harbour.folder / "elsewhere")
    other.folder.mkdir()
    for wrong, what in (("hello", "this is no token"), (token[:-2], "not whole"),
                        (token[:40] + ("0" if token[40] != "0" else "1") + token[41:],
                         "not whole")):
        done = harbour.join("b", wrong)
        assert done.returncode == 1 and what in done.stderr, done.stderr
    try:
        other.init()
        strange = other.token()
        other.members["a"].kill()
        done = harbour.join("b", strange)  # nobody there
        assert done.returncode == 1 and done.stderr.startswith("stoa join:")
    finally:
        other.close()
    assert not harbour.dir("b").exists()
    assert harbour.join("b", token).returncode == 0


def test_a_join_wants_an_empty_directory(harbour):
    harbour.init()
    token = harbour.token()
    done = harbour.join("a", token)
    assert done.returncode == 1 and "has data already" in done.stderr
    assert harbour.join("b", token).returncode == 0


def test_a_join_into_an_impossible_directory_spends_no_token(harbour):
    harbour.init()
    token = harbour.token()
    (harbour.folder / "b").mkdir()
    harbour.dir("b").write_text("no directory")
    assert harbour.join("b", token).returncode == 1
    harbour.dir("b").unlink()
    assert harbour.join("b", token).returncode == 0


def test_a_killed_join_can_be_repeated(harbour):
    harbour.init()
    for pause in (0.0, 0.01, 0.02, 0.03, 0.05):
        command = [STOA, "join", "--token", harbour.token(), "--dir", str(harbour.dir("b")),
                   "--peer-listen", f"127.0.0.1:{free_port()}"]
        (harbour.folder / "b").mkdir(exist_ok=True)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            end = time.monotonic() + pause
            wait_until(lambda end=end: time.monotonic() >= end, 30, "the moment")
            process.kill()
        if (harbour.dir("b") / "cluster" / "cluster.json").exists():
            shutil.rmtree(harbour.dir("b"))  # it was done by then
    done = harbour.join("b", harbour.token())
    assert done.returncode == 0, done.stderr
    member = harbour.serve("b")
    buy(Client(member.address), MUG)


def ends_with(harbour, name, words):
    """Starts a server that was killed, which says WORDS and ends."""
    member = harbour.members[name]
    member.spawn()
    assert member.process.wait(60) == 1
    assert words in member.log.read_text()


def applied(harbour, server):
    """Up to where SERVER's copy is, as the primary has heard of it; 0: nobody knows."""
    return next(s["index"] for s in harbour.status()["servers"] if s["id"] == server)


def test_an_older_copy_of_a_servers_directory_is_refused(harbour):
    # Only the primary to which it has confirmed more can know: no election on a slow disk, please.
    harbour.options = ("--election-timeout", "10s")
    harbour.init()
    harbour.add("b")
    harbour.add("c")
    harbour.wait_voters(3)
    harbour.run("handover", "--to", "1")
    harbour.wait_primary(1)
    harbour.members["c"].kill()
    shutil.copytree(harbour.dir("c"), harbour.folder / "older")
    harbour.members["c"].start()
    buy(Client(harbour.members["a"].address), MUG)
    there = harbour.members["a"].audit()[1]["index"]
    # Not that it shows the order, which it might have asked the primary for.
    wait_until(lambda: applied(harbour, 3) >= there, 30, "the primary knowing of the order there")
    assert harbour.status()["primary"] == 1
    harbour.members["c"].kill()
    shutil.rmtree(harbour.dir("c"))
    shutil.copytree(harbour.folder / "older", harbour.dir("c"))
    ends_with(harbour, "c", "an older copy of this directory was put back")


def test_a_server_that_lost_its_log_does_not_begin_anew(harbour):
    harbour.init()
    harbour.add("b")
    for name in "ab":
        harbour.members[name].kill()
        shutil.rmtree(harbour.dir(name) / "raft")
        for file in harbour.dir(name).glob("shop.db*"):
            file.unlink()
    ends_with(harbour, "a", "the log of server 1 is gone")
    ends_with(harbour, "b", "the log of server 2 is gone")


def test_secrets_are_their_users_alone(harbour):
    harbour.init()
    assert harbour.join("b", harbour.token()).returncode == 0
    for name in "ab":
        for path in [harbour.dir(name) / "secret", harbour.dir(name) / "operator.token",
                     *(harbour.dir(name) / "cluster").iterdir()]:
            assert path.stat().st_mode & 0o077 == 0, path


def test_handover_and_preferred_primary(harbour):
    harbour.init()
    harbour.add("b")
    harbour.add("c")
    harbour.wait_voters(3)
    was = wait_until(lambda: harbour.status("b")["primary"], 20, "a primary")
    to = 3 if was != 3 else 1
    done = harbour.run("handover", "--to", str(to), at="b")
    assert done.returncode == 0, done.stderr
    assert f"Server {to} is primary now; before it was server {was}." in done.stdout
    done = harbour.run("handover", "--to", "7")
    assert done.returncode == 1
    done = harbour.run("prefer", "2")
    assert done.returncode == 0, done.stderr
    harbour.wait_primary(2, "c")
    harbour.members["b"].kill()
    wait_until(lambda: harbour.status()["primary"] in (1, 3), 30, "another primary")
    harbour.serve("b")
    harbour.wait_primary(2)
    wait_until(lambda: preferred(harbour) == [2], 20, "it being the preferred one")
    assert harbour.run("prefer", "--none").returncode == 0
    wait_until(lambda: preferred(harbour) == [], 20, "no preference")


def preferred(harbour):
    return [s["id"] for s in harbour.status()["servers"] if s["preferred"]]


def test_remove_takes_dead_servers_and_keeps_a_majority(harbour):
    harbour.init()
    harbour.add("b")
    harbour.add("c")
    harbour.wait_voters(3)
    harbour.members["c"].kill()
    for name in "ab":  # whichever of them is primary, and judges
        wait_until(lambda name=name: harbour.status(name)["servers"][2]["state"] == "down", 30,
                   "its death seen")
    done = harbour.run("remove", "2")
    assert done.returncode == 1 and "no majority" in done.stderr
    done = harbour.run("remove", "9")
    assert done.returncode == 1 and "no server 9" in done.stderr
    done = harbour.run("remove", "3")
    assert done.returncode == 0, done.stderr
    harbour.wait_servers(1, 2)
    buy(Client(harbour.members["a"].address), MUG)
    done = harbour.run("remove", "1")
    assert done.returncode == 0, done.stderr
    harbour.wait_servers(2, name="b")
    buy(Client(harbour.members["b"].address), MUG)


def remove_by(harbour, name, server):
    """As `stoa remove` asks the server NAME to, without looking first."""
    token = (harbour.dir(name) / "operator.token").read_text().strip()
    client = Client(harbour.members[name].address)
    try:
        return client.call("POST", "/api/v1/cluster/remove", {"id": server},
                           Authorization=f"Bearer {token}")
    finally:
        client.close()


def test_a_primary_that_is_to_be_removed_hands_over(harbour):
    harbour.init()
    harbour.add("b")
    harbour.wait_voters(2)
    harbour.run("handover", "--to", "1")
    harbour.wait_primary(1, "b")
    assert remove_by(harbour, "b", 1) == (200, {"done": True})  # sends it on to the primary
    harbour.wait_servers(2, name="b")
    buy(Client(harbour.members["b"].address), MUG)
    harbour.add("c", at="b")
    harbour.wait_voters(2, "b")
    assert remove_by(harbour, "b", 2) == (200, {"done": True})
    harbour.wait_servers(3, name="c")
    buy(Client(harbour.members["c"].address), MUG)
    code, answer = remove_by(harbour, "c", 3)
    assert code == 409 and "only server" in json.dumps(answer), answer


def test_status_of_a_server_alone_and_of_nothing(tmp_path):
    with Shop(tmp_path) as shop:
        view = status(shop.dir)
        assert view["servers"][0]["role"] == "primary" and view["servers"][0]["state"] == "up"
        assert view["servers"][0]["pid"] == shop.process.pid
        assert run("handover", "--dir", str(shop.dir)).returncode == 1
        assert shop.stop() == 0
    assert status(shop.dir)["servers"][0]["state"] == "down"
    done = run("status", "--dir", str(tmp_path / "nothing"))
    assert done.returncode == 1 and "neither a server's data directory" in done.stderr
    done = run("token", "--dir", str(shop.dir))
    assert done.returncode == 1 and "belongs to no cluster" in done.stderr


def test_a_server_without_the_others_says_what_it_waits_for(tmp_path):
    with Cluster(tmp_path, catalogue=None) as cluster:
        port = cluster.server_address(2).split(":")[1]
        cluster.stop()
    with open(tmp_path / "lonely.log", "wb") as log:
        process = subprocess.Popen(
            [STOA, "serve", "--dir", str(cluster.server_dir(2)), "--listen",
             f"127.0.0.1:{port}"], stderr=log, stdout=subprocess.PIPE)
    try:
        wait_until(lambda: "not ready yet" in (tmp_path / "lonely.log").read_text(), 30,
                   "its saying so")
        code, _ = Client(f"127.0.0.1:{port}").call("GET", "/healthz")
        assert code == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert os.path.exists(cluster.server_dir(2))


def test_a_demo_ends_in_time_although_a_server_hangs(tmp_path):
    cluster = Cluster(tmp_path).start()
    pids = [s["pid"] for s in cluster.view().values()]
    cluster.signal_server(1, signal.SIGSTOP)
    began = time.monotonic()
    cluster.process.send_signal(signal.SIGTERM)
    assert cluster.process.wait(5) == 0
    assert time.monotonic() - began < 2.5
    assert not any(is_alive(p) for p in pids)
    cluster.process.stdout.close()
