"""What tools/bench-hop does; see there."""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import tempfile

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processor_us(processes):
    ticks = 0
    for process in processes:
        words = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(words[11]) + int(words[12])
    return ticks * 1e6 / TICK


class Server:
    """Some processes that answer together; the first line of the last one says where."""

    def __init__(self, stoa, address, *commands):
        self.processes, self.address = [], address
        for command in commands:
            process = subprocess.Popen([stoa, *command], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
            self.processes.append(process)
            line = process.stdout.readline()
            if "ready" not in line:
                raise SystemExit(f"bench-hop: {' '.join(command)} did not start: {line!r}")
            if line.startswith("ready at port"):
                self.address = f"127.0.0.1:{line.split()[-1]}"

    def measure(self, stoa, options):
        before = processor_us(self.processes)
        done = subprocess.run(
            [stoa, "bench", "--json", "http", f"http://{self.address}/cached", "--connections",
             str(options.connections), "--duration", f"{options.seconds}s", "--warm-up", "500ms"],
            capture_output=True, text=True, check=True)
        spent = processor_us(self.processes) - before
        report = json.loads(done.stdout)
        rate = report["operations"] / report["seconds"]
        # The warm-up's requests cost, too.
        asked = rate * (options.seconds + 0.5)
        return {"rate": rate, "p50": report["latency_ms"]["p50"], "p99": report["latency_ms"]["p99"],
                "us": spent / asked}

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(20)


def main():
    parser = argparse.ArgumentParser(prog="bench-hop")
    parser.add_argument("--root")
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    stoa = str(pathlib.Path(options.root, options.build, "stoa"))
    if not os.access(stoa, os.X_OK):
        raise SystemExit(f"bench-hop: {stoa} is not there: tools/build {options.build} stoa")
    with tempfile.TemporaryDirectory() as folder:
        one = Server(stoa, None, ["bench", "engine", "event", "--dir", folder])
        listen = f"127.0.0.1:{free_port()}"
        tiers = Server(stoa, listen,
                       ["front", "--master", "--dir", folder, "--listen", listen, "--loops", "1"],
                       ["worker", "--queue", folder, "--bench", "200000", "--helpers", "1"])
        rounds = {"one process": [], "front and worker": []}
        for _ in range(options.rounds):
            rounds["one process"].append(one.measure(stoa, options))
            rounds["front and worker"].append(tiers.measure(stoa, options))
        tiers.stop()
        one.stop()
    print(f"{'':18}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'processor us':>14}")
    for name, found in rounds.items():
        median = {key: statistics.median(one[key] for one in found) for key in found[0]}
        print(f"{name:18}{median['rate']:12,.0f}{median['p50']:9.3f}{median['p99']:9.3f}"
              f"{median['us']:14.2f}")
    hops = [b["us"] - a["us"] for a, b in zip(*rounds.values())]
    print(f"the hop: {statistics.median(hops):.2f} us of processor for a request "
          f"(rounds {', '.join(f'{hop:.2f}' for hop in hops)})")


if __name__ == "__main__":
    main()
