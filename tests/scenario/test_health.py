"""What a watcher sees: /healthz and /metrics."""

import http.client
import re

import pytest

from shop_server import Shop
from ucp import FLOWERS, Platform, shipping


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Shop(tmp_path_factory.mktemp("watched"), catalogue=FLOWERS) as shop:
        yield shop


def get(shop, path, connection=None):
    connection = connection or http.client.HTTPConnection(shop.address, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? '
                    r'(-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN|\+Inf)')


def figures(text):
    """Parses Prometheus' text format strictly: {name with labels: value}."""
    values, named, typed = {}, None, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            named = line.split(" ", 3)[2]
            assert line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == named
            typed = line.split(" ")[3]
            assert typed in ("counter", "gauge", "histogram")
        else:
            name, labels, value = SAMPLE.fullmatch(line).groups()
            family = re.sub(r"_(bucket|sum|count)$", "", name) if typed == "histogram" else name
            assert family == named, line
            assert name + (labels or "") not in values, "each once"
            values[name + (labels or "")] = float(value)
    return values


@pytest.mark.quick
def test_a_shop_that_sells_is_healthy(shop):
    status, _, text = get(shop, "/healthz")
    assert status == 200 and '"ok"' in text


@pytest.mark.quick
def test_a_shop_without_its_directory_is_not(tmp_path):
    with Shop(tmp_path) as shop:
        shop.dir.rename(tmp_path / "elsewhere")
        status, _, text = get(shop, "/healthz")
        (tmp_path / "elsewhere").rename(shop.dir)
        assert status == 503 and "data directory is gone" in text
        assert get(shop, "/healthz")[0] == 200


@pytest.mark.quick
def test_metrics_count_what_happens(shop):
    # All on one connection: what was asked is counted when its answer has left, before the next.
    platform = Platform(shop)
    status, headers, text = get(shop, "/metrics", platform.connection)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    before = figures(text)
    for _ in range(3):
        checkout = platform.create(fulfillment=shipping())
        assert platform.complete(checkout["id"])["status"] == "completed"
    assert platform.send("GET", "/carts/nonsense").status == 404
    after = figures(get(shop, "/metrics", platform.connection)[2])

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown("stoa_purchases_paid_total") == 3
    assert grown("stoa_orders") == 3
    assert grown('stoa_http_requests_total{class="ucp",status="2xx"}') == 6
    assert grown('stoa_http_requests_total{class="ucp",status="4xx"}') == 1
    assert grown('stoa_http_request_seconds_count{class="ucp"}') == 7
    assert grown("stoa_log_commands_total") >= 9
    assert after["stoa_log_primary"] == 1
    assert after["process_resident_memory_bytes"] > 1 << 20


@pytest.mark.quick
def test_checks_of_load_managers_are_not_counted_as_visits(tmp_path):
    with Shop(tmp_path) as shop:  # nobody else's visits, nor any that is still to be counted
        connection = http.client.HTTPConnection(shop.address, timeout=20)

        def visits():
            values = figures(get(shop, "/metrics", connection)[2])
            return sum(value for name, value in values.items()
                       if name.startswith("stoa_http_requests_total{"))
        before = visits()
        for _ in range(20):
            assert get(shop, "/livez", connection)[0] == 200
        assert visits() == before + 1  # the first look itself, counted when it had been answered
        connection.close()


def test_buckets_grow_to_the_count(shop):
    values = figures(get(shop, "/metrics")[2])
    for kind in ("cached", "pages", "ucp", "operator", "unrouted"):
        buckets = [v for n, v in values.items()
                   if n.startswith(f'stoa_http_request_seconds_bucket{{class="{kind}"')]
        assert len(buckets) == 15 and buckets == sorted(buckets)
        assert buckets[-1] == values[f'stoa_http_request_seconds_count{{class="{kind}"}}']


def test_who_looks_at_a_health_takes_no_figure_from_who_looks_next(shop):
    name = "stoa_log_loop_max_seconds"
    Platform(shop).create(fulfillment=shipping())
    longest = figures(get(shop, "/metrics")[2])[name]
    assert longest > 0
    for _ in range(3):
        assert get(shop, "/healthz")[0] == 200
        values = figures(get(shop, "/metrics")[2])
        assert values[name] >= longest
        assert 0 < values["stoa_log_loop_cpu_max_seconds"]
