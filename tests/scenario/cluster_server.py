"""A shop of several servers for a scenario: `stoa demo` on free ports, in a folder of its own."""

import collections
import json
import os
import pathlib
import random
import signal
import socket
import subprocess

from shop_server import READY, STOA, Client, Shop, wait_until


class Cluster(Shop):
    """A demo: its parent process is `process`. start(), kill_server(id) and so on, as often as one
    likes, on the same data. `url` is the first server's, or with `managers` the first load
    manager's."""

    def __init__(self, folder, *options, servers=3, catalogue="demo", managers=0):
        super().__init__(folder, *options, catalogue=catalogue)
        self.servers = servers
        self.managers = managers

    def spawn(self):
        command = [STOA, "demo", "--dir", str(self.dir), "--listen", "127.0.0.1:0"]
        if self.servers:
            command += ["--servers", str(self.servers)]
        if self.managers:
            command += ["--load-managers", str(self.managers)]
        else:
            command += ["--no-load-manager"]
        if self.catalogue:
            command += ["--catalogue", str(self.catalogue)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + list(self.options), stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(self.process)

    def start(self, seconds=60):
        super().start(seconds)
        self.wait_all_up(seconds)
        return self

    def status(self):
        """What `stoa status --json` says."""
        return status(self.dir)

    def view(self):
        """{id: server} by status."""
        return {s["id"]: s for s in self.status()["servers"]}

    def primary(self):
        """The id of the primary; None: nobody is."""
        return self.status()["primary"] or None

    def secondary(self):
        """The id of a server that is up and not the primary, once there is one."""
        def found():
            return next((s["id"] for s in self.view().values()
                         if s["role"] == "secondary" and s["state"] == "up"), None)
        return wait_until(found, what="a secondary")

    def wait_all_up(self, seconds=30, count=None, behind=0):
        """Waits until all servers are up, one is primary, and no copy is behind: under a load, by
        more than BEHIND changes. Who has just died is told as up for a moment: so the processes
        are looked at as well."""
        def settled():
            view = self.status()
            servers = view["servers"]
            return view["primary"] and len(servers) == (count or self.servers or len(servers)) and \
                all(s["state"] == "up" and s["url"] and s["lag_entries"] <= behind and
                    is_alive(s["pid"]) for s in servers)
        wait_until(settled, seconds, f"all servers up (log: {self.log})")
        return self

    def wait_back(self, server, pid, seconds=30, behind=0):
        """Waits until SERVER, which was killed as process PID, runs again, and then for all: what
        is told of it just after its death may be from before."""
        wait_until(lambda: self.view()[server]["pid"] != pid, seconds, f"server {server} anew")
        return self.wait_all_up(seconds, behind=behind)

    def wait_primary(self, other_than=None, seconds=30):
        """The id of the primary, once there is one that is not OTHER_THAN."""
        return wait_until(lambda: (found := self.primary()) != other_than and found, seconds,
                          "a primary")

    def server_dir(self, server):
        return self.dir / f"server-{server}"

    def pid(self, server):
        """Of the server process that runs now; None: none does."""
        try:
            pid = json.loads((self.server_dir(server) / "server.json").read_text())["pid"]
        except (OSError, ValueError):
            return None
        return pid if is_alive(pid) else None

    def server_url(self, server):
        return self.view()[server]["url"]

    def server_address(self, server):
        return self.server_url(server).split("//")[1]

    def client(self, server, timeout=20):
        return Client(self.server_address(server), timeout)

    def signal_server(self, server, number):
        """A signal to one of the servers; its process id."""
        pid = wait_until(lambda: self.pid(server), 30, f"server {server} to run")
        os.kill(pid, number)
        return pid

    def kill_server(self, server):
        """kill -9; the demo starts it again, unless it was told --no-restart."""
        return self.signal_server(server, signal.SIGKILL)

    def token(self):
        return (self.dir / "operator.token").read_text().strip()

    def audit(self, server=1):
        done = subprocess.run([STOA, "audit", "--json", str(self.server_dir(server))],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


class Member(Shop):
    """One server of a cluster, as `stoa serve` on a folder that init or join has made."""

    def __init__(self, folder, *options, catalogue=None):
        super().__init__(folder, *options, catalogue=catalogue)
        self.log = pathlib.Path(folder) / "server.log"


def status(folder):
    """What `stoa status --json` says of FOLDER."""
    done = run("status", "--json", "--dir", str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run(*words, timeout=60, **more):
    """`stoa WORDS`, ended."""
    return subprocess.run([STOA, *words], capture_output=True, text=True, timeout=timeout,
                          check=False, **more)


def free_port():
    """A port of 127.0.0.1 that nobody listens at, outside of those that connections get, and that
    was not given lately: whom it is for may not listen there yet."""
    for _ in range(1000):
        port = random.randrange(12000, 19000)
        if port in free_port.given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free_port.given.append(port)
        return port
    raise AssertionError("no free port")


free_port.given = collections.deque(maxlen=1000)


def is_alive(pid):
    """Whether a process is there and not a zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        return text.rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_dead(pid, seconds=30):
    wait_until(lambda: not is_alive(pid), seconds, f"process {pid} to end")


__all__ = ["Cluster", "Member", "READY", "free_port", "is_alive", "run", "status",
           "wait_dead", "wait_until"]
