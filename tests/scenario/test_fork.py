"""Engine fork: a request that crashes its process costs one connection, and nothing is left of it."""

import contextlib
import http.client
import itertools
import itertools
import json
import os
import pathlib
import random
import resource
import signal
import socket
import struct
import threading

import pytest

from engine_server import PROGRAM, SANITIZED, Server, ended, read_answer, wait_until
from shop_server import Client, Shop, begin_checkout, checkout_body, payment_body
from shoppers import Shopper, check_promises
from test_kill import promises, stock_of

ITEM = "harrow-mug~chalk-250-ml"
CRASHES = 20


def no_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path, "--engine", "fork", preexec=no_cores) as running:
        yield running


def children(pid):
    """Processes whose parent is PID; those that ended and were not waited for count."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def zygote_of(pid):
    [zygote] = children(pid)
    return zygote


def is_gone(pid):
    try:
        return (pathlib.Path("/proc") / str(pid) / "stat").read_text().rsplit(")")[1].split()[0] == "Z"
    except OSError:
        return True


def ask(connection, path):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())


# ---- The engine ----


@pytest.mark.quick
def test_a_request_that_crashes_costs_one_connection(server):
    zygote = zygote_of(server.process.pid)
    descriptors = len(os.listdir(f"/proc/{zygote}/fd"))
    plain, secure = server.connect(), server.connect_tls()
    for connection in (plain, secure):
        ask(connection, "/hello")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    ask(plain, "/hold")  # it is at work meanwhile
    wait_until(lambda: server.get("/holding")[2] == b"1\n")
    for number in range(CRASHES):
        with (server.connect_tls if number % 2 else server.connect)() as connection:
            ask(connection, "/crash")
            assert ended(connection, 20) == (True, b"")
    wait_until(lambda: server.stats()["crashed"] == CRASHES)
    wait_until(lambda: server.error_text().count("ended by signal 6") == CRASHES)  # counted first
    # Two connections of ours, and the one that asks; no process of those that crashed.
    wait_until(lambda: server.stats()["open"] == 3)
    wait_until(lambda: len(children(zygote)) == 2)
    wait_until(lambda: server.stats()["processes"] == 3)
    wait_until(lambda: len(os.listdir(f"/proc/{zygote}/fd")) == descriptors)
    ask(secure, "/hello")
    assert secure.recv(4096).startswith(b"HTTP/1.1 200")
    assert server.get("/release")[0] == 200
    assert read_answer(plain.makefile("rb"))[2] == b"held\n"
    plain.close()
    secure.close()


def test_who_hangs_up_in_the_middle_of_a_file_is_no_crash(tmp_path):
    (tmp_path / "file").write_bytes(b"f" * 1_000_000)
    with Server(tmp_path, "--engine", "fork", "--file", tmp_path / "file", tls=False) as server:
        zygote = zygote_of(server.process.pid)
        for _ in range(10):
            with server.connect() as connection:
                ask(connection, "/file")
        looks = itertools.count(1)  # each is a request itself
        wait_until(lambda: server.stats()["requests"] == 10 + next(looks))
        wait_until(lambda: not children(zygote))
        assert server.stats()["crashed"] == 0


def test_who_is_killed_after_its_client_has_gone_is_not_counted_twice(server):
    zygote = zygote_of(server.process.pid)
    stays = server.connect()
    ask(stays, "/hello")
    assert read_answer(stays.makefile("rb"))[2] == b"hello\n"
    others = set(children(zygote))
    with server.connect() as connection:
        ask(connection, "/later?ms=60000")  # which its process waits for, when it has gone, too
        [process] = wait_until(lambda: set(children(zygote)) - others)
        wait_until(lambda: server.stats()["open"] == 3)
        reset_on_close = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
    wait_until(lambda: server.stats()["open"] == 2)
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: server.stats()["crashed"] == 1)
    assert server.stats()["open"] == 2
    stays.close()


def test_a_hundred_killed_at_random_moments_cost_a_connection_each(server):
    zygote, seed = zygote_of(server.process.pid), random.Random(5)
    descriptors = len(os.listdir(f"/proc/{zygote}/fd"))
    over, answers, broken, wrong = threading.Event(), [0], [], []
    expected = {"/hello": b"hello\n", "/later?ms=3": b"later\n", "/work?ms=3": b"worked\n",
                "/drip?count=3": b"drip\n" * 3, "/stream?bytes=70000": b"s" * 70000}

    def visit(connect, paths):
        """A connection, for as long as it is not broken."""
        with connect() as connection:
            stream = connection.makefile("rb")
            for path in itertools.islice(itertools.cycle(paths), 20):
                ask(connection, path)
                answer = read_answer(stream)
                if answer is None:
                    raise ConnectionError("closed")
                if answer[0] != 200 or answer[2] != expected[path]:
                    wrong.append((path, answer))
                answers[0] += 1

    def come_again_and_again(number):
        paths = list(expected)[number % 5:] + list(expected)[:number % 5]
        while not over.is_set():
            try:
                visit(server.connect_tls if number % 4 == 0 else server.connect, paths)
            except (OSError, ValueError, IndexError) as failure:  # cut off, in the middle of an answer
                broken.append(failure)

    clients = [threading.Thread(target=come_again_and_again, args=(n,)) for n in range(8)]
    for client in clients:
        client.start()
    try:
        killed, seen = 0, 0
        while killed < 100:
            wait_until(lambda: answers[0] > seen)
            seen = answers[0] + seed.randrange(8)
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(seed.choice(children(zygote)), seed.choice([signal.SIGKILL, signal.SIGSEGV]))
                killed += 1
    finally:
        over.set()
        for client in clients:
            client.join()
    assert not wrong
    wait_until(lambda: not children(zygote))
    stats = server.stats()  # of a process that is made after the last of those is counted and logged
    crashed = server.error_text().count("ended by ")  # a sanitizer ends it by a status
    assert 0 < crashed <= killed  # some had come to their end already
    assert len(broken) <= crashed
    assert (stats["crashed"], stats["open"]) == (crashed, 1)
    wait_until(lambda: len(os.listdir(f"/proc/{zygote}/fd")) == descriptors)


def test_no_more_processes_than_workers(tmp_path):
    with Server(tmp_path, "--engine", "fork", "--workers", 2) as server:
        first, second = server.connect(), server.connect()
        for connection in (first, second):
            ask(connection, "/hello")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        third = server.connect()
        ask(third, "/hello")
        wait_until(lambda: "as many as there may be" in server.error_text())
        assert len(children(zygote_of(server.process.pid))) == 2
        first.close()
        assert third.recv(4096).startswith(b"HTTP/1.1 200")  # when there is room
        second.close()
        third.close()


@pytest.mark.skipif(SANITIZED, reason="a library is preloaded; sanitizers refuse that")
def test_who_can_have_no_process_yet_waits_for_one(tmp_path, monkeypatch):
    library = pathlib.Path(PROGRAM).with_name("fork_fault.so")
    no_more = tmp_path / "no-more-processes"
    assert library.exists(), f"{library} is missing: build with -Dtests=enabled"
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("STOA_FORK_FAULT", str(no_more))
    with Server(tmp_path, "--engine", "fork", tls=False) as server:
        first = server.connect()
        ask(first, "/hello")
        assert first.recv(4096).startswith(b"HTTP/1.1 200")
        no_more.touch()
        others = [server.connect() for _ in range(3)]
        for connection in others:
            ask(connection, "/hello")
        wait_until(lambda: "no other one can be made" in server.error_text())
        assert "ulimit -u" in server.error_text()
        ask(first, "/stats")  # who has one goes on
        assert json.loads(read_answer(first.makefile("rb"))[2])["open"] == 1
        no_more.unlink()
        for connection in others:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert server.stats()["refused"] == 0
        for connection in [first, *others]:
            connection.close()


def test_more_may_come_at_once_than_a_listening_socket_keeps(tmp_path):
    """To begin a client takes a fork; the others must not fall out of the kernel's queue."""
    kept = min(4096, int(pathlib.Path("/proc/sys/net/core/somaxconn").read_text()))
    crowd = kept * 3 // 2
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most[1], most[1]))
    try:
        with Server(tmp_path, "--engine", "fork", tls=False) as server, \
                contextlib.ExitStack() as stack:
            os.kill(zygote_of(server.process.pid), signal.SIGSTOP)
            for _ in range(crowd):
                stack.enter_context(server.connect())
            server.process.kill()  # who is stopped goes, too
            server.process.wait()
            server.process.returncode = 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)


def test_who_is_killed_at_the_end_of_a_stop_is_counted_once(tmp_path):
    with Server(tmp_path, "--engine", "fork", "--grace", 1, tls=False) as server:
        zygote = zygote_of(server.process.pid)
        waits = server.connect()
        ask(waits, "/later?ms=60000")
        [process] = wait_until(lambda: children(zygote))
        works = server.connect()
        ask(works, "/work?ms=60000")
        wait_until(lambda: server.stats()["requests"] >= 3)
        server.ask_to_stop()
        assert ended(waits, 20) == (True, b"")  # its process has cut it off, and waits for the app
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
        server.stop()
        assert "2 connections were cut off" in server.error_text()
        waits.close()
        works.close()


def test_nobody_outlives_the_program(server):
    zygote = zygote_of(server.process.pid)
    with server.connect() as connection:
        ask(connection, "/hello")
        assert connection.recv(4096)
        [client] = children(zygote)
        server.process.kill()
        wait_until(lambda: is_gone(zygote) and is_gone(client))
        assert ended(connection, 20)[0]
    server.process.wait()
    server.process.returncode = 0  # for the fixture: it is as it should be


def test_the_program_ends_with_who_accepts(server):
    os.kill(zygote_of(server.process.pid), signal.SIGKILL)
    assert server.process.wait(30) == 0
    assert "ends, too" in server.error_text()


# ---- The shop ----


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("fork"), "--engine", "fork", "--listen-tls", "127.0.0.1:0")
    with shop:
        yield shop
        assert shop.stop() == 0


def figure(shop, name):
    client = Client(shop.address)
    client.connection.request("GET", "/metrics")
    text = client.connection.getresponse().read().decode()
    client.close()
    return float(text.split(f"\n{name} ")[1].split()[0])


def test_a_process_that_falls_takes_nobody_elses_purchase_along(shop):
    zygote = zygote_of(shop.process.pid)
    before = set(children(zygote))
    falls = Client(shop.address)
    assert falls.call("GET", "/catalog/none")[0] in (404, 405)
    [process] = set(children(zygote)) - before
    buys = Client(shop.address)
    checkout = begin_checkout(buys, checkout_body({ITEM: 1}))
    os.kill(process, signal.SIGSEGV)
    with pytest.raises((http.client.HTTPException, OSError)):
        falls.call("GET", "/cart")
    code, done = buys.call("POST", f"/checkout-sessions/{checkout}/complete", payment_body())
    assert (code, done["status"]) == (200, "completed")
    assert buys.call("GET", f"/orders/{done['order']['id']}")[0] == 200
    falls.close()
    buys.close()
    wait_until(lambda: figure(shop, "stoa_processes_crashed_total") == 1)


def test_a_hundred_processes_killed_while_they_sell_break_no_promise(tmp_path):
    """Also what had been passed on to the server, and was not answered, happened once or not."""
    file, items = stock_of(tmp_path, 100000)
    with Shop(tmp_path, "--engine", "fork", catalogue=file) as shop:
        zygote, choose, shoppers, killed = zygote_of(shop.process.pid), random.Random(7), [], 0
        while killed < 100:
            for _ in range(8 - sum(shopper.is_alive() for shopper in shoppers)):
                shoppers.append(Shopper(shop.address, items, len(shoppers)))
                shoppers[-1].start()
            enough = promises(shoppers) + choose.randrange(4)
            wait_until(lambda: promises(shoppers) >= enough or
                       sum(shopper.is_alive() for shopper in shoppers) < 8)
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(choose.choice(children(zygote)), signal.SIGKILL)
                killed += 1
        for shopper in shoppers:
            shopper.halt.set()
        for shopper in shoppers:
            shopper.join(30)
            assert not shopper.is_alive()
            assert not shopper.errors, shopper.errors[:3]
        client = Client(shop.address)
        for shopper in shoppers:
            check_promises(client, shopper)
        client.close()
        assert sum(len(shopper.orders) for shopper in shoppers) > 0
        assert 0 < figure(shop, "stoa_processes_crashed_total") <= killed
        assert zygote_of(shop.process.pid) == zygote
        assert shop.stop() == 0
    assert shop.audit()[0] == 0


def test_what_is_large_goes_through_in_both_directions(shop):
    content = os.urandom(5_000_000)
    client = Client(shop.address)
    headers = {"Authorization": f"Bearer {shop.token()}"}
    for path in ("/admin/api/media/large.bin", "/media/large.bin"):
        if path.startswith("/admin"):
            client.connection.request("PUT", path, content, headers)
            answer = client.connection.getresponse()
            assert (answer.status, answer.read()[:12]) == (200, b'{"done":true')
        client.connection.request("GET", path, headers=headers)
        answer = client.connection.getresponse()
        assert (answer.status, answer.read()) == (200, content)
    client.connection.request("GET", "/api/v1/backup", headers=headers)
    answer = client.connection.getresponse()
    assert answer.status == 200 and len(answer.read()) > 100_000
    client.close()


def test_an_upload_is_refused_before_it_is_sent(shop):
    with socket.create_connection(shop.address.split(":"), timeout=20) as connection:
        connection.sendall(b"PUT /admin/api/media/.hidden HTTP/1.1\r\nHost: a\r\n"
                           b"Authorization: Bearer %s\r\nContent-Length: 1000000\r\n"
                           b"Expect: 100-continue\r\n\r\n" % shop.token().encode())
        status, _, body = read_answer(connection.makefile("rb"))
        assert status == 422 and b"error" in body, (status, body)


def test_a_head_as_large_as_allowed_goes_through(shop):
    for fields in ({f"X-{number}": "v" for number in range(99)}, {"X-Long": "v" * 16300}):
        client = Client(shop.address)
        client.connection.putrequest("GET", "/healthz", skip_accept_encoding=True)
        for name, value in fields.items():
            client.connection.putheader(name, value)
        client.connection.endheaders()
        answer = client.connection.getresponse()
        assert answer.status == 200, answer.read()
        client.close()


def inner_door(shop):
    """The port at which the server's own process listens."""
    sockets = set()
    for fd in pathlib.Path(f"/proc/{shop.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(fd))
    for line in pathlib.Path(f"/proc/{shop.process.pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
            return int(fields[1].split(":")[1], 16)
    return None


def test_the_inner_door_is_for_the_servers_own_processes(shop):
    with socket.create_connection(("127.0.0.1", inner_door(shop)), timeout=20) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n"
                           b"Stoa-Inner: 00000000000000000000000000000000 https 10.0.0.1\r\n\r\n")
        assert read_answer(connection.makefile("rb"))[0] == 403
    client = Client(shop.address)  # and what somebody else says of himself is dropped
    client.connection.request("GET", "/healthz", headers={"Stoa-Inner": "0 https 10.0.0.1"})
    assert client.connection.getresponse().status == 200
    client.close()


def test_shared_and_fork_are_refused_together(tmp_path):
    shop = Shop(tmp_path, "--engine", "fork", "--shared")
    shop.spawn()
    assert shop.process.wait(30) == 2
    assert "do not go together" in shop.log.read_text()
