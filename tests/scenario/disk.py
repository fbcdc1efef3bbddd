"""Disks that fail: tests/lib/disk_fault.c preloaded into a server, and small file systems."""

import contextlib
import os
import pathlib
import subprocess

from shop_server import STOA

LIBRARY = pathlib.Path(os.environ.get("STOA_DISK_FAULT_LIBRARY") or
                       pathlib.Path(STOA).resolve().parent / "tests" / "lib" / "disk_fault.so")

# A sanitizer's own runtime wants to be loaded before any other library.
SANITIZED = "asan" in STOA or "tsan" in STOA


class Faults:
    """The rules for one process: give environment() to it, and set() what is to fail."""

    def __init__(self, folder):
        self.control = pathlib.Path(folder) / "faults"

    def environment(self):
        assert LIBRARY.exists(), f"{LIBRARY} is missing: build with -Dtests=enabled"
        return {"LD_PRELOAD": str(LIBRARY), "STOA_DISK_FAULT": str(self.control)}

    def set(self, *rules):
        """Each as disk_fault.c has it: "EIO write */open-*". None: all is well again."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text("".join(rule + "\n" for rule in rules))
        pathlib.Path(f"{self.control}.fired").unlink(missing_ok=True)
        fresh.rename(self.control)

    def fired(self):
        """Those that came since the last set()."""
        path = pathlib.Path(f"{self.control}.fired")
        return path.read_text().splitlines() if path.exists() else []


def may_mount():
    return os.geteuid() == 0


@contextlib.contextmanager
def small_disk(folder, mebibytes):
    """A file system of MEBIBYTES at FOLDER, in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs",
                    str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
