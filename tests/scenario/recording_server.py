"""A server behind a load manager that takes nothing but canonical HTTP/1.1, and writes down each
request that it gets. Whatever could be read in another way by another server is a complaint."""

import re
import socket
import threading

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(%s) ((?:/[!-~]*)|\*) HTTP/1\.1" % TOKEN)
FIELD = re.compile(rb"(%s): ([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?" % TOKEN)
HOST = re.compile(rb"(?:[!$&'()*+,;=A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
LENGTH = re.compile(rb"0|[1-9][0-9]{0,18}")
CHUNK = re.compile(rb"[1-9a-fA-F][0-9a-fA-F]{0,15}")
HOP_BY_HOP = (b"keep-alive", b"proxy-connection", b"te", b"trailer", b"proxy-authorization",
              b"proxy-authenticate", b"http2-settings", b"expect")


class Complaint(Exception):
    pass


class Gone(Exception):
    pass


class Reader:
    def __init__(self, connection):
        self.connection, self.bytes = connection, b""

    def more(self):
        try:
            got = self.connection.recv(65536)
        except OSError:
            got = b""
        if not got:
            raise Gone
        self.bytes += got

    def line(self):
        """Up to CR LF; every other line end, or NUL, is a complaint."""
        while b"\n" not in self.bytes:
            self.more()
        at = self.bytes.index(b"\n")
        line, self.bytes = self.bytes[:at], self.bytes[at + 1:]
        if not line.endswith(b"\r") or b"\r" in line[:-1] or b"\0" in line:
            raise Complaint(f"a line end that is none: {line!r}")
        return line[:-1]

    def exactly(self, count):
        while len(self.bytes) < count:
            self.more()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken


class Request:
    def __init__(self, method, target, fields):
        self.method, self.target, self.fields, self.body = method, target, fields, b""

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    def one(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise Complaint(f"several {name.decode()}: {values!r}")
        return values[0] if values else None

    @property
    def line(self):
        return f"{self.method.decode()} {self.target.decode()}"


def read_head(reader):
    first = reader.line()
    match = REQUEST_LINE.fullmatch(first)
    if not match:
        raise Complaint(f"no request line: {first!r}")
    fields = []
    while line := reader.line():
        field = FIELD.fullmatch(line)
        if not field:
            raise Complaint(f"no field line: {line!r}")
        fields.append((field[1], field[2] or b""))
    return Request(match[1], match[2], fields)


def check_head(request):
    host, length = request.one(b"host"), request.one(b"content-length")
    coding, connection = request.one(b"transfer-encoding"), request.one(b"connection")
    if host is None or not (HOST.fullmatch(host) or host == b""):
        raise Complaint(f"Host: {host!r}")
    if length is not None and coding is not None:
        raise Complaint("both Content-Length and Transfer-Encoding")
    if length is not None and not LENGTH.fullmatch(length):
        raise Complaint(f"Content-Length: {length!r}")
    if coding is not None and coding != b"chunked":
        raise Complaint(f"Transfer-Encoding: {coding!r}")
    upgrade = request.one(b"upgrade")
    if connection not in (None, b"upgrade", b"keep-alive") or (
            (connection == b"upgrade") != (upgrade is not None)):
        raise Complaint(f"Connection: {connection!r}, Upgrade: {upgrade!r}")
    for name in HOP_BY_HOP:
        if request.all(name):
            raise Complaint(f"{name.decode()} was passed on")
    for name, _ in request.fields:  # CGI programs, and those like them, see no difference
        folded = name.lower().replace(b"_", b"-")
        if b"_" in name and folded in (b"content-length", b"transfer-encoding", b"host"):
            raise Complaint(f"{name!r} was passed on")


def read_body(reader, request):
    length = request.one(b"content-length")
    if length is not None:
        return reader.exactly(int(length))
    if request.one(b"transfer-encoding") is None:
        return b""
    body = b""
    while (size := reader.line()) != b"0":
        if not CHUNK.fullmatch(size):
            raise Complaint(f"the size of a chunk: {size!r}")
        body += reader.exactly(int(size, 16))
        if reader.exactly(2) != b"\r\n":
            raise Complaint("a chunk that is longer than its size")
    if trailer := reader.line():
        raise Complaint(f"a trailer: {trailer!r}")
    return body


class RecordingServer:
    """Answers each request with 200 and its request line, the same in the header Saw. ANSWERS, by
    path: raw bytes to be sent in place of that, after which the connection is closed."""

    def __init__(self):
        self.requests, self.complaints, self.raw = [], [], b""
        self.answers, self.connections = {}, 0
        self.lock = threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listening.getsockname()[1]
        self.open = set()
        self.door = threading.Thread(target=self.accept, daemon=True)
        self.door.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with self.lock:
                self.open.add(connection)
                self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        reader = Reader(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while self.serve_one(connection, reader):
                pass
        except Gone:
            pass
        except OSError:
            pass
        except Complaint as complaint:
            with self.lock:
                self.complaints.append(str(complaint))
        with self.lock:
            self.open.discard(connection)
        connection.close()

    def serve_one(self, connection, reader):
        request = read_head(reader)
        check_head(request)
        request.body = read_body(reader, request)
        with self.lock:
            self.requests.append(request)
        path = request.target.decode("latin-1").partition("?")[0]
        if path in self.answers:
            connection.sendall(self.answers[path])
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            while connection.recv(65536):
                pass
            return False
        body = b"" if request.method == b"HEAD" else request.line.encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSaw: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (request.line.encode(), len(request.line), body))
        return True

    def take(self):
        """What has come since the last time: (requests, complaints)."""
        with self.lock:
            taken = self.requests, self.complaints
            self.requests, self.complaints = [], []
        return taken

    def stop(self):
        # First out of accept(): a thread in there would go on with whoever gets the descriptor.
        self.listening.shutdown(socket.SHUT_RDWR)
        self.door.join()
        self.listening.close()
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
