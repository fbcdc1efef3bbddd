"""A load manager before servers that it speaks TLS with: what a record boundary can do."""

import contextlib
import socket
import ssl
import subprocess
import threading

import pytest

from balance_front import Balance, ask

pytestmark = pytest.mark.front

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Records:
    """A TLS server that puts each of its pieces into a record of its own, and sends as many records
    at once as it is told to. SPEAK(line) is called for each connection, on a thread."""

    def __init__(self, folder, speak):
        self.speak = speak
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = folder / "back.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        "/CN=localhost", "-keyout", certificate, "-out", folder / "only.pem"],
                       check=True, capture_output=True)
        with open(certificate, "ab") as file:
            file.write((folder / "only.pem").read_bytes())
        self.context.load_cert_chain(certificate)
        self.door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"https://127.0.0.1:{self.door.getsockname()[1]}"
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.door.accept()
                threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, contextlib.suppress(OSError, ssl.SSLError):
            self.speak(Line(self.context, sock))

    def close(self):
        with contextlib.suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()


class Line:
    """One connection of it."""

    def __init__(self, context, sock):
        self.sock = sock
        self.cipher_in, self.cipher_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.cipher_in, self.cipher_out, server_side=True)
        self.rest = b""

    def until(self, do):
        while True:
            try:
                return do()
            except ssl.SSLWantReadError:
                self.flush()
                piece = self.sock.recv(65536)
                if not piece:
                    raise OSError("closed") from None
                self.cipher_in.write(piece)

    def flush(self):
        if self.cipher_out.pending:
            self.sock.sendall(self.cipher_out.read())

    def shake_hands(self, *pieces):
        """With PIECES right behind its end."""
        self.until(self.tls.do_handshake)
        self.send(*pieces)

    def send(self, *pieces):
        for piece in pieces:
            self.tls.write(piece)
        self.flush()

    def request(self):
        """(head, body) of the next one, of a known length."""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.until(lambda: self.tls.read(65536))
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(self.rest) < length:
            self.rest += self.until(lambda: self.tls.read(65536))
        body, self.rest = self.rest[:length], self.rest[length:]
        return head, body


@contextlib.contextmanager
def before(folder, speak, *options):
    """(load manager, server); a check is but a connection."""
    back = Records(folder, speak)
    balance = Balance(folder, [back.url], "--insecure", "--check-every", "1h", *options)
    try:
        yield balance, back
        assert balance.stop() == 0, balance.log.read_text()[-2000:]
    finally:
        back.close()


@pytest.mark.parametrize("more", [b"x", b"\r\n", OK])
def test_what_comes_behind_an_answer_is_nobodys(tmp_path, more):
    """In a record of its own, in the same piece: the connection is not used again."""
    lines = []

    def speak(line):
        line.shake_hands()
        line.request()
        lines.append(line)
        line.send(OK, more)
        with contextlib.suppress(OSError):
            line.request()
            line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")

    with before(tmp_path, speak) as (balance, _):
        for _ in range(5):
            assert ask(balance, ["GET / HTTP/1.1"])[0::2] == (200, b"ok")
        assert len(lines) == 5


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_speaks_before_it_is_asked_is_refused(tmp_path, version):
    """As one at its limit of connections does: the client gets an answer all the same."""
    def speak(line):
        line.shake_hands(b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n")
        line.request()

    with before(tmp_path, speak) as (balance, back):
        back.context.minimum_version = back.context.maximum_version = version
        status = ask(balance, ["POST / HTTP/1.1", "Content-Length: 2"], b"hi")[0]
        assert status in (502, 503)  # 503: TLS 1.3's client is done before it; it is an answer then
        assert ask(balance, ["GET / HTTP/1.1"])[0] in (502, 503)


def test_a_large_request_that_is_kept_goes_out_in_pieces(tmp_path):
    got = []

    def speak(line):
        line.shake_hands()
        while True:
            got.append(len(line.request()[1]))
            line.send(OK)

    with before(tmp_path, speak, "--replay-bytes", "8M") as (balance, _):
        size = 5 << 20
        head = ["POST / HTTP/1.1", f"Content-Length: {size}"]
        assert ask(balance, head, b"z" * size)[0::2] == (200, b"ok")
        assert got == [size]


def test_an_end_within_the_handshake_is_a_refusal(tmp_path):
    """Nothing of the request has left: also an unsafe one goes to the next server."""
    (tmp_path / "good").mkdir()

    def speak(line):
        line.shake_hands()
        while True:
            line.request()
            line.send(OK)

    closing = socket.create_server(("127.0.0.1", 0), backlog=64)

    def close_each():
        with contextlib.suppress(OSError):
            while True:
                sock, _ = closing.accept()
                sock.recv(1)
                sock.close()

    threading.Thread(target=close_each, daemon=True).start()
    back = Records(tmp_path / "good", speak)
    balance = Balance(tmp_path, [f"https://127.0.0.1:{closing.getsockname()[1]}", back.url],
                      "--insecure", "--check-every", "1h", "--policy", "failover")
    try:
        for _ in range(3):
            head = ["POST / HTTP/1.1", "Content-Length: 2"]
            assert ask(balance, head, b"hi")[0::2] == (200, b"ok")
    finally:
        with contextlib.suppress(OSError):
            closing.shutdown(socket.SHUT_RDWR)
        closing.close()
        back.close()
        assert balance.stop() == 0
