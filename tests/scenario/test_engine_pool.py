"""The engine pool: whoever waits for the app holds no worker, and there are as many as it takes."""

import contextlib
import threading

from engine_server import Server, of_engines, read_answer, wait_until

pytestmark = of_engines("pool", why="it has a queue and workers")


def ask(server, stack, path):
    """The stream of the answer, on a connection of its own."""
    connection = stack.enter_context(server.connect())
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    return connection.makefile("rb")


def test_who_waits_for_the_app_holds_no_worker(tmp_path):
    """One worker, and 50 requests that the app answers after 1 s: one after the other 50 s."""
    with Server(tmp_path, "--workers", 1, tls=False) as server, contextlib.ExitStack() as stack:
        answers = [ask(server, stack, b"/later?ms=1000") for _ in range(50)]
        for answer in answers:
            assert read_answer(answer)[2] == b"later\n"
        assert server.stats()["workers"] == 1


def test_while_the_only_worker_is_blocked_others_wait_and_are_served(tmp_path):
    with Server(tmp_path, "--workers", 1, tls=False) as server, contextlib.ExitStack() as stack:
        answers = [ask(server, stack, b"/work?ms=300") for _ in range(3)]
        answers.append(ask(server, stack, b"/hello"))
        assert [read_answer(answer)[2] for answer in answers] == [b"worked\n"] * 3 + [b"hello\n"]


def test_when_its_workers_are_blocked_there_are_more(tmp_path):
    done = threading.Event()

    def have_it_work(server, failures):
        try:
            with server.connect() as connection:
                stream = connection.makefile("rb")
                while not done.is_set():
                    connection.sendall(b"GET /work?ms=100 HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert read_answer(stream)[2] == b"worked\n"
        except Exception as failure:
            failures.append(repr(failure))

    with Server(tmp_path, tls=False) as server:
        failures = []
        clients = [threading.Thread(target=have_it_work, args=(server, failures)) for _ in range(64)]
        for client in clients:
            client.start()
        try:
            wait_until(lambda: server.stats()["workers"] >= 32 or failures)
        finally:
            done.set()
            for client in clients:
                client.join()
        assert not failures
