"""A shop on the engine seda: what its stages and its admission do is seen in /metrics and `stoa top`."""

import subprocess
import urllib.request

from shop_server import STOA, Shop, wait_until

STAGES = ["accept", "parse", "handle", "work", "disk", "write"]


def get(shop, path):
    with urllib.request.urlopen(shop.url + path, timeout=60) as answer:
        assert answer.status == 200
        return answer.read().decode()


def figures(shop):
    lines = [line for line in get(shop, "/metrics").splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_its_stages_and_its_admission_are_seen(tmp_path):
    with Shop(tmp_path, "--engine", "seda", "--admission", "10s") as shop:
        before = figures(shop)
        for path in ["/", "/search?q=cup", "/livez"]:
            get(shop, path)

        def all_have_done_something():  # a stage counts when the answer may have left already
            now = figures(shop)
            done = ['stoa_stage_done_total{stage="%s"}' % stage for stage in STAGES
                    if stage != "disk"]  # nothing had to come from there
            return now if all(now[name] > before[name] for name in done) else None

        after = wait_until(all_have_done_something)
        for stage in STAGES:
            label = '{stage="%s"}' % stage
            assert after["stoa_stage_threads" + label] >= 1
            assert after["stoa_stage_batch" + label] >= 1
            assert after["stoa_stage_queue" + label] >= 0
        assert after["stoa_admission_target_seconds"] == 10
        assert after["stoa_admission_rate"] == 0
        assert after["stoa_admission_on_time_total"] >= 3
        assert after["stoa_admission_late_total"] == 0
        top = subprocess.run([STOA, "top", "--once", "--every", "100ms", "--server", shop.url],
                             capture_output=True, text=True, timeout=60)
        assert top.returncode == 0, top.stderr
        assert "admission  let in all" in top.stdout
        assert [line.split()[0] for line in top.stdout.splitlines()[-len(STAGES):]] == STAGES
