"""The smallest app, in fewer than 60 lines, runs unchanged on every engine."""

import contextlib
import http.client
import pathlib
import signal
import subprocess

import pytest

from engine_server import PROGRAM
from shop_server import ROOT, STOA, Shop

HELLO = pathlib.Path(STOA).resolve().parent / "examples/hello"
ENGINES = subprocess.run([PROGRAM, "--engines"], capture_output=True, text=True, timeout=300,
                         check=True).stdout.split()


def greeting(port, query):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/" + query)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.quick
@pytest.mark.parametrize("engine", ENGINES)
def test_it_greets_on_every_engine_and_stops_when_asked(engine):
    process = subprocess.Popen([HELLO, engine, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    Shop.running.add(process)
    with process.stdout:
        port = int(process.stdout.readline().split("ready at port ")[1])
        assert greeting(port, "") == (200, b"Hello, world!\n")
        assert greeting(port, "?name=Ada+Byron") == (200, b"Hello, Ada Byron!\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.quick
def test_it_is_small_and_says_what_is_wrong():
    assert len((ROOT / "examples/hello/hello.c").read_text().splitlines()) < 60
    done = subprocess.run([HELLO, "steam"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "no engine of that name" in done.stderr


@pytest.mark.quick
def test_the_shop_may_have_any_of_them():
    done = subprocess.run([STOA, "serve", "--engine", "steam"], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode != 0
    assert done.stderr.split("one of: ")[1].split(" (")[0].split() == ENGINES
