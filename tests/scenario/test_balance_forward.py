"""What goes through a load manager: requests and answers of every shape, and back ends that do
what back ends should not."""

import contextlib
import socket
import subprocess
import threading

import pytest

from balance_front import Back, Balance, ask, more, read_all, read_body, reply
from cluster_server import free_port, wait_until

pytestmark = pytest.mark.front

MEGA = 1 << 20


def plain(request, sock):
    read_body(request, sock)
    reply(sock)


@contextlib.contextmanager
def front(folder, *answers, options=()):
    """(load manager, its back ends)."""
    backs = [Back(answer) for answer in answers]
    balance = Balance(folder, [back.url for back in backs], *options)
    try:
        yield balance, backs
        assert balance.process.poll() is None, balance.log.read_text()[-2000:]
    finally:
        for back in backs:
            back.close()
        if balance.process.poll() is None:
            assert balance.stop() == 0


# ---- Shapes ----

def test_an_answer_comes_as_the_server_gave_it(tmp_path):
    def answer(request, sock):
        reply(sock, b"<p>hello</p>", "201 Created", "Content-Type: text/html", "X-Mine: yes",
              "Set-Cookie: a=b", "Set-Cookie: c=d", "Connection: x-hop", "X-Hop: 1",
              "Date: Sat, 21 Nov 2026 19:51:39 GMT", "Keep-Alive: timeout=5")

    with front(tmp_path, answer, options=["--server-header"]) as (balance, (back,)):
        status, fields, body, whole = ask(balance, ["GET /a?b=c HTTP/1.1"])
        assert (status, body, whole) == (201, b"<p>hello</p>", True)
        assert fields["x-mine"] == ["yes"] and fields["set-cookie"] == ["a=b", "c=d"]
        assert fields["date"] == ["Sat, 21 Nov 2026 19:51:39 GMT"]
        assert fields["stoa-server"] == [f"127.0.0.1:{back.port}"]
        assert "x-hop" not in fields and "keep-alive" not in fields
        asked, = back.asked()
        assert asked.target == "/a?b=c" and asked.all("Host") == ["x"]
        assert asked.get("X-Forwarded-For") == "127.0.0.1" and asked.get("Connection") is None


def test_one_connection_behind_serves_many_in_front(tmp_path):
    with front(tmp_path, plain, options=["--backup-connections", "1", "--check-every", "1h"]
               ) as (balance, (back,)):
        for _ in range(20):
            assert ask(balance, ["GET / HTTP/1.1"])[0] == 200
        assert len(back.asked()) == 20
        assert back.connections < 10  # with the check's


def test_answers_without_a_body(tmp_path):
    def answer(request, sock):
        if request.method == "HEAD":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        elif request.target == "/304":
            sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n')
        else:
            sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with front(tmp_path, answer) as (balance, (back,)):
        status, fields, body, _ = ask(balance, ["HEAD / HTTP/1.1"])
        assert (status, fields["content-length"], body) == (200, ["1234"], b"")
        status, fields, body, _ = ask(balance, ["GET /304 HTTP/1.1", 'If-None-Match: "x"'])
        assert (status, fields["etag"], body) == (304, ['"x"'], b"")
        assert ask(balance, ["GET /204 HTTP/1.1"])[0::2] == (204, b"")
        assert [r.method for r in back.asked()] == ["HEAD", "GET", "GET"]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_large_answers_stream_in_little_memory(tmp_path, framing):
    size, piece = 100 * MEGA, b"z" * 65536

    def answer(request, sock):
        head = {"length": f"Content-Length: {size}\r\n", "chunked": "Transfer-Encoding: chunked\r\n",
                "close": ""}[framing]
        sock.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        for _ in range(size // len(piece)):
            sock.sendall(b"10000\r\n" + piece + b"\r\n" if framing == "chunked" else piece)
        if framing == "chunked":
            sock.sendall(b"0\r\nX-Trailer: dropped\r\n\r\n")
        return framing != "close"

    with front(tmp_path, answer) as (balance, _):
        before = balance.memory()
        with balance.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = 0
            while part := sock.recv(1 << 20):
                got += part.count(b"z")
            assert got == size
        assert balance.memory() - before < 8 * MEGA


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_requests_stream_in_little_memory(tmp_path, framing):
    size, piece = 100 * MEGA, b"z" * 65536

    def answer(request, sock):
        reply(sock, str(read_body(request, sock)).encode())

    with front(tmp_path, answer) as (balance, (back,)):
        before = balance.memory()
        with balance.connect() as sock:
            line = f"Content-Length: {size}" if framing == "length" else "Transfer-Encoding: chunked"
            sock.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n\r\n".encode())
            for _ in range(size // len(piece)):
                sock.sendall(piece if framing == "length" else b"10000\r\n" + piece + b"\r\n")
            if framing == "chunked":
                sock.sendall(b"0\r\n\r\n")
            status, _, body, whole = read_all(sock)
        assert (status, body, whole) == (200, str(size).encode(), True)
        assert balance.memory() - before < 8 * MEGA
        assert len(back.asked()) == 1


def test_a_slow_client_holds_the_server_back_and_nobody_else(tmp_path):
    sent, full = [0], threading.Event()

    def answer(request, sock):
        if request.target != "/large":
            return plain(request, sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
        sock.settimeout(1)
        try:
            while True:
                sent[0] += sock.send(b"z" * 65536)
        except TimeoutError:
            full.set()
        return False

    with front(tmp_path, answer) as (balance, _):
        with balance.connect() as slow:
            slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert full.wait(30), "the server could send on and on"
            assert sent[0] < 100 * MEGA
            assert ask(balance, ["GET / HTTP/1.1"])[0] == 200


def test_early_answers_end_the_request(tmp_path):
    def answer(request, sock):
        more(request, sock)
        reply(sock, b"too much", "413 Content Too Large", "Connection: close")
        return False

    with front(tmp_path, answer) as (balance, _), balance.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                sock.sendall(b"z" * 65536)
        status, _, body, _ = read_all(sock)
        assert (status, body) == (413, b"too much")


def test_an_answer_may_begin_while_the_request_still_comes(tmp_path):
    """An echo: what was sent comes back while the rest is still under way."""
    def answer(request, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhere\r\n")
        size = read_body(request, sock)
        sock.sendall(b"%x\r\n%d\r\n0\r\n\r\n" % (len(str(size)), size))

    with front(tmp_path, answer) as (balance, _), balance.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     b"Content-Length: 1000000\r\n\r\n" + b"z" * 300000)
        for _ in range(7):
            sock.sendall(b"z" * 100000)
        status, _, body, whole = read_all(sock)
        assert (status, body, whole) == (200, b"here1000000", True)


def test_http2_in_front(tmp_path):
    def answer(request, sock):
        reply(sock, str(read_body(request, sock)).encode(), "200 OK", "X-Mine: yes")

    body = tmp_path / "body"
    body.write_bytes(b"z" * 3 * MEGA)
    with front(tmp_path, answer) as (balance, (back,)):
        done = subprocess.run(
            ["curl", "-sS", "-i", "--http2-prior-knowledge", "--data-binary", f"@{body}",
             balance.url + "/up"], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.startswith("HTTP/2 200") and "x-mine: yes" in done.stdout
        assert done.stdout.endswith(str(3 * MEGA))
        asked, = back.asked("/up")
        assert asked.get("Via") == "2.0 stoa" and asked.all("Host") == [balance.url[7:]]


def test_large_headers_pass_both_ways(tmp_path):
    long = "v" * 12000

    def answer(request, sock):
        reply(sock, request.get("X-Long").encode(), "200 OK", f"X-Back: {long}")

    with front(tmp_path, answer) as (balance, _):
        status, fields, body, _ = ask(balance, ["GET / HTTP/1.1", f"X-Long: {long}"])
        assert (status, fields["x-back"], body) == (200, [long], long.encode())


def test_interim_answers_are_not_the_answer(tmp_path):
    def answer(request, sock):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        reply(sock)

    with front(tmp_path, answer) as (balance, _):
        assert ask(balance, ["GET / HTTP/1.1"])[0::2] == (200, b"fine")


def test_an_upgraded_connection_goes_both_ways(tmp_path):
    def answer(request, sock):
        assert request.get("Upgrade") == "echo" and request.get("Connection") == "upgrade"
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                     b"Connection: upgrade\r\n\r\nhello ")
        if request.rest:
            sock.sendall(request.rest)
        while piece := sock.recv(65536):
            sock.sendall(piece.upper())
        sock.sendall(b"bye")
        return False

    with front(tmp_path, answer) as (balance, _), balance.connect() as sock:
        sock.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        got = b""
        while b"hello " not in got:
            got += sock.recv(65536)
        assert got.startswith(b"HTTP/1.1 101 ") and b"\r\nUpgrade: echo\r\n" in got
        for word in (b"one", b"two" * 100000):
            sock.sendall(word)
            back = b""
            while len(back) < len(word):
                back += sock.recv(65536)
            assert back == word.upper()
        sock.shutdown(socket.SHUT_WR)  # one half is closed, the other still speaks
        rest = b""
        while piece := sock.recv(65536):
            rest += piece
        assert rest == b"bye"


# ---- Back ends that fail ----

def test_rubbish_is_a_502_that_says_so(tmp_path):
    def answer(request, sock):
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with front(tmp_path, answer) as (balance, _):
        status, fields, body, whole = ask(balance, ["GET / HTTP/1.1", "X-Request-Id: my-name"])
        assert (status, whole) == (502, True)
        assert b"my-name" in body and fields["content-type"] == ["application/json"]
        status, fields, body, _ = ask(balance, ["GET / HTTP/1.1", "Accept: text/html"])
        assert status == 502 and b"<h1>" in body


def test_a_silent_server_is_a_504(tmp_path):
    closed = threading.Event()

    def answer(request, sock):
        closed.wait(60)
        return False

    with front(tmp_path, answer, options=["--answer-timeout", "300ms"]) as (balance, _):
        assert ask(balance, ["GET / HTTP/1.1"])[0] == 504
        closed.set()


def test_nobody_there_is_a_503_that_says_when_to_come_again(tmp_path):
    with socket.socket() as door:  # it has the port and does not listen: nobody else gets it
        door.bind(("127.0.0.1", 0))
        balance = Balance(tmp_path, [f"http://127.0.0.1:{door.getsockname()[1]}"])
        try:
            for _ in range(3):
                status, fields, _, _ = ask(balance, ["GET / HTTP/1.1"])
                assert status == 503 and fields["retry-after"]
        finally:
            assert balance.stop() == 0


@pytest.mark.parametrize("head", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_an_answer_that_breaks_off_is_never_taken_for_whole(tmp_path, head):
    def answer(request, sock):
        piece = b"z" * 200000
        if "chunked" in head:
            piece = b"30d40\r\n" + piece + b"\r\n"
        sock.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + piece)
        return False

    with front(tmp_path, answer) as (balance, _):
        status, _, _, whole = ask(balance, ["GET / HTTP/1.1"])
        assert not whole and status in (0, 200)


def test_a_small_answer_that_breaks_off_is_asked_for_again(tmp_path):
    def broken(request, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False

    with front(tmp_path, broken, plain,
               options=["--policy", "failover"]) as (balance, (first, second)):
        assert ask(balance, ["GET / HTTP/1.1"])[0::2] == (200, b"fine")
        assert len(first.asked()) == 1 and len(second.asked()) == 1


def test_an_answer_that_pauses_for_ever_is_cut_off(tmp_path):
    over = threading.Event()

    def answer(request, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"z" * 100000)
        over.wait(60)
        return False

    with front(tmp_path, answer, options=["--answer-pause", "300ms"]) as (balance, _):
        status, _, _, whole = ask(balance, ["GET / HTTP/1.1"])
        assert status in (0, 200) and not whole
        over.set()


# ---- Again ----

def closes(request, sock):
    read_body(request, sock)
    return False


FAILOVER = ["--policy", "failover"]


def test_a_read_is_sent_again_to_the_next_server(tmp_path):
    with front(tmp_path, closes, plain, options=FAILOVER) as (balance, (first, second)):
        assert ask(balance, ["GET / HTTP/1.1"])[0] == 200
        # The first two connections that break may be kept ones, which had gone before for all that
        # is known: then the same server is asked once more.
        assert 1 <= len(first.asked()) <= 3 and len(second.asked()) == 1
        assert len({asked.get("X-Request-Id") for asked in first.asked() + second.asked()}) == 1


def test_a_post_is_not_sent_again_to_a_server_that_is_not_ours(tmp_path):
    with front(tmp_path, closes, plain, options=FAILOVER) as (balance, (first, second)):
        assert ask(balance, ["POST / HTTP/1.1", "Content-Length: 3"], b"abc")[0] == 502
        assert len(first.asked()) == 1 and second.asked() == []


def test_a_post_with_a_name_is_sent_again(tmp_path):
    with front(tmp_path, closes, plain, options=FAILOVER) as (balance, (first, second)):
        head = ["POST / HTTP/1.1", "Content-Length: 3", "Idempotency-Key: k"]
        assert ask(balance, head, b"abc")[0] == 200
        assert first.asked()[0].body == second.asked()[0].body == b"abc"


def test_a_post_that_was_refused_is_sent_elsewhere(tmp_path):
    with front(tmp_path, plain, plain, options=FAILOVER) as (balance, (first, second)):
        first.vanish()
        assert ask(balance, ["POST / HTTP/1.1", "Content-Length: 3"], b"abc")[0] == 200
        assert len(second.asked()) == 1


def test_a_large_body_is_sent_again_while_all_of_it_is_kept(tmp_path):
    def breaks(request, sock):
        return False  # at once, when the head has come

    with front(tmp_path, breaks, plain,
               options=[*FAILOVER, "--replay-bytes", "1M"]) as (balance, (first, second)):
        for size in (100000, 500000, 1048576):
            body = b"y" * size
            head = ["PUT / HTTP/1.1", f"Content-Length: {size}"]
            assert ask(balance, head, body)[0] == 200
            assert second.asked()[-1].body == body


def test_a_kept_connection_that_has_gone_is_nobodys_fault(tmp_path):
    """It is closed just when the next request comes."""
    def answer(request, sock):
        if request.target == "/last":
            reply(sock)
            return False
        if request.target == "/next" and len(back.asked("/next")) == 1:
            return False
        return plain(request, sock)

    with front(tmp_path, answer, options=["--retries", "0.1%"]) as (balance, backs):
        back, = backs
        assert ask(balance, ["GET / HTTP/1.1"])[0] == 200
        assert ask(balance, ["GET /next HTTP/1.1"])[0] == 200
        assert ask(balance, ["GET /last HTTP/1.1"])[0] == 200
        last, = back.asked("/last")
        wait_until(lambda: last.connection in back.closed, 30, "the connection is closed")
        assert ask(balance, ["POST /post HTTP/1.1", "Content-Length: 1"], b"x")[0] == 200
        assert len(back.asked("/post")) == 1


def test_a_client_that_goes_is_not_waited_for(tmp_path):
    gone, asked = threading.Event(), threading.Event()

    def answer(request, sock):
        if request.target != "/wait":
            return plain(request, sock)
        asked.set()
        assert sock.recv(1) == b""
        gone.set()
        return False

    with front(tmp_path, answer) as (balance, _):
        with balance.connect() as sock:
            sock.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            assert asked.wait(30)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert gone.wait(30), "the server still works for nobody"
        assert ask(balance, ["GET / HTTP/1.1"])[0] == 200


def test_a_slow_read_is_asked_for_twice(tmp_path):
    release = threading.Event()

    def answer(request, sock):
        if request.target == "/page/slow" and len(backs[0].asked("/page/slow") +
                                                  backs[1].asked("/page/slow")) == 1:
            release.wait(60)
        plain(request, sock)

    with front(tmp_path, answer, answer, options=["--policy", "round-robin"]) as (balance, found):
        backs = found
        for i in range(200):
            assert ask(balance, [f"GET /page/{i} HTTP/1.1"])[0] == 200
        assert ask(balance, ["GET /page/slow HTTP/1.1"])[0] == 200  # though nobody released it
        release.set()
        assert len(backs[0].asked("/page/slow") + backs[1].asked("/page/slow")) == 2


def test_what_is_in_flight_at_a_stop_is_finished(tmp_path):
    asked, release = threading.Event(), threading.Event()

    def answer(request, sock):
        asked.set()
        release.wait(60)
        plain(request, sock)

    back = Back(answer)
    balance = Balance(tmp_path, [back.url])
    with balance.connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(30)
        balance.process.terminate()
        release.set()
        assert read_all(sock)[0::2] == (200, b"fine")
    assert balance.process.wait(30) == 0
    back.close()


# ---- Connections that nobody needs, and requests that break what they touch ----

def test_fewer_connections_may_be_kept_than_are_wanted_as_backups(tmp_path):
    """Each that is made and not kept is closed while it is being looked at."""
    with front(tmp_path, plain, options=["--idle-connections", "1", "--backup-connections", "4"]
               ) as (balance, (back,)):
        wait_until(lambda: back.connections >= 5, 30, "backups are made")
        for _ in range(50):
            assert ask(balance, ["GET / HTTP/1.1"])[0] == 200


def test_a_request_that_breaks_every_connection_is_not_sent_for_ever(tmp_path):
    """On a kept connection each break looks like one that had gone before."""
    def answer(request, sock):
        return False if request.target == "/poison" else plain(request, sock)

    with front(tmp_path, *[answer] * 12,
               options=["--policy", "round-robin", "--hedge", "off"]) as (balance, backs):
        for back in backs:
            wait_until(lambda: back.connections >= 2, 30, "connections are kept")
        for _ in range(24):
            assert ask(balance, ["GET / HTTP/1.1"])[0] == 200
        assert ask(balance, ["GET /poison HTTP/1.1"])[0] == 502
        assert sum(len(back.asked("/poison")) for back in backs) <= 6


def test_all_that_wait_for_a_connection_go_elsewhere_together(tmp_path):
    """The first server's machine says nothing at all, as one that has lost its power. One a tick,
    the last of them would be given up after five seconds."""
    second, answers = Back(plain), []
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # its queue is full: the kernel does not answer any more
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(door.getsockname())
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        balance = Balance(tmp_path, [url, second.url], *FAILOVER, "--connect-timeout", "200ms",
                          "--answer-timeout", "4s", "--silent-after", "20s")
        try:
            head = ["POST / HTTP/1.1", "Content-Length: 3"]
            clients = [threading.Thread(target=lambda: answers.append(ask(balance, head, b"abc")[0]))
                       for _ in range(200)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            assert answers == [200] * 200
        finally:
            assert balance.stop() == 0
            second.close()


def test_a_large_body_goes_elsewhere_when_nothing_of_it_was_taken(tmp_path):
    """More than is kept for sending it again; but the first server takes no connection at all."""
    class Introduced(Back):
        def serve(self, sock, number):
            begin = sock.recv(16, socket.MSG_WAITALL)
            if len(begin) == 16:
                sock.recv(int.from_bytes(begin[14:16], "big"), socket.MSG_WAITALL)
                super().serve(sock, number)

    first, second = Introduced(plain), Introduced(plain)
    balance = Balance(tmp_path, [first.url, second.url], *FAILOVER, "--proxy-protocol-out")
    try:
        first.close()
        for size in (300000, 3 * MEGA):
            head = ["POST /large HTTP/1.1", f"Content-Length: {size}"]
            assert ask(balance, head, b"z" * size)[0] == 200
            assert second.asked()[-1].body_bytes == size
    finally:
        assert balance.stop() == 0
        second.close()


# ---- What no server gets to see ----

def test_trace_ends_here(tmp_path):
    with front(tmp_path, plain) as (balance, (back,)):
        status, fields, body, _ = ask(balance, ["TRACE / HTTP/1.1", "Cookie: secret"])
        assert status == 405 and "GET" in fields["allow"][0] and b"secret" not in body
        assert back.asked() == []


def test_max_forwards_is_counted_down(tmp_path):
    with front(tmp_path, plain) as (balance, (back,)):
        assert ask(balance, ["OPTIONS /a HTTP/1.1", "Max-Forwards: 0"])[0] == 204
        assert back.asked() == []
        assert ask(balance, ["OPTIONS /a HTTP/1.1", "Max-Forwards: 7"])[0] == 200
        assert ask(balance, ["GET /a HTTP/1.1", "Max-Forwards: 0"])[0] == 200
        assert [r.all("Max-Forwards") for r in back.asked()] == [["6"], ["0"]]


@pytest.mark.parametrize("name", ["h2c", "websocket, h2c", "TLS/1.2", "HTTP/2.0"])
def test_no_connection_becomes_another_http(tmp_path, name):
    def answer(request, sock):
        if request.get("Upgrade"):
            sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n"
                         b"Connection: upgrade\r\n\r\n")
            return False
        return plain(request, sock)

    with front(tmp_path, answer) as (balance, (back,)), balance.connect() as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: {name}\r\nHTTP2-Settings: AAMA\r\n"
                     "Connection: Upgrade, HTTP2-Settings\r\n\r\n"
                     "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert read_all(sock)[0] == 200
        assert sorted(r.target for r in back.asked()) == ["/", "/2"]


# ---- Behind another one, by TLS ----

def test_load_managers_in_a_row_speak_tls_and_know_the_client(tmp_path):
    (tmp_path / "inner").mkdir()
    port = free_port()
    with front(tmp_path / "inner", plain, options=[
            "--listen-tls", f"127.0.0.1:{port}", "--dir", str(tmp_path / "inner"),
            "--trust", "127.0.0.0/8"]) as (_, (back,)):
        outer = Balance(tmp_path, [f"https://localhost:{port}"], "--insecure")
        try:
            for size in (3, 3 * MEGA):
                head = ["POST /far HTTP/1.1", f"Content-Length: {size}"]
                assert ask(outer, head, b"z" * size)[0::2] == (200, b"fine")
            asked = back.asked("/far")
            assert [r.body_bytes for r in asked] == [3, 3 * MEGA]
            for request in asked:
                assert request.get("X-Forwarded-For") == "127.0.0.1, 127.0.0.1"
                assert request.get("X-Forwarded-Proto") == "http"
                assert request.all("Via") == ["1.1 stoa", "1.1 stoa"]
        finally:
            assert outer.stop() == 0


def test_a_server_is_told_the_client_by_the_proxy_protocol(tmp_path):
    heads = []

    def answer(request, sock):
        heads.append(request.method)
        plain(request, sock)

    class Introduced(Back):
        def serve(self, sock, number):
            begin = b""
            while len(begin) < 16:
                piece = sock.recv(16 - len(begin))
                if not piece:
                    return
                begin += piece
            assert begin[:12] == b"\r\n\r\n\0\r\nQUIT\n"
            rest = sock.recv(int.from_bytes(begin[14:16], "big"), socket.MSG_WAITALL)
            introduced.append((begin[12], rest))
            super().serve(sock, number)

    introduced = []
    back = Introduced(answer)
    balance = Balance(tmp_path, [back.url], "--proxy-protocol-out")
    try:
        with balance.connect() as sock:
            mine = sock.getsockname()[1]
            for _ in range(2):
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                while not sock.recv(65536).endswith(b"fine"):
                    pass
        told = [rest for command, rest in introduced if command == 0x21]
        assert len(told) == 2 and all(int.from_bytes(r[8:10], "big") == mine for r in told)
    finally:
        assert balance.stop() == 0
        back.close()
