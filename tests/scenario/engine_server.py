"""Starts tests/lib/engine_app.c and talks to it, for the scenarios of the engines.

ENGINE names one; "event+io_uring" is event with --io-uring. `./test engines` runs them with each
in turn; ./test runs those marked `every_engine` with each, and all of them with event.
"""

import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time

import pytest

PROGRAM = os.environ.get("ENGINE_APP") or str(
    pathlib.Path(os.environ.get("STOA", "build/stoa")).resolve().parent / "tests/lib/engine_app"
)
ENGINE, _, BY = os.environ.get("ENGINE", "event").partition("+")
ENGINE_OPTIONS = ["--engine", ENGINE] + (["--io_uring", "1"] if BY else [])
# What there is an own expectation of, in the engines that differ.
HAS_HELPERS = ("event", "amped", "seda")  # threads for what blocks, behind a queue with a bound
ONE_AT_A_TIME = ("loop",)
PROCESSES = ("fork",)
SANITIZED = "asan" in PROGRAM or "tsan" in PROGRAM


def of_engines(*engines, why):
    """For a test of what only ENGINES promise."""
    return pytest.mark.skipif(ENGINE not in engines, reason=f"{why} (not {ENGINE})")


def not_of_engines(*engines, why):
    return pytest.mark.skipif(ENGINE in engines, reason=f"{why} ({ENGINE})")


class Server:
    def __init__(self, folder, *options, tls=True, preexec=None):
        command = [PROGRAM, *ENGINE_OPTIONS, "--listen", "127.0.0.1:0"]
        if tls:
            command += ["--tls", "127.0.0.1:0", "--state", str(folder)]
        command += [str(option) for option in options]
        self.errors = open(pathlib.Path(folder) / "stderr.txt", "w+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.errors, text=True, preexec_fn=preexec
        )
        line = self.process.stdout.readline()
        assert line.startswith("ready "), self.error_text() + line
        self.port, *rest = [int(port) for port in line.split()[1:]]
        self.tls_port = rest[0] if rest else None

    def error_text(self):
        self.errors.flush()
        return pathlib.Path(self.errors.name).read_text()

    def connect(self, timeout=20):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def connect_tls(self, timeout=20, alpn=("http/1.1",)):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(list(alpn))
        raw = socket.create_connection(("127.0.0.1", self.tls_port), timeout=timeout)
        return context.wrap_socket(raw)

    def get(self, path, method="GET", body=None, timeout=20):
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def stats(self):
        return json.loads(self.get("/stats")[2])

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self):
        """The most memory that it has had since its start, or since that was forgotten."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def ask_to_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self, within=20):
        """Seconds that it took. Its exit status must be 0, which sanitizers rely on too."""
        begin = time.monotonic()
        if self.process.poll() is None:
            self.ask_to_stop()
        try:
            status = self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert status == 0, self.error_text()
        return time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def wait_until(condition, seconds=60, every=0.01):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every)
    return found


def read_answer(stream):
    """Status, headers and body of the next answer on the file STREAM; None at its end."""
    first = stream.readline()
    if not first:
        return None
    status = int(first.split()[1])
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    body = b""
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int(stream.readline(), 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    else:
        body = stream.read(int(headers.get("content-length", 0)))
    return status, headers, body


def ended(connection, seconds):
    """True when the server closes CONNECTION within SECONDS; gives what it sent before."""
    received = b""
    connection.settimeout(seconds)
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    except TimeoutError:
        return False, received
    return True, received


class Probe:
    """A client that asks for /page again and again, and notes how long each took.

    A process of its own, so that what else the test does is not measured.
    """

    def __init__(self, server, every=0.002):
        self.server, self.every = server, every
        self.times, self.failure = [], None
        self.stopping = multiprocessing.Event()
        self.count = multiprocessing.Value("Q")
        self.receiver, self.sender = multiprocessing.Pipe(False)
        self.process = multiprocessing.Process(target=self.run)

    def run(self):
        times = []
        try:
            with self.server.connect() as connection:
                stream = connection.makefile("rb")
                while not self.stopping.is_set():
                    begin = time.monotonic()
                    connection.sendall(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert read_answer(stream)[0] == 200
                    times.append(time.monotonic() - begin)
                    self.count.value += 1
                    time.sleep(self.every)
        except Exception as failure:
            self.failure = repr(failure)
        self.sender.send((times, self.failure))

    def __enter__(self):
        self.process.start()
        wait_until(lambda: self.count.value > 0 or not self.process.is_alive())
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.times, self.failure = self.receiver.recv()
        self.process.join()
        assert self.failure is None, self.failure

    def p99(self):
        assert len(self.times) >= 50, "too few requests to speak of a p99"
        return sorted(self.times)[int(len(self.times) * 0.99)]


def runnable():
    """How many threads of the machine have a processor or want one, now."""
    return int(pathlib.Path("/proc/loadavg").read_text().split()[3].split("/")[0])


def hardly_noticed(server, control, run, attempts=3):
    """RUNs an attack on SERVER, again if need be, and checks that others' 99th percentile there is
    at most half above that at CONTROL, a server left in peace meanwhile. A busy process also waits
    a slice of the scheduler, 3 ms, for each other one that wants its core; an idle one does not.
    How many these are is looked at meanwhile: the load average tells of the minute before."""
    measured = []
    for _ in range(attempts):
        wanting = []
        with Probe(server, every=0.001) as probe, Probe(control, every=0.001) as quiet:
            run()

            def enough():
                wanting.append(runnable())
                return min(probe.count.value, quiet.count.value) >= 1000
            wait_until(enough, seconds=60)
        slices = max(1, sorted(wanting)[int(len(wanting) * 0.9)] / os.cpu_count())
        slack = 0.5 if SANITIZED else 0.003 * slices
        measured.append((probe.p99(), quiet.p99(), slack))
        if measured[-1][0] < measured[-1][1] * 1.5 + slack:
            return
    raise AssertionError(f"p99 under attack and in peace, and slack: {measured}")
