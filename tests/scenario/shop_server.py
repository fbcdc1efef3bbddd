"""A shop for a scenario: `stoa serve` on a free port and in a folder of its own.

ENGINE names its engine.
"""

import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
import http.client

ROOT = pathlib.Path(os.environ.get("STOA_ROOT", pathlib.Path(__file__).resolve().parents[2]))
STOA = os.environ.get("STOA", str(ROOT / "build" / "stoa"))
# Nothing: what a server takes by itself.
ENGINE, _, BY = os.environ.get("ENGINE", "").partition("+")
ENGINE_OPTIONS = (["--engine", ENGINE] if ENGINE else []) + (["--io-uring"] if BY else [])
READY = "stoa: shop ready at "


class Shop:
    """One server process; start() and kill() as often as one likes, on the same data. What a
    failing test leaves running is killed after it (conftest.py)."""

    running = set()
    ready = READY

    def __init__(self, folder, *options, catalogue="demo"):
        self.dir = pathlib.Path(folder) / "shop"
        self.options = options
        self.catalogue = catalogue
        self.log = pathlib.Path(folder) / "shop.log"
        self.process = None
        self.url = None

    def spawn(self):
        """Starts the process without waiting for anything."""
        command = [STOA, "serve", "--dir", str(self.dir), "--listen", "127.0.0.1:0",
                   *ENGINE_OPTIONS]
        if self.catalogue:
            command += ["--catalogue", str(self.catalogue)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command + list(self.options), stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(self.process)

    def wait_ready(self, seconds=60):
        """Waits for the ready line, which must be the first on standard output."""
        lines = queue.Queue()
        threading.Thread(
            target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()
        line = lines.get(timeout=seconds)
        assert line.startswith(self.ready), f"{line!r}; log: {self.log.read_text()[-2000:]}"
        self.url = line[len(self.ready):].strip()
        return self

    def start(self, seconds=60):
        self.spawn()
        return self.wait_ready(seconds)

    @property
    def address(self):
        return self.url.split("//")[1]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self, seconds=30):
        """Asks it to stop; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process.stdout.close()
        return status

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    def token(self):
        return (self.dir / "operator.token").read_text().strip()

    def audit(self):
        """What `stoa audit` finds: (exit status, its report)."""
        done = subprocess.run([STOA, "audit", "--json", str(self.dir)], capture_output=True,
                              text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


def wait_until(condition, seconds=30, what="the condition"):
    """Waits for CONDITION() to be true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)  # no wait: the pace of looking
    raise AssertionError(f"{what} did not come about in {seconds} s")


class Client:
    """One keep-alive connection to a shop's public API."""

    def __init__(self, address, timeout=20):
        self.connection = http.client.HTTPConnection(address, timeout=timeout)

    def close(self):
        self.connection.close()

    def call(self, method, path, body=None, **headers):
        """(status, JSON or None). Underscores in header names stand for dashes."""
        all_headers = {"UCP-Agent": 'profile="https://platform.example/profile.json"'}
        all_headers.update({k.replace("_", "-"): v for k, v in headers.items()})
        data = None
        if body is not None:
            data = json.dumps(body)
            all_headers["Content-Type"] = "application/json"
        self.connection.request(method, path, data, all_headers)
        answer = self.connection.getresponse()
        text = answer.read()
        is_json = "json" in answer.getheader("Content-Type", "")
        return answer.status, json.loads(text) if is_json and text else None


DESTINATION = {
    "id": "home", "street_address": "1 Main St", "address_locality": "Springfield",
    "address_region": "IL", "postal_code": "62704", "address_country": "US",
}


def checkout_body(items, email="ada@shopper.example"):
    """A checkout that is ready to be completed. ITEMS: {item id: quantity}."""
    return {
        "line_items": [{"item": {"id": i}, "quantity": n} for i, n in items.items()],
        "buyer": {"email": email, "first_name": "Ada", "last_name": "Byron"},
        "fulfillment": {"methods": [{
            "type": "shipping", "destinations": [DESTINATION],
            "selected_destination_id": "home"}]},
    }


def payment_body(token="success_token"):
    return {"payment": {"instruments": [{
        "id": "instr_1", "handler_id": "mock_payment_handler", "type": "card", "selected": True,
        "credential": {"type": "token", "token": token}}]}}


def begin_checkout(client, body):
    """Its id."""
    code, checkout = client.call("POST", "/checkout-sessions", body)
    assert code in (200, 201), (code, checkout)
    return checkout["id"]


def buy(client, body):
    """Buys what is in the checkout's BODY; the order's id."""
    path = f"/checkout-sessions/{begin_checkout(client, body)}/complete"
    code, done = client.call("POST", path, payment_body())
    assert code == 200 and done["status"] == "completed", (code, done)
    return done["order"]["id"]
