"""More is asked for than there is capacity: who is let in is answered in time, the others are told to
come again. Judged by what the server itself has counted.
"""

import threading

import pytest

from engine_server import Server, of_engines, read_answer, wait_until

CLIENTS = 60
WORK_MS = 10
HELPERS = 2  # so at most 200 requests a second, and with 60 clients at a time 300 ms for each
TARGET_MS = 150
PAUSE = 0.1  # of a client that was refused: 600 a second come again
WINDOW = 300


class Crowd:
    """CLIENTS that ask for work one after the other, for as long as it lasts."""

    def __init__(self, server):
        self.server, self.over = server, threading.Event()
        self.lock, self.statuses, self.unexpected = threading.Lock(), {}, []
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]

    def run(self):
        try:
            with self.server.connect() as connection:
                stream = connection.makefile("rb")
                while not self.over.is_set():
                    self.ask(connection, stream)
        except Exception as failure:
            with self.lock:
                self.unexpected.append(repr(failure))

    def ask(self, connection, stream):
        connection.sendall(b"GET /work?ms=%d HTTP/1.1\r\nHost: a\r\n\r\n" % WORK_MS)
        status, headers, _ = read_answer(stream)
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            told = headers.get("retry-after"), headers.get("stoa-try")
            if status not in (200, 503) or (status == 503 and told != ("1", "once")):
                self.unexpected.append((status, headers))
        if status == 503:
            self.over.wait(PAUSE)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert self.unexpected == []


def answered(stats):
    return stats["on_time"] + stats["late"]


def is_in_time(server):
    """Whether nine of ten of the next WINDOW answers are, while others are refused."""
    before = server.stats()

    def passed():
        now = server.stats()
        return now if answered(now) >= answered(before) + WINDOW else None
    after = wait_until(passed, seconds=30, every=0.1)
    late = after["late"] - before["late"]
    return after["refused"] > before["refused"] and late * 10 <= answered(after) - answered(before)


@pytest.mark.quick
@pytest.mark.every_engine
@of_engines("event", "seda", why="the others let everybody in")
def test_who_is_let_in_is_answered_in_time(tmp_path):
    options = ["--helpers", HELPERS, "--workers", HELPERS, "--loops", 1]
    with Server(tmp_path, *options, "--admission", TARGET_MS, tls=False) as server:
        with Crowd(server) as crowd:
            wait_until(lambda: server.stats()["rate"] > 0, seconds=30)
            wait_until(lambda: is_in_time(server), seconds=60)
        assert crowd.statuses[200] > 0 and crowd.statuses[503] > 0
        assert "admission: lowered from 0 to" in server.error_text()


@pytest.mark.quick
@pytest.mark.every_engine
@of_engines("event", "seda", why="the others let everybody in")
def test_without_a_target_nobody_is_refused(tmp_path):
    with Server(tmp_path, "--helpers", HELPERS, "--loops", 1, tls=False) as server:
        with Crowd(server) as crowd:
            wait_until(lambda: crowd.statuses.get(200, 0) >= 2 * CLIENTS, seconds=30)
        assert 503 not in crowd.statuses
        assert server.stats()["rate"] == 0
