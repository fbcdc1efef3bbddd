"""An engine answers in every way an app may ask for, and stays within its bounds."""

import concurrent.futures
import http.client
import json
import os
import resource
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from engine_server import (ENGINE, HAS_HELPERS, ONE_AT_A_TIME, PROCESSES, PROGRAM, SANITIZED, Probe,
                           Server, not_of_engines, of_engines, read_answer, wait_until)

FILE = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine")
    (folder / "file").write_bytes(FILE)
    with Server(folder, "--file", folder / "file") as running:
        yield running


RESET = struct.pack("ii", 1, 0)  # SO_LINGER: it is closed by a reset

PROTOCOLS = {
    "http/1.1": ("http", ["--http1.1"], "1.1"),
    "http/2 by prior knowledge": ("http", ["--http2-prior-knowledge"], "2"),
    "http/1.1 over TLS 1.2": ("https", ["--http1.1", "--tlsv1.2", "--tls-max", "1.2"], "1.1"),
    "http/1.1 over TLS 1.3": ("https", ["--http1.1", "--tlsv1.3"], "1.1"),
    "http/2 over TLS 1.2": ("https", ["--http2", "--tlsv1.2", "--tls-max", "1.2"], "2"),
    "http/2 over TLS 1.3": ("https", ["--http2", "--tlsv1.3"], "2"),
}


def curl(server, protocol, path, *options, data=None):
    scheme, flags, version = PROTOCOLS[protocol]
    port = server.tls_port if scheme == "https" else server.port
    command = ["curl", "-sSk", "--max-time", "20", "-w", "%{stderr}%{http_version} %{http_code}"]
    command += flags + list(options)
    if data is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run(
        command + [f"{scheme}://127.0.0.1:{port}{path}"], input=data, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    spoken, status = done.stderr.decode().split()
    assert spoken == version
    return int(status), done.stdout


@pytest.mark.quick
@pytest.mark.every_engine
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_way_of_answering_works_with_every_protocol(server, protocol):
    for path, expected in [
        ("/page", b"k" * 1024),
        ("/hello", b"hello\n"),
        ("/later?ms=20", b"later\n"),
        ("/work?ms=20", b"worked\n"),
        ("/offload?ms=20", b"offloaded\n"),
        ("/file", FILE),
        ("/stream?bytes=300000", b"s" * 300000),
        ("/stream?bytes=300000&known=1", b"s" * 300000),
        ("/drip?count=5", b"drip\n" * 5),
    ]:
        assert curl(server, protocol, path) == (200, expected), path
    assert curl(server, protocol, "/nothing")[0] == 404
    assert curl(server, protocol, "/echo", data=FILE[:100000]) == (200, FILE[:100000])
    for path in ["/upload", "/pause"]:
        assert curl(server, protocol, path, data=FILE) == (200, b"%d\n" % len(FILE)), path
    # curl 7.88 takes HTTP/2's polite RST_STREAM after an early answer for a failure.
    body = None if PROTOCOLS[protocol][2] == "2" else FILE
    assert curl(server, protocol, "/refused", data=body) == (403, b"refused\n")


@pytest.mark.quick
def test_one_connection_serves_many_requests_with_one_read_each(server):
    before = server.stats()
    with server.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(1000):
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(stream)[2] == b"hello\n"
    after = server.stats()
    assert after["accepted"] - before["accepted"] == 2
    assert after["requests"] - before["requests"] == 1001


@pytest.mark.quick
@pytest.mark.every_engine
def test_pipelined_requests_are_answered_in_order(server):
    paths = ["/later?ms=60", "/hello", "/work?ms=20", "/page", "/drip?count=2", "/hello"] * 5
    with server.connect() as connection:
        for path in paths:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
        stream = connection.makefile("rb")
        for path in paths:
            body = read_answer(stream)[2]
            assert body[:4] == {"/l": b"late", "/h": b"hell", "/w": b"work"}.get(
                path[:2], b"kkkk" if path == "/page" else b"drip"
            )


@pytest.mark.quick
@pytest.mark.every_engine
def test_what_waited_for_room_behind_an_early_answer_is_answered(tmp_path):
    with Server(tmp_path, "--output_bytes", 100, tls=False) as server:
        with server.connect() as connection:
            connection.sendall(
                b"GET /refused HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
            )
            stream = connection.makefile("rb")
            assert read_answer(stream)[2] == b"refused\n"
            assert read_answer(stream)[2] == b"hello\n"


def test_a_slow_reader_gets_the_whole_file(server):
    for connect in [server.connect, server.connect_tls]:
        with connect() as connection:
            connection.sendall(b"GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            received = b""
            while part := connection.recv(40000):
                received += part
                time.sleep(0.001)  # no wait: this reader is slow
        assert received.split(b"\r\n\r\n", 1)[1] == FILE


def test_old_tls_and_unknown_protocols_are_refused(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["spdy/3"])
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as raw:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(raw)
    done = subprocess.run(
        ["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect",
         f"127.0.0.1:{server.tls_port}"],
        input=b"", capture_output=True, timeout=20,
    )
    assert done.returncode != 0
    # Plain HTTP on the port for TLS ends, instead of hanging.
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while raw.recv(4096):
            pass


def begin(connection, path):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    return connection.makefile("rb")


@pytest.mark.quick
@pytest.mark.every_engine
@not_of_engines(*ONE_AT_A_TIME, why="one request at a time")
def test_who_blocks_holds_up_nobody_else(tmp_path):
    with Server(tmp_path, tls=False) as server, server.connect() as held:
        stream = begin(held, b"/hold")
        wait_until(lambda: server.get("/holding")[2] == b"1\n")
        for path, expected in [("/page", b"k" * 1024), ("/later?ms=1", b"later\n")]:
            assert server.get(path)[2] == expected
        assert server.get("/release")[2] == b"released\n"
        assert read_answer(stream)[2] == b"held\n"


@pytest.mark.quick
@pytest.mark.every_engine
@of_engines(*ONE_AT_A_TIME, why="the others go on meanwhile")
def test_who_blocks_holds_up_everybody(tmp_path):
    with Server(tmp_path, tls=False) as server:
        for path in [b"/work?ms=200", b"/later?ms=200", b"/offload?ms=200"]:
            with server.connect() as first, server.connect() as second:
                before = begin(first, path)
                assert read_answer(begin(second, b"/hello"))[2] == b"hello\n"
                first.settimeout(0)  # it has been answered before
                assert read_answer(before)[0] == 200


@pytest.mark.quick
@of_engines(*HAS_HELPERS, why="the others have no helpers")
def test_blocking_work_does_not_delay_pages(tmp_path):
    with Server(tmp_path, "--helpers", 2, "--loops", 1, tls=False) as server:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            enough = threading.Event()

            def have_it_work():
                times = []
                while not (times and enough.is_set()):
                    assert server.get("/work?ms=100")[2] == b"worked\n"
                    times.append(time.monotonic())
                return times
            begin = time.monotonic()
            work = [pool.submit(have_it_work) for _ in range(8)]
            try:
                wait_until(lambda: server.stats()["helper_waiting"] > 0)
                with Probe(server) as probe:
                    wait_until(lambda: probe.count.value >= 50)
            finally:
                enough.set()
            ended = sorted(sum((job.result() for job in work), []))
        # Two at once, a tenth of a second each.
        assert all(at - begin >= 0.1 * (i // 2 + 1) - 0.01 for i, at in enumerate(ended))
        assert sorted(probe.times)[len(probe.times) // 2] < 0.05


@pytest.mark.quick
@of_engines(*HAS_HELPERS, why="the others have no queue of helpers")
def test_work_beyond_the_queue_is_refused_with_advice(tmp_path):
    with Server(tmp_path, "--helpers", 1, "--queue", 2, tls=False) as server:
        refused = 0
        for path in ["/work?ms=300", "/offload?ms=300"]:
            connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
                           for _ in range(10)]
            for connection in connections:
                connection.connect()
            begin = time.monotonic()
            for connection in connections:
                connection.request("GET", path)
            # Two in the queue, and one more once the helper has begun, which may be later; of those
            # who were held up on their way some come when there is room again.
            late = int((time.monotonic() - begin) / 0.3)
            answers = [connection.getresponse() for connection in connections]
            statuses = [answer.status for answer in answers]
            assert 2 <= statuses.count(200) <= 4 + late, statuses
            assert statuses.count(200) + statuses.count(503) == 10
            for answer in answers:
                assert (answer.headers["Retry-After"] == "1") == (answer.status == 503)
            refused += statuses.count(503)
            for connection in connections:
                connection.close()
        assert server.stats()["refused"] == refused


def test_connections_beyond_the_limit_wait_for_room(tmp_path):
    with Server(tmp_path, "--connections", 8, "--loops", 2, tls=False) as server:
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = 0
        deadline = time.monotonic() + 60
        while connections:
            assert time.monotonic() < deadline
            for connection in list(connections):
                connection.settimeout(0.01)
                try:
                    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
                except TimeoutError:
                    continue
                answered += 1
                connections.remove(connection)
                connection.close()
        assert answered == 20
        assert server.stats()["open"] <= 8


@pytest.mark.every_engine
@of_engines("seda", why="the others' connections stand in no queue with a bound")
def test_closed_connections_count_while_something_of_them_waits(tmp_path):
    options = ["--connections", 8, "--helpers", 1, "--workers", 1]
    with Server(tmp_path, *options, tls=False) as server, server.connect() as stays:
        stream = stays.makefile("rb")

        def ask(path):
            stays.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            return read_answer(stream)[2]

        def stats():
            return json.loads(ask(b"/stats"))

        for number in range(1, 8):
            with server.connect() as goes:
                goes.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                goes.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: int(ask(b"/holding")) + stats()["helper_waiting"] == number)
        wait_until(lambda: stats()["open"] == 1)
        with server.connect() as waits:
            waits.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            for _ in range(100):  # in which it would have been accepted
                assert stats()["accepted"] == 8
            ask(b"/release")
            assert waits.recv(4096).startswith(b"HTTP/1.1 200")


def test_running_out_of_descriptors_refuses_some_and_serves_on(tmp_path):
    def few_descriptors():
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))

    with Server(tmp_path, tls=False, preexec=few_descriptors) as server:
        # Files that the app opens count too: leave the engine with less than it was promised.
        connections = [server.connect() for _ in range(100)]
        for connection in connections:
            connection.close()
        wait_until(lambda: server.get("/hello")[0] == 200)


# By engine: how many idle connections, and the most bytes of memory that each may take. Where each
# has a thread, that is its stack, too.
IDLE = {"event": (9500, 2048), "amped": (9500, 2048), "loop": (9500, 2048), "pool": (9500, 4096),
        "seda": (9500, 4096), "thread": (2000, 32768)}


@not_of_engines(*PROCESSES, why="each has a process, which is not cheap")
def test_ten_thousand_idle_connections_are_cheap(tmp_path):
    count, most = IDLE[ENGINE]
    count = min(count, 2000) if SANITIZED else count
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 200:
        count = hard - 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Server(tmp_path, "--idle_ms", 600000, tls=False) as server:
        server.get("/hello")
        before = server.rss_bytes()
        idle = []
        try:
            for _ in range(count):
                connection = server.connect()
                connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                idle.append(connection)
            for connection in idle:
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            assert server.stats()["open"] >= count
            per_connection = (server.rss_bytes() - before) / count
            if not SANITIZED:
                assert per_connection < most
            with Probe(server, every=0) as probe:
                wait_until(lambda: probe.count.value >= 1000, seconds=60)
            for connection in idle[:: count // 50]:
                connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        finally:
            for connection in idle:
                connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ipv6_and_names_are_listened_on(tmp_path):
    with Server(tmp_path, "--listen", "localhost:0", "--listen", "[::1]:0", tls=False) as server:
        port = int(server.tls_port)
        assert socket.create_connection(("localhost", port), timeout=10)


@pytest.mark.quick
def test_what_prevents_a_start_is_said(tmp_path):
    with Server(tmp_path, tls=False) as server:
        for options, expected in [
            (["--listen", f"127.0.0.1:{server.port}"], "choose another port"),
            (["--listen", "127.0.0.1"], "has no port"),
            (["--listen", "192.0.2.1:0"], "this machine has no such address"),
            (["--tls", "127.0.0.1:0", "--state", "/nowhere"], "/nowhere/self-signed.pem"),
        ]:
            done = subprocess.run([PROGRAM, "--engine", ENGINE] + options, capture_output=True,
                                  text=True, timeout=20)
            assert done.returncode == 1
            assert expected in done.stderr


def test_clients_that_vanish_leave_nothing_behind(tmp_path):
    with Server(tmp_path, "--loops", 2) as server:
        rounds = 10 if SANITIZED else 40

        def vanish(number):
            paths = [b"/later?ms=30", b"/work?ms=10", b"/offload?ms=10", b"/drip?count=50",
                     b"/stream?bytes=5000000", b"/page"]
            for i in range(rounds):
                path = paths[(number + i) % len(paths)]
                connect = server.connect_tls if i % 2 else server.connect
                connection = connect()
                connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                if i % 3:
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                    )
                connection.close()

        threads = [threading.Thread(target=vanish, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: server.stats()["open"] == 1)
        before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        assert before < 40
