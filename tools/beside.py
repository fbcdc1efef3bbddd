"""What the benches that compare processes have in common (bench-peers, bench-balance,
bench-uploads): processes on cores of their own, wrk's report in full, processor time, and measuring
again what the host has disturbed."""

import atexit
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk"}
ENVIRONMENT = {**os.environ, "PATH": PATH}

# Run by wrk at its end: what its own report lacks (p99.9, and no rounding).
DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"p999_ms":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fetch(url):
    end = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def install(programs):
    """What is missing of PROGRAMS, without starting any service."""
    missing = [PACKAGES[p] for p in programs if not shutil.which(p, path=PATH)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit(f"missing: apt-get install {' '.join(missing)}")
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing],
                   env={**os.environ, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"},
                   stdout=subprocess.DEVNULL, check=True)


def stop(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


# ---- Processor time ----

def family(pid):
    """PID and all processes below it."""
    found = [pid]
    for known in found:
        for task in pathlib.Path(f"/proc/{known}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def processor_ns(pid):
    """Processor time of PID and what is below it, so far."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for each in family(pid) for task in pathlib.Path(f"/proc/{each}/task").iterdir())


def machine_ticks():
    """(what the host took for others, all) of this machine's processors, so far."""
    line = pathlib.Path("/proc/stat").read_text().split("\n", maxsplit=1)[0]
    ticks = [int(word) for word in line.split()[1:9]]
    return ticks[7], sum(ticks)


AUTOGROUP = pathlib.Path("/proc/self/autogroup")


def raise_priority():
    """This process and those that it starts come before all others until it ends; for root alone.
    Where Linux shares the processors out between sessions first (autogroup), nice counts for little:
    the session is raised too."""
    try:
        os.nice(-20)
        if AUTOGROUP.exists():
            usual = AUTOGROUP.read_text().split()[-1]
            AUTOGROUP.write_text("-20")
            atexit.register(AUTOGROUP.write_text, usual)
    except OSError as why:
        sys.exit(f"the priority cannot be raised ({why}): run it as root, or without --raise")


# ---- Measuring ----

QUIET = 0.02  # of the time may be stolen from a measurement that is not taken again
TRIES = 4


def quietly(measure_once, tries=TRIES):
    """What the quietest of up to TRIES calls gave, a dictionary, with "stolen" in it."""
    found = None
    for _ in range(tries):
        before = machine_ticks()
        row = measure_once()
        stolen, every = (a - b for a, b in zip(machine_ticks(), before))
        row["stolen"] = stolen / max(1, every)
        if not found or row["stolen"] < found["stolen"]:
            found = row
        if found["stolen"] <= QUIET:
            break
    return found


def children_s():
    """Processor time of the processes that have ended and been waited for."""
    times = os.times()
    return times.children_user + times.children_system


def load(folder, pid, url, connections, seconds, cores):
    """wrk on CORES, one thread on each; FOLDER has DONE in done.lua. PID is who serves."""
    before, others = processor_ns(pid), children_s()
    out = subprocess.run(
        ["taskset", "-c", cores, "wrk", f"-t{len(cores.split(','))}", f"-c{connections}",
         f"-d{seconds}s", "-s", folder / "done.lua", url],
        capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout
    spent, generator_s = processor_ns(pid) - before, children_s() - others
    row = json.loads(out.strip().splitlines()[-1])
    return {"requests_per_s": row["requests"] / row["seconds"], "p50_ms": row["p50_ms"],
            "p99_ms": row["p99_ms"], "p999_ms": row["p999_ms"], "errors": row["errors"],
            "cpu_us": spent / 1e3 / max(1, row["requests"]),
            "cpu_share": spent / 1e9 / row["seconds"], "load_share": generator_s / row["seconds"]}


def open_load(stoa, pid, url, connections, seconds, cores, rate):
    """The same row by `stoa bench http`: an open loop of RATE a second, after a second that does not
    count but in the processor's time."""
    before, requests = processor_ns(pid), rate * (seconds + 1)
    out = subprocess.run(
        ["taskset", "-c", cores, stoa, "bench", "http", url, "--connections", str(connections),
         "--rate", str(rate), "--threads", str(len(cores.split(","))), "--duration", f"{seconds}s",
         "--warm-up", "1s", "--json"], capture_output=True, text=True, check=True).stdout
    spent, row = processor_ns(pid) - before, json.loads(out)
    took = row["latency_ms"]
    return {"requests_per_s": row["operations_per_s"], "p50_ms": took["p50"],
            "p99_ms": took["p99"], "p999_ms": took["p99.9"],
            "errors": row["failed"] + row["refused"] + row["missed"],
            "cpu_us": spent / 1e3 / requests, "cpu_share": spent / 1e9 / (seconds + 1),
            "load_share": row["generator_busy"]}


def by_turns(rounds, started, measure_once, tries=TRIES):
    """{name: [a row for each round]}; each round begins with another of STARTED."""
    results = {name: [] for name in started}
    names = list(started)
    for number in range(rounds):
        turn = number % len(names)
        order = names[turn:] + names[:turn]
        for name in order if number // len(names) % 2 == 0 else reversed(order):
            results[name].append(quietly(lambda: measure_once(*started[name]), tries))
    return results
