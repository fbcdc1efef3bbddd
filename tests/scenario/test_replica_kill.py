"""The log alone, without a shop: kill -9 at a hundred random moments."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(os.environ.get("STOA_ROOT", pathlib.Path(__file__).parents[2]))
STOA = pathlib.Path(os.environ.get("STOA", ROOT / "build" / "stoa"))


def crash_test(**settings):
    program = STOA.parent / "tests" / "unit" / "test_replica_crash"
    result = subprocess.run(
        [program], env=os.environ | settings, capture_output=True, text=True, timeout=600
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert " answered, " in output, output


@pytest.mark.long
def test_what_was_answered_survives_a_hundred_kills(tmp_path):
    crash_test(STOA_KILLS="100", STOA_TEST_DIR=str(tmp_path))


@pytest.mark.long
@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm here")
def test_and_on_a_file_system_without_direct_writes():
    crash_test(STOA_KILLS="100", STOA_TEST_DIR="/dev/shm")
