"""Doors at which a connection begins with the PROXY protocol's header, and what is sent on."""

import socket
import ssl
import struct
import subprocess

import pytest

from cluster_server import free_port
from engine_server import ENGINE_OPTIONS, PROGRAM
from raw_front import RawFront, exchange, read_answers
from shop_server import Shop

pytestmark = pytest.mark.front

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ASK = b"GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CLIENT = "192.0.2.1 192.0.2.1:40000 198.51.100.2:80"


def v2(client=("192.0.2.1", 40000), here=("198.51.100.2", 80), more=b"", command=0x21):
    body = socket.inet_aton(client[0]) + socket.inet_aton(here[0]) + \
        struct.pack(">HH", client[1], here[1]) + more
    return SIGNATURE + bytes([command, 0x11]) + struct.pack(">H", len(body)) + body


def v6():
    body = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + \
        socket.inet_pton(socket.AF_INET6, "2001:db8::2") + struct.pack(">HH", 1, 2)
    return SIGNATURE + b"\x21\x21" + struct.pack(">H", len(body)) + body


def start(folder, *options):
    process = subprocess.Popen(
        [PROGRAM, *ENGINE_OPTIONS, "--state", str(folder), "--loops", "1", *options],
        stdout=subprocess.PIPE,
        text=True)
    Shop.running.add(process)
    ports = [int(port) for port in process.stdout.readline().split()[1:]]
    return process, ports


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    process, ports = start(tmp_path_factory.mktemp("doors"), "--proxy", "127.0.0.1:0",
                           "--proxytls", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    yield ports
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()


def peer(port, header, pieces=None):
    """What /peer says behind HEADER, which is sent in pieces of that length."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = header + ASK
        for at in range(0, len(whole), pieces or len(whole)):
            connection.sendall(whole[at:at + (pieces or len(whole))])
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    answers, _ = read_answers(received)
    return answers[0].body.decode().strip()


@pytest.mark.every_engine
@pytest.mark.parametrize("pieces", [None, 1, 7, 28])
def test_the_client_is_the_one_that_the_header_names(doors, pieces):
    assert peer(doors[0], v2(), pieces) == "http " + CLIENT
    assert peer(doors[0], v2(more=b"\x04\0\x03abc"), pieces) == "http " + CLIENT
    assert peer(doors[0], v6(), pieces) == \
        "http 2001:db8::1 [2001:db8::1]:1 [2001:db8::2]:2"
    assert peer(doors[0], b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 80\r\n", pieces) == \
        "http " + CLIENT


def test_a_proxy_of_its_own_is_itself(doors):
    for header in (v2(command=0x20), SIGNATURE + b"\x20\0\0\0", b"PROXY UNKNOWN\r\n"):
        said = peer(doors[0], header).split()
        assert said[1] == "127.0.0.1" and said[3] == f"127.0.0.1:{doors[0]}"


@pytest.mark.every_engine
def test_the_header_stands_before_tls(doors):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", doors[1]), timeout=20) as raw:
        raw.sendall(v2())
        with context.wrap_socket(raw) as connection:
            connection.sendall(ASK)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.endswith(f"https {CLIENT}\n".encode())


@pytest.mark.parametrize("header", [
    b"", b"GET", b"PROXY", SIGNATURE[:-1] + b"x", v2(command=0x31), v2(command=0x2f),
    SIGNATURE + b"\x21\x11\0\x04abcd", SIGNATURE + b"\x21\x11\xff\xff",
    b"PROXY TCP4 x y 1 2\r\n", b"PROXY TCP4 " + b"1" * 200], ids=repr)
def test_without_a_header_there_is_no_answer(doors, header):
    received, _ = exchange(doors[0], header + ASK)
    assert received == b""


@pytest.mark.every_engine
def test_elsewhere_the_header_is_no_request(doors):
    received, _ = exchange(doors[2], v2() + ASK)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert peer(doors[2], b"").startswith("http 127.0.0.1 ")


def test_only_who_is_trusted_may_say_whose_a_connection_is(tmp_path):
    process, ports = start(tmp_path, "--trust", "192.0.2.0/24", "--proxy", "127.0.0.1:0")
    with process.stdout:
        assert exchange(ports[0], v2() + ASK)[0] == b""
        process.terminate()
        assert process.wait(60) == 0


def test_a_load_manager_takes_it_and_sends_it_on(tmp_path):
    """Shopper, proxy, load manager, server: the server knows the shopper."""
    process, ports = start(tmp_path, "--proxy", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    port = free_port()
    with process.stdout, RawFront(
            tmp_path, [f"http://127.0.0.1:{ports[0]}"], "--proxy-protocol-out", "--listen-proxy",
            f"127.0.0.1:{port}", "--trust", "127.0.0.0/8"):
        for client in ("192.0.2.1", "192.0.2.77", "192.0.2.1"):
            assert peer(port, v2((client, 4000))).split()[1:3] == [client, f"{client}:4000"]
        process.terminate()
        process.wait(60)


@pytest.mark.long
def test_a_header_that_does_not_come_is_not_waited_for_long(doors):
    with socket.create_connection(("127.0.0.1", doors[0]), timeout=60) as connection:
        connection.sendall(v2()[:20])
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass
