"""The program as people call it: help, settings, import, export, audit, exit statuses."""

import csv
import io
import json
import os
import resource
import signal
import socket
import subprocess

import pytest

from shop_server import ROOT, STOA, Client, Shop

pytestmark = pytest.mark.quick

COMMANDS = ["serve", "balance", "top", "demo", "status", "import", "export", "audit", "check", "bench", "version", "help"]


def stoa(*words, **more):
    return subprocess.run([STOA, *map(str, words)], capture_output=True, text=True, timeout=120,
                          check=False, **more)


def test_help_tells_of_each_command():
    overview = stoa("--help")
    assert overview.returncode == 0 and overview.stderr == ""
    for name in COMMANDS:
        assert f"\n  {name} " in overview.stdout
        about = stoa(name, "--help")
        assert about.returncode == 0 and about.stdout.startswith(f"usage: stoa {name}")


def test_wrong_use_is_status_two_and_says_what_to_do():
    for words, text in [
            ([], "usage: stoa"),
            (["sell"], 'there is no command "sell"'),
            (["serve", "--colour", "red"], "there is no option --colour"),
            (["serve", "--loops", "many"], "must be a number"),
            (["serve", "--head-timeout", "10"], "a duration with its unit"),
            (["serve", "--head-timeout", "1ms"], "must be from 100ms to 1h"),
            (["serve", "--engine", "steam"], "must be one of: loop"),
            (["serve", "--engine", "pool", "--admission", "1s"], "pool lets everybody in"),
            (["serve", "--engine", "pool", "--io-uring"], "io-uring is of the engine event"),
            (["top", "--server", "http://a:1", "--url", "http://b:2"], "do not go together"),
            (["bench", "engine"], "engine NAME"),
            (["bench", "engines", "--duration", "1"], "a duration with its unit"),
            (["worker", "--queue", "b.example:8443"], "--token-file is missing"),
            (["front", "--follow", "b.example:8443"], "--token-file is missing"),
            (["worker", "--queue", "b.example:0", "--token-file", "t"], "cannot be called"),
            (["front", "--follow", "b:1", "--token-file", "t", "--dir", "d"], "belongs to --master"),
            (["worker", "--late", "1s"], "--late belong to --server"),
            (["worker", "--ahead", "3"], "--ahead belongs to --token-file"),
            (["worker", "--server", "http://a:1", "--bench", "1"], "either --server or --bench"),
            (["worker", "--server", "http://a:99999"], "is no server's address"),
            (["worker", "--server", "http://a b:1"], "is no server's address"),
            (["worker", "--server", "http://a:1", "--server-authority", "none"], "none"),
            (["token", "--tiers", "--expires", "1h"], "neither --witness nor --expires"),
            (["serve", "extra"], "one argument too many"),
            (["serve", "--certificate", "x"], "certificate and key must be given together"),
            (["audit"], "which shop?"),
            (["import"], "which file?"),
            (["bench", "fast"], "there are the benches"),
            (["check"], "which file?")]:
        done = stoa(*words)
        assert done.returncode == 2, words
        assert text in done.stderr and done.stdout == "", done


def test_configuration_is_checked_with_file_and_line(tmp_path):
    file = tmp_path / "stoa.conf"

    def check(text):
        file.write_text(text)
        return stoa("check", file)

    good = check('# a shop\nlisten = {"127.0.0.1:8080", "[::1]:8080"}\nhelpers = 4\n'
                 "idle_timeout = 30s\ncache = 16M\n")
    assert good.returncode == 0 and good.stdout == f"{file}: good\n", good
    for text, line, wrong in [
            ("helpers = 4\ncolour = red\n", 2, "no such option 'colour'"),
            ("helpers = lots\n", 1, 'helpers is "lots", but must be a number'),
            ("\n\nidle_timeout = 1ms\n", 3, "must be from 100ms to 1d"),
            ("helpers = 4\ntrust = foo\n", 2, 'trust "foo" is not a network'),
            ("engine = steam\n", 1, "must be one of: loop")]:
        bad = check(text)
        assert bad.returncode == 1
        assert bad.stderr.startswith(f"{file}:{line}: ") and wrong in bad.stderr, bad.stderr
        told = json.loads(stoa("check", "--json", file).stdout)
        assert told["good"] is False and wrong in told["wrong"]
    missing = stoa("check", tmp_path / "none.conf")
    assert missing.returncode == 1 and "cannot read" in missing.stderr


def test_what_keeps_a_load_manager_from_starting_is_said_with_its_option(tmp_path):
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no certificate\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, parts in [
                (["--status", f"127.0.0.1:{port}"],
                 ["--status: ", f"127.0.0.1:{port}: address in use"]),
                (["--listen-tls", "x", "--dir", tmp_path], ['listen-tls cannot be read: "x"']),
                (["--authority", rubbish], [f"{rubbish}: no certificate"])]:
            refused = stoa("balance", "--listen", "127.0.0.1:0", "--upstream",
                           f"http://127.0.0.1:{port}", *words)
            assert refused.returncode != 0 and refused.stdout == "", refused
            for part in parts:
                assert part in refused.stderr, refused.stderr


def test_flags_win_over_the_file(tmp_path):
    file = tmp_path / "stoa.conf"
    file.write_text(f'listen = "127.0.0.1:1"\ndir = "{tmp_path}/elsewhere"\n')
    shop = Shop(tmp_path, "--config", str(file), catalogue=None)
    with shop:
        assert not shop.url.endswith(":1")
        assert (tmp_path / "shop" / "shop.db").exists()


def test_ready_line_stands_alone_and_a_signal_ends_it_well(tmp_path):
    for number in (signal.SIGINT, signal.SIGTERM):
        shop = Shop(tmp_path, "--stop-grace", "1m").start()
        shop.process.send_signal(number)
        assert shop.process.wait(30) == 0
        assert shop.process.stdout.read() == ""


def test_second_server_on_the_same_folder_is_refused(tmp_path):
    with Shop(tmp_path) as shop:
        second = stoa("serve", "--dir", shop.dir, "--listen", "127.0.0.1:0")
        assert second.returncode == 1
        assert "in use by another stoa process" in second.stderr


def test_too_few_descriptors_are_said_at_once(tmp_path):
    refused = stoa("serve", "--dir", tmp_path / "data", "--listen", "127.0.0.1:0",
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)))
    assert refused.returncode == 1
    assert "only 20 files" in refused.stderr and "ulimit -n" in refused.stderr


def test_taken_address_is_named(tmp_path):
    with Shop(tmp_path) as shop:
        second = stoa("serve", "--dir", tmp_path / "other", "--listen", shop.address)
        assert second.returncode == 1
        assert shop.address in second.stderr and "--listen" in second.stderr


def handles(folder):
    """The products of the shop in FOLDER, while it runs or not."""
    done = stoa("export", "--dir", folder)
    assert done.returncode == 0, done.stderr
    return {row["URL handle"] for row in csv.DictReader(io.StringIO(done.stdout))}


@pytest.mark.parametrize("running", [False, True])
def test_import_is_all_or_nothing(tmp_path, running):
    file = tmp_path / "bad.csv"
    file.write_text('Handle,Title,Variant Price\na,A,1\nb,B,"12,50"\nc,C,3\n')
    shop = Shop(tmp_path, catalogue=None).start()
    if not running:
        assert shop.stop() == 0
    refused = stoa("import", "--dir", shop.dir, "--json", file)
    assert refused.returncode == 1
    assert f'{file}:3: Price "12,50" is not a number (use 12.50)' in refused.stderr
    assert json.loads(refused.stdout)["imported"] is False
    assert handles(shop.dir) == set()
    taken = stoa("import", "--dir", shop.dir, "--json", "--skip-bad", file)
    assert taken.returncode == 0, taken.stderr
    report = json.loads(taken.stdout)
    assert (report["products"], report["bad_rows"]) == (2, 1)
    assert handles(shop.dir) == {"a", "c"}
    if running:
        assert shop.stop() == 0


def test_what_is_exported_can_be_imported_elsewhere(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    out = tmp_path / "out.csv"
    assert stoa("import", "--dir", first, ROOT / "catalogue" / "demo.csv").returncode == 0
    assert stoa("export", "--dir", first, "--output", out).returncode == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert len({row["URL handle"] for row in rows}) == 96
    assert stoa("import", "--dir", second, out).returncode == 0
    again = stoa("export", "--dir", second)
    assert again.returncode == 0 and again.stdout == out.read_text()
    assert stoa("audit", second).returncode == 0


@pytest.mark.parametrize("name,products", [("apparel", 20), ("home-and-garden", 20),
                                           ("jewelery", 20)])
def test_sample_catalogues_are_imported(tmp_path, name, products):
    file = ROOT / "tests" / "data" / "catalogues" / f"{name}.csv"
    done = stoa("import", "--dir", tmp_path / "shop", "--json", file)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["products"] == products


def test_flower_shop_is_imported(tmp_path):
    shop = Shop(tmp_path, catalogue=None)
    done = stoa("import", "--dir", shop.dir, ROOT / "tests" / "data" / "flower_shop")
    assert done.returncode == 0, done.stderr
    with shop:
        client = Client(shop.address)
        status, cart = client.call("POST", "/carts", {
            "line_items": [{"item": {"id": "bouquet_roses"}, "quantity": 2}],
            "discounts": {"codes": ["10OFF"]}}, Idempotency_Key="k1")
        assert status == 201
        assert cart["line_items"][0]["item"]["price"] == 3500
        totals = {total["type"]: total["amount"] for total in cart["totals"]}
        assert totals["subtotal"] == 7000 and totals["total"] == 6300


def test_audit_reports_as_json_and_notices_a_damaged_count(tmp_path):
    shop = Shop(tmp_path).start()
    assert shop.stop() == 0
    status, report = shop.audit()
    assert status == 0 and report["difference_count"] == 0 and report["variants"] == 376
    sql = "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]);" \
          "d.execute('UPDATE stock SET available = available + 1 WHERE variant_id = 1'); d.commit()"
    subprocess.run(["/usr/bin/python3", "-c", sql, shop.dir / "shop.db"], check=True)
    status, report = shop.audit()
    assert status == 1 and report["difference_count"] >= 1


def test_audit_of_what_is_no_shop_says_so(tmp_path):
    done = stoa("audit", tmp_path)
    assert done.returncode == 1 and str(tmp_path) in done.stderr


def measure(least, *words):
    """The report of a bench over more than LEAST operations. What is done in a moment, a machine
    or a disk that stands still does not do in it: then the bench goes on for longer."""
    for duration in ("300ms", "3s", "20s"):
        done = stoa("bench", *words, "--json", "--connections", "4", "--duration", duration,
                    "--warm-up", "50ms")
        report = json.loads(done.stdout)
        assert report["failed"] == 0, report
        if report["operations"] > least:
            assert done.returncode == 0, done.stderr
            return report
    raise AssertionError(report)


def test_bench_measures_and_reports_as_json(tmp_path):
    with Shop(tmp_path) as shop:
        cdf, svg = tmp_path / "cdf.csv", tmp_path / "cdf.svg"
        for extra in ([], ["--rate", "200"], ["--http2", "--streams", "4"]):
            measure(10, "http", f"{shop.url}/product/harrow-mug.json", "--cdf", cdf, "--svg", svg,
                    *extra)
        assert cdf.read_text().startswith("milliseconds,share\n")
        assert svg.read_text().startswith("<svg")
        for what in ("cart", "buy"):
            report = measure(5, what, "--dir", shop.dir, "--items", "20")
            assert report["fsyncs_per_s"] > 0


def test_version_is_printed():
    done = stoa("version")
    assert done.returncode == 0 and done.stdout.startswith("stoa ")
    assert json.loads(stoa("version", "--json").stdout)["version"] in done.stdout
    assert os.access(STOA, os.X_OK)
