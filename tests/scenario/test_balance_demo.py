"""A demo with its load manager, and the commands `balance`, `status` and `top` as people use them."""

import contextlib
import fcntl
import http.client
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import urllib.request

import pytest

from balancer import PATIENT, Balancer, Upstream, before, upstreams
from cluster_server import Cluster, free_port, is_alive, run, status, wait_dead, wait_until
from shop_server import STOA, Client, Shop, checkout_body

pytestmark = pytest.mark.front

ITEM = "harrow-mug~chalk-350-ml"


def managers(cluster):
    return cluster.status()["load_managers"]


def wait_managers(cluster, count=1, other_than=()):
    """The load managers that the servers know, once there are COUNT with other pids."""
    def known():
        found = [m for m in managers(cluster) if m["pid"] not in other_than]
        return found if len(found) == count else None
    return wait_until(known, 20, f"{count} load managers")


def get(url, timeout=30):
    """(status, headers, body); http errors are answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


# ---- The demo ----


@pytest.mark.quick
def test_a_demo_has_a_load_manager_in_front_of_its_servers(tmp_path):
    with Cluster(tmp_path, managers=1) as cluster:
        manager, = managers(cluster)  # from the first moment on
        assert manager["url"] == cluster.url and is_alive(manager["pid"])
        assert cluster.url not in [s["url"] for s in cluster.view().values()]
        text = run("status", "--dir", str(cluster.dir)).stdout
        assert "load manager" in text and str(manager["pid"]) in text and cluster.url in text
        code, headers, body = get(cluster.url + "/")
        assert code == 200 and b"</html>" in body
        assert headers["Stoa-Server"] in ("1", "2", "3"), headers["Stoa-Server"]
        pids = [manager["pid"]] + [s["pid"] for s in cluster.view().values()]
        assert cluster.stop(30) == 0
        assert not any(is_alive(pid) for pid in pids)
    assert status(cluster.dir)["load_managers"] == []


def test_a_load_manager_that_is_killed_comes_back_at_its_address(tmp_path):
    with Cluster(tmp_path, managers=1) as cluster:
        before, = wait_managers(cluster)
        os.kill(before["pid"], signal.SIGKILL)
        wait_dead(before["pid"])
        wait_until(lambda: answers(cluster.url + "/"), 30, "an answer after its death")
        after, = wait_managers(cluster, other_than=[before["pid"]])
        assert after["url"] == before["url"] and after["status"] == before["status"]
        assert "load manager died (signal 9); it starts again at once" in cluster.log.read_text()


def answers(url):
    try:
        return get(url)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


class Clicker(threading.Thread):
    """A shopper who changes a cart and reads it again, without pause; what went wrong is in
    `errors`."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.errors = []
        self.clicks = 0
        self.halt = threading.Event()

    def run(self):
        client = Client(self.address, timeout=30)
        try:
            code, cart = client.call("POST", "/carts", {"line_items": checkout_body({ITEM: 1})
                                                        ["line_items"]})
            assert code in (200, 201), (code, cart)
            quantity = 1
            while not self.halt.is_set():
                quantity = quantity % 5 + 1
                for method, body in (("PUT", {"line_items": [{"item": {"id": ITEM},
                                                              "quantity": quantity}]}),
                                     ("GET", None)):
                    code, found = client.call(method, f"/carts/{cart['id']}", body)
                    assert code == 200, (method, code, found)
                    seen = found["line_items"][0]["quantity"]
                    assert seen == quantity, f"{method}: {seen}, not {quantity}"
                    self.clicks += 1
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(repr(error))
        finally:
            client.close()

    def go_on(self, clicks, seconds=60):
        """Waits for so many further clicks."""
        end = self.clicks + clicks
        wait_until(lambda: self.clicks >= end or self.errors, seconds, f"{clicks} clicks")
        assert not self.errors, self.errors


def test_no_click_fails_while_each_server_is_killed_in_turn(tmp_path):
    with Cluster(tmp_path, managers=1) as cluster:
        clickers = [Clicker(cluster.address) for _ in range(4)]
        for clicker in clickers:
            clicker.start()
        for server in (1, 2, 3):
            for clicker in clickers:
                clicker.go_on(5)
            killed = cluster.kill_server(server)
            for clicker in clickers:
                clicker.go_on(20)
            cluster.wait_back(server, killed, behind=1000)
        for clicker in clickers:
            clicker.halt.set()
            clicker.join(30)
            assert not clicker.errors and clicker.clicks > 60, (clicker.errors, clicker.clicks)


def test_two_load_managers_side_by_side_bring_a_shopper_to_the_same_server(tmp_path):
    # A home that warms up, or that the machine holds up for a moment, is left, and rightly so.
    with Cluster(tmp_path, "--slow-start", "100ms", *PATIENT, managers=2) as cluster:
        both = wait_managers(cluster, count=2)

        def all_up(manager):
            servers = json.loads(get(manager["status"] + "/balance.json")[2])["servers"]
            return [server["state"] for server in servers] == ["up"] * 3
        for manager in both:
            wait_until(lambda: all_up(manager), 20, "all servers being up")
        urls = [m["url"] for m in both]
        assert cluster.url in urls and len(set(urls)) == 2
        code, headers, _ = get(urls[0] + "/")
        assert code == 200
        cookie = headers["Set-Cookie"].split(";")[0]
        home = headers["Stoa-Server"]
        for url in urls * 3:
            request = urllib.request.Request(url + "/", headers={"Cookie": cookie})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.headers["Stoa-Server"] == home


def test_a_demo_made_without_a_load_manager_gets_one_at_its_address(tmp_path):
    """The first server was there; it makes way, and nothing else moves."""
    listen = f"127.0.0.1:{free_port()}"
    with Cluster(tmp_path, "--listen=", "--listen", listen) as cluster:
        before = {s: v["url"] for s, v in cluster.view().items()}
        assert before[1] == cluster.url == f"http://{listen}"
        cluster.stop()
    plan = json.loads((cluster.dir / "demo.json").read_text())
    plan.pop("load_managers")  # as an older version wrote it
    (cluster.dir / "demo.json").write_text(json.dumps(plan))
    with Cluster(tmp_path, "--listen=", "--listen", listen, servers=None, managers=1) as cluster:
        assert cluster.url == f"http://{listen}"
        after = {s: v["url"] for s, v in cluster.view().items()}
        assert after[1] != before[1]
        assert (after[2], after[3]) == (before[2], before[3])
        wait_until(lambda: answers(cluster.url + "/"), 30, "an answer")
        cluster.stop()
    with Cluster(tmp_path, "--listen=", "--listen", listen, servers=None) as cluster:
        assert {s: v["url"] for s, v in cluster.view().items()} == before


def test_a_joined_server_gets_shoppers_and_a_removed_one_none(tmp_path):
    with Cluster(tmp_path, servers=1, managers=1) as cluster:
        wait_managers(cluster)
        assert servers_that_answer(cluster.url, 20) == {"1"}
        cluster.stop()
    with Cluster(tmp_path, "--slow-start", "100ms", servers=3, managers=1) as cluster:
        wait_until(lambda: servers_that_answer(cluster.url, 30) == {"1", "2", "3"}, 30,
                   "all three to answer")
        assert run("remove", "3", "--dir", str(cluster.dir)).returncode == 0
        wait_until(lambda: servers_that_answer(cluster.url, 30) == {"1", "2"}, 30,
                   "the removed one to get nothing")


def servers_that_answer(url, count):
    """Who answers COUNT shoppers that come for the first time."""
    found = set()
    for _ in range(count):
        code, headers, _ = get(url + "/")
        assert code == 200
        found.add(headers["Stoa-Server"])
    return found


def test_a_demos_options_for_its_load_manager_are_judged_at_once(tmp_path):
    folder = ("--dir", str(tmp_path / "shop"))
    for words, what in (
            (("--no-load-manager", "--direct"), "without a load manager --direct"),
            (("--no-load-manager", "--policy", "x"), "without a load manager --policy"),
            (("--load-managers", "9"), "from 1 to 4"),
            (("--server", "http://127.0.0.1:1"), "a demo's load manager has the demo's servers"),
            (("--policy", "dice"), 'there is no policy "dice"'),
            (("--hedge", "5"), "a share such as")):
        done = run("demo", *folder, *words)
        assert done.returncode == 2 and what in done.stderr, (words, done.stderr)


# ---- The command ----


@pytest.mark.quick
def test_it_stands_before_any_http_servers(tmp_path):
    with upstreams(2) as (one, two), \
            Balancer(tmp_path, *before([one.url, two.url]), "--policy", "round-robin",
                     "--loops", "1", *PATIENT) as balancer:
        said = [balancer.get() for _ in range(8)]
        assert said.count((200, one.name)) == said.count((200, two.name)) == 4, said
        assert balancer.stop(10) == 0


def test_weights_are_kept(tmp_path):
    with upstreams(2) as (one, two), \
            Balancer(tmp_path, "--upstream", f"{one.url},weight=300", "--upstream", two.url,
                     "--policy", "round-robin", "--loops", "1", *PATIENT) as balancer:
        said = [balancer.get() for _ in range(40)]
        assert said.count((200, one.name)) == 30, said


def test_what_it_is_told_stands_in_a_file_too(tmp_path):
    with Upstream() as one:
        config = tmp_path / "balance.conf"
        config.write_text(f'upstream = {{"{one.url}"}}\npolicy = failover\nhedge = off\n')
        with Balancer(tmp_path, "--config", str(config)) as balancer:
            assert balancer.get() == (200, one.name)
        done = run("check", "--balance", str(config))
        assert done.returncode == 0 and "good" in done.stdout
        config.write_text(f'upstream = {{"{one.url}"}}\npolicy = dice\n')
        done = run("check", "--balance", str(config))
        assert done.returncode == 1 and 'there is no policy "dice"' in done.stderr
        config.write_text("upstreams = x\n")
        done = run("balance", "--config", str(config))
        assert done.returncode == 2 and f"{config}:1: " in done.stderr, done.stderr
        assert "stoa balance --help" in done.stderr


def test_without_a_server_there_is_a_503_that_says_when_to_come_again(tmp_path):
    with Balancer(tmp_path, *before([f"http://127.0.0.1:{free_port()}"]), "--queue-timeout",
                  "200ms") as balancer:
        code, headers, _ = get(balancer.url + "/")
        assert code == 503 and int(headers["Retry-After"]) > 0, (code, headers)


def test_the_wrong_use_of_balance_says_what_to_do(tmp_path):
    empty = tmp_path / "operator.token"
    empty.write_text("\n")
    one = ("--upstream", "http://127.0.0.1:1")
    server = ("--server", "http://127.0.0.1:1")
    for expected, words, what in (
            (2, (), "there is no server to send requests to"),
            (2, ("--upstream", "nonsense"), "write http://HOST:PORT"),
            (2, ("--upstream", "http://127.0.0.1:1/path"), "more than a host and a port"),
            (2, ("--upstream", "http://127.0.0.1:1,weight=0"), "weight=N"),
            (2, ("--upstream", "http://:1"), "names no host"),
            (2, one + one, "is given twice"),
            (2, one + server, "not both"),
            (2, one + ("--policy", "least-conections"), "did you mean least-connections?"),
            (2, one + ("--policy", "dice"), "there are: "),
            (2, one + ("--trust", "10.0.0.0/64"), 'trust "10.0.0.0/64": the number after /'),
            (2, one + ("--hedge", "5"), "a share such as 20%"),
            (2, one + ("--check-path", "livez"), "must begin with a /"),
            (2, one + ("--eject", "1m"), "eject-max"),
            (2, one + ("--listen-tls", "127.0.0.1:0"), "--certificate and --key"),
            (2, one + ("--listen", ":0", "--mode", "direct"), "give --url"),
            (2, server, "give --token-file FILE"),
            (2, server + ("--token", "x", "--token-file", "y"), "not both"),
            (1, server + ("--token-file", str(tmp_path / "none")), "cannot read the operator's token"),
            (2, server + ("--token-file", str(empty)), "holds no token"),
            (1, ("--dir", str(tmp_path)), "")):
        done = run("balance", *words)
        assert done.returncode == expected and what in done.stderr, (words, done.stderr)
        assert done.stderr and not done.stdout


def test_a_port_that_is_taken_is_named():
    with Upstream() as one:
        done = run("balance", "--listen", one.name, *before([one.url]))
        assert done.returncode == 1 and one.name in done.stderr, done.stderr


def test_help_lists_the_policies():
    text = run("balance", "--help").stdout
    for name in ("round-robin", "least-connections", "response-time", "ip-hash", "bounded-load",
                 "two-choices", "prequal", "failover"):
        assert f"\n  {name} " in text


# ---- Watching it ----


def test_top_prints_one_view_for_scripts(tmp_path):
    with Cluster(tmp_path, managers=1) as cluster:
        door = wait_managers(cluster)[0]["status"]
        get(cluster.url + "/")
        wait_until(lambda: json.loads(get(door + "/balance.json")[2]).get("primary"), 30,
                   "the load manager to know the primary")

        def whole():
            done = run("top", "--once", "--dir", str(cluster.dir))
            assert done.returncode == 0, done.stderr
            return all(part in done.stdout for part in (
                "stoa top", cluster.url, "requests/s", "server 1", "server 2", "server 3",
                "primary", "secondary")) and done
        done = wait_until(whole, 30, "everything in one view")
        assert "\033" not in done.stdout
        assert run("top", "--once", "--url", door).returncode == 0
        # A server knows the load manager, too, within a second.
        alone = ("top", "--once", "--dir", str(cluster.server_dir(2)))
        wait_until(lambda: cluster.url in run(*alone).stdout, 30, "server 2 to know it")


def test_top_without_a_door_or_a_terminal_says_what_to_do(tmp_path):
    done = run("top", "--once", "--url", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1 and "127.0.0.1" in done.stderr
    done = run("top", "--url", f"http://127.0.0.1:{free_port()}", stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "--once" in done.stderr
    done = run("top", "--once", "--dir", str(tmp_path))
    assert done.returncode == 1 and done.stderr


class Screen:
    """`stoa top` on a terminal of its own."""

    def __init__(self, *words, columns=80, rows=24):
        self.fd, own = pty.openpty()
        self.before = termios.tcgetattr(own)
        self.own = own
        self.resize(columns, rows)
        self.process = subprocess.Popen([STOA, "top", "--every", "100ms", *words], stdin=own,
                                        stdout=own, stderr=subprocess.DEVNULL)
        Shop.running.add(self.process)
        self.seen = b""
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(OSError):
            while True:
                self.seen += os.read(self.fd, 65536)

    def frames(self):
        """How often the whole screen has been drawn."""
        return self.seen.count(b"\033[J")

    def frame(self):
        """What was drawn last, as far as it is complete."""
        drawn = self.seen.rpartition(b"\033[J")[0]
        return drawn.rpartition(b"\033[H")[2]

    def resize(self, columns, rows):
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, text, seconds=30):
        wait_until(lambda: text in self.seen, seconds, f"{text!r} on the screen")

    def is_as_it_was(self):
        return termios.tcgetattr(self.own) == self.before

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.own)
        os.close(self.fd)


@pytest.mark.parametrize("end", ["q", "signal", "control-c"])
def test_top_leaves_the_terminal_as_it_was(tmp_path, end):
    with Upstream() as one, Balancer(tmp_path, *before([one.url])) as balancer, \
            Screen("--url", f"http://{balancer.door}") as screen:
        screen.wait(balancer.url.encode())
        assert not screen.is_as_it_was()
        assert screen.seen.startswith(b"\033[?1049h")
        screen.resize(120, 40)
        os.kill(screen.process.pid, signal.SIGWINCH)
        screen.wait(one.url.encode())
        if end == "signal":
            screen.process.terminate()
        else:
            os.write(screen.fd, {"q": b"q", "control-c": b"\x03"}[end])
            if end == "control-c":  # no controlling terminal here: what it would send
                screen.process.send_signal(signal.SIGINT)
        assert screen.process.wait(30) == 0
        screen.wait(b"\033[?1049l")
        assert screen.is_as_it_was()


def test_top_goes_on_when_cursor_and_function_keys_are_pressed(tmp_path):
    up, f2, f5, ctrl_right, alt_q = b"\033[A", b"\033OQ", b"\033[15~", b"\033[1;5C", b"\033q"
    with Upstream() as one, Balancer(tmp_path, *before([one.url])) as balancer, \
            Screen("--url", f"http://{balancer.door}") as screen:
        screen.wait(balancer.url.encode())
        for keys in (up, f2, f5, ctrl_right, alt_q, b"\033", up + f2 + up):
            os.write(screen.fd, keys)
            seen = screen.frames()
            # After each picture it takes at least one of these bytes.
            wait_until(lambda: screen.frames() >= seen + len(keys) + 2, 20,
                       f"more pictures after {keys}")
        assert screen.process.poll() is None
        os.write(screen.fd, up + b"q")
        assert screen.process.wait(30) == 0


def test_top_goes_on_while_the_load_manager_is_away(tmp_path):
    with Cluster(tmp_path, managers=1) as cluster:
        manager, = wait_managers(cluster)
        with Screen("--dir", str(cluster.dir)) as screen:
            screen.wait(b"server 3")
            os.kill(manager["pid"], signal.SIGSTOP)
            try:
                wait_until(lambda: b"asking again" in screen.frame(), 20, "its being missed")
            finally:
                os.kill(manager["pid"], signal.SIGCONT)
            # The last picture stays meanwhile, below what is wrong.
            wait_until(lambda: b"asking again" not in screen.frame()
                       and b"requests/s" in screen.frame(), 20, "a picture without trouble")
            os.write(screen.fd, b"q")
            assert screen.process.wait(30) == 0
