"""`stoa advise` says how many servers and where, from a file and from what runs."""

import http.client
import json
import subprocess
import threading

import pytest

from balancer import Balancer
from shop_server import ROOT, STOA, Shop

EXAMPLE = ROOT / "examples" / "advise" / "world.conf"


def advise(*words):
    return subprocess.run([STOA, "advise", *(str(word) for word in words)], capture_output=True,
                          text=True, timeout=60, check=False)


@pytest.mark.quick
def test_the_example_says_where_servers_are_to_be_and_why():
    done = advise(EXAMPLE)
    assert done.returncode == 0, done.stderr
    assert "keep all limits" in done.stdout.splitlines()[0]
    for part in ("Now: ", "How far it reaches", "Why not one fewer", "Why not one more"):
        assert part in done.stdout
    assert json.loads(advise("--json", EXAMPLE).stdout)["outcome"] == "found"


@pytest.mark.quick
def test_json_and_words_agree_and_no_budget_is_passed():
    answer = json.loads(advise("--json", EXAMPLE).stdout)
    cost = answer["advised"]["cost"]
    assert answer["exact"] and answer["advised"]["broken"] is None
    assert sum(site["cost"] for site in answer["advised"]["sites"]) == pytest.approx(cost)
    for region in answer["advised"]["regions"]:
        assert sum(region["served_by"].values()) == pytest.approx(1)
        assert region["p99_ms"] <= 450 and region["worst_p99_ms"] <= 600
    done = advise("--json", "--budget", cost - 0.01, EXAMPLE)
    within = json.loads(done.stdout)
    assert done.returncode == 1 and within["outcome"] == "too-dear"
    assert within["within_budget"]["cost"] <= cost - 0.01 and within["within_budget"]["broken"]
    assert advise("--budget", cost - 0.01, EXAMPLE).stdout.startswith("The budget of")


@pytest.mark.quick
def test_bad_files_are_refused_with_their_line(tmp_path):
    shop = tmp_path / "shop.conf"
    shop.write_text('read = 1ms\nsite "fra" {\n  cost = dear\n}\n')
    done = advise(shop)
    assert done.returncode == 1
    assert f"{shop}:3: cost is \"dear\", but must be a number" in done.stderr
    shop.write_text('read = 1ms\nsite "fra" { cost = }')
    assert f"{shop}:2: " in advise(shop).stderr
    assert "cannot read the file" in advise(tmp_path / "none").stderr
    assert "is a directory" in advise(tmp_path).stderr
    assert advise().returncode == 2
    assert "no such file" in advise("--ways", tmp_path / "none.csv", EXAMPLE).stderr


class Browsing:
    """Shoppers who open pages through ADDRESS until they are told to end."""

    def __init__(self, address):
        self.address = address
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.browse) for _ in range(2)]

    def browse(self):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        while not self.over.is_set():
            for path in ("/", "/search?q=tea"):
                connection.request("GET", path)
                connection.getresponse().read()
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.front
def test_a_running_shop_is_measured(tmp_path):
    shop_file = tmp_path / "shop.conf"
    shop_file.write_text('tolerate = none\nsite "here" {\n  cost = 1\n}\n'
                         'region "shoppers" {\n  p99 = 2s\n}\n')
    (tmp_path / "front").mkdir()
    with Shop(tmp_path) as shop:
        options = ("--server", shop.url, "--token-file", shop.dir / "operator.token")
        with Balancer(tmp_path / "front", *options) as front, Browsing(front.address):
            done = advise("--json", "--for", "3s", "--from", f"here={shop.url}",
                          "--from", f"shoppers=http://{front.door}", shop_file)
    assert done.returncode in (0, 1) and done.stdout, done.stderr
    answer = json.loads(done.stdout)
    # Two shoppers, one after the other each, cannot have more than the server serves.
    assert answer["requests_per_s"] > 0
    assert any("us each" in line for line in answer["measured"])
    assert any("from its load manager to site here" in line for line in answer["measured"])
    assert any(line.startswith("region shoppers: ") for line in answer["measured"])
    assert answer["now"]["sites"][0]["servers"] == 1
    assert answer["now"]["sites"][0]["utilisation"] > 0


@pytest.mark.quick
def test_nobody_to_measure_at_is_named(tmp_path):
    shop_file = tmp_path / "shop.conf"
    shop_file.write_text('site "here" {\n  cost = 1\n  from = {"http://127.0.0.1:1"}\n}\n')
    done = advise("--for", "1s", shop_file)
    assert done.returncode == 1
    assert "cannot measure at http://127.0.0.1:1: " in done.stderr
