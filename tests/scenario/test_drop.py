"""A drop in small: more buyers than units at one moment, and the primary is killed when half of them
are sold; a word about how long anything takes is not said."""

import json
import subprocess

import pytest

from shop_server import STOA

pytestmark = pytest.mark.outside

BUYERS, UNITS = 200, 10


def drop(folder, *words):
    """(exit status, what it has found); its processes are gone with it."""
    done = subprocess.run(
        [STOA, "bench", "drop", "--json", "--dir", str(folder), "--buyers", str(BUYERS), "--units",
         str(UNITS), "--arrive", "500ms", "--down", "500ms", *words],
        capture_output=True, text=True, timeout=250, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_each_unit_is_sold_once_and_everybody_else_is_told(tmp_path):
    status, found, said = drop(tmp_path, "--outside", "--managers", "2")
    assert status == 0, (found, said)
    assert (found["sold"], found["sold_out"]) == (UNITS, BUYERS - UNITS), found
    assert found["orders"] == found["charges"] == found["parcels"] == UNITS, found
    assert found["strange"] == found["unanswered"] == found["differences"] == 0, found
    assert found["killed_after_ms"] > 0 and found["sold_out_after_ms"] > 0, found


def test_more_units_than_buyers_are_not_sold_out(tmp_path):
    status, found, said = drop(tmp_path, "--no-kill", "--units", str(BUYERS + 1))
    assert status == 0, (found, said)
    assert (found["sold"], found["sold_out"], found["orders"]) == (BUYERS, 0, BUYERS), found
    assert found["killed_after_ms"] == found["sold_out_after_ms"] == 0, found
