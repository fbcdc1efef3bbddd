"""A shop with all that belongs to it (three servers, two load managers, a bank, a warehouse with its
people), in which every process is killed at random moments and at named points between two steps,
and comes back at its address; and shoppers who buy meanwhile.

What is chosen (who dies, at which point, after how many passages, what is bought, with which card,
who walks away) follows from one seed, each process and each shopper having numbers of its own. When
that happens is up to the machine."""

import collections
import contextlib
import http.client
import json
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
import uuid

from bank_server import Bank
from cluster_client import AGENT, GOODS, LAMP, MUG
from cluster_server import free_port
from shop_server import STOA, Shop, checkout_body, payment_body, wait_until
from three_servers import COUNT, Three
from warehouse_server import Warehouse

AWAY = (OSError, http.client.HTTPException)
DECIDED = ("completed", "ready_for_complete")
GOOD, BAD = "success_token", "fail_token"
MANAGERS = 2
LOST = "10%"           # of the bank's answers
HOLD_MS = 1500
KINDS = ("primary", "server", "load manager", "bank", "warehouse")
PASSAGES = {"server": 12, "bank": 60, "warehouse": 25}  # the most until one dies at a point
SELDOM = ("buy_refused", "settle_claimed", "settle_asked")  # are passed; so they die at the first
PAUSE = (0.2, 1.0)     # s between two kills at any moment
PATIENCE = 60         # s with one request, through all deaths
PACE = 0.03            # s between two tries


def points():
    """The names of all crash points, as the program itself lists them."""
    done = subprocess.run([STOA, "bank", "--crash-at", "nowhere"], capture_output=True, text=True,
                          timeout=20, check=False)
    return re.search(r"the points are: ([a-z_ ]+)", done.stderr).group(1).split()


def owner(point):
    """Of whom a point is."""
    return next((kind for kind in ("bank", "warehouse") if point.startswith(kind + "_")), "server")


class Process:
    """One that dies and comes back. COMMAND: its words; DECK: points at which it may die."""

    def __init__(self, name, command, log, deck, passages, seed):
        self.name, self.command, self.log = name, command, log
        self.passages = passages
        self.choose = random.Random(f"{seed} {name}")
        self.deck, self.hand = deck, []
        self.process, self.deaths, self.strange = None, 0, []

    def crashes(self):
        """The next two points: all come before any comes again."""
        words = []
        for _ in range(2 if len(self.deck) > 1 else len(self.deck)):
            if not self.hand:
                self.hand = self.choose.sample(self.deck, len(self.deck))
            point, passage = self.hand.pop(), self.choose.randint(1, self.passages)
            words += ["--crash-at", f"{point}:{1 if point in SELDOM else passage}"]
        return words

    def start(self, dies):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command() + (self.crashes() if dies else []),
                                            stdout=subprocess.DEVNULL, stderr=log)
        Shop.running.add(self.process)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def rise(self):
        """Starts it again if it is dead; nobody may end but by SIGKILL."""
        if self.runs():
            return
        if self.process is not None:
            self.deaths += 1
            if self.process.returncode != -signal.SIGKILL:
                self.strange.append(self.process.returncode)
        self.start(dies=True)

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


class Town(Three):
    """The shop's servers as a scenario sees them, and all the others."""

    def __init__(self, folder, seed):
        self.seed, self.choose = seed, random.Random(f"{seed} storm")
        self.points = points()
        goods = folder / "goods.csv"
        goods.write_text(GOODS)
        super().__init__(folder, goods)
        self.managers = [f"127.0.0.1:{free_port()}" for _ in range(MANAGERS)]
        self.bank, self.warehouse = Bank(folder), Warehouse(folder, plain=False)
        self.bank_address, self.warehouse_address = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.members = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.killed, self.kinds = collections.Counter(), []

    # ---- Who is there

    def furnish(self):
        """All are told of each other while nobody dies."""
        self.bank.start("--listen", self.bank_address)
        self.options = ["--bank", self.bank.url, "--bank-key-file", str(self.bank.dir / "key"),
                        "--bank-pin", self.bank.pin, "--bank-webhook-secret-file",
                        str(self.bank.dir / "webhook.secret")]
        self.start_all()
        self.wait_healthy()
        self.operate("PUT", "/admin/api/warehouses/main", {"name": "main",
                                                           "url": "https://127.0.0.1:1"})
        known = self.operate("GET", "/admin/api/warehouses")["warehouses"]
        self.warehouse.token_file.write_text(
            next(one["token"] for one in known if one["id"] == "main") + "\n")
        self.warehouse.options += ["--shop", ",".join(f"http://{one}" for one in self.managers),
                                   "--id", "main"]
        self.warehouse.start("--listen", self.warehouse_address)
        self.operate("PUT", "/admin/api/warehouses/main", {
            "url": self.warehouse.url, "pin": (self.warehouse.dir / "pin").read_text().strip()})
        settings = self.operate("GET", "/admin/api/settings")
        self.operate("PUT", "/admin/api/settings", dict(settings, hold_ms=HOLD_MS))
        self.bank.kill()
        self.warehouse.kill()
        for i in range(COUNT):
            self.kill(i)
        self.members = [self.server(i) for i in range(COUNT)] + \
            [self.manager(i) for i in range(MANAGERS)] + [self.one_bank(), self.one_warehouse()]

    def operate(self, method, path, body=None):
        """An answer of the operator's API, by any server that has one."""
        def answer():
            status, said = self.ask(0, path, method, body, timeout=20)
            assert status in (200, 503), said
            return status == 200 and said
        return wait_until(answer, 60, f"{method} {path}")

    def member(self, name, command, points_of=None):
        deck = [point for point in self.points if owner(point) == points_of]
        log = self.folder / f"{name.replace(' ', '-')}.log"
        return Process(name, command, log, deck, PASSAGES.get(points_of), self.seed)

    def server(self, i):
        return self.member(f"server {i + 1}", lambda: self.command(i), "server")

    def manager(self, i):
        words = [STOA, "balance", "--listen", self.managers[i], "--token-file",
                 str(self.dirs[0] / "operator.token")]
        for address in self.addresses:
            words += ["--server", f"http://{address}"]
        return self.member(f"load manager {i + 1}", lambda: words)

    def one_bank(self):
        hook = f"http://{self.managers[0]}/api/bank/events"
        words = [STOA, "bank", "--dir", str(self.bank.dir), "--listen", self.bank_address,
                 "--webhook", hook]
        lost = ["--lost", LOST, "--seed", str(self.seed)]
        return self.member("bank", lambda: words + ([] if self.over.is_set() else lost), "bank")

    def one_warehouse(self):
        words = [STOA, "warehouse", "--dir", str(self.warehouse.dir), "--listen",
                 self.warehouse_address, "--token-file", str(self.warehouse.token_file),
                 *self.warehouse.options]
        return self.member("warehouse", lambda: words, "warehouse")

    # ---- The storm

    def victims(self):
        """One process of the next kind: all kinds come before any comes again."""
        self.kinds = self.kinds or self.choose.sample(KINDS, len(KINDS))
        kind = self.kinds.pop()
        number = self.choose.randrange(COUNT * MANAGERS)  # also where it is not needed
        if kind == "primary":
            view = next(filter(None, map(self.view, range(COUNT))), None)
            leads = view and view["primary"]
            return kind, [m for m in self.members if m.name == f"server {leads}"]
        all_of_it = [m for m in self.members if m.name.startswith(kind)]
        return kind, [all_of_it[number % len(all_of_it)]]

    def run(self):
        due = time.monotonic()
        while not self.over.wait(0.02):
            for member in self.members:
                member.rise()
            if time.monotonic() >= due:
                due = time.monotonic() + self.choose.uniform(*PAUSE)
                kind, chosen = self.victims()
                for member in chosen:
                    member.kill()
                    self.killed[kind] += 1

    @contextlib.contextmanager
    def storm(self):
        """Until the block has ended, and each kind was killed at least once."""
        self.thread.start()
        try:
            yield
            wait_until(lambda: all(self.killed[kind] for kind in KINDS), 120, "a death of each kind")
        finally:
            self.calm()

    def calm(self):
        """Nobody dies any more, and no answer is lost."""
        self.over.set()
        self.thread.join()
        for member in self.members:
            if member.runs():
                member.kill()
            member.start(dies=False)
        self.wait_healthy(60)
        wait_until(self.all_answer, 60, "bank, warehouse and load managers")

    def all_answer(self):
        with contextlib.suppress(*AWAY):
            self.warehouse.sees("/v1/status")
            self.bank.ledger()
            return all(ask(address, "GET", "/")[0] == 200 for address in self.managers)

    def reached(self):
        """At which point somebody died how often."""
        said = "".join(m.log.read_text(errors="replace") for m in self.members)
        counts = collections.Counter(re.findall(r"killed at crash point (\w+)", said))
        return {point: counts[point] for point in self.points}

    def stop_all(self):
        """All stop in order; what they say last."""
        ends = {m.name: m.stop() for m in self.members}
        assert not any(ends.values()), ends

    def __enter__(self):
        try:
            self.furnish()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.over.set()
        for member in self.members:
            if member.runs():
                member.kill()
        super().__exit__()

    # ---- The books

    def audit_all(self):
        """`stoa audit` over shop, bank and warehouse, nothing being under way."""
        done = subprocess.run(
            [STOA, "audit", "--json", "--at-rest", "--bank", str(self.bank.dir), "--warehouse",
             str(self.warehouse.dir), str(self.dirs[0])],
            capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        return json.loads(done.stdout)["outside"]

    def captures(self):
        """How often the bank has taken the money of each charge."""
        with contextlib.closing(sqlite3.connect(f"file:{self.bank.dir}/bank.db?mode=ro",
                                                uri=True)) as db:
            return collections.Counter(json.loads(thing)["id"] for thing, in db.execute(
                "SELECT object FROM event WHERE type = 'charge.captured'"))


def ask(address, method, path, body=None, key=None):
    """(status, JSON or None) of one request on a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=20)
    headers = {"UCP-Agent": AGENT}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        is_json = "json" in answer.getheader("Content-Type", "")
        return answer.status, json.loads(text) if text and is_json else None


class Shopper(threading.Thread):
    """Buys so often, through any load manager. Asks again under the same key when no answer comes;
    now and then walks away instead, and so does not know what she bought."""

    def __init__(self, town, number, purchases):
        super().__init__(daemon=True)
        self.town, self.purchases = town, purchases
        self.choose = random.Random(f"{town.seed} shopper {number}")
        self.tried, self.placed, self.refused, self.left = [], [], [], []
        self.anew, self.lost_answers, self.error = 0, 0, None

    def key(self):
        return str(uuid.UUID(int=self.choose.getrandbits(128), version=4))

    def once(self, *words, key=None):
        """(status, JSON) of one try; (None, None) when no answer came."""
        try:
            return ask(self.choose.choice(self.town.managers), *words, key=key)
        except AWAY:
            self.lost_answers += 1
            return None, None

    def until_answered(self, *words, key=None):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status, said = self.once(*words, key=key)
            if status is not None and status < 500:
                return status, said
            time.sleep(PACE)  # no wait: the pace of asking
        raise AssertionError(f"nobody answers {words[:2]} any more: {status} {said}")

    def begin(self):
        goods = {self.choose.choice((MUG, LAMP)): self.choose.choice((1, 1, 2))}
        status, made = self.until_answered("POST", "/checkout-sessions", checkout_body(goods),
                                           key=self.key())
        assert status == 201, made
        self.tried.append(made["id"])
        return made["id"]

    def end_of(self, path, token, status, said):
        """What an answer to a completion means: the list in which it is noted, or None."""
        if status not in (200, 409):
            return None
        if status == 409 or said["status"] not in DECIDED:  # being paid, as it seems: look
            _, said = self.until_answered("GET", path)
        if said["status"] == "completed":
            return self.placed
        is_over = token == BAD and status == 200 and said["status"] == "ready_for_complete"
        return self.refused if is_over else None

    def buy(self):
        checkout = self.begin()
        path, key = f"/checkout-sessions/{checkout}", self.key()
        token = BAD if self.choose.random() < 0.15 else GOOD
        leaves = self.choose.random() < 0.3  # when the first answer is lost
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status, said = self.once("POST", path + "/complete", payment_body(token), key=key)
            noted = self.end_of(path, token, status, said)
            if noted is None and leaves and (status is None or status >= 500):
                noted = self.left
            if noted is not None:
                noted.append(checkout)
                return
            if status == 200 and said["status"] == "ready_for_complete":
                assert "called off" in said["messages"][0]["content"], said["messages"]
                self.anew += 1
                key = self.key()  # that attempt is over, and its key goes on to say so
            time.sleep(PACE)  # no wait: the same
        raise AssertionError(f"checkout {checkout} never ends: {status} "
                             f"{said and (said.get('status'), said.get('messages'))}")

    def run(self):
        try:
            for _ in range(self.purchases):
                self.buy()
        except Exception as error:  # pylint: disable=broad-except
            self.error = repr(error)


class People(threading.Thread):
    """Pick, pack and ship what is open at the warehouse, one order after the other, whoever of the
    processes has died meanwhile: each act has a key of its own and is repeated under it."""

    def __init__(self, town):
        super().__init__(daemon=True)
        self.town, self.choose = town, random.Random(f"{town.seed} people")
        self.shipped, self.parcels = [], 0
        self.over, self.error = threading.Event(), None

    def told(self, method, path, body=None):
        key = str(uuid.UUID(int=self.choose.getrandbits(128), version=4))
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(*AWAY):
                status, answer = self.town.warehouse.people(method, path, body, key)
                if status != 503:
                    assert status == 200, (path, body, answer)
                    return answer
            time.sleep(PACE)  # no wait: the pace of asking
        raise AssertionError(f"the warehouse never answers {path}")

    def ship(self, order):
        """Two units leave in two parcels, or in one."""
        line, = order["lines"]
        where, one = f"/v1/orders/{order['order']}", [{"line": 1, "quantity": 1}]
        if line["quantity"] == 2 and self.choose.random() < 0.5:
            self.told("POST", where + "/parcels", {"lines": one, "ship": True})
            self.parcels += 1
        else:
            self.told("POST", where + "/pick", {"line": 1, "quantity": line["quantity"]})
        packed = self.told("POST", where + "/parcels", {})["parcel"]
        self.told("POST", f"/v1/parcels/{packed}/ship", {"carrier": "Post", "tracking": packed})
        self.parcels += 1
        self.shipped.append(order["order"])

    def run(self):
        try:
            while True:
                over = self.over.is_set()
                found = self.told("GET", "/v1/orders?state=open&limit=20")["orders"]
                for order in found:
                    self.ship(order)
                if over and not found:
                    return
                self.over.wait(0 if found else PACE)
        except Exception as error:  # pylint: disable=broad-except
            self.error = repr(error)
