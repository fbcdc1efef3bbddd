"""A load manager before back ends that do as a scenario says, byte by byte."""

import contextlib
import pathlib
import re
import socket
import threading

from balancer import Balancer, before


class Request:
    """What a back end was asked."""

    def __init__(self, head, connection):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.fields = [tuple(line.split(": ", 1)) for line in lines if line]
        self.connection = connection  # its number, from 1
        self.body_bytes = 0
        self.body = b""

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name):
        return (self.all(name) or [None])[0]


class Back:
    """A back end. ANSWER(request, socket) is called for each request when its head is there, on
    the connection's own thread; it returns False to close. Bodies are read by read_body."""

    BODY_KEPT = 1 << 20

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.connections = 0
        self.open, self.closed = {}, set()  # by their numbers
        self.gone = False
        self.lock = threading.Lock()
        self.door = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.door.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                sock, _ = self.door.accept()
            except OSError:
                return
            with self.lock:
                if self.gone:
                    sock.close()
                    return
                self.connections += 1
                number = self.connections
                self.open[number] = sock
            threading.Thread(target=self.serve_and_close, args=(sock, number), daemon=True).start()

    def serve_and_close(self, sock, number):
        self.serve(sock, number)
        with self.lock:
            del self.open[number]
            self.closed.add(number)

    def serve(self, sock, number):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        with sock:
            try:
                while True:
                    while b"\r\n\r\n" not in rest:
                        piece = sock.recv(65536)
                        if not piece:
                            return
                        rest += piece
                    head, rest = rest.split(b"\r\n\r\n", 1)
                    request = Request(head, number)
                    request.rest = rest
                    with self.lock:
                        self.requests.append(request)
                    if self.answer(request, sock) is False:
                        return
                    rest = request.rest
            except OSError:
                return

    def asked(self, target=None):
        with self.lock:
            return [r for r in self.requests if target is None or r.target == target]

    def close(self):
        """Nobody listens any more."""
        try:
            self.door.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.door.close()

    def vanish(self):
        """Nobody listens any more, and who was connected is so no longer."""
        self.close()
        with self.lock:
            self.gone = True
            for sock in self.open.values():
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def more(request, sock):
    piece = sock.recv(65536)
    if not piece:
        raise OSError("the request broke off")
    request.rest += piece


def took(request, length):
    request.body_bytes += length
    if request.body_bytes <= Back.BODY_KEPT:
        request.body += request.rest[:length]
    request.rest = request.rest[length:]


def read_body(request, sock):
    """The whole of it; how many bytes."""
    if request.get("Transfer-Encoding") == "chunked":
        while True:
            while b"\r\n" not in request.rest:
                more(request, sock)
            line, request.rest = request.rest.split(b"\r\n", 1)
            left = int(line, 16)
            last = left == 0
            while left:
                if not request.rest:
                    more(request, sock)
                part = min(left, len(request.rest))
                took(request, part)
                left -= part
            while len(request.rest) < 2:
                more(request, sock)
            assert request.rest[:2] == b"\r\n"
            request.rest = request.rest[2:]
            if last:
                return request.body_bytes
    left = int(request.get("Content-Length") or 0)
    while left:
        if not request.rest:
            more(request, sock)
        part = min(left, len(request.rest))
        took(request, part)
        left -= part
    return request.body_bytes


def reply(sock, body=b"fine", status="200 OK", *lines):
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}",
                                              *lines))
    sock.sendall(head.encode() + b"\r\n" + body)


class Balance(Balancer):
    """`stoa balance` before BACKS (their URLs); it has been started."""

    def __init__(self, folder, urls, *options):
        super().__init__(folder, "--loops", "1", *before(urls), *options, door=False)
        self.start()

    def connect(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def memory(self):
        """Most bytes of memory that it has had."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


def ask(balance, head, body=b"", timeout=30):
    """Sends HEAD (lines) and BODY; everything that comes back until the connection ends, or breaks
    (then the last element is False)."""
    with balance.connect(timeout) as sock:
        sock.sendall("\r\n".join([*head, "Host: x", "Connection: close", "", ""]).encode() + body)
        return read_all(sock)


def read_all(sock):
    """(status, fields, body, whole): whole is False when the connection was reset, or ended before
    what Content-Length or the chunks promised."""
    got, clean = b"", True
    try:
        while piece := sock.recv(1 << 20):
            got += piece
    except ConnectionResetError:
        clean = False
    if b"\r\n\r\n" not in got:
        return 0, {}, got, False
    head, body = got.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines:
        name, value = line.split(": ", 1)
        fields.setdefault(name.lower(), []).append(value)
    if "content-length" in fields and int(first.split()[1]) not in (204, 304):
        clean = clean and len(body) == int(fields["content-length"][0])
    if fields.get("transfer-encoding") == ["chunked"]:
        body, ended = dechunk(body)
        clean = clean and ended
    return int(first.split()[1]), fields, body, clean


def dechunk(raw):
    out = []
    while b"\r\n" in raw:
        line, raw = raw.split(b"\r\n", 1)
        size = int(line, 16)
        if size == 0:
            return b"".join(out), raw == b"\r\n"
        out.append(raw[:size])
        if raw[size:size + 2] != b"\r\n":
            break
        raw = raw[size + 2:]
    return b"".join(out), False
