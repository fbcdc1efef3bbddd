"""Tiers on two machines: a shop's queue, and workers and fronts that come to it by the link. The
machines are folders, and the wire between them a relay that can be cut."""

import contextlib
import pathlib
import select
import shutil
import socket
import subprocess
import threading

from cluster_server import free_port
from shop_server import STOA, Client
from tiers import Member, Tiers


class Relay(threading.Thread):
    """Hands bytes on between whoever connects and TARGET. While it is cut, it keeps what comes, so
    that both ends hear nothing, and takes in nobody else."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target = target
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.other = {}
        self.is_cut, self.over = False, False
        self.start()

    def end(self, one):
        for side in (one, self.other.get(one)):
            if side:
                self.other.pop(side, None)
                side.close()

    def take_in(self):
        one = self.door.accept()[0]
        try:
            if self.is_cut:
                raise ConnectionRefusedError
            other = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            one.close()
            return
        self.other[one], self.other[other] = other, one

    def hand_on(self, one):
        try:
            data = one.recv(65536)
            if data:
                self.other[one].sendall(data)
                return
        except OSError:
            pass
        self.end(one)

    def run(self):
        while not self.over:
            sides = [] if self.is_cut else list(self.other)
            for one in select.select([self.door, *sides], [], [], 0.02)[0]:
                if one is self.door:
                    self.take_in()
                elif one in self.other:
                    self.hand_on(one)
        for one in list(self.other):
            self.end(one)
        self.door.close()

    def stop(self):
        self.over = True
        self.join()


def token_of(folder):
    return subprocess.run([STOA, "token", "--tiers", "--dir", folder], text=True, check=True,
                          stdout=subprocess.PIPE).stdout


class FarTiers(Tiers):
    """As Tiers, whose workers are all on the other machine, and one front more, which clients ask."""

    def __init__(self, folder, fronts=1, workers=2, front_options=(), worker_options=()):
        folder = pathlib.Path(folder)
        self.link = free_port()
        self.relay = Relay(self.link)
        self.token_file = folder / "tiers.token"
        self.place = folder / "other"
        self.place.mkdir()
        self.status = f"127.0.0.1:{free_port()}"
        super().__init__(folder, fronts, workers, ["--link", f"127.0.0.1:{self.link}", "--status",
                                                   self.status, *front_options], worker_options)
        self.far_listen = f"127.0.0.1:{free_port()}"
        self.far_front = self.new_far_front(*front_options)

    def far(self, *options):
        return [f"127.0.0.1:{self.relay.port}", "--token-file", str(self.token_file), *options]

    def new_worker(self, number):
        return Member(self, f"worker{number}", "worker", "stoa: worker ready at ", "--queue",
                      *self.far("--dir", self.dir), *self.worker_options)

    def new_far_front(self, *options):
        return Member(self, "far_front", "front", "stoa: front ready at ", "--follow",
                      *self.far("--listen", self.far_listen), *options)

    def make_token(self):
        self.token_file.write_text(token_of(self.dir))

    def start(self):
        self.server.start()
        self.make_token()
        for one in [*self.fronts, *self.workers, self.far_front]:
            one.start()
        return self

    def client(self, timeout=20):
        return Client(self.far_listen, timeout)

    def stop(self):
        assert self.far_front.stop() == 0
        super().stop()

    def __exit__(self, *_):
        if self.far_front.process and self.far_front.process.poll() is None:
            self.far_front.kill()
        super().__exit__()
        self.relay.stop()
        for place in self.place.glob("stoa-far-*/*"):
            with contextlib.suppress(OSError):
                about = place.stat()
                shutil.rmtree(pathlib.Path("/dev/shm") / f"stoa-queue-{about.st_dev:x}-"
                              f"{about.st_ino:x}-{about.st_uid:x}", ignore_errors=True)
