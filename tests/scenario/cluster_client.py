"""Requests to one server or another of a cluster (three_servers.py), with what comes back."""

import contextlib
import http.client
import http.cookies
import json
import time

from shop_server import wait_until

AGENT = 'profile="https://platform.example/profile.json"'
MUG = "mug"
LAMP = "lamp"
GOODS = ("Title,URL handle,Price,Inventory quantity\n"
         "Mug,mug,9.00,100000\nLamp,lamp,50.00,100000\n")


class Answer:
    def __init__(self, response, seconds):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read()
        self.seconds = seconds
        is_json = "json" in response.getheader("Content-Type", "")
        self.json = json.loads(self.text) if is_json and self.text else None
        self.token = response.getheader("Stoa-Session")


def send(three, i, method, path, body=None, timeout=30, **headers):
    """One request to server I, on a connection of its own. Underscores stand for dashes."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(three.addresses[i], timeout=timeout)
    headers = {name.replace("_", "-"): value for name, value in headers.items() if value}
    with contextlib.closing(connection):
        if isinstance(body, dict):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response, time.monotonic() - begun)


def ucp(three, i, method, path, body=None, token=None, **headers):
    return send(three, i, method, path, body, UCP_Agent=AGENT, Stoa_Session=token, **headers)


def told(ask, *words, **more):
    """ASK (send, ucp and so on) until the answer is another than 503: that one says when to ask
    again, nothing of what was promised. For what may be done twice."""
    def answer():
        told_so = ask(*words, **more)
        return told_so if told_so.status != 503 else None
    return wait_until(answer, what=f"an answer to {words}")


def cart_of(quantity):
    return {"line_items": [{"item": {"id": MUG}, "quantity": quantity}]}


def quantity_in(answer):
    assert answer.status == 200, (answer.status, answer.text)
    return answer.json["line_items"][0]["quantity"]


def index_of(token):
    version, index, mac = token.split("-")
    assert version == "1" and len(mac) == 32, token
    return int(index)


def operate(three, i, path, body=None):
    return send(three, i, "POST" if body is not None else "GET", "/api/v1/cluster" + path, body,
                Authorization="Bearer " + three.token)


class Browser:
    """Keeps cookies, and goes to whichever server it is told."""

    def __init__(self, three):
        self.three = three
        self.cookies = {}

    def go(self, i, method, path, body=None, **headers):
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer = send(self.three, i, method, path, body, **headers)
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer
