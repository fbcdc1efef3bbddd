"""A graceful stop finishes what is in flight, refuses what is new, and does not take long."""

import contextlib
import itertools
import pathlib
import signal
import socket
import threading
import time

import pytest

from engine_server import Server, of_engines, read_answer, wait_until

CHUNK = 40000
# s: who has sent something within BUSY before a stop, is waited for until POLITE after it.
BUSY, POLITE = 1, 0.3


@pytest.mark.quick
@pytest.mark.every_engine
def test_an_idle_server_does_not_wait_for_its_grace(tmp_path):
    with Server(tmp_path) as server:
        idle = [server.connect() for _ in range(20)] + [server.connect_tls() for _ in range(5)]
        for connection in idle:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(4096)
        idle += [server.connect() for _ in range(20)]
        half = server.connect()
        half.sendall(b"GET /hello HT")
        assert server.stop() < 8  # the usual grace is 10 s
        for connection in idle + [half]:
            connection.close()


@pytest.mark.quick
@pytest.mark.every_engine
def test_what_is_in_flight_is_finished(tmp_path):
    (tmp_path / "file").write_bytes(b"f" * 20_000_000)
    with Server(tmp_path, "--grace", 60000, "--file", tmp_path / "file") as server:
        waiting, looks = {}, 0

        def all_have_come():
            """Each look is a request itself."""
            nonlocal looks
            looks += 1
            return server.stats()["requests"] >= len(waiting) + 1 + looks

        for path in ["/later?ms=1200", "/work?ms=1200", "/drip?count=100", "/file"]:
            for connect in [server.connect, server.connect_tls]:
                connection = connect()
                connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                waiting[connection] = path
        upload = server.connect()
        upload.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % CHUNK)
        wait_until(all_have_come)
        server.ask_to_stop()

        def refused():
            try:
                server.connect().close()
            except ConnectionError:
                return True

        wait_until(refused)  # and what is in flight is not over, as the upload is not
        for part in range(4):
            upload.sendall(b"u" * (CHUNK // 4))
        assert read_answer(upload.makefile("rb"))[2] == b"%d\n" % CHUNK
        for connection, path in waiting.items():
            status, headers, body = read_answer(connection.makefile("rb"))
            assert status == 200
            assert len(body) == {"/later?ms=1200": 6, "/work?ms=1200": 7}.get(
                path, 500 if path[1] == "d" else 20_000_000
            )
            connection.close()
        server.stop()


@pytest.mark.parametrize("loops", [1, 2])
def test_no_accepted_request_fails_under_load(tmp_path, loops):
    # By itself, and not because the grace is over.
    with Server(tmp_path, "--loops", loops, "--grace", 60000, tls=False) as server:
        done, failures, stop_at = [], [], []

        def may_be_lost(before, sent):
            """Whether the server may have closed the connection, used BEFORE, when a request was
            SENT: by then it was idle for too long."""
            return stop_at and sent > stop_at[0] + (POLITE if sent - before < BUSY else 0)

        def one_connection(path):
            """Requests until the server says that it closes; False: it is gone."""
            answer, sent = (0, {}, b""), time.monotonic()
            try:
                connection = server.connect(timeout=60)
            except ConnectionError:
                return False
            with connection:
                stream = connection.makefile("rb")
                for number in itertools.count():
                    before, sent = sent, None
                    try:
                        connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                        sent = time.monotonic()
                        answer = read_answer(stream)
                    except ConnectionError as failure:
                        if number == 0 and stop_at:
                            return False  # the kernel had taken it, but the server had not
                        answer, sent = failure, sent or time.monotonic()
                    if not isinstance(answer, tuple) and may_be_lost(before, sent):
                        return False
                    if not isinstance(answer, tuple) or answer[0] != 200:
                        return failures.append((path, number, answer))
                    done.append(path)
                    if answer[1].get("connection") == "close":
                        return True

        def hammer(path):
            try:
                while one_connection(path):
                    pass
            except Exception as failure:  # an answer that does not come, above all
                failures.append((path, failure))

        paths = [b"/page", b"/later?ms=5", b"/work?ms=1", b"/hello"] * 4
        threads = [threading.Thread(target=hammer, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(done) > 10000 or failures, seconds=200)
        stop_at.append(time.monotonic())
        server.ask_to_stop()
        for thread in threads:
            thread.join()
        assert not failures
        server.stop()


@pytest.mark.every_engine
def test_who_is_turned_away_at_the_door_takes_nobody_along(tmp_path):
    """At the stop there are more in the queue than are accepted at once; only the last may speak."""
    options = ["--proxy", "127.0.0.1:0", "--trust", "127.0.0.1/32", "--loops", 1, "--grace", 60000]
    with Server(tmp_path, *options, tls=False) as server, contextlib.ExitStack() as clients:
        door = ("127.0.0.1", server.tls_port)
        state = pathlib.Path(f"/proc/{server.process.pid}/stat")
        server.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state.read_text().rsplit(")", 1)[1].split()[0] == "T")
        for _ in range(500):
            clients.enter_context(socket.create_connection(door, 20, ("127.0.0.2", 0)))
        # On fork it is a process's turn after 500 others.
        last = clients.enter_context(socket.create_connection(door, 120))
        last.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        server.ask_to_stop()
        server.process.send_signal(signal.SIGCONT)
        assert read_answer(last.makefile("rb"))[2] == b"hello\n"
        last.close()
        server.stop()


def test_clients_cut_off_while_the_app_is_at_work_leave_nothing_dangling(tmp_path):
    with Server(tmp_path, "--grace", 100) as server:
        kept = []
        for path in [b"/drip?count=1000000", b"/later?ms=600", b"/work?ms=400"] * 4:
            connection = server.connect()
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            kept.append(connection)
        for _ in range(4):
            connection = server.connect()
            connection.sendall(
                b"POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"
            )
            connection.sendall(b"p" * 500000)
            kept.append(connection)
        assert server.stop() < 8  # the usual grace is 10 s
        assert "still holds" not in server.error_text()
        for connection in kept:
            connection.close()


@of_engines("event", "amped", "seda", why="the others wait for who is at work, or end its process")
def test_who_works_on_after_the_stop_is_left_what_it_uses(tmp_path):
    with Server(tmp_path, "--grace", 100, tls=False) as server:
        client = server.connect()
        client.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: server.get("/holding")[2] == b"1\n", 20)
        assert server.stop() < 20
        assert "still holds 1 exchanges" in server.error_text()
        assert "engine_app: somebody is still at work" in server.error_text()
        client.close()


def test_what_takes_longer_than_the_grace_is_cut_off(tmp_path):
    with Server(tmp_path, "--grace", 500, "--send_idle_ms", 60000) as server:
        stalled = []
        for connect in [server.connect, server.connect_tls]:
            connection = connect()
            connection.sendall(b"GET /stream?bytes=1000000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.recv(1)
            stalled.append(connection)
        assert server.stop() < 8  # the same
        assert "2 connections were cut off" in server.error_text() or (
            server.error_text().count("1 connections were cut off") == 2
        )
        for connection in stalled:
            connection.close()
