"""A sandbox bank for a scenario: `stoa bank` on a free port and a folder of its own, and a client
that speaks to it as Stripe's do."""

import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import queue
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse

from shop_server import STOA, Shop


class Bank:
    """One process; start() and kill() as often as one likes, on the same ledger. What a failing
    test leaves running is killed after it (conftest.py)."""

    def __init__(self, folder, *options, environment=None):
        self.dir = pathlib.Path(folder) / "bank"
        self.options = options
        self.environment = {**os.environ, **(environment or {})}
        self.log = pathlib.Path(folder) / "bank.log"
        self.process = self.url = None

    def start(self, *options, seconds=60):
        command = [STOA, "bank", "--dir", str(self.dir), "--listen", "127.0.0.1:0"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command + list(self.options) + list(options),
                                            stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=self.environment)
        Shop.running.add(self.process)
        lines = queue.Queue()
        threading.Thread(target=self.read_lines, args=(lines,), daemon=True).start()
        line = lines.get(timeout=seconds)
        while line and not line.startswith("stoa: bank ready at "):
            line = lines.get(timeout=seconds)
        assert line, self.log.read_text()[-2000:]
        self.url = line.removeprefix("stoa: bank ready at ").strip()
        return self

    def read_lines(self, lines):
        for line in self.process.stdout:
            lines.put(line)
        lines.put("")

    @property
    def key(self):
        return (self.dir / "key").read_text().strip()

    @property
    def pin(self):
        return (self.dir / "pin").read_text().strip()

    @property
    def hook_secret(self):
        return (self.dir / "webhook.secret").read_text().strip()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=30):
        """Asks it to stop; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def __enter__(self):
        return self if self.process and self.process.poll() is None else self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    def client(self, **more):
        return BankClient(self, **more)

    def ledger(self):
        """All payments, as the bank's own book has them."""
        client = self.client()
        try:
            return [json.loads(line) for line in client.raw("GET", "/sandbox/ledger").splitlines()]
        finally:
            client.close()

    def faults(self, **faults):
        client = self.client()
        try:
            return client.call("POST", "/sandbox/faults", faults).json
        finally:
            client.close()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class BankClient:
    """One connection, opened again when the bank has closed it. A call whose answer is lost raises
    OSError or http.client.HTTPException."""

    def __init__(self, bank, key=None, timeout=20):
        where = urllib.parse.urlsplit(bank.url)
        self.key = bank.key if key is None else key
        if where.scheme == "https":
            trust = ssl.create_default_context(cafile=str(bank.dir / "self-signed.pem"))
            self.connection = http.client.HTTPSConnection(where.netloc, timeout=timeout,
                                                          context=trust)
        else:
            self.connection = http.client.HTTPConnection(where.netloc, timeout=timeout)

    def close(self):
        self.connection.close()

    def call(self, method, path, form=None, key=None, fence=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers.setdefault("Authorization", f"Bearer {self.key}")
        if key is not None:
            headers["Idempotency-Key"] = key
        if fence is not None:
            headers["Stoa-Fence"] = fence
        body = None
        if form is not None:
            body = form if isinstance(form, str) else urllib.parse.urlencode(form)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def post(self, path, form=None, **more):
        return self.call("POST", path, {} if form is None else form, **more)

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def raw(self, method, path):
        answer = self.call(method, path)
        assert answer.status == 200, answer.body
        return answer.body

    # What the tests do most:

    def create(self, amount=1999, key=None, **more):
        form = {"amount": amount, "currency": "eur", "capture_method": "manual",
                "payment_method_types[0]": "card"}
        form.update({name: value for name, value in more.items() if value is not None})
        return self.post("/v1/payment_intents", form, key=key)

    def confirm(self, payment, card="pm_card_visa", key=None, **more):
        return self.post(f"/v1/payment_intents/{payment}/confirm",
                         {"payment_method": card, **more}, key=key)

    def authorised(self, amount=1999, **more):
        """The id of a payment that can be captured."""
        payment = self.create(amount, **more).json["id"]
        answer = self.confirm(payment)
        assert answer.json["status"] == "requires_capture", answer.body
        return payment

    def capture(self, payment, key=None, fence=None, **form):
        return self.post(f"/v1/payment_intents/{payment}/capture", form, key=key, fence=fence)

    def cancel(self, payment, key=None, fence=None, **form):
        return self.post(f"/v1/payment_intents/{payment}/cancel", form, key=key, fence=fence)

    def refund(self, payment, key=None, fence=None, **form):
        return self.post("/v1/refunds", {"payment_intent": payment, **form}, key=key, fence=fence)


class Receiver:
    """Takes webhooks and keeps those whose signature is right, in the order of arrival. REFUSALS:
    how many are answered 500 first."""

    def __init__(self, secret=None):
        receiver = self
        self.secret, self.refusals = secret, 0
        self.events, self.refused, self.bad = [], [], []
        self.lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(self.headers["Stripe-Signature"], body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, signature, body):
        parts = dict(part.split("=", 1) for part in signature.split(","))
        mac = hmac.new(self.secret.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256)
        good = (hmac.compare_digest(mac.hexdigest(), parts["v1"]) and
                abs(time.time() - int(parts["t"])) < 300)
        with self.lock:
            if not good:
                self.bad.append(body)
                return 400
            event = json.loads(body)
            event["signature"] = signature
            if self.refusals > 0:
                self.refusals -= 1
                self.refused.append(event)
                return 500
            self.events.append(event)
            return 200

    def of_type(self, kind):
        with self.lock:
            return [event for event in self.events if event["type"] == kind]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
