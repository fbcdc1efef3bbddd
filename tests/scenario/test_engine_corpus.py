"""The raw requests of tests/data/http have the same outcome over a real socket."""

import pathlib
import random
import re
import select
import socket
import subprocess

import pytest

from engine_server import ENGINE, ENGINE_OPTIONS, PROGRAM

CORPUS = pathlib.Path(__file__).resolve().parent.parent / "data/http"


def unescape(text):
    plain = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
    parts = re.split(r"\\(x[0-9a-fA-F]{2}|.)", text)
    for i in range(1, len(parts), 2):
        code = parts[i]
        parts[i] = bytes([int(code[1:], 16)]) if code[0] == "x" else plain[code]
    return b"".join(part.encode("latin-1") if isinstance(part, str) else part for part in parts)


class Case:
    def __init__(self, name):
        self.name, self.send, self.has, self.lacks = name, b"", [], []
        self.body, self.expect, self.closes, self.seen = None, [], False, 0

    def take(self, word, rest):
        if word == "send":
            self.send += unescape(rest)
        elif word == "repeat":
            count, text = rest.split(" ", 1)
            self.send += int(count) * unescape(text)
        elif word == "expect":
            self.expect = [status for status in rest.split() if status != "-"]
        elif word == "closes":
            self.closes = {"yes": True, "no": False}[rest]
        elif word == "seen":
            self.seen = int(rest)
        elif word == "body":
            self.body = unescape(rest)
        elif word in ("has", "lacks"):
            getattr(self, word).append(unescape(rest))
        else:
            raise ValueError(f"{self.name}: what is {word}?")


def read_corpus():
    cases = []
    for path in sorted(CORPUS.glob("*.txt")):
        for line in path.read_text().split("\n"):
            if not line or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if word == "case":
                cases.append(Case(f"{path.stem}:{rest.strip()}"))
            else:
                cases[-1].take(word, rest)
    return cases


CASES = read_corpus()


def split_answers(received, expect):
    """The bodies of the answers in RECEIVED that are complete, by the statuses in EXPECT."""
    bodies, at = [], 0
    for wanted in expect:
        end = received.find(b"\r\n\r\n", at)
        if end < 0:
            break
        head = received[at:end].decode("latin-1")
        assert head.split()[1] == wanted.lstrip("H"), head
        body_at, at = end + 4, end + 4
        length = re.search(r"(?i)\ncontent-length: (\d+)", head)
        if wanted[0] == "H" or wanted[0] == "1" or wanted in ("204", "304"):
            pass
        elif re.search(r"(?i)\ntransfer-encoding: chunked", head):
            at = received.find(b"0\r\n\r\n", body_at) + 5
            if at == 4:
                break
        elif length:
            at += int(length[1])
            if len(received) < at:
                break
        else:
            at = len(received)
        bodies.append(received[body_at:at])
    return bodies, received[at:]


def play(port, case, pieces):
    received, closed = b"", False
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
            while case.closes or len(split_answers(received, case.expect)[0]) < len(case.expect):
                part = connection.recv(1 << 16)
                received += part
                if not part:
                    closed = True
                    break
        except ConnectionError:
            closed = True
        if not closed and select.select([connection], [], [], 0.005)[0]:
            part = connection.recv(1 << 16)
            received += part
            closed = not part
    return received, closed


def seen(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /corpus-seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return int(connection.makefile("rb").read().split(b"\r\n\r\n")[1])


@pytest.fixture(scope="module")
def port():
    program = pathlib.Path(PROGRAM).with_name("corpus_app")
    process = subprocess.Popen([program, "127.0.0.1:0", ENGINE, *ENGINE_OPTIONS[2:]],
                               stdout=subprocess.PIPE, text=True)
    yield int(process.stdout.readline().split()[1])
    process.terminate()
    assert process.wait(timeout=10) == 0


def cut_at_random(text, seed):
    generator, pieces = random.Random(seed), []
    while text:
        count = generator.randint(1, max(1, min(len(text), 200)))
        pieces.append(text[:count])
        text = text[count:]
    return pieces


CUTS = {
    "at once": lambda text: [text],
    "byte by byte": lambda text: [text[i : i + 1] for i in range(len(text))],
    "at random places": lambda text: cut_at_random(text, len(text)),
}


@pytest.mark.quick
@pytest.mark.every_engine
@pytest.mark.parametrize("cut", CUTS)
def test_every_case_of_the_corpus_has_its_outcome(port, cut):
    assert len(CASES) >= 150
    wrong, before = [], seen(port)
    for case in CASES:
        if cut == "byte by byte" and len(case.send) > 20000:
            continue
        try:
            received, closed = play(port, case, CUTS[cut](case.send))
            bodies, rest = split_answers(received, case.expect)
            assert (len(bodies), rest) == (len(case.expect), b"")
            assert closed == case.closes
            assert case.body is None or bodies[-1] == case.body
            assert all(text in received for text in case.has)
            assert not any(text in received for text in case.lacks)
            after = seen(port)
            before, count = after, after - before
            assert count == case.seen
        except (AssertionError, TimeoutError) as failure:
            wrong.append(f"{case.name}: {failure!r}")
            before = seen(port)
    assert not wrong, "\n".join(wrong)
