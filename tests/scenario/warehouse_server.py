"""A warehouse for a scenario (`stoa warehouse` on a free port and a folder of its own), and a small
shop to which it reports, that may be away, forget, and refuse."""

import http.client
import http.server
import json
import pathlib
import queue
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

from shop_server import STOA, Shop

TOKEN = "a-token-that-shop-and-warehouse-share"
SHOP_ID = uuid.uuid4().hex


def wait_for(what, seconds=30):
    """What it gives, as soon as that is true."""
    until = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.01)  # no wait: the pace of looking


class SmallShop:
    """Takes reports as the shop does: once in effect, by epoch and number, without gaps."""

    def __init__(self):
        self.taken, self.epoch, self.requests = [], None, 0
        self.lose_answers = 0  # so many answers are lost after the reports were taken
        self.away = False
        self.refuse = None  # a function: the report -> why not, or None
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    body = json.loads(body)
                except ValueError as why:
                    status, answer = 400, {"error": "malformed", "text": str(why)}
                else:
                    status, answer = shop.take(self.path, self.headers, body)
                if status is None:
                    self.close_connection = True
                    return
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path, headers, body):
        self.requests += 1
        if self.away:
            return None, None
        assert path == "/api/warehouse/main/reports", path
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"error": "unauthorized"}
        assert 1 <= len(body["reports"]) <= 100
        if body["epoch"] != self.epoch:
            self.epoch, self.taken = body["epoch"], []
        for report in body["reports"]:
            number = report["sequence"]
            if number <= len(self.taken):
                assert self.taken[number - 1] == report, "a number has another meaning now"
            elif number > len(self.taken) + 1:
                return 409, {"error": "gap", "expected": len(self.taken) + 1}
            else:
                why = self.refuse and self.refuse(report)
                if why:
                    return 422, {"error": "refused", "sequence": number, "text": why}
                self.taken.append(report)
        if self.lose_answers > 0:
            self.lose_answers -= 1
            return None, None
        return 200, {"sequence": len(self.taken)}

    def kinds(self):
        return [report["kind"] for report in self.taken]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Warehouse:
    """One warehouse process; start() and kill() as often as one likes, on the same book."""

    def __init__(self, folder, *options, shop=None, plain=True):
        self.folder = pathlib.Path(folder)
        self.dir, self.log = self.folder / "warehouse", self.folder / "warehouse.log"
        self.options = list(options) + (["--shop", shop.url] if shop else [])
        self.plain, self.process, self.url, self.said = plain, None, None, ""
        self.token_file = self.folder / "token"
        self.token_file.write_text(TOKEN + "\n")

    def start(self, *more):
        command = [STOA, "warehouse", "--dir", str(self.dir), "--listen", "127.0.0.1:0",
                   "--token-file", str(self.token_file), *self.options, *more]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command + (["--plain"] if self.plain else []),
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        Shop.running.add(self.process)
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        while True:
            line = lines.get(timeout=60)
            assert line, self.log.read_text()[-2000:]
            self.said += line
            if " ready at " in line:
                self.url = line.split(" ready at ")[1].strip()
                return self

    def _read(self, lines):
        for line in self.process.stdout:
            lines.put(line)
        lines.put("")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0

    def wait_crashed(self):
        assert self.process.wait(30) == -signal.SIGKILL

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    # ---- What the shop sends

    def request(self, method, path, body=None, headers=None):
        """(status, headers, bytes); OSError or HTTPException when it died."""
        address = self.url.split("//")[1]
        if self.plain:
            connection = http.client.HTTPConnection(address, timeout=20)
        else:  # its certificate is its own; whom the shop believes is the shop's business
            connection = http.client.HTTPSConnection(
                address, timeout=20, context=ssl._create_unverified_context())
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def shop_sends(self, method, path, body=None, fence="0.1", shop=SHOP_ID, token=TOKEN):
        status, _, text = self.request(
            method, path, json.dumps(body) if body is not None else None,
            {"Authorization": f"Bearer {token}", "Stoa-Fence": f"{shop} {fence}",
             "Content-Type": "application/json"})
        return status, json.loads(text) if text else None

    def send_orders(self, *orders, **more):
        return self.shop_sends("POST", "/v1/orders", {"orders": list(orders)}, **more)

    def send_cancels(self, *cancels, **more):
        return self.shop_sends("POST", "/v1/cancels", {"cancels": list(cancels)}, **more)

    # ---- What its people do

    def people(self, method, path, body=None, operation=None):
        headers = {"Authorization": f"Bearer {(self.dir / 'people.key').read_text().strip()}"}
        if operation:
            headers["Idempotency-Key"] = operation
        status, _, text = self.request(method, path, json.dumps(body) if body is not None else None,
                                       headers)
        return status, json.loads(text)

    def does(self, path, body=None, operation=None):
        """An act that goes well."""
        status, answer = self.people("POST", path, body or {}, operation)
        assert status == 200, (path, answer)
        return answer

    def sees(self, path):
        status, answer = self.people("GET", path)
        assert status == 200, (path, answer)
        return answer

    def ledger(self):
        key = (self.dir / "people.key").read_text().strip()
        status, _, text = self.request("GET", "/v1/ledger",
                                       headers={"Authorization": f"Bearer {key}"})
        assert status == 200
        return {order["order"]: order for order in map(json.loads, text.splitlines())}

    def stock(self):
        return {item["item"]: item for item in self.sees("/v1/stock")["items"]}

    def check(self):
        """What `stoa warehouse --check` prints; it finds nothing wrong."""
        done = subprocess.run([STOA, "warehouse", "--check", "--dir", str(self.dir)],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r": 0 wrong$", done.stdout), done.stdout
        return done.stdout


class Browser:
    """Fills in forms as a browser without scripts does."""

    def __init__(self, warehouse):
        self.warehouse, self.cookie = warehouse, None

    def get(self, path):
        status, headers, text = self.warehouse.request(
            "GET", path, headers={"Cookie": self.cookie} if self.cookie else {})
        return status, headers, text.decode()

    def post(self, path, **fields):
        headers = {"Content-Type": "application/x-www-form-urlencoded",
                   "Sec-Fetch-Site": "same-origin"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        status, headers, text = self.warehouse.request(
            "POST", path, urllib.parse.urlencode(fields), headers)
        if "Set-Cookie" in headers:
            self.cookie = headers["Set-Cookie"].split(";")[0]
        return status, headers, text.decode()

    def hidden(self, page, name):
        return re.search(rf'name="{name}" value="([^"]*)"', page).group(1)


def order(number, lines, **more):
    """An order as the shop sends it; LINES: [(item, quantity), ...]."""
    return {"effect": uuid.uuid4().hex, "order": str(uuid.uuid4()), "number": number,
            "placed_ms": 1_790_000_000_000, "log_index": number,
            "lines": [{"line": at + 1, "item": item, "sku": item.upper(), "title": f"A {item}",
                       "options": "", "quantity": quantity}
                      for at, (item, quantity) in enumerate(lines)],
            "destination": {"first_name": "Ada", "last_name": "Löfgren", "street": "Row 1",
                            "locality": "Lund", "postal_code": "222 22", "country": "SE"},
            "service": "standard", "email": "ada@example.com", **more}


def key_of(sent):
    """How the warehouse writes an order's id."""
    return sent["order"].replace("-", "")


def cancel(sent, *lines):
    return {"effect": uuid.uuid4().hex, "order": sent["order"], "reason": "changed my mind",
            "lines": [{"line": line, "quantity": quantity} for line, quantity in lines]}
