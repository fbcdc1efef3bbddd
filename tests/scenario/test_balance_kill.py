"""Servers behind load managers are killed, hang and are restarted, and no shopper notices: a small
crowd (`stoa bench crowd`), without a word about how long anything takes."""

import json
import subprocess

import pytest

from shop_server import STOA

pytestmark = pytest.mark.front

SHOPPERS = 60


def crowd(folder, *words):
    """What the crowd has found; its servers and load managers are gone with it."""
    done = subprocess.run(
        [STOA, "bench", "crowd", "--json", "--dir", str(folder), "--shoppers", str(SHOPPERS),
         "--rate", "60", "--calm", "500ms", "--down", "1s", *words],
        capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def assert_nobody_noticed(status, found):
    notes = "\n".join(found["notes"])
    for broken in ("failed", "lost", "doubled", "went_back", "carts_wrong", "carts_unread"):
        assert found[broken] == 0, f"{broken}: {found[broken]}\n{notes}"
    assert found["copies"] == "equal"
    assert found["clicks"] >= SHOPPERS and found["carts_seen"] > 0 and found["carts_read"] > 0
    assert status == 0


@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_no_shopper_notices_a_server_that_dies_or_hangs(tmp_path, fault):
    status, found = crowd(tmp_path, "--fault", fault, "--rounds", "2", "--managers", "2")
    assert_nobody_noticed(status, found)
    assert found["primary"]["rounds"] == 1 and found["secondary"]["rounds"] == 1


def test_no_shopper_notices_a_rolling_restart(tmp_path):
    status, found = crowd(tmp_path, "--fault", "restart", "--rounds", "1")
    assert_nobody_noticed(status, found)
    assert found["primary"]["rounds"] + found["secondary"]["rounds"] == 3


def test_a_crowd_without_a_fault_sees_what_it_was_promised(tmp_path):
    status, found = crowd(tmp_path, "--fault", "none", "--duration", "3s", "--managers", "0")
    assert_nobody_noticed(status, found)
