"""A server whose disk is full, fails or is damaged says so and stops, or heals itself; the other two
go on selling, it comes back, and nothing that was acknowledged is lost."""

import os
import re
import shutil
import subprocess

import pytest

from crowd import Crowd
from disk import SANITIZED, Faults, may_mount, small_disk
from shop_server import wait_until
from test_cluster_faults import HOT, SPREAD, judge, reign, stock_of
from three_servers import COUNT, Three

pytestmark = pytest.mark.skipif(SANITIZED,
                                reason="a library is preloaded; sanitizers refuse that")

DISK = 96  # MiB: the log's segments, the database and some room
ROLES = ["secondary", "primary"]


class Ward:
    """Three servers with faults that can be set, and a small crowd."""

    def __init__(self, folder):
        self.folder = folder
        self.faults = []
        for i in range(COUNT):
            (folder / f"faults-{i}").mkdir()
            self.faults.append(Faults(folder / f"faults-{i}"))
        self.three = Three(folder, stock_of(folder),
                           environments=[faults.environment() for faults in self.faults])
        self.crowd = None

    def __enter__(self):
        try:
            self.three.start_all()
            self.three.wait_healthy()
        except BaseException:
            self.three.__exit__()
            raise
        self.crowd = Crowd(self.three.addresses, self.three.token, SPREAD, HOT, count=60, rate=80)
        self.crowd.begin()
        self.wait_for_sales(50)
        return self

    def __exit__(self, *_):
        if self.crowd:
            self.crowd.abandon()
        self.three.__exit__()

    def choose(self, role):
        """A server that has this role; the primary by its own word."""
        primary, _ = reign(self.three)
        return primary if role == "primary" else (primary + 1) % COUNT

    def wait_for_sales(self, more):
        """The shop goes on selling."""
        aim = self.crowd.counts["carts"] + more
        wait_until(lambda: self.crowd.counts["carts"] >= aim, 60, "more carts")

    def wait_end(self, i, *words):
        """Server I ends by itself, and its last words have all of WORDS."""
        process = self.three.processes[i]
        wait_until(lambda: process.poll() is not None, 60, f"the end of server {i + 1}")
        assert process.returncode == 1, process.returncode
        said = self.three.said(i)
        for word in words:
            assert re.search(word, said, re.IGNORECASE), f"{word!r} is not in: {said}"

    def come_back(self, i):
        self.three.start(i)
        self.three.wait_healthy()
        self.wait_for_sales(20)

    def end(self):
        self.crowd.end()
        assert self.crowd.counts["orders"] > 0
        judge(self.three, self.crowd)


FAILURES = {
    "writes of the log fail": (["EIO write */raft/*"], ["raft", "stops"]),
    "the log's disk is full": (["ENOSPC write */raft/*", "ENOSPC space */raft/*"],
                               ["raft", "space|full", "stops"]),
    "writes of the log are short": (["short write */raft/open-*"], ["raft", "stops"]),
    "writes of the database fail": (["EIO write */shop.db*"], ["shop.db", "stops"]),
    "the database's disk is full": (["ENOSPC write */shop.db*"], ["shop.db", "full|space", "stops"]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_server_stops_and_says_why_when(tmp_path, name):
    rules, words = FAILURES[name]
    with Ward(tmp_path) as ward:
        for role in ROLES:
            i = ward.choose(role)
            ward.faults[i].set(*rules)
            ward.wait_end(i, *words)
            assert ward.faults[i].fired(), "the fault did not come"
            ward.wait_for_sales(50)
            ward.faults[i].set()
            ward.come_back(i)
        ward.end()


def test_one_failed_sync_of_a_database_is_not_taken_for_success(tmp_path):
    """What SQLite could not make durable must not let the log be cut off: the server either stops,
    or goes on with its log as it is."""
    with Ward(tmp_path) as ward:
        i = ward.choose("secondary")
        ward.faults[i].set("EIO sync */shop.db* 0 1")
        wait_until(ward.faults[i].fired, 120, "a sync of the database")
        ward.faults[i].set()
        ward.wait_for_sales(50)
        if not ward.three.runs(i):
            ward.come_back(i)
        ward.three.kill(i)
        ward.come_back(i)
        ward.end()


@pytest.fixture
def little_disk(tmp_path):
    """Moves a directory to a file system of its own; a function that does."""
    mounted = []

    def move(folder):
        aside = folder.with_name(folder.name + ".aside")
        folder.rename(aside)
        disk = small_disk(folder, DISK)
        disk.__enter__()
        mounted.append(disk)
        subprocess.run(["cp", "-a", f"{aside}/.", f"{folder}/"], check=True)
        shutil.rmtree(aside)

    yield move
    for disk in mounted:
        disk.__exit__(None, None, None)


def fill(folder):
    """Takes all the room there is."""
    with open(folder / "ballast", "wb", buffering=0) as file:
        block = bytes(1 << 20)
        while len(block) >= 512:
            try:
                file.write(block)
            except OSError:
                block = block[:len(block) // 2]


@pytest.mark.skipif(not may_mount(), reason="a small file system is mounted, which needs root")
@pytest.mark.parametrize("role", ROLES)
def test_a_server_with_a_full_disk_stops_and_comes_back_when_there_is_room(tmp_path, little_disk,
                                                                           role):
    ward = Ward(tmp_path)
    for folder in ward.three.dirs:
        little_disk(folder)
    with ward:
        i = ward.choose(role)
        ballast = ward.three.dirs[i]
        fill(ballast)
        ward.wait_end(i, "space|full", "stops")
        ward.wait_for_sales(50)
        # It is still full. It may run on what it has already taken of the disk; or it says so again.
        ward.three.start(i, wait=False)
        if not ward.three.is_ready_or_ends(i):
            ward.wait_end(i, "space|full")
        else:
            ward.three.kill(i)
        (ballast / "ballast").unlink()
        ward.come_back(i)
        ward.end()


def last_segment(folder):
    """The one that is written to: of the open ones the first that has been begun."""
    for segment in sorted((folder / "raft").rglob("open-*"), key=lambda p: int(p.name[5:])):
        with open(segment, "rb") as file:
            if any(file.read(4096)):
                return segment
    closed = [p for p in (folder / "raft").rglob("*") if re.fullmatch(r"\d{16}-\d{16}", p.name)]
    return max(closed, key=lambda p: p.name)


def damage(file, offset, size=64):
    with open(file, "r+b") as there:
        there.seek(offset)
        old = there.read(size)
        there.seek(offset)
        there.write(bytes(b ^ 0xA5 for b in old))
        os.fsync(there.fileno())


def begin_damaged(ward, i, word):
    """Starts a server with damaged files. Its end: it said what is wrong; else it has healed."""
    ward.three.start(i, wait=False)
    ready = ward.three.is_ready_or_ends(i)
    said = ward.three.said(i)
    assert re.search(word, said), f"{word!r} is not in: {said}"
    return not ready


@pytest.mark.parametrize("role", ROLES)
def test_a_damaged_last_segment_is_found_and_nothing_is_forgotten(tmp_path, role):
    """The others fill it up, unless one of them counts on it: then the server stops, and a new one
    joins in its place."""
    with Ward(tmp_path) as ward:
        i = ward.choose(role)
        ward.three.kill(i)
        damage(last_segment(ward.three.dirs[i]), 1024)
        ended = begin_damaged(ward, i, "the log has lost its end")
        ward.wait_for_sales(50)
        if ended:
            ward.three.replace(i)
        assert not (ended and role == "primary"), "another one is primary now"
        ward.three.wait_healthy()
        ward.end()


@pytest.mark.parametrize("role", ROLES)
def test_a_damaged_database_is_found_and_is_made_again_when_it_is_put_aside(tmp_path, role):
    with Ward(tmp_path) as ward:
        i = ward.choose(role)
        ward.three.kill(i)
        folder = ward.three.dirs[i]
        for page in range(1, (folder / "shop.db").stat().st_size // 4096):
            damage(folder / "shop.db", page * 4096)
        assert begin_damaged(ward, i, r"shop\.db: the file is damaged; put it aside")
        ward.wait_for_sales(50)
        for file in folder.glob("shop.db*"):
            file.rename(file.with_name(f"aside-{file.name}"))
        ward.come_back(i)
        ward.end()
