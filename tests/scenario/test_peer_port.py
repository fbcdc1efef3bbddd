"""The port where servers meet: strangers there are turned away, and disturb nobody."""

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import threading

from cluster_server import Cluster, free_port
from shop_server import STOA, Client, Shop, checkout_body, payment_body, wait_until
from shoppers import told

MUG = checkout_body({"harrow-mug~chalk-350-ml": 1})


def peer_address(cluster, server):
    file = cluster.server_dir(server) / "cluster" / "cluster.json"
    host, port = json.loads(file.read_text())["address"].rsplit(":", 1)
    return host, int(port)


def stranger_tls():
    """Shows no certificate, and looks at none."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    return tls


def cost(pid):
    """(threads, KiB of memory) of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        rows = dict(line.split(":", 1) for line in file)
    return int(rows["Threads"]), int(rows["VmRSS"].split()[0])


def longest_turn(address, token):
    """How long a server's log has kept its processor at once, in seconds."""
    connection = http.client.HTTPConnection(address, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        rows = connection.getresponse().read().decode().splitlines()
    return next(float(row.split()[1]) for row in rows
                if row.startswith("stoa_log_loop_cpu_max_seconds "))


def begin_checkout(address):
    """Its path."""
    client = Client(address)
    with contextlib.closing(client):
        status, checkout = told(client, "POST", "/checkout-sessions", MUG)
    assert status in (200, 201), checkout
    return "/checkout-sessions/" + checkout["id"]


def buy(address):
    path = begin_checkout(address)
    client = Client(address)
    with contextlib.closing(client):
        status, done = told(client, "POST", path + "/complete", payment_body(),
                            Idempotency_Key="once")
    assert status == 200 and done["status"] == "completed", done


class Strangers:
    """Come all the time, each in its own way, and stay as long as they are let."""

    def __init__(self, address):
        self.address = address
        self.over = threading.Event()
        self.came = self.answered = 0
        self.thread = threading.Thread(target=self.come, daemon=True)
        self.tls = stranger_tls()

    def greet_without_certificate(self, connection):
        """A frame that says it is 4 MiB long, from one who shows no certificate."""
        connection.settimeout(0.5)
        with self.tls.wrap_socket(connection) as session:
            session.sendall(b"\0\0\x40\0\1\0\0\0" + bytes(4096))
            self.answered += session.recv(100) != b""

    def come(self):
        waiting = []
        while not self.over.is_set():
            try:
                connection = socket.create_connection(self.address, 1)
                self.came += 1
                if self.came % 4 == 0:
                    connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                elif self.came % 10 == 1:
                    self.greet_without_certificate(connection)
                waiting.append(connection)
            except OSError:  # turned away
                pass
            if len(waiting) > 200:
                waiting.pop(0).close()
            self.over.wait(0.005)
        for connection in waiting:
            connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)


def test_strangers_disturb_no_server_and_no_shopper(tmp_path):
    with Cluster(tmp_path) as cluster:
        primary = cluster.wait_primary()
        other = next(server for server in cluster.view() if server != primary)
        address, pid = cluster.server_address(primary), cluster.pid(primary)
        threads, memory = cost(pid)
        most_threads = 0
        with Strangers(peer_address(cluster, primary)) as strangers:
            # A server that has to come back through the same door, past the crowd.
            killed = cluster.kill_server(other)

            def enough_have_come():
                nonlocal most_threads
                begin_checkout(address)
                most_threads = max(most_threads, cost(pid)[0])
                return strangers.came >= 300
            wait_until(enough_have_come, 60, "300 strangers")
            cluster.wait_back(other, killed)
            buy(cluster.server_address(other))
            assert strangers.answered == 0
        assert cluster.pid(primary) == pid
        # A machine that stands still may move the leadership; strangers cost the log nothing.
        assert longest_turn(address, cluster.token()) < 0.1
        assert most_threads <= threads + 45  # 32 who shake hands, and a few of the server's own
        assert cost(pid)[1] < memory + 64 * 1024
        # What they did is said, and not for each.
        assert 1 <= cluster.log.read_text().count("turned away") <= 12


def begin_join(address, cluster):
    """As `stoa join` does, up to where it would show its token."""
    session = stranger_tls().wrap_socket(socket.create_connection(address, 20))
    # Version, purpose, cluster, generation; of the newcomer: id, start, process, two addresses.
    hello = bytes([1, 3]) + bytes.fromhex(cluster) + bytes([0, 0, 0, 0, 0, 0])
    session.sendall(len(hello).to_bytes(4, "little") + bytes([1, 0, 0, 0]) + hello)
    assert session.recv(100)[4] == 1, "it is refused"
    return session


def test_a_stop_does_not_wait_for_one_who_joins_and_says_nothing(tmp_path):
    shop = Shop(tmp_path)
    peer = ("127.0.0.1", free_port())
    subprocess.run([STOA, "init", "--dir", shop.dir, "--peer-listen", "%s:%d" % peer], check=True,
                   capture_output=True)
    with shop:
        cluster = json.loads((shop.dir / "cluster" / "cluster.json").read_text())["cluster"]
        with begin_join(peer, cluster):
            assert shop.stop(9) == 0  # who joins may take ten seconds for each step
