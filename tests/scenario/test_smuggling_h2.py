"""Requests over HTTP/2 that would become others over HTTP/1.1, if the load manager wrote them down
as they are; and answers behind which others are hidden."""

import re
from dataclasses import dataclass, field

import pytest

from raw_front import RawFront, exchange, read_answers
from raw_h2 import DATA, END_STREAM, Connection, frame, headers
from recording_server import RecordingServer

pytestmark = pytest.mark.front

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: hidden\r\n\r\n"


@dataclass
class Case:
    """Refused, unless PASSED: then the server sees it, with BODY."""
    name: str
    fields: list
    body: list = field(default_factory=list)  # DATA frames
    trailers: list = None
    passed: bool = False
    whole: bytes = b""
    either: bool = False


def request(*more, method=b"GET", path=b"/case", authority=b"a", scheme=b"http"):
    pseudo = ((b":method", method), (b":scheme", scheme), (b":authority", authority),
              (b":path", path))
    return [(name, value) for name, value in pseudo if value is not None] + list(more)


def values():
    for name, value in {
        "crlf": b"a\r\nTransfer-Encoding: chunked", "lf": b"a\nX: y", "cr": b"a\rX: y",
        "nul": b"a\0b", "request": b"a\r\n\r\n" + HIDDEN, "crlf at end": b"a\r\n",
        "lf at begin": b"\nx", "lf at end": b"x\n", "control": b"a\x01b", "del": b"a\x7fb",
    }.items():
        yield Case(f"value: {name}", request((b"x", value)))
        yield Case(f"cookie: {name}", request((b"cookie", value)))
        yield Case(f"path: {name}", request(path=b"/case" + value))
        yield Case(f"authority: {name}", request(authority=b"a" + value))
        yield Case(f"method: {name}", request(method=b"GET" + value))
        yield Case(f"scheme: {name}", request(scheme=b"http" + value))
        yield Case(f"host: {name}", request((b"host", b"a" + value), authority=None))
        yield Case(f"name: {name}", request((b"x" + value, b"y")))
    yield Case("value: blanks around", request((b"x", b" y ")), either=True)
    yield Case("value: empty", request((b"x", b"")), passed=True)
    yield Case("value: high", request((b"x", b"\xff")), passed=True)


def names():
    for name in (b"X", b"x y", b"x:", b"x: y\r\nz", b"", b":", b"x\0", b"transfer-encoding\r\nx",
                 b"(x)", b"x\xff", b"Content-Length", b":hidden", b":status", b":path "):
        yield Case(f"name {name!r}", request((name, b"1")))
    for name, value in ((b"connection", b"close"), (b"connection", b"transfer-encoding"),
                        (b"keep-alive", b"1"), (b"proxy-connection", b"close"),
                        (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity"),
                        (b"transfer-encoding", b""), (b"upgrade", b"websocket"), (b"te", b"gzip"),
                        (b"te", b"trailers, chunked")):
        yield Case(f"{name.decode()}: {value.decode()}", request((name, value)))
        yield Case(f"{name.decode()}: {value.decode()} and a body",
                   request((name, value), method=b"POST"), [b"0\r\n\r\n" + HIDDEN])
    yield Case("te: trailers", request((b"te", b"trailers")), passed=True)
    yield Case("http2-settings", request((b"http2-settings", b"AAMA")), passed=True)
    yield Case("expect", request((b"expect", b"100-continue"), method=b"POST"), [b"abc"],
               passed=True, whole=b"abc")
    yield Case("expect other", request((b"expect", b"x"), method=b"POST"), [b"abc"])


def pseudo_fields():
    for name in (b":method", b":path", b":scheme"):
        fields = request()
        yield Case(f"no {name.decode()}", [one for one in fields if one[0] != name])
        yield Case(f"two {name.decode()}", fields + [one for one in fields if one[0] == name])
        yield Case(f"{name.decode()} empty", [(key, b"" if key == name else value)
                                              for key, value in fields])
        yield Case(f"{name.decode()} behind",
                   [one for one in fields if one[0] != name] + [(b"x", b"y")] +
                   [one for one in fields if one[0] == name])
    yield Case("two authorities", request((b":authority", b"b")))
    yield Case("neither authority nor host", request(authority=None))
    yield Case("host alone", request((b"host", b"a"), authority=None), passed=True)
    yield Case("host the same", request((b"host", b"a")), passed=True)
    yield Case("host other", request((b"host", b"b")))
    yield Case("two hosts", request((b"host", b"a"), (b"host", b"b")))
    yield Case("protocol", request((b":protocol", b"websocket"), method=b"CONNECT"))
    yield Case("connect", request(method=b"CONNECT"))
    yield Case("connect as it should be", [(b":method", b"CONNECT"), (b":authority", b"a:80")])
    for method in (b"GET /hidden HTTP/1.1\r\nX:", b"G T", b"get", b"GET\t", b"HIDE", b"\xff"):
        yield Case(f"method {method!r}", request(method=method))
    for path in (b"case", b"/case HTTP/1.1", b"/case HTTP/1.1\r\nX: y", b"http://b/case", b"*",
                 b"/case x", b"/case#x", b"/case\xff", b"/case\t", b"?x", b"//", b" /case"):
        yield Case(f"path {path!r}", request(path=path), either=path == b"//")
    for authority in (b"a b", b"u@a", b"a/b", b"a:b", b"a,b ", b"a\\b", b"a?b", b"[a", b"a:1:2"):
        yield Case(f"authority {authority!r}", request(authority=authority))
    yield Case("scheme other", request(scheme=b"ftp"), either=True)
    yield Case("scheme with a path", request(scheme=b"http://b/hidden?"), either=True)
    yield Case("authority that is no host, and a host", request((b"host", b"a"), authority=b"b c"))


def lengths():
    post = {"method": b"POST"}
    for length in (b"0", b"2", b"4", b"100", b"-1", b"+3", b"3, 3", b"3,4", b"0x3", b"3 ", b" 3",
                   b"3\r\n", b"", b"a", b"3.0", b"18446744073709551619", b"9223372036854775808"):
        yield Case(f"length {length!r} of 3", request((b"content-length", length), **post),
                   [b"abc"], either=length in (b"3 ", b" 3"))
    yield Case("two lengths", request((b"content-length", b"3"), (b"content-length", b"3"),
                                      **post), [b"abc"])
    yield Case("two other lengths", request((b"content-length", b"3"), (b"content-length", b"0"),
                                            **post), [b"abc"])
    yield Case("length without a body", request((b"content-length", b"5"), **post))
    yield Case("length of a GET without a body", request((b"content-length", b"5")))
    yield Case("right length", request((b"content-length", b"3"), **post), [b"a", b"bc"],
               passed=True, whole=b"abc")
    yield Case("no length", request(**post), [HIDDEN], passed=True, whole=HIDDEN)
    yield Case("no length, what looks like chunks", request(**post), [b"0\r\n\r\n" + HIDDEN],
               passed=True, whole=b"0\r\n\r\n" + HIDDEN)
    yield Case("GET with a body", request(), [HIDDEN], passed=True, whole=HIDDEN)
    yield Case("empty pieces", request(**post), [b"", b"a", b"", b"b"], passed=True, whole=b"ab")
    yield Case("no body but its end", request(**post), [b""], passed=True)
    yield Case("underscored length", request((b"content_length", b"0"), **post), [HIDDEN],
               passed=True, whole=HIDDEN)
    yield Case("underscored coding", request((b"transfer_encoding", b"chunked"), **post), [HIDDEN],
               passed=True, whole=HIDDEN)


def trailing():
    good = request(method=b"POST")
    yield Case("trailers", good, [b"abc"], [(b"x", b"y")], passed=True, whole=b"abc")
    yield Case("trailer length", good, [b"abc"], [(b"content-length", b"0")], either=True)
    yield Case("trailer host", good, [b"abc"], [(b"host", b"hidden")], either=True)
    for name, value in ((b":path", b"/hidden"), (b":method", b"GET"), (b"transfer-encoding",
                        b"chunked"), (b"x", b"a\r\nb"), (b"X", b"a"), (b"connection", b"close")):
        yield Case(f"trailer {name.decode()}", good, [b"abc"], [(name, value)])


CASES = [case for group in (values, names, pseudo_fields, lengths, trailing) for case in group()]


def play(front, server, case):
    connection = Connection(front.port)
    has_more = bool(case.body) or case.trailers is not None
    connection.send(headers(1, case.fields, ends=not has_more))
    for number, piece in enumerate(case.body):
        last = number == len(case.body) - 1 and case.trailers is None
        connection.send(frame(DATA, END_STREAM if last else 0, 1, piece))
    if case.trailers is not None:
        connection.send(headers(1, case.trailers))
    connection.send(headers(3, request(path=b"/canary")))
    alive = connection.read_until([1, 3])
    connection.close()
    received, _ = exchange(front.port, b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")
    after, rest = read_answers(received)
    requests, complaints = server.take()
    seen = sorted(one.line for one in requests)
    told = sorted(text.decode("latin-1") for text in connection.bodies.values()
                  if re.fullmatch(rb"[A-Z]+ /[!-~]*", text))
    assert complaints == []
    assert rest == b"" and [one.header("Saw") for one in after] == ["GET /after"]
    assert not any("hidden" in line for line in seen)
    assert seen == sorted(told + ["GET /after"])
    mine = [one for one in requests if one.target.startswith(b"/case")]
    if case.passed:
        assert alive and len(mine) == 1 and mine[0].body == case.whole
        assert "GET /canary" in seen
    elif not case.either:
        assert not mine
        assert connection.ends.get(1) == "reset" or not alive or \
            re.match(rb"[45]\d\d", connection.bodies.get(1, b"")), connection.bodies


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    server = RecordingServer()
    with RawFront(tmp_path_factory.mktemp("h2"), [server.url]) as front:
        yield server, front
    server.stop()


def test_nothing_of_http2_becomes_another_request_of_http1(pair):
    server, front = pair
    wrong = []
    for case in CASES:
        try:
            play(front, server, case)
        except AssertionError as error:
            wrong.append(f"{case.name}: {str(error)[:600]}")
    assert not wrong, f"{len(wrong)} of {len(CASES)}:\n" + "\n".join(wrong)
    assert len(CASES) > 150


# ---- The other way: answers ----

OK = b"HTTP/1.1 200 OK\r\n"
EVIL = OK + b"Content-Length: 4\r\n\r\nevil"
RUBBISH = {
    "no http": b"hello\r\n\r\n", "nothing": b"", "old": b"<html>hello</html>",
    "status": b"HTTP/1.1 1000 OK\r\n\r\n", "status 099": b"HTTP/1.1 099 X\r\n\r\n",
    "version": b"HTTP/3.0 200 OK\r\n\r\n", "lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "folded": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    "nul": OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nhi",
    "control": OK + b"X: a\x01b\r\nContent-Length: 2\r\n\r\nhi",
    "bare cr": OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\nhi",
    "blank before colon": OK + b"Content-Length : 2\r\n\r\nhi",
    "no colon": OK + b"hello\r\n\r\n", "no name": OK + b": x\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    "length list": OK + b"Content-Length: 2, 2\r\n\r\nhi",
    "length sign": OK + b"Content-Length: +2\r\n\r\nhi",
    "length minus": OK + b"Content-Length: -2\r\n\r\nhi",
    "length large": OK + b"Content-Length: 99999999999999999999\r\n\r\nhi",
    "length and coding": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding": OK + b"Transfer-Encoding: gzip\r\n\r\nhi",
    "codings": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "old and chunked": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "head too long": OK + b"X: " + b"y" * 200000 + b"\r\n\r\n",
    "too many fields": OK + b"X: y\r\n" * 1000 + b"\r\n",
    "switching": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "too many hints": b"HTTP/1.1 103 Early\r\n\r\n" * 50 + OK + b"Content-Length: 0\r\n\r\n",
    "half a head": OK + b"Content-Len",
}
# The head is fine, and what follows is not: by then the client may have the head.
BROKEN = {
    "short": OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 50000,
    "chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    "chunk too long": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "chunk lf": OK + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n8000\r\n" + b"x" * 0x8000 + b"\r\n",
    "chunk huge": OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
    "no end of trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: y",
}


def ask(front, path):
    received, reset = exchange(
        front.port, b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
    answers, rest = read_answers(received)
    return answers, rest, reset


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_a_clean_502(pair, name):
    server, front = pair
    server.answers["/rubbish"] = RUBBISH[name]
    answers, rest, reset = ask(front, "/rubbish")
    assert [answer.status for answer in answers] == [502] and rest == b"" and not reset
    assert answers[0].complete
    assert [one.header("Saw") for one in ask(front, "/after")[0]] == ["GET /after"]
    assert server.take()[1] == []


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_off_has_no_end(pair, name):
    server, front = pair
    server.answers["/broken"] = BROKEN[name]
    answers, _, reset = ask(front, "/broken")
    assert not answers or answers[0].status == 502 or not answers[0].complete, answers
    assert answers or reset
    assert [one.header("Saw") for one in ask(front, "/after")[0]] == ["GET /after"]


@pytest.mark.parametrize("first", [
    OK + b"Content-Length: 2\r\n\r\nhi",
    OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 204 None\r\n\r\n",
    b"HTTP/1.1 304 Same\r\nContent-Length: 39\r\n\r\n",
])
def test_an_answer_behind_an_answer_reaches_nobody(pair, first):
    server, front = pair
    server.answers["/split"] = first + EVIL * 3
    for _ in range(3):
        answers, rest, _ = ask(front, "/split")
        assert [answer.status for answer in answers] == [int(first[9:12])]
        assert rest == b"" and b"evil" not in answers[0].body
        after = ask(front, "/after")[0]
        assert [one.header("Saw") for one in after] == ["GET /after"]
