"""An import's memory does not grow with its file."""

import subprocess
import sys

import pytest

from shop_server import STOA

# A process inherits the most memory that its parent ever had, so the parent must be a small one.
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, end="")
sys.exit(done.returncode)
"""

SANITIZED = "asan" in STOA or "tsan" in STOA


def write_products(file, count):
    with open(file, "w", encoding="utf-8") as out:
        out.write("Title,URL handle,Description,Vendor,Type,SKU,Price,Inventory quantity\n")
        for i in range(count):
            out.write(f"Thing {i} of series {i % 97},thing-{i},<p>A thing of series {i % 97} that "
                      f"weighs {i % 900} grams and is made for a test of very many.</p>,"
                      f"Maker {i % 200},Category {i % 40},SKU-{i},{i % 500}.{i % 100:02d},"
                      f"{i % 1000}\n")


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's shadow is not the shop's memory")
@pytest.mark.parametrize("count", [20000, pytest.param(1000000, marks=[
    pytest.mark.long, pytest.mark.timeout(2400)])])
def test_an_import_stays_below_a_hundred_megabytes(tmp_path, count):
    file = tmp_path / "many.csv"
    write_products(file, count)
    done = subprocess.run([sys.executable, "-c", MEASURE, STOA, "import", "--dir",
                           str(tmp_path / "shop"), str(file)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, resident = done.stdout.rsplit("\n", 1)
    assert f"{count} products" in said
    assert int(resident) < 100 * 1024, f"{resident} KiB resident"
