"""`stoa balance` before any HTTP servers, and a client that sends bytes as they are."""

import re
import shutil
import socket
import threading

from balancer import Balancer, before

# A machine that stands still is no fault of a server: nothing is asked twice for it.
PATIENT = ("--hedge", "off", "--silent-after", "60s", "--check-every", "60s", "--failures", "1000",
           "--checks-lost", "1000", "--connect-timeout", "20s")


class RawFront(Balancer):
    """One load manager before fixed upstreams, which asks once. It ends with its `with`."""

    def __init__(self, folder, urls, *options):
        super().__init__(folder, "--loops", "1", *PATIENT, *before(urls), *options, door=False)

    def __exit__(self, kind, *_):
        status = self.stop(60)
        assert kind or status == 0, self.log.read_text()[-4000:]


def program(name):
    """Its path; what is for administrators is not always in PATH."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found, f"{name} is not installed: run tools/deps test"
    return found


class Answer:
    def __init__(self, status, fields):
        self.status, self.fields, self.body, self.complete = status, fields, b"", True

    def header(self, name):
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        return values[0] if values else None

    def __repr__(self):
        cut = "" if self.complete else " (cut short)"
        return f"<{self.status} {self.header('Saw')} {self.body[:60]!r}{cut}>"


def chunked_body(received, at):
    """(body, where it ends, whether it is complete)"""
    body = b""
    while match := re.compile(rb"([0-9a-f]+)\r\n").match(received, at):
        size = int(match[1], 16)
        at = match.end() + size + 2
        body += received[match.end():match.end() + size]
        if size == 0:
            return body, at, received[match.end():at] == b"\r\n"
    return body, len(received), False


def read_body(answer, received, at):
    """Where it ends."""
    coding, length = answer.header("Transfer-Encoding"), answer.header("Content-Length")
    if coding is not None:
        assert coding == "chunked" and length is None
        answer.body, at, answer.complete = chunked_body(received, at)
        return at
    if length is not None:
        answer.body = received[at:at + int(length)]
        answer.complete = len(answer.body) == int(length)
        return at + int(length)
    answer.body = received[at:]
    return len(received)


def read_answers(received, first_method="GET"):
    """All final answers in RECEIVED, and what is left of it."""
    answers, at = [], 0
    while (end := received.find(b"\r\n\r\n", at)) >= 0:
        first, *lines = received[at:end].decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/1\.1 ([1-5]\d\d) .*", first)
        assert match, received[at:at + 200]
        at = end + 4
        if match[1][0] == "1" and match[1] != "101":
            continue
        answer = Answer(int(match[1]), [tuple(line.split(": ", 1)) for line in lines])
        bodiless = answer.status in (204, 304) or (not answers and first_method == "HEAD")
        answers.append(answer)
        if not bodiless:
            at = read_body(answer, received, at)
    return answers, received[at:]


def exchange(port, sent, ends=True, timeout=20):
    """Sends SENT, ends its own side, and reads to the end: (bytes, whether that was a reset)."""
    received, reset = [], False
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send():
            try:
                connection.sendall(sent)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it was answered before all was sent

        sender = threading.Thread(target=send)
        sender.start()
        try:
            while piece := connection.recv(65536):
                received.append(piece)
        except ConnectionResetError:
            reset = True
        sender.join()
    return b"".join(received), reset
