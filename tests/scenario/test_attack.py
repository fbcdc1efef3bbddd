"""Slow, huge and greedy clients are bounded, and the others do not notice them."""

import concurrent.futures
import multiprocessing
import select
import socket
import threading
import time

import pytest

from engine_server import SANITIZED, Server, ended, hardly_noticed, read_answer, wait_until

# Short deadlines, so that the test is; the rates are checked with the defaults elsewhere.
SLOW = ["--head_ms", 700, "--body_idle_ms", 600, "--send_idle_ms", 800]
QUICK = [*SLOW, "--idle_ms", 900]


def test_slow_heads_and_bodies_and_silence_are_cut_off(tmp_path):
    cases = {
        "a head that trickles in": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"x", b"408"),
        "a head that stops": (b"GET / HTTP/1.1\r\nHo", b"", b"408"),
        "a body that stops": (
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc", b"", b"408"),
        "a body for a sink that stops": (
            b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc", b"", b"408"),
        "no request": (b"", b"", b""),
        "no second request": (b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", b"", b"200"),
        "half of an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n", b"", b""),
        "an HTTP/2 preface and nothing else": (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b"", b""),
    }
    with Server(tmp_path, *QUICK) as server:
        threads, outcomes = [], {}

        def attack(name, connection, first, again):
            begin = time.monotonic()
            received = b""
            try:
                connection.sendall(first)
                while time.monotonic() - begin < 20:
                    over, part = ended(connection, 0.1)
                    received += part
                    if over:
                        outcomes[name] = (time.monotonic() - begin, received)
                        return
                    connection.sendall(again)
            except ConnectionError:
                outcomes[name] = (time.monotonic() - begin, received)
            finally:
                connection.close()

        for name, (first, again, _) in cases.items():
            for kind, connect in [("plain", server.connect), ("TLS", server.connect_tls)]:
                if "HTTP/2" in name and kind == "TLS":
                    continue
                thread = threading.Thread(target=attack,
                                          args=((name, kind), connect(), first, again))
                thread.start()
                threads.append(thread)
        for thread in threads:
            thread.join()
        assert len(outcomes) == len(threads)
        for (name, kind), (seconds, received) in outcomes.items():
            assert 0.4 < seconds < 9, (name, kind, seconds)
            assert cases[name][2] in received[:12], (name, kind, received)
        wait_until(lambda: server.stats()["open"] == 1)
        assert server.stats()["timeouts"] >= 8


def test_a_handshake_that_does_not_come_ends(tmp_path):
    with Server(tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.tls_port)) as silent:
            assert ended(silent, 30)[0]


def test_a_reader_that_stops_is_cut_off(tmp_path):
    (tmp_path / "file").write_bytes(b"f" * 30_000_000)
    with Server(tmp_path, *QUICK, "--file", tmp_path / "file") as server:
        stalled = []
        for path in ["/file", "/stream?bytes=100000000", "/stream?bytes=100000000&known=1"]:
            for connect in [server.connect, server.connect_tls]:
                connection = connect()
                connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                connection.recv(100)
                stalled.append(connection)
        wait_until(lambda: server.stats()["open"] == 1, seconds=18)
        assert server.stats()["timeouts"] >= len(stalled)
        for connection in stalled:
            connection.close()


class Trickle(multiprocessing.Process):
    """COUNT connections that send or read one byte at a time, opened anew when closed."""

    def __init__(self, server, count, opening, byte):
        super().__init__()
        self.server, self.count, self.opening, self.byte = server, count, opening, byte
        self.stopping = multiprocessing.Event()
        self.opened = multiprocessing.Value("Q")

    def open(self):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", self.server.port))
        connection.sendall(self.opening)
        connection.setblocking(False)
        self.opened.value += 1
        return connection

    def poke(self, connection):
        try:
            if self.byte:
                connection.send(self.byte)
            elif connection.recv(1) == b"":
                raise ConnectionError
        except BlockingIOError:
            pass
        except ConnectionError:
            connection.close()
            return self.open()
        return connection

    def run(self):
        connections = [self.open() for _ in range(self.count)]
        while not self.stopping.is_set():
            connections = [self.poke(connection) for connection in connections]
            self.stopping.wait(0.2)
        for connection in connections:
            connection.close()

    def __enter__(self):
        self.start()
        wait_until(lambda: self.opened.value >= self.count)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join()


ATTACKS = {
    "slow heads": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"x"),
    "slow bodies": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n", b"y"),
    "slow readers": (b"GET /stream?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n", b""),
}


@pytest.fixture
def control(tmp_path):
    """A server that nobody attacks."""
    folder = tmp_path / "control"
    folder.mkdir()
    with Server(folder, tls=False) as server:
        yield server


@pytest.mark.parametrize("attack", ATTACKS)
def test_others_do_not_notice_slow_clients(tmp_path, control, attack):
    count = 100 if SANITIZED else 400
    # Those who are served may be silent for as long as the machine holds them up.
    with Server(tmp_path, *SLOW, tls=False) as server:
        with Trickle(server, count, *ATTACKS[attack]):
            hardly_noticed(server, control, lambda: None)


def upload(server, megabytes, path="/upload", tls=False):
    piece = b"u" * (1 << 20)
    with (server.connect_tls if tls else server.connect)() as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
            % (path.encode(), megabytes << 20)
        )
        for _ in range(megabytes):
            connection.sendall(piece)
        return read_answer(connection.makefile("rb"))


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("megabytes", [400, pytest.param(1024, marks=pytest.mark.long)])
def test_a_large_upload_needs_no_memory_and_delays_nobody(tmp_path, control, megabytes, tls):
    with Server(tmp_path, "--loops", 1) as server:
        upload(server, 2, tls=tls)
        rss = server.rss_bytes()

        def upload_all():
            status, _, body = upload(server, megabytes, tls=tls)
            assert (status, int(body)) == (200, megabytes << 20)

        hardly_noticed(server, control, upload_all)
        if not SANITIZED:
            assert server.rss_bytes() < rss + (2 << 20)


@pytest.mark.long
@pytest.mark.parametrize("tls", [False, True])
def test_ten_uploads_of_a_gigabyte_at_once_need_no_memory_and_delay_nobody(tmp_path, control, tls):
    with Server(tmp_path) as server, concurrent.futures.ThreadPoolExecutor(10) as pool:
        def upload_all(megabytes):
            uploads = [pool.submit(upload, server, megabytes, tls=tls) for _ in range(10)]
            for one in uploads:
                status, _, body = one.result()
                assert (status, int(body)) == (200, megabytes << 20)

        upload_all(2)
        server.forget_peak()
        before = server.peak_bytes()
        hardly_noticed(server, control, lambda: upload_all(1024))
        if not SANITIZED:
            assert server.peak_bytes() < before + (2 << 20)


def test_an_upload_that_the_app_takes_slowly_waits_in_the_client(tmp_path):
    with Server(tmp_path, tls=False) as server:
        rss = server.rss_bytes()
        assert int(upload(server, 50, "/pause")[2]) == 50 << 20
        if not SANITIZED:
            assert server.rss_bytes() < rss + (4 << 20)


def flood(port, stopping, taken):
    """Requests without end, and all answers taken."""
    requests = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n" * 2000
    greedy = socket.create_connection(("127.0.0.1", port))
    greedy.setblocking(False)
    left = b""
    while not stopping.is_set():
        readable, writable, _ = select.select([greedy], [greedy], [], 0.1)
        if writable:
            left = left or requests
            left = left[greedy.send(left) :]
        if readable:
            taken.value += len(greedy.recv(1 << 20))
    greedy.close()


def test_an_endless_pipeline_starves_nobody(tmp_path, control):
    with Server(tmp_path, "--loops", 1, tls=False) as server:
        stopping, taken = multiprocessing.Event(), multiprocessing.Value("Q")
        client = multiprocessing.Process(target=flood, args=(server.port, stopping, taken))
        client.start()
        wait_until(lambda: taken.value > 10_000_000)
        rss = server.rss_bytes()
        hardly_noticed(server, control, lambda: None)
        more = server.rss_bytes() - rss
        stopping.set()
        client.join()
        assert SANITIZED or more < 2 << 20


def test_a_pipeline_that_is_not_read_stops_being_answered(tmp_path):
    with Server(tmp_path, "--loops", 1, tls=False) as server:
        rss = server.rss_bytes()
        greedy = server.connect()
        greedy.setblocking(False)
        requests = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n" * 2000
        sent, deadline = 0, time.monotonic() + 60
        while select.select([], [greedy], [], 0.5)[1] and time.monotonic() < deadline:
            sent += greedy.send(requests)
        assert time.monotonic() < deadline, "it read on for ever"
        if not SANITIZED:
            assert server.rss_bytes() < rss + (4 << 20)
        greedy.close()
        assert server.get("/hello")[0] == 200
        wait_until(lambda: server.stats()["open"] == 1)


def test_one_client_cannot_keep_the_door_shut(tmp_path):
    """All connections taken by silent clients: they are cut off and others served."""
    with Server(tmp_path, "--connections", 50, "--loops", 1, *QUICK, tls=False) as server:
        silent = [server.connect() for _ in range(60)]
        assert server.get("/hello", timeout=30)[0] == 200
        for connection in silent:
            connection.close()
