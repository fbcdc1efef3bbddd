"""Shoppers who change carts and buy, and remember what they were promised."""

import http.client
import random
import threading
import uuid

from shop_server import Client, checkout_body, payment_body, wait_until

LOST = (http.client.HTTPException, OSError)


def lines_of(thing):
    """{item id: quantity} of a cart, a checkout or an order."""
    total = {}
    for line in thing["line_items"]:
        quantity = line["quantity"]
        if isinstance(quantity, dict):
            quantity = quantity["total"]
        total[line["item"]["id"]] = total.get(line["item"]["id"], 0) + quantity
    return total


class Shopper(threading.Thread):
    """Shops until the server goes. What was answered is in `carts` and `orders`; what was
    asked and not answered is in `doubt`."""

    def __init__(self, address, items, seed):
        super().__init__(daemon=True)
        self.address = address
        self.items = items
        self.random = random.Random(seed)
        self.carts = {}    # id: the lines last answered
        self.orders = {}   # id: the lines
        self.doubt = None  # what was on its way when the server went
        self.sold_out = 0
        self.errors = []
        self.halt = threading.Event()

    def basket(self):
        return {self.random.choice(self.items): self.random.randint(1, 3)
                for _ in range(self.random.randint(1, 3))}

    def run(self):
        client = Client(self.address)
        try:
            while not self.halt.is_set():
                self.act(client)
        except LOST:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(repr(error))
        finally:
            client.close()

    def act(self, client):
        if self.random.random() < 0.4:
            self.buy(client)
        else:
            self.change_cart(client)

    def change_cart(self, client):
        items = self.basket()
        body = {"line_items": [{"item": {"id": i}, "quantity": n} for i, n in items.items()]}
        cart = self.random.choice(list(self.carts)) if len(self.carts) > 3 else None
        key = str(uuid.uuid4())
        path = f"/carts/{cart}" if cart else "/carts"
        self.doubt = ("cart", cart, items, path, body, key)
        method = "PUT" if cart else "POST"
        status, answer = client.call(method, path, body, Idempotency_Key=key)
        while status == 503 and not self.halt.wait(0.05):  # to be asked again: nobody is primary yet
            status, answer = client.call(method, path, body, Idempotency_Key=key)
        if status == 503:
            return  # still in doubt
        if status not in (200, 201):
            self.errors.append(f"{path}: {status} {answer}")
        else:
            self.carts[answer["id"]] = items
        self.doubt = None

    def buy(self, client):
        items = self.basket()
        status, checkout = client.call("POST", "/checkout-sessions", checkout_body(items),
                                       Idempotency_Key=str(uuid.uuid4()))
        if status != 201 or checkout["status"] != "ready_for_complete":
            self.note_refusal(status, checkout)
            return
        key = str(uuid.uuid4())
        path = f"/checkout-sessions/{checkout['id']}/complete"
        self.doubt = ("order", checkout["id"], items, path, payment_body(), key)
        status, done = client.call("POST", path, payment_body(), Idempotency_Key=key)
        if status == 200 and done["status"] == "completed":
            self.orders[done["order"]["id"]] = items
        else:
            self.note_refusal(status, done)
        self.doubt = None

    def note_refusal(self, status, thing):
        codes = {m.get("code") for m in (thing or {}).get("messages", [])}
        if status in (200, 201) and codes & {"out_of_stock", "item_unavailable",
                                             "quantity_adjusted", "insufficient_stock"}:
            self.sold_out += 1
        elif status != 503:
            self.errors.append(f"buying: {status} {thing}")


def told(client, method, path, body=None, **headers):
    """What the shop answers. 503 is none: it says when to ask again, nothing of what was promised."""
    def answer():
        status, thing = client.call(method, path, body, **headers)
        return status != 503 and (status, thing)
    return wait_until(answer, 30, f"an answer to {method} {path}")


def check_promises(client, shopper):
    """Everything SHOPPER was promised is there; what was in doubt happened once or not."""
    doubt = shopper.doubt
    for cart, items in shopper.carts.items():
        status, answer = told(client, "GET", f"/carts/{cart}")
        assert status == 200, f"cart {cart} was acknowledged and is gone: {status}"
        allowed = [items]
        if doubt and doubt[0] == "cart" and doubt[1] == cart:
            allowed.append(doubt[2])
        lines = lines_of(answer)
        assert lines in allowed, f"cart {cart} is {lines}, promised was {allowed}"
        shopper.carts[cart] = lines  # the doubt is over: from now on it is this
    for order, items in shopper.orders.items():
        status, answer = told(client, "GET", f"/orders/{order}")
        assert status == 200, f"order {order} was acknowledged and is gone: {status}"
        assert lines_of(answer) == items
    if doubt and doubt[0] == "order":
        finish_purchase(client, doubt)
    shopper.doubt = None


def finish_purchase(client, doubt):
    """The shopper presses the button again, under the same key: paid once, or sold out."""
    _, checkout, items, path, body, key = doubt
    status, done = told(client, "POST", path, body, Idempotency_Key=key)
    assert status == 200, f"{path} again: {status} {done}"
    if done["status"] != "completed":
        assert done["messages"], done
        return
    status, order = told(client, "GET", f"/orders/{done['order']['id']}")
    assert status == 200 and lines_of(order) == items
    again, same = told(client, "POST", path, body, Idempotency_Key=key)
    assert again == 200 and same["order"] == done["order"], f"{checkout} was completed twice"
