"""Three servers of one cluster as processes, to be killed, stopped and cut off one by one.

They are founded by `stoa demo`, which is then stopped; from there on each is a `stoa serve` of its
own. As root each has its own network namespace, with one link to the shoppers' network and one to
the other servers, made and removed here; else all are on loopback and cannot be cut off.
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading

from shop_server import READY, STOA, Shop, wait_until

COUNT = 3


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


class Loopback:
    """Each has an address of its own in 127.0.0.0/8, which no other test has at the same time."""

    cuttable = False

    def __init__(self, count=COUNT):
        net = f"127.{100 + os.getpid() // 256 % 100}.{os.getpid() % 256}"
        self.shop = [f"{net}.{i + 1}:8080" for i in range(count)]
        self.peer = [f"{net}.{i + 1}:7000" for i in range(count)]

    def enter(self, _):
        return []

    def close(self):
        pass


class Namespaces:
    """A namespace for each server. Two bridges: shoppers (on which this process is, too), peers."""

    cuttable = True

    def __init__(self):
        mark = os.getpid() % 10000
        self.names = [f"stoa{mark}-{i}" for i in range(COUNT)]
        self.bridges = [f"st{mark}s", f"st{mark}p"]
        net = self.free_net(mark)
        self.shop = [f"{net}.1.{i + 1}:8080" for i in range(COUNT)]
        self.peer = [f"{net}.2.{i + 1}:7000" for i in range(COUNT)]
        self.links = [[f"{bridge}{i}" for bridge in self.bridges] for i in range(COUNT)]
        try:
            self.make(net)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def free_net(mark):
        """10.100 to 10.199, one that nothing here has: not even what a killed run left behind."""
        used = run("ip", "-4", "-o", "addr", "show")
        nets = [f"10.{100 + (mark + i) % 100}" for i in range(100)]
        return next(net for net in nets if f" {net}." not in used)

    def make(self, net):
        for bridge in self.bridges:
            run("ip", "link", "add", bridge, "type", "bridge", "forward_delay", "0")
            run("ip", "link", "set", bridge, "up")
        run("ip", "addr", "add", f"{net}.1.254/24", "dev", self.bridges[0])
        for i, name in enumerate(self.names):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            for j, bridge in enumerate(self.bridges):
                run("ip", "link", "add", self.links[i][j], "type", "veth", "peer", "name",
                    f"eth{j}", "netns", name)
                run("ip", "link", "set", self.links[i][j], "master", bridge, "up")
                run("ip", "-n", name, "addr", "add", f"{net}.{j + 1}.{i + 1}/24", "dev", f"eth{j}")
                run("ip", "-n", name, "link", "set", f"eth{j}", "up")

    def enter(self, i):
        return ["ip", "netns", "exec", self.names[i]]

    def cut(self, i, everything):
        """Packets to and from server I vanish: those to the other servers, or all."""
        for link in self.links[i] if everything else self.links[i][1:]:
            run("ip", "link", "set", link, "nomaster")

    def heal(self, i):
        for link, bridge in zip(self.links[i], self.bridges):
            run("ip", "link", "set", link, "master", bridge)

    def close(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        for links in self.links:  # gone with its namespace, unless making it broke off
            for link in links:
                subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
        for bridge in self.bridges:
            subprocess.run(["ip", "link", "del", bridge], capture_output=True, check=False)


def may_cut():
    """Whether this process may make network namespaces: root may, but not in every container."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    probe = f"stoa-probe-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=False)
    return done.returncode == 0


class Three:
    """The servers, counted from 0."""

    count = COUNT  # of a subclass: its own
    founders = None  # of a subclass: how many of them the demo founds, the first ones

    def __init__(self, folder, catalogue, network=None, environments=None, options=()):
        self.folder = pathlib.Path(folder)
        self.dirs = [self.folder / "shop" / f"server-{i + 1}" for i in range(self.count)]
        self.logs = [self.folder / f"server-{i + 1}.log" for i in range(self.count)]
        self.network = network or Loopback(self.count)
        self.environments = environments or [{}] * self.count
        self.options = list(options)
        self.processes = [None] * self.count
        self.ids = [i + 1 for i in range(self.count)]
        try:
            self.found(catalogue)
        except BaseException:
            self.network.close()
            raise
        self.token = (self.dirs[0] / "operator.token").read_text().strip()

    def found(self, catalogue):
        founders = self.founders or self.count
        with open(self.folder / "demo.log", "ab") as log:
            demo = subprocess.Popen(
                [STOA, "demo", "--dir", str(self.folder / "shop"), "--listen", "127.0.0.1:0",
                 "--servers", str(founders), "--no-load-manager", "--catalogue", str(catalogue)],
                stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(demo)
        line = demo.stdout.readline()
        assert line.startswith(READY), (line, (self.folder / "demo.log").read_text()[-2000:])
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 0
        demo.stdout.close()
        for i, folder in enumerate(self.dirs[:founders]):
            self.move(folder / "cluster", i)

    def move(self, folder, i):
        """All three move at once, so none could tell the others: as if founded there."""
        file = folder / "cluster.json"
        cluster = json.loads(file.read_text())
        cluster["listen"] = cluster["address"] = self.network.peer[i]
        for founder in cluster["founders"]:
            founder["address"] = self.network.peer[founder["id"] - 1]
        file.write_text(json.dumps(cluster))
        (folder / "book").unlink(missing_ok=True)

    # ---- Processes

    def command(self, i):
        return [STOA, "serve", "--dir", str(self.dirs[i]), "--listen", self.network.shop[i],
                *self.options]

    def start(self, i, wait=True):
        with open(self.logs[i], "ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                self.network.enter(i) + self.command(i),
                stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | self.environments[i])
        Shop.running.add(process)
        self.processes[i] = process
        process.log_begin = begin
        process.ready = threading.Event()
        threading.Thread(target=self.listen, args=(process,), daemon=True).start()
        if wait:
            self.wait_ready(i)

    @staticmethod
    def listen(process):
        """Reads what it says on standard output to its end."""
        with process.stdout as lines:
            for line in lines:
                if line.startswith(READY) or line.startswith("stoa: witness "):
                    process.ready.set()

    def mend(self):
        """Who was killed is started, who was stopped goes on; all are well again."""
        for i in range(self.count):
            if self.runs(i):
                self.go_on(i)
            else:
                self.start(i, wait=False)
        self.wait_healthy()

    def wait_ready(self, i, seconds=60):
        process = self.processes[i]
        wait_until(lambda: process.ready.is_set() or process.poll() is not None, seconds,
                   f"server {i + 1} being ready")
        assert process.poll() is None, f"server {i + 1} ended: {self.log(i)}"

    def is_ready_or_ends(self, i, seconds=60):
        """Waits for either; whether it is ready."""
        process = self.processes[i]
        wait_until(lambda: process.ready.is_set() or process.poll() is not None, seconds,
                   f"server {i + 1} being ready, or its end")
        return process.ready.is_set() and process.poll() is None

    def start_all(self):
        for i in range(self.count):
            self.start(i, wait=False)
        for i in range(self.count):
            self.wait_ready(i)

    def log(self, i, size=2000):
        return self.logs[i].read_text()[-size:]

    def said(self, i):
        """What server I has logged since its last start."""
        return self.logs[i].read_bytes()[self.processes[i].log_begin:].decode()

    def kill(self, i):
        self.processes[i].kill()
        self.processes[i].wait()

    def hang(self, i):
        self.processes[i].send_signal(signal.SIGSTOP)

    def go_on(self, i):
        self.processes[i].send_signal(signal.SIGCONT)

    def stop(self, i, seconds=60):
        self.processes[i].send_signal(signal.SIGTERM)
        return self.processes[i].wait(seconds)

    def runs(self, i):
        return self.processes[i] is not None and self.processes[i].poll() is None

    def __enter__(self):
        try:
            self.start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.network.close()

    def replace(self, i):
        """Server I, which does not run, is taken out; a new one joins in its place."""
        other = str(self.dirs[(i + 1) % self.count])
        run(STOA, "remove", "--dir", other, str(self.ids[i]))
        self.join(i)

    def join(self, i):
        """A new server joins in the place of I, which is no member any more."""
        other = str(self.dirs[(i + 1) % self.count])
        token = run(STOA, "token", "--dir", other).split()[-1]
        fresh = self.dirs[i].with_name(f"replaces-{self.ids[i]}")
        run(*self.network.enter(i), STOA, "join", "--token", token, "--dir", str(fresh),
            "--peer-listen", self.network.peer[i])
        self.dirs[i] = fresh
        self.ids[i] = json.loads((fresh / "cluster" / "cluster.json").read_text())["server"]
        self.start(i)

    # ---- What they say

    @property
    def addresses(self):
        return self.network.shop

    def ask(self, i, path, method="GET", body=None, timeout=20):
        """(status, JSON) from the operator's API of server I."""
        connection = http.client.HTTPConnection(self.addresses[i], timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Authorization": f"Bearer {self.token}",
                                "Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def view(self, i):
        """How server I sees the cluster, or None."""
        try:
            status, cluster = self.ask(i, "/api/v1/cluster", timeout=2)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        return cluster if status == 200 else None

    def primary(self):
        """The primary that most servers see, or None."""
        seen = []
        for i in range(self.count):
            cluster = self.view(i) if self.runs(i) else None
            if cluster:
                seen += [self.ids.index(s["id"]) for s in cluster["servers"]
                         if s["role"] == "primary"]
        return max(set(seen), key=seen.count) if len(seen) > self.count // 2 else None

    def wait_primary(self, seconds=30):
        """The primary, once most servers see the same one: no witness, which gives up that role as
        soon as it can."""
        servers = range(self.founders or self.count)
        found = wait_until(lambda: (one := self.primary()) in servers and [one], seconds,
                           "a primary")
        return found[0]

    def term(self, of=None):
        """The latest term that any server knows, or any in OF; 0: none of them says."""
        views = [self.view(i) for i in of or range(self.count) if self.runs(i)]
        return max((server["term"] for view in views if view for server in view["servers"]),
                   default=0)

    def healthy(self):
        """All up, caught up, and of one mind about who is primary."""
        primaries = set()
        for i in range(self.count):
            cluster = self.view(i)
            if not cluster or len(cluster["servers"]) != self.count:
                return False
            for server in cluster["servers"]:
                if server["state"] != "up" or server["lag_entries"] > 1000:
                    return False
            primaries.add(cluster["primary"])
        return len(primaries) == 1 and primaries != {0}

    def wait_healthy(self, seconds=60):
        wait_until(self.healthy, seconds, "a healthy cluster")

    def audit(self, i):
        """`stoa audit`: (exit status, report)."""
        done = subprocess.run([STOA, "audit", "--json", str(self.dirs[i])], capture_output=True,
                              text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def digest(self, i):
        """(entry, SHA-256 of all that server I's copy holds as of it)."""
        done = json.loads(run(STOA, "audit", "--digest", "--json", str(self.dirs[i])))
        return done["index"], done["digest"]

    def orders(self, i):
        """The ids of all orders, out of server I's copy."""
        with contextlib.closing(sqlite3.connect(f"file:{self.dirs[i]}/shop.db?mode=ro",
                                                uri=True)) as db:
            return [id.hex() for id, in db.execute("SELECT id FROM orders")]

    def copies_agree(self):
        """Whether all copies are at one entry; then they must be the same."""
        digests = [self.digest(i) for i in range(self.count)]
        if len({index for index, _ in digests}) > 1:
            return False
        assert len(set(digests)) == 1, f"the copies differ: {digests}"
        return True
