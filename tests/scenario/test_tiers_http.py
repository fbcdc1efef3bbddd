"""HTTP through a front and a worker: what clients send and get is as it is without them."""

import http.client
import random
import socket
import threading
import time

import raw_h2
from engine_server import not_of_engines
from shop_server import wait_until
from tiers import Tiers

pytestmark = not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                            why="fronts and workers have engines of their own")

ITEM = "harrow-mug~chalk-250-ml"
PAGE = "/product/harrow-mug"
PICTURE = "/pictures/harrow-mug.svg"
BIG = 5_000_000
API = ("Content-Type: application/json",
       'UCP-Agent: profile="https://platform.example/profile.json"')
OF_EACH_REQUEST = {"date", "connection", "set-cookie", "stoa-server", "content-security-policy"}


def connect(address, receive_buffer=0):
    host, port = address.split(":")
    client = socket.socket()
    client.settimeout(20)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect((host, int(port)))
    return client


class Answer:
    def __init__(self, got, method):
        response = http.client.HTTPResponse(got, method=method)
        response.begin()
        self.status = response.status
        lines = [(name.lower(), value) for name, value in response.getheaders()]
        self.fields = dict(lines)
        doubled = {name for name, _ in lines if [each for each, _ in lines].count(name) > 1}
        assert doubled <= {"set-cookie"}, lines
        self.body = response.read()

    def comparable(self):
        """Without what differs from one request to the next."""
        fields = {name: value for name, value in self.fields.items()
                  if name not in OF_EACH_REQUEST}
        return self.status, fields, self.body


def send(address, raw, method="GET"):
    with connect(address) as client:
        client.sendall(raw)
        return Answer(client, method)


def request(line, *fields, body=b""):
    head = "\r\n".join([line, "Host: shop.example", *fields])
    return head.encode() + b"\r\n\r\n" + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def big_file(tiers):
    content = random.Random(7).randbytes(BIG)
    folder = tiers.server.dir / "media"
    folder.mkdir(exist_ok=True)
    (folder / "big.jpg").write_bytes(content)
    return content


def get(address, path, *fields):
    return send(address, request(f"GET {path} HTTP/1.1", *fields))


def test_every_way_to_ask_is_answered_as_by_the_server_itself(tmp_path):
    with Tiers(tmp_path) as tiers:
        direct, through = tiers.server.address, tiers.listen
        content = big_file(tiers)
        etag = get(direct, PAGE).fields["etag"]
        cart = b'{"line_items":[{"item":{"id":"harrow-mug~chalk-250-ml"},"quantity":0}]}'
        ways = {
            "HEAD of a page": request(f"HEAD {PAGE} HTTP/1.1"),
            "HEAD of a picture": request(f"HEAD {PICTURE} HTTP/1.1"),
            "HEAD of what is not there": request("HEAD /nothing HTTP/1.1"),
            "not changed": request(f"GET {PAGE} HTTP/1.1", f"If-None-Match: {etag}"),
            "compressed": request(f"GET {PAGE} HTTP/1.1", "Accept-Encoding: gzip"),
            "a part": request("GET /media/big.jpg HTTP/1.1", "Range: bytes=70000-270000"),
            "the end": request("GET /media/big.jpg HTTP/1.1", "Range: bytes=-17"),
            "no part of it": request("GET /media/big.jpg HTTP/1.1", f"Range: bytes={BIG}-"),
            "if it is another": request("GET /media/big.jpg HTTP/1.1", "Range: bytes=5-9",
                                        'If-Range: "other"'),
            "HEAD of a long one": request("HEAD /media/big.jpg HTTP/1.1"),
            "HTTP/1.0": f"GET {PAGE} HTTP/1.0\r\n\r\n".encode(),
            "the whole address": request(f"GET http://shop.example{PAGE}?a=b HTTP/1.1"),
            "percent signs": request("GET /search?q=a%0d%0aX-Evil:%20b+c HTTP/1.1"),
            "in the path": request("GET /product/a%0d%0ab%00 HTTP/1.1"),
            "OPTIONS": request("OPTIONS /carts HTTP/1.1"),
            "OPTIONS of all": request("OPTIONS * HTTP/1.1"),
            "a method that there is not": request("BREW /carts HTTP/1.1"),
            "no body": request("POST /carts HTTP/1.1", *API, "Content-Length: 0"),
            "no length": request("POST /carts HTTP/1.1", *API),
            "a wrong body": request("POST /carts HTTP/1.1", *API, "Content-Length: 3", body=b"{]}"),
            "in pieces": request("POST /carts HTTP/1.1", *API, "Transfer-Encoding: chunked",
                                 body=chunked(cart[:10], cart[10:11], cart[11:])),
            "too long a body": request("POST /carts HTTP/1.1", *API, "Content-Length: 300000",
                                       body=b" " * 300000),
            "into the cart by a form": request(
                "POST /cart/add HTTP/1.1", "Content-Type: application/x-www-form-urlencoded",
                "Content-Length: 40", body=b"item=harrow-mug~chalk-250-ml&quantity=01"),
            "many fields": request(f"GET {PAGE} HTTP/1.1",
                                   *[f"X-Number-{i}: {i}" for i in range(95)]),
            "a long head": request(f"GET {PAGE} HTTP/1.1", "X-Long: " + "x" * 15000),
            "too long a head": request(f"GET {PAGE} HTTP/1.1", "X-Long: " + "x" * 20000),
            "too many fields": request(f"GET {PAGE} HTTP/1.1",
                                       *[f"X-Number-{i}: {i}" for i in range(120)]),
            "too long an address": request(f"GET {PAGE}?{'x' * 9000} HTTP/1.1"),
            "far too long a body": request("POST /carts HTTP/1.1", *API,
                                           "Content-Length: 9000000000"),
            "fields for this connection": request(f"GET {PAGE} HTTP/1.1", "X-Mine: 1",
                                                  "Connection: X-Mine, keep-alive",
                                                  "Keep-Alive: 1", "TE: trailers"),
        }
        for name, raw in ways.items():
            method = raw.split(b" ")[0].decode()
            expected = send(direct, raw, method).comparable()
            found = send(through, raw, method).comparable()
            assert found == expected, name
        whole = get(through, "/media/big.jpg")
        assert whole.status == 200 and whole.body == content


def test_a_body_that_is_announced_first_is_asked_for(tmp_path):
    body = b'{"line_items":[{"item":{"id":"harrow-mug~chalk-250-ml"},"quantity":1}]}'
    with Tiers(tmp_path, workers=1) as tiers, connect(tiers.listen) as client:
        client.sendall(request("POST /carts HTTP/1.1", *API, f"Content-Length: {len(body)}",
                               "Expect: 100-continue"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert Answer(client, "POST").status in (200, 201)


def test_a_body_longer_than_a_pipe_gets_there_whole(tmp_path):
    lines = [{"item": {"id": ITEM}, "quantity": 1}]
    with Tiers(tmp_path, workers=1) as tiers:
        for size in (10, 16_000, 32_000, 33_000, 60_000):
            client = tiers.client()
            body = {"line_items": lines, "note": "x" * size}
            code, answer = client.call("POST", "/carts", body)
            assert code in (200, 201), (size, answer)
            assert answer["line_items"][0]["quantity"] == 1
            client.close()


def test_requests_of_one_connection_are_answered_in_their_order(tmp_path):
    paths = [PAGE, "/nothing", PICTURE, "/", "/search?q=mug"] * 3
    with Tiers(tmp_path) as tiers:
        expected = [get(tiers.server.address, path) for path in paths]
        with connect(tiers.listen) as client:
            client.sendall(b"".join(request(f"GET {path} HTTP/1.1") for path in paths))
            stream = client.makefile("rb")
            for path, one in zip(paths, expected):
                response = http.client.HTTPResponse(OneOf(stream), method="GET")
                response.begin()
                body = response.read()
                assert (response.status, len(body)) == (one.status, len(one.body)), path


class OneOf:
    """A stream that outlives the answers read from it."""

    def __init__(self, stream):
        self.stream = stream

    def makefile(self, *_):
        return self

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def close(self):
        pass

    def flush(self):
        pass


def test_many_streams_of_one_http2_connection(tmp_path):
    with Tiers(tmp_path) as tiers:
        content = big_file(tiers)[:300_000]
        paths = [PAGE, "/media/big.jpg", "/nothing"] * 4  # less than a connection's window
        connection = raw_h2.Connection(int(tiers.listen.split(":")[1]))
        for number, path in enumerate(paths):
            fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", path.encode()),
                      (b":authority", b"shop.example"), (b"cookie", b"a=b"), (b"cookie", b"c=d")]
            if path.startswith("/media"):
                fields.append((b"range", b"bytes=0-3999"))
            connection.send(raw_h2.headers(2 * number + 1, fields))
        streams = [2 * number + 1 for number in range(len(paths))]
        connection.read_until(streams)
        page = get(tiers.server.address, PAGE)
        for stream, path in zip(streams, paths):
            assert connection.ends[stream] == "end", path
            if path.startswith("/media"):
                assert connection.bodies[stream] == content[:4000]
            elif path == PAGE:
                assert len(connection.bodies[stream]) == len(page.body)


def read_exactly(client, count):
    got = b""
    while len(got) < count:
        piece = client.recv(min(65536, count - len(got)))
        assert piece, f"ended after {len(got)} of {count} bytes"
        got += piece
    return got


def begin_download(tiers, buffer=4096):
    """A client that has read the head of a long answer, and no more."""
    client = connect(tiers.listen, buffer)
    client.sendall(request("GET /media/big.jpg HTTP/1.1", "Connection: close"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 200"), head
    return client


def test_readers_that_are_slow_hold_up_nobody(tmp_path):
    with Tiers(tmp_path, workers=1, worker_options=["--in-flight", "2"]) as tiers:
        content = big_file(tiers)
        slow = [begin_download(tiers) for _ in range(6)]
        assert get(tiers.listen, PAGE).status == 200
        for client in slow:
            assert read_exactly(client, BIG) == content
            client.close()


def test_many_long_answers_at_once_are_whole(tmp_path):
    with Tiers(tmp_path) as tiers:
        content = big_file(tiers)
        wrong = []

        def load():
            for _ in range(3):
                if get(tiers.listen, "/media/big.jpg").body != content:
                    wrong.append(1)

        threads = [threading.Thread(target=load) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


def test_a_long_answer_goes_on_though_its_worker_dies(tmp_path):
    with Tiers(tmp_path, workers=2, front_options=["--wait", "1s"]) as tiers:
        content = big_file(tiers)
        for turn in range(3):
            clients = [begin_download(tiers) for _ in range(3)]
            late = time.monotonic() + 1.1
            while turn == 0 and time.monotonic() < late:  # when nothing more would be begun
                assert get(tiers.listen, PAGE).status == 200
            for worker in tiers.workers:
                worker.kill()
                worker.start()
            for client in clients:
                assert read_exactly(client, BIG) == content
                client.close()


def test_clients_that_go_away_leave_nothing_behind(tmp_path):
    """At each stage of a request; the queue has room for few, so that what is left would be seen."""
    with Tiers(tmp_path, workers=1, front_options=["--queue", "8"]) as tiers:
        content = big_file(tiers)
        body = b'{"line_items":[]}' + b" " * 60_000
        post = request("POST /carts HTTP/1.1", *API, f"Content-Length: {len(body)}", body=body)
        for turn in range(30):
            with connect(tiers.listen) as client:  # in the head, in the body
                client.sendall(post[:40 if turn % 2 else 20_000])
            with connect(tiers.listen) as client:  # while it waits, or is at work
                client.sendall(request(f"GET /search?q=mug{turn} HTTP/1.1"))
            client = begin_download(tiers) if turn % 3 == 0 else None  # in the answer
            if client:
                read_exactly(client, 1000 * turn)
                client.close()
        wait_until(lambda: get(tiers.listen, PAGE).status == 200, what="room in the queue")
        # All of its slots are free again: what is for pages alone goes through at once.
        clients = [begin_download(tiers) for _ in range(4)]
        for client in clients:
            assert read_exactly(client, BIG) == content
            client.close()


def test_what_nobody_waits_for_is_not_begun_and_the_next_is(tmp_path):
    with Tiers(tmp_path, workers=1, front_options=["--wait", "400ms", "--queue", "64"]) as tiers:
        worker = tiers.workers[0]
        assert get(tiers.listen, PAGE).status == 200
        worker.hang()
        try:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(get(tiers.listen, PAGE)))
                       for _ in range(30)]
            for thread in threads:
                thread.start()
            for thread in threads[:-1]:
                thread.join(20)
        finally:
            worker.process.send_signal(18)  # SIGCONT
        for thread in threads:
            thread.join(20)
        assert {one.status for one in answers} <= {200, 503} and len(answers) == 30
        wait_until(lambda: get(tiers.listen, PAGE).status == 200, what="an answer")
