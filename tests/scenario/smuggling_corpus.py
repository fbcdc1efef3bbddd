"""Raw requests about which two programs might disagree: where a request ends, or what it asks for.

Each is a Case with a name and the bytes to be sent. In them PATH stands for a path of the case's
own, and HIDDEN for a whole request that nobody must get: it stands where a program that reads the
case in the wrong way finds a second request. What must become of it:

  refused    the front answers 4xx or 5xx itself, and no server sees anything of it
  broken     likewise, but a server may have seen its beginning: never all of it
  cut        the client ends its side before it is complete: as broken, but there is no answer
  passed     a server sees the first request, as METHOD PATH with BODY
  any        all of these would do, as long as everybody sees the same
"""

import itertools
from dataclasses import dataclass

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: hidden\r\n\r\n"


@dataclass
class Case:
    name: str
    send: bytes
    must: str = "refused"
    body: bytes = None


def post(*fields, body=b"", line=b"POST PATH HTTP/1.1", host=b"Host: a"):
    """A request of these field lines."""
    head = [line] + ([host] if host else []) + list(fields)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def get(*fields, **more):
    return post(*fields, line=more.pop("line", b"GET PATH HTTP/1.1"), **more)


CHUNKED_HIDDEN = b"0\r\n\r\n" + HIDDEN
ALL_HIDDEN = b"Content-Length: %d" % len(CHUNKED_HIDDEN)


def length_and_coding():
    te = b"Transfer-Encoding: chunked"
    yield Case("length, coding", post(ALL_HIDDEN, te, body=CHUNKED_HIDDEN))
    yield Case("coding, length", post(te, ALL_HIDDEN, body=CHUNKED_HIDDEN))
    yield Case("small length, coding", post(b"Content-Length: 4", te, body=b"5c\r\n" + HIDDEN))
    yield Case("zero length, coding", post(b"Content-Length: 0", te, body=b"0\r\n\r\n"))
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"PATCH"):
        line = method + b" PATH HTTP/1.1"
        yield Case(f"{method.decode()} length, coding",
                   post(ALL_HIDDEN, te, line=line, body=CHUNKED_HIDDEN))
    yield Case("1.0 coding", post(te, line=b"POST PATH HTTP/1.0", body=CHUNKED_HIDDEN))
    yield Case("1.0 length, coding", post(ALL_HIDDEN, te, line=b"POST PATH HTTP/1.0",
                                          body=CHUNKED_HIDDEN))


# What some programs take for "Transfer-Encoding: chunked" and others do not.
CODINGS = {
    "space before colon": b"Transfer-Encoding : chunked",
    "tab before colon": b"Transfer-Encoding\t: chunked",
    "newline before colon": b"Transfer-Encoding\n: chunked",
    "vertical tab": b"Transfer-Encoding:\x0bchunked",
    "form feed": b"Transfer-Encoding:\x0cchunked",
    "nul": b"Transfer-Encoding:\0chunked",
    "nul behind": b"Transfer-Encoding: chunked\0",
    "control": b"Transfer-Encoding: \x01chunked",
    "del": b"Transfer-Encoding: chunked\x7f",
    "bare cr": b"Transfer-Encoding: chunked\rX: y",
    "bare cr before": b"Transfer-Encoding:\rchunked",
    "cr cr": b"Transfer-Encoding: chunked\r",
    "lf": b"X: y\nTransfer-Encoding: chunked",
    "cr": b"X: y\rTransfer-Encoding: chunked",
    "nel": b"Transfer-Encoding: \x85chunked",
    "nbsp": b"Transfer-Encoding: \xa0chunked",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded tab": b"Transfer-Encoding:\r\n\tchunked",
    "folded behind": b"Transfer-Encoding: chunked\r\n ",
    "folded name": b"X: y\r\n Transfer-Encoding: chunked",
    "leading blank": b" Transfer-Encoding: chunked",
    "x prefix": b"Transfer-Encoding: xchunked",
    "suffix": b"Transfer-Encoding: chunkedx",
    "quoted": b'Transfer-Encoding: "chunked"',
    "single quoted": b"Transfer-Encoding: 'chunked'",
    "in brackets": b"Transfer-Encoding: [chunked]",
    "parameter": b"Transfer-Encoding: chunked;a=b",
    "parameter blank": b"Transfer-Encoding: chunked ; a",
    "comma": b"Transfer-Encoding: ,chunked",
    "comma behind": b"Transfer-Encoding: chunked,",
    "twice in one": b"Transfer-Encoding: chunked, chunked",
    "identity": b"Transfer-Encoding: identity",
    "identity, chunked": b"Transfer-Encoding: identity, chunked",
    "chunked, identity": b"Transfer-Encoding: chunked, identity",
    "gzip": b"Transfer-Encoding: gzip",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked",
    "chunked, gzip": b"Transfer-Encoding: chunked, gzip",
    "cow": b"Transfer-Encoding: cow",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "twice, other": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "other, twice": b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "twice, identity": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "empty": b"Transfer-Encoding:",
    "blank": b"Transfer-Encoding: ",
    "utf-8 hyphen": b"Transfer\xe2\x80\x90Encoding: chunked",
    "quoted name": b'"Transfer-Encoding": chunked',
    "no colon": b"Transfer-Encoding chunked",
    "two colons": b"Transfer-Encoding:: chunked",
    "backslash": b"Transfer-Encoding: chunked\\",
    "kelvin": "Transfer-Encoding: chun\u212aed".encode(),
}
# Other fields by name: they pass, or do not, but none takes part in the framing.
NO_CODINGS = {
    "underscore": b"Transfer_Encoding: chunked",
    "no hyphen": b"TransferEncoding: chunked",
    "x": b"X-Transfer-Encoding: chunked",
    "content": b"Content-Encoding: chunked",
    "te": b"TE: chunked",
    "te trailers": b"TE: trailers",
    "trailer": b"Trailer: Content-Length",
}


def codings():
    for name, field in CODINGS.items():
        yield Case(f"coding: {name}", post(field, body=CHUNKED_HIDDEN))
        yield Case(f"coding: {name}, length", post(ALL_HIDDEN, field, body=CHUNKED_HIDDEN))
        yield Case(f"coding: {name}, length behind", post(field, ALL_HIDDEN, body=CHUNKED_HIDDEN))
    for name, field in NO_CODINGS.items():
        yield Case(f"no coding: {name}", post(ALL_HIDDEN, field, body=CHUNKED_HIDDEN), "passed",
                   CHUNKED_HIDDEN)
    for name in (b"transfer-encoding: chunked", b"TRANSFER-ENCODING:chunked",
                 b"Transfer-Encoding: \t Chunked  ", b"tRANSFER-eNCODING: CHUNKED"):
        yield Case(f"coding: {name.decode()}", post(name, body=b"3\r\nabc\r\n0\r\n\r\n"), "passed",
                   b"abc")
    yield Case("odd coding: tab behind", post(b"Transfer-Encoding: chunked\t",
                                              body=b"0\r\n\r\n"), "any")


LENGTHS = {
    "plus": b"+%d", "minus": b"-%d", "minus zero": b"-0", "hexadecimal": b"0x%x",
    "blank inside": b"%d 0", "two in a list": b"%d, %d", "two in a list, other": b"0, %d",
    "other, two in a list": b"%d, 0", "comma behind": b"%d,", "comma before": b",%d",
    "semicolon": b"%d;", "point": b"%d.0", "exponent": b"1e1", "quoted": b'"%d"', "empty": b"",
    "word": b"many", "nul": b"%d\0", "nul before": b"\0%d", "vertical tab": b"\x0b%d",
    "form feed": b"%d\x0c", "nbsp": b"\xa0%d", "bare cr": b"%d\r0", "letter behind": b"%da",
    "letter before": b"a%d", "underscore": b"%d_0", "arabic": "\u0663".encode(),
    "fullwidth": "\uff13".encode(), "2^63": b"9223372036854775808",
    "2^64": b"18446744073709551616", "2^64 and more": b"%d" % (2**64 + 40),
    "2^32 and more": b"-%d" % (2**32 - 40), "40 digits": b"1" * 40, "octal": b"0o52",
    "percent": b"%%34", "slash": b"%d/1", "folded": b"\r\n %d", "folded tab": b"\r\n\t%d",
    "folded behind": b"%d\r\n ", "lf": b"%d\nX: y", "tab inside": b"4\t2",
}


def lengths():
    size = len(HIDDEN)
    for name, text in LENGTHS.items():
        count = text.count(b"%d") + text.count(b"%x")
        value = text % ((size,) * count) if b"%" in text else text
        yield Case(f"length: {name}", post(b"Content-Length: " + value, body=HIDDEN))
    right, zero = b"Content-Length: %d" % size, b"Content-Length: 0"
    for first, second in itertools.product((right, zero), repeat=2):
        yield Case(f"lengths: {first.decode()}; {second.decode()}",
                   post(first, second, body=HIDDEN))
    for field in (b"Content-Length : %d", b"Content-Length\t: %d", b" Content-Length: %d",
                  b"Content-Length\0: %d", b"Content-Length\n: %d", b"Content Length: %d",
                  b"Content-Length: 0\rContent-Length: %d", b"Content-Length: 0\nContent-Length: %d",
                  b"X: y\r\n\tContent-Length: %d", b"Content-Length %d", b"Content-Length:: %d",
                  b"\x0bContent-Length: %d", b"(Content-Length: %d", b"Content-Length\xff: %d"):
        yield Case(f"length field: {field!r}", post(field % size, body=HIDDEN))
        yield Case(f"length field after zero: {field!r}", post(zero, field % size, body=HIDDEN))
    for field in (b"content-length: %d", b"CONTENT-LENGTH:%d", b"Content-Length: \t %d  ",
                  b"Content-Length: 000%d"):
        yield Case(f"good length: {field!r}", post(field % size, body=HIDDEN), "passed", HIDDEN)
    yield Case("odd length: tab behind", post(b"Content-Length: %d \t" % size, body=HIDDEN), "any")
    for name in (b"Content_Length", b"ContentLength", b"X-Content-Length", b"Content-Length-X"):
        yield Case(f"no length: {name.decode()}",
                   post(right, name + b": 0", body=HIDDEN), "passed", HIDDEN)
    for method in (b"GET", b"DELETE", b"OPTIONS"):
        yield Case(f"{method.decode()} with a body", post(
            right, line=method + b" PATH HTTP/1.1", body=HIDDEN), "passed", HIDDEN)
    yield Case("GET with chunks", get(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
               "passed", b"a")
    yield Case("POST without length", post(), "passed", b"")


CHUNKS = {
    "size 0x": b"0x1\r\na\r\n0\r\n\r\n", "plus": b"+1\r\na\r\n0\r\n\r\n",
    "minus": b"-1\r\na\r\n0\r\n\r\n", "blank before": b" 1\r\na\r\n0\r\n\r\n",
    "tab before": b"\t1\r\na\r\n0\r\n\r\n",
    "blank inside": b"1 0\r\na\r\n0\r\n\r\n", "word": b"one\r\na\r\n0\r\n\r\n",
    "letter behind": b"1x\r\na\r\n0\r\n\r\n", "empty": b"\r\n0\r\n\r\n",
    "2^64": b"10000000000000000\r\na\r\n0\r\n\r\n",
    "2^64 and one": b"10000000000000001\r\na\r\n0\r\n\r\n",
    "2^63": b"8000000000000000\r\na\r\n", "all ones": b"ffffffffffffffff\r\na\r\n",
    "lf behind size": b"1\na\r\n0\r\n\r\n", "lf behind data": b"1\r\na\n0\r\n\r\n",
    "lf behind last": b"1\r\na\r\n0\n\r\n", "lf at end": b"1\r\na\r\n0\r\n\n",
    "cr behind size": b"1\ra\r\n0\r\n\r\n", "cr cr lf": b"1\r\r\na\r\n0\r\n\r\n",
    "too long": b"1\r\nab\r\n0\r\n\r\n", "too short": b"2\r\na\r\n0\r\n\r\n",
    "no line end": b"1\r\na0\r\n\r\n", "nul": b"1\0\r\na\r\n0\r\n\r\n",
    "nul before": b"\x001\r\na\r\n0\r\n\r\n", "comma": b"1,1\r\na\r\n0\r\n\r\n",
    "point": b"1.0\r\na\r\n0\r\n\r\n", "quoted": b'"1"\r\na\r\n0\r\n\r\n',
    "lf in extension": b"1;a\nb\r\na\r\n0\r\n\r\n", "cr in extension": b"1;a\rb\r\na\r\n0\r\n\r\n",
    "nul in extension": b"1;a\0b\r\na\r\n0\r\n\r\n",
    "lf and hidden in extension": b"5;\n" + b"a" * 5 + b"\r\n0\r\n\r\n" + HIDDEN,
    "lf in extension of last": b"0;a\n\r\n",
    "trailer with lf": b"0\r\nX: a\nY: b\r\n\r\n", "trailer folded": b"0\r\nX: a\r\n b\r\n\r\n",
    "trailer without colon": b"0\r\nX\r\n\r\n", "trailer blank": b"0\r\nX : a\r\n\r\n",
    "trailer nul": b"0\r\nX: \0\r\n\r\n", "extension too long": b"1;" + b"a" * 70000 + b"\r\n",
    "trailers too many": b"0\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
}
GOOD_CHUNKS = {
    "extension": (b"1;a\r\nx\r\n0\r\n\r\n", b"x"),
    "extension value": (b"1;a=b;c=\"d;e\"\r\nx\r\n0;f\r\n\r\n", b"x"),
    "upper case": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "leading zeros": (b"0001\r\nx\r\n0000\r\n\r\n", b"x"),
    "data that looks like chunks": (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    "data that looks like a request": (b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN), HIDDEN),
    "trailer": (b"1\r\nx\r\n0\r\nX: y\r\n\r\n", b"x"),
    "trailer host": (b"1\r\nx\r\n0\r\nHost: hidden\r\n\r\n", b"x"),
    "nothing": (b"0\r\n\r\n", b""),
}


def chunks():
    for name, body in CHUNKS.items():
        yield Case(f"chunks: {name}", post(b"Transfer-Encoding: chunked", body=body + HIDDEN),
                   "broken")
    for name, (body, whole) in GOOD_CHUNKS.items():
        yield Case(f"good chunks: {name}", post(b"Transfer-Encoding: chunked", body=body),
                   "passed", whole)
    # Blanks behind a size: taken by some (RFC 7230 had them), and never passed on.
    for name, body in {"blank": b"1 \r\na\r\n0\r\n\r\n", "tab": b"1\t\r\na\r\n0\r\n\r\n",
                       "blank extension": b"1 ; a\r\na\r\n0\r\n\r\n",
                       "trailer length": b"1\r\nx\r\n0\r\nContent-Length: 100\r\n\r\n",
                       "trailer coding": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
                       "17 digits": b"00000000000000001\r\na\r\n0\r\n\r\n"}.items():
        yield Case(f"odd chunks: {name}", post(b"Transfer-Encoding: chunked", body=body), "any")


def lines():
    a = b"Host: a"
    for name, head in {
        "lf only": b"GET PATH HTTP/1.1\nHost: a\n\n",
        "lf request line": b"GET PATH HTTP/1.1\nHost: a\r\n\r\n",
        "lf field": b"GET PATH HTTP/1.1\r\nHost: a\n\r\n",
        "lf at end": b"GET PATH HTTP/1.1\r\nHost: a\r\n\n",
        "cr only": b"GET PATH HTTP/1.1\rHost: a\r\r",
        "cr cr lf": b"GET PATH HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "lf before": b"\nGET PATH HTTP/1.1\r\nHost: a\r\n\r\n",
        "blank before": b" GET PATH HTTP/1.1\r\nHost: a\r\n\r\n",
        "nul before": b"\0GET PATH HTTP/1.1\r\nHost: a\r\n\r\n",
        "first field folded": b"GET PATH HTTP/1.1\r\n Host: a\r\n\r\n",
        "tab first field": b"GET PATH HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
    }.items():
        yield Case(f"line ends: {name}", head)
    for n in range(1, 4):
        yield Case(f"line ends: {n} empty before", b"\r\n" * n + get(), "any")
    for byte in itertools.chain(range(0, 32), (127,)):
        if byte in (9, 10, 13):
            continue
        yield Case(f"byte {byte} in a value", get(b"X: a%cb" % byte))
        yield Case(f"byte {byte} in a name", get(b"X%cY: a" % byte))
        yield Case(f"byte {byte} in the target", get(line=b"GET PATH%cx HTTP/1.1" % byte))
    for byte in b' "(),/;<=>?@[\\]{}\x80\xa0\xff':
        yield Case(f"byte {byte} in a name", get(b"X%cY: a" % byte))
    for byte in b"\x80\xa0\xff":
        yield Case(f"byte {byte} in a value", get(b"X: a%cb" % byte), "passed", b"")
        yield Case(f"byte {byte} in the target", get(line=b"GET PATH%c HTTP/1.1" % byte))
    yield Case("folded", get(b"X: a\r\n b"))
    yield Case("folded tab", get(b"X: a\r\n\tb"))
    yield Case("folded host", get(b"X: y", host=b"Host: a\r\n b"))
    yield Case("folded empty", get(b"X: a\r\n "))
    yield Case("folded request", get(b"X: a\r\n GET /hidden HTTP/1.1"))
    yield Case("no colon", get(b"X"))
    yield Case("no name", get(b": y"))
    yield Case("colon alone", get(b":"))
    yield Case("value of nothing", get(b"X:"), "passed", b"")
    yield Case("tab in a value", get(b"X: a\tb"), "passed", b"")
    yield Case("host twice in one line", get(a + b"\rHost: b"))


def request_lines():
    for name, line in {
        "no version": b"GET PATH", "0.9": b"GET PATH HTTP/0.9", "2.0": b"GET PATH HTTP/2.0",
        "1.2": b"GET PATH HTTP/1.2", "1.10": b"GET PATH HTTP/1.10", "01.1": b"GET PATH HTTP/01.1",
        "1": b"GET PATH HTTP/1", "1.": b"GET PATH HTTP/1.", "lower case": b"GET PATH http/1.1",
        "other protocol": b"GET PATH RTSP/1.0", "ice": b"GET PATH ICE/1.0",
        "two blanks": b"GET  PATH HTTP/1.1", "two blanks behind": b"GET PATH  HTTP/1.1",
        "tab": b"GET\tPATH HTTP/1.1", "tab behind": b"GET PATH\tHTTP/1.1",
        "blank at end": b"GET PATH HTTP/1.1 ", "more": b"GET PATH HTTP/1.1 x",
        "blank in target": b"GET PATH /x HTTP/1.1", "version twice": b"GET PATH HTTP/1.1 HTTP/1.1",
        "no target": b"GET HTTP/1.1", "nothing": b"", "only method": b"GET",
        "method lower case": b"get PATH HTTP/1.1", "method odd": b"G(T PATH HTTP/1.1",
        "method unknown": b"HIDE PATH HTTP/1.1", "connect": b"CONNECT a:80 HTTP/1.1",
        "connect path": b"CONNECT PATH HTTP/1.1", "pri": b"PRI * HTTP/1.1",
        "long method": b"G" * 100 + b" PATH HTTP/1.1",
        "fragment": b"GET PATH#x HTTP/1.1", "relative": b"GET x HTTP/1.1",
        "star": b"GET * HTTP/1.1", "authority": b"GET a:80 HTTP/1.1",
        "ftp": b"GET ftp://a/x HTTP/1.1", "no host": b"GET http:///x HTTP/1.1",
        "user": b"GET http://u@a/x HTTP/1.1", "bad host": b"GET http://a b/x HTTP/1.1",
        "quote": b'GET PATH"x HTTP/1.1', "backslash": b"GET \\x HTTP/1.1",
        "crlf in target": b"GET PATH\r\nX: y HTTP/1.1",
    }.items():
        must = "any" if name == "quote" else "refused"
        yield Case(f"request line: {name}", get(line=line), must)
    yield Case("1.0", get(line=b"GET PATH HTTP/1.0"), "passed", b"")
    yield Case("1.0 kept alive", get(b"Connection: keep-alive", line=b"GET PATH HTTP/1.0"),
               "passed", b"")
    yield Case("1.0 without host", get(line=b"GET PATH HTTP/1.0", host=None), "any")
    yield Case("absolute form", get(line=b"GET http://a%s HTTP/1.1" % b"PATH"), "passed", b"")
    yield Case("absolute form, other host",
               get(line=b"GET http://b%s HTTP/1.1" % b"PATH"), "any")
    yield Case("absolute form, query", get(line=b"GET http://a?PATH HTTP/1.1"), "any")
    yield Case("two slashes", get(line=b"GET /%s HTTP/1.1" % b"PATH"), "any")
    yield Case("dots", get(line=b"GET PATH/../../other HTTP/1.1"), "any")
    yield Case("encoded line end", get(line=b"GET PATH%0d%0aX:%20y HTTP/1.1"), "any")
    yield Case("encoded nul", get(line=b"GET PATH%00 HTTP/1.1"), "any")
    yield Case("long target", get(line=b"GET PATH" + b"x" * 70000 + b" HTTP/1.1"))
    yield Case("options star", get(line=b"OPTIONS * HTTP/1.1"), "any")
    yield Case("trace", get(line=b"TRACE PATH HTTP/1.1"), "any")


def hosts():
    for name, host in {
        "none": None, "empty": b"Host:", "two": b"Host: a\r\nHost: a",
        "two others": b"Host: a\r\nHost: b", "list": b"Host: a, b", "blank": b"Host: a b",
        "path": b"Host: a/b", "user": b"Host: u@a", "port word": b"Host: a:http",
        "port long": b"Host: a:800000", "two ports": b"Host: a:80:81", "bracket": b"Host: [::1",
        "query": b"Host: a?x", "fragment": b"Host: a#x", "backslash": b"Host: a\\b",
        "quote": b'Host: "a"', "scheme": b"Host: http://a", "nul": b"Host: a\0b",
        "high": b"Host: a\xffb", "blank before colon": b"Host : a", "long": b"Host: " + b"a" * 300,
        "less": b"Host: <a>", "brace": b"Host: {a}",
    }.items():
        must = "any" if name == "list" else "refused"
        yield Case(f"host: {name}", get(host=host), must)
    yield Case("host with port", get(host=b"Host: a:8080"), "passed", b"")
    yield Case("host of IPv6", get(host=b"Host: [::1]:80"), "passed", b"")
    yield Case("host_", get(b"Host_: hidden", b"HOST-: hidden"), "passed", b"")


def connections():
    for named in (b"Content-Length", b"Host", b"Cookie", b"Transfer-Encoding", b"Authorization",
                  b"Content-Type", b"X-Forwarded-For", b"Stoa-Home", b"Connection", b"close, Host",
                  b"keep-alive, Content-Length", b"Accept", b"Expect", b"Via", b"X"):
        yield Case(f"connection names {named.decode()}", post(
            b"Content-Length: %d" % len(HIDDEN), b"Connection: " + named, b"Cookie: a=b",
            b"X: y", body=HIDDEN), "passed", HIDDEN)
    for field in (b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"TE: trailers",
                  b"Proxy-Authorization: Basic eA==", b"Trailer: X", b"Upgrade: h2c",
                  b"Upgrade: websocket", b"HTTP2-Settings: AAMAAABkAAQAAP__",
                  b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA",
                  b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1",
                  b"Connection: upgrade\r\nUpgrade: TLS/1.0",
                  b"Connection: \x0bUpgrade\r\nX: y"):
        must = "refused" if b"\x0b" in field else "passed"
        yield Case(f"hop: {field!r}", get(field), must, b"")
    size = b"Content-Length: %d" % len(HIDDEN)
    yield Case("upgrade with a body", post(b"Connection: upgrade", b"Upgrade: websocket", size,
                                           body=HIDDEN), "passed", HIDDEN)
    yield Case("upgrade with chunks", post(b"Connection: upgrade", b"Upgrade: websocket",
                                           b"Transfer-Encoding: chunked", body=CHUNKED_HIDDEN[:5]),
               "passed", b"")
    yield Case("h2 preface behind", get() + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "any")
    for expect in (b"100-continue", b"100-Continue"):
        yield Case(f"expect {expect.decode()}", post(b"Expect: " + expect, size, body=HIDDEN),
                   "passed", HIDDEN)
    for expect in (b"100-continue, x", b"x", b"101-continue", b""):
        yield Case(f"expect {expect.decode()!r}", post(b"Expect: " + expect, size, body=HIDDEN))
    yield Case("expect without a body", get(b"Expect: 100-continue"), "passed", b"")
    yield Case("expect twice", post(b"Expect: 100-continue", b"Expect: x", size, body=HIDDEN), "any")


def sizes():
    yield Case("many fields", get(*[b"X-%d: y" % i for i in range(5000)]))
    yield Case("long value", get(b"X: " + b"y" * 200000))
    yield Case("long name", get(b"X" * 200000 + b": y"))
    yield Case("long body", post(b"Content-Length: 300000", body=b"x" * 300000), "passed",
               b"x" * 300000)
    yield Case("many small chunks", post(b"Transfer-Encoding: chunked",
                                         body=b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"), "passed",
               b"x" * 5000)
    yield Case("body cut short", post(b"Content-Length: 5000", body=HIDDEN), "cut")
    yield Case("chunk cut short", post(b"Transfer-Encoding: chunked", body=b"1000\r\n" + HIDDEN),
               "cut")
    yield Case("head cut short", b"GET PATH HTTP/1.1\r\nHost: a\r\nX: ", "cut")


def corpus():
    groups = (length_and_coding, codings, lengths, chunks, lines, request_lines, hosts, connections,
              sizes)
    cases = [case for group in groups for case in group()]
    for case in cases:
        case.send = case.send.replace(b"PATH", b"/case")
    return cases
