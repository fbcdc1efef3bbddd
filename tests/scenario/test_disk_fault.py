"""The faults of tests/lib/disk_fault.c come when they are asked for, where, and only then."""

import os
import pathlib
import subprocess
import sys

import pytest

from disk import LIBRARY, SANITIZED

pytestmark = [pytest.mark.quick,
              pytest.mark.skipif(SANITIZED, reason="a library is preloaded; sanitizers refuse that")]

# What the program under the faults does: each call once, what it gave in a line.
PROGRAM = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
bad = os.open(sys.argv[1] + "/bad", os.O_RDWR | os.O_CREAT, 0o644)
good = os.open(sys.argv[1] + "/good", os.O_RDWR | os.O_CREAT, 0o644)
BYTES = b"x" * 8192
IO_SETUP, IO_SUBMIT, IO_GETEVENTS, PWRITEV, FSYNC = {
    "x86_64": (206, 209, 208, 296, 74), "aarch64": (0, 2, 4, 70, 82)}[os.uname().machine]

def through_syscall(number):
    def call(fd, *args):
        done = libc.syscall(ctypes.c_long(number), ctypes.c_long(fd), *args)
        if done < 0:
            raise OSError(ctypes.get_errno(), "")
        return done
    return call

def vector():
    text = ctypes.create_string_buffer(BYTES)
    parts = (ctypes.c_void_p * 2)(ctypes.addressof(text), len(BYTES))
    parts.text = text
    return parts

context = ctypes.c_ulong(0)

def asynchronous(fd):
    # io_setup, io_submit and io_getevents as libraft makes them.
    if context.value == 0 and libc.syscall(ctypes.c_long(IO_SETUP), 8, ctypes.byref(context)) < 0:
        raise OSError(ctypes.get_errno(), "io_setup")
    text = ctypes.create_string_buffer(BYTES)
    block = ctypes.create_string_buffer(struct.pack(
        "=QIIHhIQQqQII", 7, 0, 0, 1, 0, fd, ctypes.addressof(text), len(BYTES), 0, 0, 0, 0), 64)
    blocks = (ctypes.c_void_p * 1)(ctypes.addressof(block))
    if libc.syscall(ctypes.c_long(IO_SUBMIT), context, ctypes.c_long(1), blocks) != 1:
        raise OSError(ctypes.get_errno(), "")
    event = ctypes.create_string_buffer(32)
    assert libc.syscall(ctypes.c_long(IO_GETEVENTS), context, ctypes.c_long(1), ctypes.c_long(1), event,
                        None) == 1
    data, where, result, _ = struct.unpack("=QQqq", event.raw)
    assert data == 7 and where == ctypes.addressof(block)
    assert struct.unpack_from("=Q", block.raw, 32)[0] == len(BYTES), "the length is as before"
    if result < 0:
        raise OSError(-result, "")
    return result

CALLS = {
    "write": lambda fd: os.write(fd, BYTES),
    "pwrite": lambda fd: os.pwrite(fd, BYTES, 0),
    "writev": lambda fd: os.writev(fd, [BYTES]),
    "pwritev": lambda fd: os.pwritev(fd, [BYTES], 0),
    "fsync": os.fsync,
    "fdatasync": os.fdatasync,
    "ftruncate": lambda fd: os.ftruncate(fd, 0),
    "posix_fallocate": lambda fd: os.posix_fallocate(fd, 0, 4096),
    "syscall_pwritev": lambda fd: through_syscall(PWRITEV)(
        fd, vector(), ctypes.c_long(1), ctypes.c_long(0), ctypes.c_long(0)),
    "syscall_fsync": through_syscall(FSYNC),
    "asynchronous": asynchronous,
}

def outcomes(fd):
    for name, call in CALLS.items():
        try:
            print(name, call(fd))
        except OSError as error:
            print(name, os.strerror(error.errno))
    print(".", flush=True)

for line in sys.stdin:
    outcomes(bad if line.strip() == "bad" else good)
"""

WELL = {"write": "8192", "pwrite": "8192", "writev": "8192", "pwritev": "8192", "fsync": "None",
        "fdatasync": "None", "ftruncate": "None", "posix_fallocate": "None",
        "syscall_pwritev": "8192", "syscall_fsync": "0", "asynchronous": "8192"}
WRITES = {"write", "pwrite", "writev", "pwritev", "syscall_pwritev", "asynchronous"}
SYNCS = {"fsync", "fdatasync", "syscall_fsync"}


class Faulty:
    """The program above, and its rules."""

    def __init__(self, folder):
        self.control = folder / "faults"
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env=os.environ | {"LD_PRELOAD": str(LIBRARY), "STOA_DISK_FAULT": str(self.control)})

    def outcomes(self, file):
        self.process.stdin.write(file + "\n")
        self.process.stdin.flush()
        lines = iter(self.process.stdout.readline, ".\n")
        return dict(line.strip().split(" ", 1) for line in lines)

    def fired(self):
        path = pathlib.Path(f"{self.control}.fired")
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def faulty(tmp_path):
    one = Faulty(tmp_path)
    yield one
    one.process.stdin.close()
    assert one.process.wait(10) == 0


def but(changes):
    return WELL | changes


def test_without_rules_all_is_well(faulty):
    assert faulty.outcomes("bad") == WELL
    assert not faulty.fired()


def test_every_covered_call_fails_on_the_chosen_file_alone(faulty):
    faulty.control.write_text("EIO any */bad\n")
    assert faulty.outcomes("good") == WELL
    assert not faulty.fired()
    assert faulty.outcomes("bad") == {name: "Input/output error" for name in WELL}
    assert len(faulty.fired()) == len(WELL)
    assert all(line.startswith("EIO ") and line.endswith("/bad") for line in faulty.fired())


def test_a_full_disk_fails_writes_and_not_syncs(faulty):
    faulty.control.write_text("ENOSPC write */bad\nENOSPC space */bad\n")
    full = "No space left on device"
    assert faulty.outcomes("bad") == {
        name: WELL[name] if name in SYNCS else full for name in WELL}


def test_short_writes_write_half(faulty):
    faulty.control.write_text("short write */bad\n")
    assert faulty.outcomes("bad") == but({name: "4096" for name in WRITES})


def test_faults_begin_and_end_when_they_are_told_to(faulty):
    faulty.control.write_text("EIO sync */bad 1 1\n")
    assert faulty.outcomes("bad") == but({"fdatasync": "Input/output error"})
    assert faulty.outcomes("bad") == WELL
    faulty.control.write_text("EIO sync */bad\n")
    assert faulty.outcomes("bad") == but({name: "Input/output error" for name in SYNCS})
    faulty.control.unlink()
    assert faulty.outcomes("bad") == WELL
