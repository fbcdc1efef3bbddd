"""A disk that takes its time, or stands still, holds up who asks for its bytes and, on the engines
that promise it, nobody else. The disk is tests/lib/slow_disk.c, preloaded into engine_app."""

import contextlib
import pathlib
import subprocess

import pytest

from engine_server import PROGRAM, SANITIZED, Server, ended, read_answer, wait_until
from raw_h2 import Connection, frame, headers

LIBRARY = pathlib.Path(PROGRAM).with_name("slow_disk.so")
BLOCK = 65536  # that the disk reads at once
FILE = bytes(range(256)) * 4096  # 1 MiB
WINDOW_UPDATE = 8
PROTOCOLS = {
    "http/1.1": ("http", ["--http1.1"]),
    "http/1.1 over TLS": ("https", ["--http1.1"]),
    "http/2": ("http", ["--http2-prior-knowledge"]),
    "http/2 over TLS": ("https", ["--http2"]),
}
# amped and seda have a way for each; the others' threads and processes just wait.
NOT_HELD_UP = [(engine, protocol) for engine in ["amped", "seda"] for protocol in PROTOCOLS] + \
    [(engine, "http/1.1") for engine in ["thread", "fork", "pool"]]

pytestmark = [pytest.mark.quick,
              pytest.mark.skipif(SANITIZED, reason="a library is preloaded; sanitizers refuse that")]


class Disk:
    def __init__(self, folder):
        self.control = pathlib.Path(folder) / "disk"
        self.set("hold")

    def environment(self):
        assert LIBRARY.exists(), f"{LIBRARY} is missing: build with -Dtests=enabled"
        return {"LD_PRELOAD": str(LIBRARY), "STOA_SLOW_DISK": str(self.control)}

    def set(self, time):
        """Milliseconds that a reading takes, or "hold": none ends before the next set()."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text(f"{time} */cold\n")
        fresh.rename(self.control)

    def readings(self):
        """The call and the offset of each that has begun."""
        path = pathlib.Path(f"{self.control}.read")
        text = path.read_text() if path.exists() else ""
        lines = text[:text.rfind("\n") + 1].splitlines()
        return [(call, int(offset)) for call, offset in map(str.split, lines)]


@contextlib.contextmanager
def serving(folder, engine, *options):
    """A server whose /file is cold, and the disk that it lies on, which stands still."""
    (folder / "cold").write_bytes(FILE)
    disk = Disk(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in disk.environment().items():
            patch.setenv(name, value)
        server = Server(folder, "--engine", engine, "--file", folder / "cold", *options)
    with server:
        try:
            yield server, disk
        finally:
            disk.set(0)


def ask_for_file(server, protocol):
    scheme, flags = PROTOCOLS[protocol]
    port = server.tls_port if scheme == "https" else server.port
    return subprocess.Popen(
        ["curl", "-sSfk", "--max-time", "60", *flags, f"{scheme}://127.0.0.1:{port}/file"],
        stdout=subprocess.PIPE)


def ask(connection, path):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())


@pytest.mark.parametrize("engine, protocol", NOT_HELD_UP)
def test_pages_are_served_while_the_disk_stands_still(tmp_path, engine, protocol):
    with serving(tmp_path, engine) as (server, disk):
        client = ask_for_file(server, protocol)
        wait_until(disk.readings)
        for _ in range(20):
            assert server.get("/page")[2] == b"k" * 1024
        assert {offset for _, offset in disk.readings()} == {0}, "the disk still stands still"
        disk.set(0)
        assert client.communicate()[0] == FILE
        assert client.returncode == 0
        assert [offset for _, offset in disk.readings()] == list(range(0, len(FILE), BLOCK))


@pytest.mark.parametrize("engine", ["amped", "seda"])
def test_pages_are_served_while_more_wait_for_the_disk_than_there_are_threads(tmp_path, engine):
    with serving(tmp_path, engine) as (server, disk):
        clients = [ask_for_file(server, "http/1.1") for _ in range(24)]
        wait_until(lambda: server.stats()["open"] > len(clients))
        wait_until(disk.readings)
        for _ in range(20):
            assert server.get("/page")[2] == b"k" * 1024
        assert {offset for _, offset in disk.readings()} == {0}, "the disk still stands still"
        disk.set(0)
        for client in clients:
            assert client.communicate()[0] == FILE


def test_one_request_at_a_time_waits_for_the_disk_with_the_first(tmp_path):
    with serving(tmp_path, "loop") as (server, disk), server.connect() as first, \
            server.connect() as second:
        ask(first, "/file")
        wait_until(disk.readings)
        ask(second, "/page")
        second.settimeout(0.5)
        with pytest.raises(TimeoutError):
            second.recv(1)
        disk.set(0)
        second.settimeout(20)
        assert read_answer(second.makefile("rb"))[2] == b"k" * 1024
        assert read_answer(first.makefile("rb"))[2] == FILE


def test_amped_has_the_disk_read_by_others_than_its_loop(tmp_path):
    with serving(tmp_path, "amped", "--workers", 2) as (server, disk):
        clients = [ask_for_file(server, protocol) for protocol in PROTOCOLS for _ in range(3)]
        wait_until(lambda: server.stats()["disk_waiting"] == len(clients) - 2)
        wait_until(lambda: len(disk.readings()) == 2)
        disk.set(1)
        for client in clients:
            assert client.communicate()[0] == FILE
        assert {call for call, _ in disk.readings()} == {"pread"}
        before = disk.readings(), server.stats()["disk_reads"]
        assert before[1] >= len(clients)
        assert server.get("/file")[2] == FILE
        assert (disk.readings(), server.stats()["disk_reads"]) == before, "it is in memory now"


def test_streams_of_one_connection_do_not_wait_for_each_others_disk(tmp_path):
    def request(stream, path):
        return headers(stream, [(b":method", b"GET"), (b":scheme", b"http"),
                                (b":authority", b"a"), (b":path", path)])
    with serving(tmp_path, "amped") as (server, disk), \
            contextlib.closing(Connection(server.port)) as connection:
        connection.send(request(1, b"/file"))
        wait_until(disk.readings)
        connection.send(request(3, b"/page"))
        assert connection.read_until([3])
        assert connection.bodies == {3: b"k" * 1024}
        room = (len(FILE)).to_bytes(4, "big")
        connection.send(frame(WINDOW_UPDATE, 0, 0, room) + frame(WINDOW_UPDATE, 0, 1, room))
        disk.set(0)
        assert connection.read_until([1])
        assert connection.bodies[1] == FILE


def test_who_goes_while_the_disk_stands_still_leaves_nothing_behind(tmp_path):
    with serving(tmp_path, "amped", "--workers", 1) as (server, disk):
        for _ in range(20):
            with server.connect() as connection:
                ask(connection, "/file")
                assert connection.recv(1), "the head has come"
        wait_until(lambda: server.stats()["open"] == 1)
        disk.set(0)
        assert server.get("/file")[2] == FILE


def test_a_stop_does_not_wait_for_the_disk_longer_than_its_grace(tmp_path):
    with serving(tmp_path, "amped", "--grace", 300) as (server, disk), \
            server.connect() as connection:
        ask(connection, "/file")
        wait_until(disk.readings)
        server.ask_to_stop()
        over, received = ended(connection, seconds=30)
        assert over
        assert received.startswith(b"HTTP/1.1 200 ")
        disk.set(0)
        server.stop()


def test_a_file_that_is_cut_short_meanwhile_ends_its_connection_alone(tmp_path):
    with serving(tmp_path, "amped") as (server, disk), server.connect() as connection:
        ask(connection, "/file")
        wait_until(disk.readings)
        with open(tmp_path / "cold", "r+b") as file:
            file.truncate(BLOCK)
        disk.set(0)
        over, received = ended(connection, seconds=30)
        assert over
        assert received.split(b"\r\n\r\n", 1)[1] == FILE[:BLOCK]
        assert server.get("/page")[0] == 200
