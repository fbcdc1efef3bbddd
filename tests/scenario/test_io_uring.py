"""The engine event by io_uring: that it is used, what it hands over to epoll, and what becomes of
it where it is forbidden. What it does besides is shown by the tests of engines, which
`tools/engines` runs with it too (ENGINE=event+io_uring)."""

import concurrent.futures
import ctypes
import os
import pathlib
import struct
import threading

import pytest

from engine_server import Server, of_engines

pytestmark = of_engines("event", why="it is a part of that engine")

SYS_IO_URING_SETUP = 425
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def forbid():
    """As the profiles of container engines do: EPERM."""
    code = [(0x20, 0, 0, 0),                   # the number of the call
            (0x15, 0, 1, SYS_IO_URING_SETUP),  # another one: over the next
            (0x06, 0, 0, 0x00050000 | 1),      # EPERM
            (0x06, 0, 0, 0x7FFF0000)]          # let it be
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = Program(len(code), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0) == 0


def rings(server):
    folder = pathlib.Path(f"/proc/{server.process.pid}/fd")
    return sum("io_uring" in os.readlink(file) for file in folder.iterdir())


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path, "--io_uring", 1, "--loops", 2, tls=False) as found:
        if "epoll is used" in found.error_text():
            pytest.skip("there is no io_uring here")
        yield found


def test_each_loop_has_a_ring_and_stops_well(server):
    assert rings(server) == 2
    assert server.get("/hello")[0] == 200


def test_without_the_option_there_is_none(tmp_path):
    with Server(tmp_path, "--io_uring", 0, tls=False) as server:
        assert rings(server) == 0


def test_where_it_is_forbidden_epoll_serves(tmp_path):
    with Server(tmp_path, "--io_uring", 1, tls=False, preexec=forbid) as server:
        assert rings(server) == 0
        assert server.error_text().count("epoll is used") == 1
        assert server.get("/hello")[0] == 200


def ask(method, path, body=b""):
    return b"%s %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (
        method, path, len(body), body)


def read_answer(stream):
    """The body of the next answer, which must be a good one."""
    assert stream.readline().startswith(b"HTTP/1.1 200 ")
    length = 0
    while (line := stream.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return stream.read(length)


def test_what_comes_too_early_is_kept_in_order(server):
    """The first waits; of the others behind it more come than are read ahead, and more than a ring
    holds: the rest comes by epoll."""
    numbers = [b"%05d" % i for i in range(4000)]
    wanted = ask(b"GET", b"/later?ms=300") + b"".join(ask(b"POST", b"/echo", n) for n in numbers)
    with server.connect() as connection, connection.makefile("rb") as stream:
        sender = threading.Thread(target=connection.sendall, args=[wanted], daemon=True)
        sender.start()
        read_answer(stream)
        assert [read_answer(stream) for _ in numbers] == numbers
        sender.join(20)


def test_one_connection_does_small_and_large_things_by_turns(server):
    with server.connect() as connection, connection.makefile("rb") as stream:
        for _ in range(3):
            connection.sendall(ask(b"GET", b"/hello"))
            hello = read_answer(stream)
            connection.sendall(ask(b"POST", b"/upload", b"x" * 700_000))
            assert b"700000" in read_answer(stream)
            connection.sendall(ask(b"GET", b"/stream?bytes=900000&known=1"))
            assert len(read_answer(stream)) == 900_000
            connection.sendall(ask(b"GET", b"/hello") * 5)
            assert [read_answer(stream) for _ in range(5)] == [hello] * 5


def test_a_stop_keeps_the_order_of_what_was_kept(tmp_path):
    """Of a body that comes behind a slow request a part is kept, and more of it waits in the socket
    when the server, which is taking it, is told to stop."""
    body = b"".join(i.to_bytes(4, "big") for i in range(100_000))
    begun = threading.Semaphore(0)

    def exchange(connection):
        """What comes back of the body, if it is answered at all."""
        with connection, connection.makefile("rb") as stream:
            try:
                connection.sendall(ask(b"GET", b"/later?ms=300") + ask(b"POST", b"/echo", body))
                read_answer(stream)
                begun.release()
                return read_answer(stream)
            except (AssertionError, OSError):
                begun.release()
                return b""

    with Server(tmp_path, "--io_uring", 1, "--loops", 1, tls=False) as server:
        connections = [server.connect() for _ in range(200)]
        with concurrent.futures.ThreadPoolExecutor(len(connections)) as threads:
            answers = [threads.submit(exchange, connection) for connection in connections]
            for _ in range(20):
                begun.acquire()
            server.ask_to_stop()
            whole = [answer.result() for answer in answers if len(answer.result()) == len(body)]
    assert whole and all(answer == body for answer in whole), "bytes in another order"
