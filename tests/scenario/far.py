"""A shop here, and far from it a machine that has nothing of it: a front and a worker."""

import http.client
import json
import pathlib
import re
import shutil

from shop_server import wait_until
from tiers import Tiers
from tiers_far import FarTiers


def get(address, path, **headers):
    """(answer, text)"""
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer, text


def figure_of(address, name):
    text = get(address, "/metrics")[1].decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE).group(1))


class Far(Tiers):
    """One front and WORKERS workers in a folder of their own, for the SERVERS ("HOST:PORT")."""

    def __init__(self, folder, servers, token, workers=1, options=()):
        folder = pathlib.Path(folder) / "far"
        (folder / "shop").mkdir(parents=True)
        key = folder / "token"
        key.write_text(token + "\n")
        urls = ",".join(f"http://{server}" for server in servers)
        super().__init__(folder, workers=workers, worker_options=[
            "--server", urls, "--server-token-file", str(key), *options])

    def start(self):
        for one in [*self.fronts, *self.workers]:
            one.start()
        wait_until(self.hears, what="hearing of changes")
        return self

    def stop(self):
        for one in [*self.fronts, *self.workers]:
            if one.process and one.process.poll() is None:
                assert one.stop() == 0, one.log

    def __exit__(self, *_):
        for one in [*self.fronts, *self.workers]:
            if one.process and one.process.poll() is None:
                one.kill()
        shutil.rmtree(self.queue, ignore_errors=True)

    def get(self, path, **headers):
        return get(self.listen, path, **headers)

    def hears(self):
        return self.get("/healthz")[0].status == 200

    def figure(self, name):
        """Of the one worker."""
        return figure_of(self.listen, name)


class AllFar(FarTiers):
    """A worker that has neither the shop nor the queue on its machine."""

    def __init__(self, folder):
        super().__init__(folder, workers=1)

    def start(self):
        self.server.start()
        self.make_token()
        key = self.place / "operator.token"
        key.write_text(self.server.token())
        self.workers[0].options = ["--queue", *self.far(
            "--server", f"http://{self.server.address}", "--server-token-file", str(key))]
        for one in [*self.fronts, *self.workers, self.far_front]:
            one.start()
        return self


def operate(address, token, method, path, body=None):
    """By the server at ADDRESS: (JSON, session token of the answer)."""
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request(method, f"/admin/api{path}", json.dumps(body) if body else None,
                       {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status in (200, 201), text
    return json.loads(text), answer.getheader("Stoa-Session")


def set_price(address, token, item, price):
    return operate(address, token, "PUT", f"/variants/{item}/price", {"price": price})[1]
