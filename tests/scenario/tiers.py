"""The tiers of one shop on this machine: a server that writes, fronts that queue, workers."""

import os
import pathlib
import shutil
import signal
import subprocess

from cluster_server import free_port
from shop_server import STOA, Client, Shop


class Member(Shop):
    """A front or a worker: `stoa ROLE` with OPTIONS."""

    def __init__(self, tiers, name, role, ready, *options):
        super().__init__(tiers.folder, *options)
        self.log = tiers.folder / f"{name}.log"
        self.role, self.ready = role, ready

    def spawn(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([STOA, self.role, *self.options],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(self.process)

    def says(self, text):
        return text in self.log.read_text()

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def client(self, timeout=20):
        return Client(self.address, timeout)


class Tiers:
    """A server, FRONTS fronts at one address and WORKERS workers, all in FOLDER."""

    def __init__(self, folder, fronts=1, workers=2, front_options=(), worker_options=()):
        self.folder = pathlib.Path(folder)
        self.server = Shop(folder, "--shared")
        self.dir = str(self.server.dir)
        self.listen = f"127.0.0.1:{free_port()}"
        self.front_options, self.worker_options = front_options, worker_options
        self.fronts = [self.new_front(i) for i in range(fronts)]
        self.workers = [self.new_worker(i) for i in range(workers)]

    def new_front(self, number):
        place = ["--follow", self.dir] if number else ["--master", "--dir", self.dir]
        return Member(self, f"front{number}", "front", "stoa: front ready at ", *place,
                      "--listen", self.listen, *self.front_options)

    def new_worker(self, number):
        return Member(self, f"worker{number}", "worker", "stoa: worker ready at ", "--queue",
                      self.dir, *self.worker_options)

    def start(self):
        for one in [self.server, *self.fronts, *self.workers]:
            one.start()
        return self

    def client(self, timeout=20):
        return Client(self.listen, timeout)

    @property
    def queue(self):
        """Where the central queue is, in memory."""
        about = os.stat(self.dir)
        return pathlib.Path("/dev/shm") / \
            f"stoa-queue-{about.st_dev:x}-{about.st_ino:x}-{os.geteuid():x}"

    def stop(self):
        """All of them, in good order."""
        for one in [*self.fronts, *self.workers, self.server]:
            if one.process and one.process.poll() is None:
                assert one.stop() == 0, one.log

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        for one in [*self.fronts, *self.workers, self.server]:
            if one.process and one.process.poll() is None:
                one.kill()
        shutil.rmtree(self.queue, ignore_errors=True)  # after a kill nobody does it


class BenchTiers(Tiers):
    """A front and a worker, which has the pages of `stoa bench engines` in place of a shop, and one
    helper for those that take work."""

    def __init__(self, folder, *front_options):
        super().__init__(folder, fronts=1, workers=1, front_options=front_options,
                         worker_options=["--bench", "100000", "--helpers", "1"])
        self.server.dir.mkdir()

    def start(self):
        for one in [*self.fronts, *self.workers]:
            one.start()
        return self
