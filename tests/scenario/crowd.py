"""A crowd at three servers: shoppers who change carts and buy at planned moments (an open loop),
go to another server when theirs does not answer, and write down what they asked, what they were
answered, and when. tests/lib/linear.py judges what they wrote."""

import collections
import http.client
import json
import random
import threading
import time
import uuid

from linear import NEVER, Operation
from shop_server import checkout_body, payment_body
from shoppers import LOST, lines_of

PATIENCE = 2.5   # for one answer, before going to another server
GIVE_UP = 60     # for an operation, however often it is sent
FAMILY = 5       # shoppers who share carts
CARTS = 4        # that a family has
AGENT = 'profile="https://platform.example/profile.json"'


def content(thing):
    return frozenset(lines_of(thing).items())


class Gone(Exception):
    """No answer in all that time."""


class Crowd:
    """COUNT shoppers who together do RATE things a second. SPREAD: items with plenty of stock; HOT:
    one with little."""

    def __init__(self, addresses, token, spread, hot, count=200, rate=150, seed=1):
        self.addresses, self.token = addresses, token
        self.spread, self.hot = spread, hot
        self.carts = collections.defaultdict(list)  # id: operations
        self.stock = collections.defaultdict(list)  # item: operations
        self.orders = {}                            # id: lines
        self.answers = {}                           # checkout: what completing it was answered
        self.families = collections.defaultdict(list)
        self.errors, self.unknown = [], []
        self.counts = collections.Counter()
        self.halt = threading.Event()
        self.abandoned = False
        self.members = [Member(self, number, rate / count, seed) for number in range(count)]

    def begin(self):
        for member in self.members:
            member.start()

    def end(self):
        """Lets everybody finish what they are at."""
        self.halt.set()
        for member in self.members:
            member.join(GIVE_UP + 30)
            assert not member.is_alive(), "a shopper still waits for an answer"
        assert not self.errors, f"{len(self.errors)} errors: {self.errors[:3]}"

    def abandon(self):
        """The test is over: nobody asks for anything any more."""
        self.abandoned = True
        self.halt.set()
        for member in self.members:
            if member.ident:
                member.join(PATIENCE + 10)

    def acknowledged(self):
        """{item: units} that were sold."""
        sold = collections.Counter()
        for lines in self.orders.values():
            sold.update(lines)
        return sold

    def write_history(self, file):
        """Every operation of everybody, for whoever looks for what went wrong."""
        with open(file, "w", encoding="utf-8") as out:
            for thing, operations in (*self.stock.items(), *self.carts.items()):
                out.writelines(f"{thing}: {operation!r}\n" for operation in operations)

    def operations(self):
        return sum(len(o) for o in (*self.carts.values(), *self.stock.values()))


class Member(threading.Thread):
    """One shopper. One in two carries a session token and has carts of their own, which they see
    through any server; the others share theirs and carry none."""

    def __init__(self, crowd, number, rate, seed):
        super().__init__(daemon=True)
        self.crowd, self.number, self.rate = crowd, number, rate
        self.random = random.Random(seed * 10000 + number)
        self.home = number % len(crowd.addresses)
        self.connections = {}
        self.session = "" if number % 2 else None  # None: carries none
        own = ("own", number) if self.session is not None else ("family", number // FAMILY)
        self.cart_ids = crowd.families[own]

    # ---- Asking

    def send(self, server, method, path, body, headers):
        connection = self.connections.get(server)
        if connection is None:
            connection = http.client.HTTPConnection(self.crowd.addresses[server], timeout=PATIENCE)
            self.connections[server] = connection
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if self.session is not None:
            self.session = answer.getheader("Stoa-Session") or self.session
        return answer.status, json.loads(text) if text else None

    def drop(self, server):
        connection = self.connections.pop(server, None)
        if connection:
            connection.close()

    def headers(self, body, operator):
        headers = {"UCP-Agent": AGENT, "Idempotency-Key": str(uuid.uuid4())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if operator:
            headers["Authorization"] = f"Bearer {self.crowd.token}"
        return headers

    def ask(self, method, path, body=None, operator=False):
        """(status, answer, called, returned) from whichever server answers, the same request under
        the same key each time. Gone when none does."""
        headers = self.headers(body, operator)
        text = json.dumps(body) if body is not None else None
        servers = len(self.crowd.addresses)
        server = self.home if self.random.random() < 0.7 else self.random.randrange(servers)
        called = time.monotonic()
        while time.monotonic() < called + GIVE_UP and not self.crowd.abandoned:
            if self.session and not operator:
                headers["Stoa-Session"] = self.session
            try:
                status, answer = self.send(server, method, path, text, headers)
            except (*LOST, ValueError):
                self.drop(server)
                self.crowd.counts["lost"] += 1
                status = None
            if status is not None and status < 500:
                return status, answer, called, time.monotonic()
            self.crowd.counts["again"] += 1
            server = (server + 1) % len(self.crowd.addresses)
            time.sleep(0.02)  # no wait: the pace of asking again
        self.crowd.unknown.append((method, path))
        raise Gone(path, called)

    # ---- Shopping

    def run(self):
        due = time.monotonic() + self.random.expovariate(self.rate)
        while not self.crowd.halt.wait(max(0, due - time.monotonic())):
            due += self.random.expovariate(self.rate)
            try:
                self.act()
            except Gone:
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.crowd.errors.append(repr(error))
        for connection in self.connections.values():
            connection.close()

    def act(self):
        chance = self.random.random()
        if self.number == 0 and chance < 0.5:
            self.receive()
        elif chance < 0.35:
            self.change_cart()
        elif chance < 0.55:
            self.read_cart()
        elif chance < 0.65:
            self.read_stock()
        else:
            self.buy()

    def expect(self, good, what, status, answer):
        if status not in good:
            self.crowd.errors.append(f"{what}: {status} {answer}")
            return False
        return True

    def change_cart(self):
        lines = {self.random.choice(self.crowd.spread): self.random.randint(1, 3)
                 for _ in range(self.random.randint(1, 3))}
        body = {"line_items": [{"item": {"id": i}, "quantity": n} for i, n in lines.items()]}
        wanted = frozenset(lines.items())
        cart = self.random.choice(self.cart_ids) if len(self.cart_ids) >= CARTS else None
        method, path = ("PUT", f"/carts/{cart}") if cart else ("POST", "/carts")
        try:
            status, answer, called, returned = self.ask(method, path, body)
        except Gone as gone:
            if cart:
                self.crowd.carts[cart].append(
                    Operation("put", wanted, None, gone.args[1], NEVER, self.number))
            raise
        if not self.expect((200, 201), path, status, answer):
            return
        self.crowd.counts["carts"] += 1
        self.crowd.carts[answer["id"]].append(
            Operation("put", wanted, content(answer), called, returned, self.number))
        if not cart:
            self.cart_ids.append(answer["id"])

    def read_cart(self):
        if not self.cart_ids:
            return
        cart = self.random.choice(self.cart_ids)
        status, answer, called, returned = self.ask("GET", f"/carts/{cart}")
        if self.expect((200, 404), cart, status, answer):
            self.crowd.counts["looks"] += 1
            self.crowd.carts[cart].append(
                Operation("read", None, content(answer) if status == 200 else None, called,
                          returned, self.number))

    def read_stock(self):
        item = self.crowd.hot if self.random.random() < 0.5 else self.random.choice(
            self.crowd.spread)
        status, answer, called, returned = self.ask("GET", f"/admin/api/variants/{item}",
                                                    operator=True)
        if self.expect((200,), item, status, answer):
            self.crowd.stock[item].append(
                Operation("read", None, answer["available"], called, returned, self.number))

    def receive(self):
        path = f"/admin/api/variants/{self.crowd.hot}/receive"
        units = self.random.randint(5, 15)
        try:
            status, answer, called, returned = self.ask(
                "POST", path, {"quantity": units, "note": "truck"}, operator=True)
        except Gone as gone:
            self.crowd.stock[self.crowd.hot].append(
                Operation("arrive", units, None, gone.args[1], NEVER, self.number))
            raise
        if self.expect((200,), path, status, answer):
            self.crowd.stock[self.crowd.hot].append(
                Operation("arrive", units, True, called, returned, self.number))

    # ---- Buying

    def note(self, kinds, lines, called, returned):
        for item, units in lines.items():
            for kind in kinds:
                self.crowd.stock[item].append(
                    Operation(kind, units, None if returned == NEVER else True, called, returned,
                              self.number))

    def note_refusal(self, lines, answer, called, returned):
        """Too few there; of several lines the answer need not say which."""
        codes = {m.get("code") for m in answer.get("messages", [])}
        if "out_of_stock" not in codes:
            self.crowd.errors.append(f"refused: {answer.get('status')} {answer.get('messages')}")
            return
        self.crowd.counts["refused"] += 1
        if len(lines) == 1:
            self.note(["short"], lines, called, returned)

    def buy(self):
        if self.random.random() < 0.4:
            lines = {self.crowd.hot: self.random.randint(1, 2)}
        else:
            lines = {self.random.choice(self.crowd.spread): self.random.randint(1, 3)
                     for _ in range(self.random.choice((1, 1, 2)))}
        status, checkout, called, returned = self.ask("POST", "/checkout-sessions",
                                                      checkout_body(lines))
        if not self.expect((201,), "checkout", status, checkout):
            return
        if checkout["status"] != "ready_for_complete":
            self.note_refusal(lines, checkout, called, returned)
            return
        declined = self.random.random() < 0.1
        path = f"/checkout-sessions/{checkout['id']}/complete"
        try:
            status, done, called, returned = self.ask(
                "POST", path, payment_body("fail_token" if declined else "success_token"))
        except Gone as gone:
            self.note(["hold", "release"], lines, gone.args[1], NEVER)
            raise
        if not self.expect((200,), path, status, done):
            return
        codes = {m.get("code") for m in done.get("messages", [])}
        self.crowd.answers[checkout["id"]] = (done["status"], codes, lines, self.number, called,
                                              returned)
        if done["status"] == "completed":
            self.crowd.counts["orders"] += 1
            self.crowd.orders[done["order"]["id"]] = lines
            self.note(["take"], lines, called, returned)
        elif "payment_failed" in codes:
            self.crowd.counts["declined"] += 1
            self.note(["hold", "release"], lines, called, returned)
        else:
            self.note_refusal(lines, done, called, returned)
