"""Far more is asked for than the shop can do: some are told at once to come back, and the others
get what they would have got on a quiet day."""

import http.client
import json
import subprocess
import uuid

from shop_server import STOA, Client, Shop, wait_until
from shoppers import Shopper, check_promises, lines_of

SHOPPERS = 8
CONNECTIONS = 3000


def stock_of(folder):
    file = folder / "stock.csv"
    rows = ["Title,URL handle,Price,Inventory quantity"]
    rows += [f"Thing {i},thing-{i},{i + 5}.00,1000000" for i in range(10)]
    file.write_text("\n".join(rows) + "\n")
    return file, [f"thing-{i}" for i in range(10)]


class PatientShopper(Shopper):
    """Told that the shop is busy, it presses the button again, under the same key."""

    def __init__(self, address, items, seed):
        super().__init__(address, items, seed)
        self.told_to_wait = 0

    def change_cart(self, client):
        items = self.basket()
        body = {"line_items": [{"item": {"id": i}, "quantity": n} for i, n in items.items()]}
        key = str(uuid.uuid4())
        while not self.halt.is_set():
            status, answer, wait = self.post(client, body, key)
            if status == 201:
                assert lines_of(answer) == items, (answer, items)
                self.carts[answer["id"]] = items
                return
            assert status == 503 and wait is not None and int(wait) > 0, (status, wait, answer)
            self.told_to_wait += 1

    @staticmethod
    def post(client, body, key):
        """(status, answer, Retry-After or None)"""
        client.connection.request("POST", "/carts", json.dumps(body), {
            "UCP-Agent": 'profile="https://platform.example/profile.json"',
            "Content-Type": "application/json", "Idempotency-Key": key})
        answer = client.connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.getheader("Retry-After")


def begin_crowd(shop):
    """Thousands of carts at the same moment, for as long as it is left to run."""
    return subprocess.Popen(
        [STOA, "bench", "cart", "--dir", str(shop.dir), "--connections",
         str(CONNECTIONS), "--items", "10", "--duration", "5s", "--warm-up", "0s", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def metric(shop, name):
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {shop.token()}"})
    text = connection.getresponse().read().decode()
    connection.close()
    return next(float(line.split()[1]) for line in text.splitlines()
                if line.startswith(name + " "))


def test_a_crowd_is_told_to_come_back_and_nobody_is_harmed(tmp_path):
    """With 50 ms of patience 512 may wait, and 3000 come at once, however fast the machine."""
    file, items = stock_of(tmp_path)
    with Shop(tmp_path, "--wait-max", "50ms", catalogue=file) as shop:
        crowd = begin_crowd(shop)
        try:
            shoppers = [PatientShopper(shop.address, items, i) for i in range(SHOPPERS)]
            for shopper in shoppers:
                shopper.start()
            output, errors = crowd.communicate(timeout=120)
        finally:
            crowd.kill()
        for shopper in shoppers:
            shopper.halt.set()
        for shopper in shoppers:
            shopper.join(60)
            assert not shopper.is_alive()
            assert not shopper.errors, shopper.errors[:3]
        assert crowd.returncode == 0, errors
        report = json.loads(output)
        assert report["failed"] == 0, report
        assert report["refused"] > 0 and report["operations"] > 0, report
        assert metric(shop, "stoa_log_refused_total") > 0
        wait_until(lambda: metric(shop, "stoa_log_waiting") == 0, what="an empty queue")

        client = Client(shop.address)
        promised = 0
        for shopper in shoppers:
            check_promises(client, shopper)
            promised += len(shopper.carts) + len(shopper.orders)
        assert promised > 0
        # The crowd has gone: nobody is refused any more.
        refused = metric(shop, "stoa_log_refused_total")
        quiet = PatientShopper(shop.address, items, 99)
        for _ in range(20):
            quiet.change_cart(client)
        assert quiet.told_to_wait == 0
        assert metric(shop, "stoa_log_refused_total") == refused
        client.close()
        assert shop.stop() == 0
        status, audit = shop.audit()
        assert status == 0, audit
