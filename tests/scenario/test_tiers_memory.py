"""The memory of the central queue, in a /dev/shm that is small: there is none of it, or there is all
of it for good."""

import contextlib
import subprocess

import pytest

import tiers
from disk import may_mount
from engine_server import not_of_engines
from test_tiers import Crowd, page

pytestmark = [pytest.mark.outside,
              pytest.mark.skipif(not may_mount(), reason="mounts a small /dev/shm, which needs root"),
              not_of_engines("loop", "thread", "fork", "pool", "amped", "seda",
                             why="fronts and workers have engines of their own")]

SMALL = "mount -t tmpfs -o size=40m,mode=1777 tmpfs /dev/shm && echo ready && read end"


class SmallMemory:
    """Processes to which /dev/shm is one of 40 MB: those begun by the program STOA."""

    def __init__(self, folder):
        self.keeper = subprocess.Popen(["unshare", "--mount", "sh", "-c", SMALL],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "ready\n"
        self.stoa = folder / "stoa"
        self.stoa.write_text(f'#!/bin/sh\nexec {" ".join(self.enter)} {tiers.STOA} "$@"\n')
        self.stoa.chmod(0o700)

    @property
    def enter(self):
        return ["nsenter", "--target", str(self.keeper.pid), "--mount"]

    def run(self, command):
        return subprocess.run([*self.enter, "sh", "-c", command], capture_output=True, text=True,
                              timeout=60, check=False).stdout

    def fill(self, most=""):
        """Until nothing is left, or with MOST megabytes."""
        self.run(f"dd if=/dev/zero of=/dev/shm/filler bs=1M {most and f'count={most}'}; sync")


@contextlib.contextmanager
def small_memory(folder):
    memory = SmallMemory(folder)
    try:
        yield memory
    finally:
        memory.keeper.communicate("end\n")


def test_a_queue_has_all_its_memory_at_once_or_is_not_made(tmp_path, monkeypatch):
    with small_memory(tmp_path) as memory:
        monkeypatch.setattr(tiers, "STOA", str(memory.stoa))
        shop = tiers.BenchTiers(tmp_path, "--queue", "128", "--pipe", "128K")
        memory.fill(most=16)
        front = shop.fronts[0]
        front.spawn()
        assert front.process.wait(30) == 1
        assert front.says("no room for the queue's 32 MB in /dev/shm/stoa-queue-"), front.log
        assert front.says("choose fewer slots")
        assert memory.run("ls /dev/shm") == "filler\n", "it left nothing"
        memory.run("rm /dev/shm/filler")
        with shop:
            memory.fill()
            assert memory.run("df --output=avail /dev/shm").split()[-1] == "0"
            crowd = Crowd(shop.listen, "/compute?us=0&wait=1000", 60)
            assert page(shop.listen, "/compute?us=0&wait=20000")[0].status == 200
            crowd.stop()
            assert len(crowd.statuses) >= 60 and set(crowd.statuses) == {200}
            shop.stop()
        assert memory.run("ls /dev/shm") == "filler\n", "it left nothing"
