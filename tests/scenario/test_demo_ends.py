"""What a demo, and a bench with servers of its own, do about processes that end, and how they end
themselves."""

import contextlib
import os
import signal
import subprocess
import urllib.request

import pytest

from cluster_server import Cluster, is_alive, run, wait_dead, wait_until
from shop_server import STOA, Shop

pytestmark = pytest.mark.front


def wait_manager(cluster, other_than=None):
    """The load manager, once one runs whose pid is another."""
    def found():
        managers = [m for m in cluster.status()["load_managers"] if m["pid"] != other_than]
        return managers[0] if managers else None
    return wait_until(found, what="a load manager")


def test_a_load_manager_comes_back_when_the_first_server_is_gone(tmp_path):
    """It needs the operator's token then, which was found with the first server."""
    with Cluster(tmp_path, managers=1) as cluster:
        token = cluster.token()
        if cluster.wait_primary() == 1:
            assert run("handover", "--dir", str(cluster.dir)).returncode == 0
            cluster.wait_primary(other_than=1)
        assert run("remove", "1", "--dir", str(cluster.dir)).returncode == 0
        wait_until(lambda: not cluster.server_dir(1).exists(), 60, "server 1 to be dropped")
        assert cluster.token() == token
        before = wait_manager(cluster)
        os.kill(before["pid"], signal.SIGKILL)
        wait_dead(before["pid"])
        after = wait_manager(cluster, other_than=before["pid"])
        assert after["url"] == before["url"]
        with urllib.request.urlopen(cluster.url + "/", timeout=30) as answer:
            assert answer.status == 200 and answer.headers["Stoa-Server"] in ("2", "3")
        assert "cannot read the operator's token" not in cluster.log.read_text()


@pytest.mark.parametrize("words,what", [
    (("--eject", "1m"), "eject-max is 30000ms"),
    (("--check-path", "livez"), "must begin with a /"),
    (("--token", "x", "--token-file", "y"), "not both"),
    (("--trust", "nonsense"), "nonsense"),
    (("--no-load-manager", "--status", "127.0.0.1:9"), "without a load manager --status"),
    (("--no-warehouse", "--auto-ship", "1s"), "without a warehouse --auto-ship"),
    # What only the load manager itself finds out ends the demo too, in place of a new try for ever.
    (("--token-file", "empty"), "holds no token"),
])
def test_a_demo_whose_options_a_child_refuses_ends_with_its_message(tmp_path, words, what):
    (tmp_path / "empty").write_text("\n")
    done = subprocess.run([STOA, "demo", "--dir", "shop", "--listen", "127.0.0.1:0", *words],
                          capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2, done
    assert what in done.stderr and not done.stdout, done
    assert "starts again" not in done.stderr


def used_seconds(pid):
    """Of a processor, by process PID itself; None: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_demo_that_waits_for_its_servers_to_end_sleeps(tmp_path):
    """One of them is not started again any more, another does not end: until the grace is over,
    which is well after the first would have been started again."""
    with Cluster(tmp_path, "--stop-grace", "6s") as cluster:
        primary = cluster.wait_primary()
        victim, hanging = (s for s in (1, 2, 3) if s != primary)
        pid = cluster.process.pid
        for _ in range(4):  # the pause before it starts again gets longer: the next is 3.2 s
            wait_dead(cluster.kill_server(victim))
        stopped = cluster.signal_server(hanging, signal.SIGSTOP)
        wait_dead(cluster.kill_server(victim))
        before = used_seconds(pid)
        cluster.process.terminate()
        used = [before]
        wait_until(lambda: used.append(used_seconds(pid)) or cluster.process.poll() is not None,
                   60, "the demo to end")
        assert not is_alive(stopped)
        last = cluster.log.read_text().rpartition(f"server {victim} died")[2]
        assert f"\nserver {victim}: " not in last, "it was started again before the stop: " + last
        assert max(u for u in used if u is not None) - before < 1, used[-5:]


def children(pid):
    """The process ids of PID's children."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(entry)}/stat", encoding="ascii") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
    return found


def test_nothing_of_a_bench_outlives_it(tmp_path):
    bench = subprocess.Popen(
        [STOA, "bench", "crowd", "--dir", str(tmp_path), "--shoppers", "20", "--rate", "20",
         "--managers", "2", "--duration", "60s"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    Shop.running.add(bench)
    pids = wait_until(lambda: (found := children(bench.pid)) and len(found) == 5 and found, 60,
                      "three servers and two load managers")
    assert all(is_alive(pid) for pid in pids)
    bench.kill()
    bench.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), what="all to end")


def test_a_crowds_load_managers_get_every_word(tmp_path):
    """One more than there are places for is refused, and none is left out."""
    words = ["--balance=--trust=10.0.0.1"] * 64 + ["--balance=--via=no"]
    done = subprocess.run([STOA, "bench", "crowd", "--dir", str(tmp_path), *words],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "balance" in done.stderr, done
    words = ["--balance=--via=no"] * 63 + ["--balance=--nonsense"]
    done = subprocess.run([STOA, "bench", "crowd", "--dir", str(tmp_path), "--keep", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    log, = tmp_path.glob("bench-*/balance-1.log")
    assert "no option --nonsense" in log.read_text()


def test_half_a_document_is_not_printed(tmp_path):
    done = subprocess.run([STOA, "bench", "crowd", "--spread", "--json", "--dir", str(tmp_path),
                           "--balance=--nonsense"], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1 and done.stderr and not done.stdout, done
