"""The bench of repairs kills primaries whose backup is hot, warm or cold, and the shop sells again."""

import json
import os
import subprocess
import xml.dom.minidom

import pytest

from shop_server import STOA

pytestmark = pytest.mark.outside

BACKLOG = 1000


def test_each_kind_of_backup_sells_again_and_a_picture_shows_when(tmp_path):
    picture, made_in = tmp_path / "repair.svg", tmp_path / "shops"
    done = subprocess.run(
        [STOA, "bench", "repair", "--rounds", "1", "--database", "0", "--backlog", str(BACKLOG),
         "--dir", str(made_in), "--picture", str(picture), "--json"],
        capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert not os.listdir(made_in), "what it made is gone again"
    points = json.loads(done.stdout)["points"]
    assert [point["kind"] for point in points] == ["hot", "warm", "warm", "cold", "cold"]
    for point in points:
        assert point["rounds"] == 1 and point["database_bytes"] > 0
        assert 0 < point["median_ms"] == point["worst_ms"]
        assert point["aim_ms"] >= 250
    # A warm one may have applied some of them: it does so when somebody needs its copy.
    assert points[0]["commands"] == 0 and points[-1]["commands"] >= BACKLOG
    drawn = xml.dom.minidom.parse(str(picture)).documentElement
    rows = [group.getAttribute("class") for group in drawn.getElementsByTagName("g")]
    # The first explains a row.
    assert rows[1:] == [point["kind"] for point in points]
