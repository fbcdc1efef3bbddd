"""An HTTP/2 client that sends whatever one wants, valid or not (RFC 9113, and RFC 7541 without its
tables and its coding of strings). Cleartext, by prior knowledge."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + payload


def integer(value, prefix):
    """An integer of HPACK with PREFIX bits in the first byte, which are all that it sets."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([value])
    out, value = bytes([most]), value - most
    while value >= 128:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def block(fields):
    """A header block: each field as a literal that is not to be remembered."""
    return b"".join(b"\0" + integer(len(name), 7) + name + integer(len(value), 7) + value
                    for name, value in fields)


def headers(stream, fields, ends=True):
    """A header block in as many frames as it needs."""
    whole = block(fields)
    pieces = [whole[at:at + 16000] for at in range(0, len(whole), 16000)] or [b""]
    out = b""
    for number, piece in enumerate(pieces):
        flags = (END_STREAM if ends and number == 0 else 0) | \
            (END_HEADERS if number == len(pieces) - 1 else 0)
        out += frame(CONTINUATION if number else HEADERS, flags, stream, piece)
    return out


class Connection:
    """Streams by number: the bytes of their bodies, and how they ended: "end", "reset" or None."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bodies, self.ends, self.blocks, self.away = {}, {}, {}, False
        self.rest = b""
        self.send(PREFACE + frame(SETTINGS, 0, 0))

    def send(self, raw):
        try:
            self.socket.sendall(raw)
        except OSError:
            self.away = True

    def take_frame(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.away = True
        elif kind == RST_STREAM:
            self.ends.setdefault(stream, "reset")
        elif kind == HEADERS:
            self.blocks[stream] = self.blocks.get(stream, b"") + payload
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.ends[stream] = "end"

    def read_until(self, streams):
        """Until all of STREAMS have ended, or the connection has. False: the latter."""
        while not all(stream in self.ends for stream in streams):
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                return False
            self.rest += got
            while len(self.rest) >= 9:
                length = int.from_bytes(self.rest[:3], "big")
                if len(self.rest) < 9 + length:
                    break
                head, payload = self.rest[:9], self.rest[9:9 + length]
                self.rest = self.rest[9 + length:]
                self.take_frame(head[3], head[4], int.from_bytes(head[5:9], "big"), payload)
        return True

    def close(self):
        self.socket.close()
