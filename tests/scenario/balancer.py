"""A load manager for a scenario, `stoa balance` on free ports, and small servers behind it."""

import contextlib
import http.client
import http.server
import json
import pathlib
import subprocess
import threading
import time

from cluster_server import free_port
from shop_server import STOA, Shop, wait_until

# For who counts who answers: the machine may stand still for a moment, of which nobody dies.
PATIENT = ("--hedge", "off", "--silent-after", "60s", "--checks-lost", "1000")


class Balancer(Shop):
    """One load manager, with a status door unless `door` is false."""

    ready = "stoa: load manager ready at "

    def __init__(self, folder, *options, name="balance", door=True):
        super().__init__(folder, *(str(option) for option in options))
        self.log = pathlib.Path(folder) / f"{name}.log"
        self.has_door = door
        self.door = None

    def spawn(self):
        command = [STOA, "balance", "--listen", "127.0.0.1:0", *self.options]
        if self.has_door:
            self.door = f"127.0.0.1:{free_port()}"
            command += ["--status", self.door]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(self.process)

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def look(self, path):
        connection = http.client.HTTPConnection(self.door, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

    def servers(self):
        """{name: server} as the load manager sees them."""
        return {server["name"]: server for server in self.look("/balance.json")["servers"]}

    def state(self, server):
        """Of a server, by its name; None: it is not known."""
        return self.servers().get(server, {}).get("state")

    def wait_state(self, server, *states, seconds=30):
        return wait_until(lambda: self.state(server) in states and self.state(server), seconds,
                          f"{server} being {' or '.join(states)}")

    def events(self, kind, server=None):
        """What has happened of this kind (to SERVER), oldest first."""
        return [event for event in self.look("/events.json")["events"]
                if event["kind"] == kind and (server is None or event.get("name") == server)]

    def wait_event(self, kind, server=None, seconds=30, saying=""):
        """The latest one whose text has SAYING in it."""
        def found():
            return [event for event in self.events(kind, server) if saying in event["text"]]
        return wait_until(found, seconds, f"{server}: {kind} {saying}")[-1]

    def get(self, path="/", connection=None, timeout=20):
        """(status, body) of a GET, on a connection of its own if none is given."""
        own = connection or http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            own.request("GET", path)
            answer = own.getresponse()
            return answer.status, answer.read().decode()
        finally:
            if not connection:
                own.close()


class Upstream:
    """Any HTTP server. It says its name, and notes what it was asked and when. `check` is the path
    by which it is checked; `status` is what it answers to all else, and `pause` for how long it
    thinks before that; while `hangs` nothing at all is answered."""

    def __init__(self, check="/ok"):
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.name}"
        self.check = check
        self.status = 200
        self.check_status = 200
        self.pause = 0
        self.checks = []
        self.asked = []
        self.answers = threading.Event()
        self.answers.set()
        self.server = None
        self.start()

    @property
    def hangs(self):
        return not self.answers.is_set()

    @hangs.setter
    def hangs(self, value):
        if value:
            self.answers.clear()
        else:
            self.answers.set()

    def start(self):
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):  # pylint: disable=invalid-name
                upstream.answers.wait()
                is_check = self.path == upstream.check
                (upstream.checks if is_check else upstream.asked).append(time.monotonic())
                if not is_check and upstream.pause:
                    time.sleep(upstream.pause)  # no wait: it is a slow server
                body = upstream.name.encode()
                self.send_response(upstream.check_status if is_check else upstream.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

            def handle(self):
                with contextlib.suppress(OSError):
                    super().handle()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def process_request(self, request, client_address):
                # Not on the connection's own thread, which may begin when all has been stopped.
                upstream.connections.add(request)
                super().process_request(request, client_address)

        self.connections = set()
        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """It is gone: connections are closed and refused."""
        if not self.server:
            return
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(2)
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hangs = False
        self.stop()


@contextlib.contextmanager
def upstreams(count, **more):
    """COUNT of them."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Upstream(**more)) for _ in range(count)]


class Load:
    """Clients that ask for pages one after the other until they are stopped; what they saw."""

    def __init__(self, balancer, clients=4, path="/"):
        self.balancer = balancer
        self.path = path
        self.seen = []  # (status, body); None: no answer
        self.asked = []  # the same, each after how many had been seen when it was asked for
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def run(self):
        connection = http.client.HTTPConnection(self.balancer.address, timeout=20)
        while not self.ends.is_set():
            after, answer = len(self.seen), None
            try:
                answer = self.balancer.get(self.path, connection)
            except (OSError, http.client.HTTPException):
                connection.close()
            self.asked.append((after, answer))
            self.seen.append(answer)

    def count(self):
        return len(self.seen)

    def wait_more(self, count, seconds=30):
        """Until COUNT more were asked for and answered; these."""
        begin = len(self.seen)

        def more():
            return [answer for after, answer in self.asked[begin:] if after >= begin]
        wait_until(lambda: len(more()) >= count, seconds, f"{count} more answers")
        return more()[:count]

    def failures(self):
        return [seen for seen in self.seen if not seen or seen[0] >= 500]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join(30)


def before(urls):
    """The options of a load manager before the servers at URLS."""
    return [word for url in urls for word in ("--upstream", url)]


def options(servers, *more):
    """Those before SERVERS, with quick checks."""
    return [*before(server.url for server in servers), "--check-path", "/ok", *more]
