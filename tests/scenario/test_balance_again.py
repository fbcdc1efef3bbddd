"""What a load manager sends again, and when it rather waits: limits hold for what is sent again,
too, an empty budget is no reason to give anything up, and nobody is blamed for another's fault."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from balance_front import Back, read_all, read_body, reply
from balancer import Balancer, options
from cluster_client import GOODS, operate
from cluster_server import free_port
from shop_server import wait_until
from three_servers import COUNT, Three

pytestmark = pytest.mark.front

CHECK = "/ok"
FAILOVER = ("--loops", "1", "--policy", "failover", "--hedge", "off")


class Server(Back):
    """A back end whose checks are fine. PAGE(request, socket) is what it does with all else; while
    `hangs` it does nothing at all."""

    def __init__(self, page):
        super().__init__(self.do)
        self.page = page
        self.name = f"127.0.0.1:{self.port}"
        self.awake = threading.Event()
        self.awake.set()

    def do(self, request, sock):
        self.awake.wait()
        if request.target == CHECK:
            return reply(sock)
        return self.page(request, sock)

    def hang(self):
        self.awake.clear()

    def go_on(self):
        self.awake.set()


@contextlib.contextmanager
def front(folder, *pages, more=(), silent_after="20s"):
    """A load manager and its servers. They are threads of the test: where silence is not what is
    looked at, it is borne for longer than the test may be held up."""
    more = (*more, "--silent-after", silent_after)
    servers = [Server(page) for page in pages]
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.close)
            stack.callback(server.go_on)
        balancer = stack.enter_context(Balancer(folder, *options(servers, *FAILOVER, *more)))
        for server in servers:
            balancer.wait_state(server.name, "up")
        yield balancer, servers
        assert balancer.process.poll() is None, balancer.log.read_text()[-2000:]


def fine(request, sock):
    read_body(request, sock)
    reply(sock)


def breaks(request, sock):
    return False


def connect(balancer, timeout=30):
    host, port = balancer.address.split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


class Many:
    """COUNT GETs at once, each on a connection of its own; `statuses` has what came of them."""

    def __init__(self, balancer, count, path="/page"):
        self.statuses = []
        self.threads = [threading.Thread(target=lambda: self.statuses.append(
            balancer.get(path, timeout=60)[0]), daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def wait(self):
        for thread in self.threads:
            thread.join(60)
        return self.statuses


def totals(balancer):
    return balancer.look("/balance.json")["totals"]


# ---- Limits ----

def test_what_is_sent_again_keeps_to_the_limits(tmp_path):
    """The second server has room for one request; the first breaks all that it gets."""
    now, most, lock = [0], [0], threading.Lock()

    def slowly(request, sock):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)  # no wait: it is a slow server
        with lock:
            now[0] -= 1
        fine(request, sock)

    with front(tmp_path, breaks, slowly,
               more=("--limit", "1", "--queue-timeout", "30s")) as (balancer, (first, _)):
        assert Many(balancer, 40).wait() == [200] * 40
        assert first.asked("/page") and totals(balancer)["retries"] > 0
        assert most[0] == 1


def test_requests_that_pause_are_as_few_as_may_wait(tmp_path):
    """Until it is known which servers there are, requests ask for them again and again."""
    token = tmp_path / "operator.token"
    token.write_text("token")
    with Balancer(tmp_path, "--loops", "1", "--server", f"http://127.0.0.1:{free_port()}",
                  "--token-file", str(token), "--queue", "4") as balancer, \
            contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(balancer)) for _ in range(20)]
        for client in clients:
            client.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        for client in clients:  # all at once: each that pauses does so for three seconds
            client.sendall(b"\r\n")
        assert [read_all(client)[0] for client in clients] == [503] * 20
        assert totals(balancer)["shed"] == 16


def test_in_flight_is_what_servers_have(tmp_path):
    release = threading.Event()

    def waits(request, sock):
        release.wait(60)
        fine(request, sock)

    with front(tmp_path, waits, more=("--limit", "2", "--queue-timeout", "30s")) as (balancer, _):
        clients = Many(balancer, 5)
        wait_until(lambda: totals(balancer)["queue"] == 3, 20, "three that wait")
        assert totals(balancer)["in_flight"] == 2
        release.set()
        assert clients.wait() == [200] * 5
        wait_until(lambda: totals(balancer)["in_flight"] == 0, 20, "nothing at a server")


# ---- Servers that have too much to do ----

def busy(request, sock):
    """As a server answers whose admission lets nobody in."""
    read_body(request, sock)
    reply(sock, b"busy", "503 Service Unavailable", "Retry-After: 7", "Stoa-Try: once")


def test_for_a_busy_server_one_other_is_asked(tmp_path):
    """Whatever the request: it has not been looked at."""
    with front(tmp_path, busy, fine) as (balancer, (first, second)):
        with connect(balancer) as sock:
            sock.sendall(b"POST /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         b"Content-Length: 3\r\n\r\nabc")
            assert read_all(sock)[0] == 200
        assert [asked.body for asked in first.asked("/page")] == [b"abc"]
        assert [asked.body for asked in second.asked("/page")] == [b"abc"]
        assert totals(balancer)["retries"] == 1


def test_when_the_other_is_busy_too_its_answer_stands(tmp_path):
    with front(tmp_path, busy, busy, fine) as (balancer, servers):
        with connect(balancer) as sock:
            sock.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            status, fields, body, _ = read_all(sock)
        assert (status, body, fields["retry-after"]) == (503, b"busy", ["7"])
        assert "stoa-try" not in fields
        assert [len(server.asked("/page")) for server in servers] == [1, 1, 0]


def test_busy_servers_are_not_made_busier_than_the_budget_allows(tmp_path):
    with front(tmp_path, busy, fine, more=("--retries", "0.1%")) as (balancer, _):
        statuses = []

        def is_empty():  # many at once: some are earned again each second
            statuses.extend(Many(balancer, 100).wait())
            return totals(balancer)["retries_denied"] > 0
        wait_until(is_empty, 60, "an empty budget")
        assert set(statuses) == {200, 503}


# ---- Servers that fall silent ----

def test_with_an_empty_budget_a_silent_server_is_waited_for(tmp_path):
    """It comes back, as most do; meanwhile only those leave it for whom there is a budget."""
    asked = threading.Event()  # its pages wait from the beginning, its checks when it hangs

    def page(request, sock):
        if request.target == "/poison":
            return breaks(request, sock)
        if sock.getsockname()[1] == first.port:
            asked.set()
            released.wait(60)
        return fine(request, sock)

    released = threading.Event()
    with front(tmp_path, page, page, silent_after="2s", more=(
            "--retries", "0.1%", "--failures", "1000", "--checks-lost", "1000",
            )) as (balancer, (first, _)):

        def is_empty():  # many at once: some are earned again each second
            Many(balancer, 100, "/poison").wait()
            return totals(balancer)["retries_denied"] > 0
        wait_until(is_empty, 60, "an empty budget")
        balancer.wait_state(first.name, "up")
        clients = Many(balancer, 60)
        assert asked.wait(20), "nobody came to the first server"
        first.hang()
        wait_until(lambda: balancer.servers()[first.name]["timeouts"] > 0, 30, "one that leaves")
        balancer.wait_event("suspect", first.name)
        released.set()
        first.go_on()
        assert clients.wait() == [200] * 60


def test_half_an_answer_of_a_silent_server_spoils_no_other(tmp_path):
    """The second server's first connection had gone stale, which is nobody's fault."""
    def half(request, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
        first.hang()
        first.awake.wait()
        return False

    def stale_once(request, sock):
        return False if len(second.asked("/page")) == 1 else fine(request, sock)

    with front(tmp_path, half, stale_once, silent_after="300ms") as (balancer, (first, second)):
        wait_until(lambda: balancer.servers()[second.name]["idle"] >= 2, 20, "backups")
        assert balancer.get("/page") == (200, "fine")
        assert len(second.asked("/page")) == 2
        assert balancer.servers()[second.name]["resets"] == 0


# ---- Slow clients ----

def upload(balancer, size):
    sock = connect(balancer)
    sock.sendall(f"POST /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}"
                 "\r\n\r\n".encode())
    return sock


def test_a_client_that_stalls_is_no_servers_fault(tmp_path):
    with front(tmp_path, fine, more=("--answer-timeout", "300ms")) as (balancer, (server,)):
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(upload(balancer, 1000000)) for _ in range(8)]
            for sock in socks:
                sock.sendall(b"z" * 1000)
            assert [read_all(sock)[0] for sock in socks] == [504] * 8
        seen = balancer.servers()[server.name]
        assert (seen["timeouts"], seen["state"]) == (0, "up")


def test_an_answer_that_has_begun_waits_for_a_slow_upload(tmp_path):
    """The server says its head at once; the client takes longer than an answer may pause."""
    def early(request, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n")
        read_body(request, sock)
        sock.sendall(b"z" * 20000)

    with front(tmp_path, early, more=("--answer-pause", "3s")) as (balancer, _):
        with upload(balancer, 300000) as sock:
            for _ in range(30):
                sock.sendall(b"y" * 10000)
                time.sleep(0.15)  # no wait: it is a slow client
            status, _, body, whole = read_all(sock)
            assert (status, len(body), whole) == (200, 20000, True)


# ---- Home and away ----

def visit(balancer, cookie=""):
    """A browser that opens a page with the `home` cookie COOKIE; the one that it is given."""
    connection = http.client.HTTPConnection(balancer.address, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/cart", headers={"Cookie": f"home={cookie}"} if cookie else {})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        given = [field for field in answer.headers.get_all("Set-Cookie", [])
                 if field.startswith("home=")]
        return given[0].split(";")[0][len("home="):] if given else None


def drain(three, balancer, word, server):
    connection = http.client.HTTPConnection(balancer.door, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", f"/{word}?server={server}",
                           headers={"Authorization": "Bearer " + three.token})
        assert connection.getresponse().status < 300


def test_who_is_away_and_who_has_moved_is_counted(tmp_path):
    goods = tmp_path / "goods.csv"
    goods.write_text(GOODS)
    with Three(tmp_path, goods) as three:
        three.wait_healthy()
        token = str(three.dirs[0] / "operator.token")
        with Balancer(tmp_path, "--loops", "1", "--server", "http://" + three.addresses[0],
                      "--token-file", token, "--silent-after", "20s") as balancer:
            wait_until(lambda: len(balancer.servers()) == COUNT, 20, "members")

            def counted():
                seen = totals(balancer)
                return seen["placed"], seen["away"], seen["moved"]

            cookie = visit(balancer)
            assert cookie and visit(balancer, cookie) is None
            assert counted() == (1, 0, 0)
            home = cookie.split(".")[0]
            drain(three, balancer, "drain", home)
            balancer.wait_state(f"server {home}", "draining")
            assert visit(balancer, cookie) is None
            assert counted() == (1, 1, 0)
            drain(three, balancer, "undrain", home)
            balancer.wait_state(f"server {home}", "warming", "up")
            leaver = (three.wait_primary() + 1) % COUNT
            assert operate(three, leaver, "/leave", {}).status == 200
            wait_until(lambda: len(balancer.servers()) == COUNT - 1, 30, "its being forgotten")
            assert visit(balancer, cookie)
            assert counted()[2] == 1
