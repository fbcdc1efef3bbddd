"""Which servers get requests from a load manager: those that are dead, fail, hang or are slow lose
them, and get them back; shoppers notice nothing. Nothing here says how long anything takes, but
what the load manager itself has measured."""

import collections
import re
import signal
import statistics
import time

import pytest

from balancer import Balancer, Load, before, options, upstreams
from cluster_client import GOODS, operate
from cluster_server import free_port
from shop_server import Shop, wait_until
from three_servers import COUNT, Three

pytestmark = pytest.mark.front

# For servers that are threads of the test, where silence is not what is looked at: it is borne for
# longer than the test may be held up.
CALM = ("--silent-after", "20s")


def bodies(seen):
    """How often each server has answered."""
    return collections.Counter(body for status, body in seen if status == 200)


def test_checks_are_spread_over_the_time(tmp_path):
    with upstreams(4) as servers, \
            Balancer(tmp_path, *options(servers, "--check-every", "400ms")):
        wait_until(lambda: all(len(server.checks) >= 12 for server in servers), 30, "checks")
        times = sorted(time for server in servers for time in server.checks[2:12])
        gaps = [later - sooner for sooner, later in zip(times, times[1:])]
        # A tenth of a second would be even; all at once would be nearly nothing. The median does
        # not see a machine that stands still now and then.
        assert statistics.median(gaps) > 0.03, gaps
        for server in servers:
            rounds = [later - sooner for sooner, later in zip(server.checks, server.checks[1:])]
            assert len({round(gap, 3) for gap in rounds}) > 3, "never by chance"


def test_a_server_that_refuses_is_out_and_comes_back_with_a_growing_share(tmp_path):
    with upstreams(3) as servers, \
            Balancer(tmp_path, *options(servers, "--slow-start", "8s", *CALM)) as balancer, \
            Load(balancer) as load:
        for server in servers:
            server.pause = 0.02  # beside it, what the test is held up for makes nobody a slow one
        load.wait_more(50)
        gone = servers[0]
        gone.stop()
        balancer.wait_event("out", gone.name, saying="refused")
        balancer.wait_state(gone.name, "out")
        assert gone.name not in bodies(load.wait_more(100))
        gone.start()
        shares = []

        def is_up():
            server = balancer.servers()[gone.name]
            if server["state"] == "warming":
                shares.append(server["share"])
            return server["state"] == "up"
        wait_until(is_up, 30, "the full share")
        assert shares == sorted(shares) and len(set(shares)) > 3, shares
        assert 0.1 <= shares[0] < 0.5
        asked = len(gone.asked)
        wait_until(lambda: len(gone.asked) > asked, 20, "requests for it")
        assert not load.failures()


def test_a_server_that_fails_is_ejected_and_its_ejections_grow(tmp_path):
    with upstreams(3) as servers, \
            Balancer(tmp_path, *options(servers, "--policy", "round-robin", *CALM)) as balancer, \
            Load(balancer) as load:
        bad = servers[1]
        bad.status = 500
        balancer.wait_event("out", bad.name, saying="500")
        wait_until(lambda: len(balancer.events("out", bad.name)) >= 2, 30, "another ejection")
        assert not balancer.events("panic")
        assert all(balancer.state(server.name) == "up" for server in servers if server is not bad)
        bad.status = 200
        balancer.wait_state(bad.name, "warming", "up", seconds=60)
        asked, begin = len(bad.asked), load.count()
        wait_until(lambda: len(bad.asked) > asked + 10, 20, "requests for it")
        wait_until(lambda: bad.name in bodies(load.seen[begin:]), 20, "an answer of it")


def test_when_all_fail_at_most_half_are_out(tmp_path):
    with upstreams(4) as servers, \
            Balancer(tmp_path, *options(servers, "--policy", "round-robin", *CALM)) as balancer, \
            Load(balancer) as load:
        load.wait_more(20)
        for server in servers:
            server.status = 500
        wait_until(lambda: len({event["name"] for event in balancer.events("out")}) == 4, 30,
                   "all of them being out")
        before = [len(server.asked) for server in servers]
        load.wait_more(100)
        used = sum(len(server.asked) > count for server, count in zip(servers, before))
        assert used >= 2
        for server in servers:
            server.status = 200
        for server in servers:
            balancer.wait_state(server.name, "warming", "up", seconds=60)
        seen = load.wait_more(50)
        assert all(status == 200 for status, _ in seen)


def test_when_nobody_is_well_those_who_are_there_are_used(tmp_path):
    with upstreams(3) as servers, \
            Balancer(tmp_path, *options(servers, *CALM)) as balancer:
        for server in servers:
            server.check_status = 503
        balancer.wait_event("panic")
        # They say that they do not sell; whoever asks is told so by them, not by us.
        assert balancer.get()[0] == 200
        for server in servers:
            server.check_status = 200
        balancer.wait_event("calm")


def test_a_server_that_hangs_is_left_and_is_back_when_it_answers(tmp_path):
    with upstreams(3) as servers, \
            Balancer(tmp_path, *options(servers, "--slow-start", "100ms")) as balancer, \
            Load(balancer) as load:
        load.wait_more(50)
        hung = servers[2]
        hung.hangs = True
        text = balancer.wait_event("suspect", hung.name)["text"]
        silent_ms = int(re.search(r"for (\d+) ms", text)[1])
        assert silent_ms >= 300, text
        load.wait_more(100)
        assert balancer.wait_event("out", hung.name)
        hung.hangs = False
        balancer.wait_state(hung.name, "up")
        asked = len(hung.asked)
        wait_until(lambda: len(hung.asked) > asked, 20, "requests for it")
        assert not load.failures()


def test_a_process_that_hangs_is_left_though_its_kernel_makes_connections(tmp_path_factory):
    """Silence is borne for longer than the other one may be held up."""
    folders = [tmp_path_factory.mktemp(name) for name in ("hung", "well", "balancer")]
    with Shop(folders[0], catalogue=None) as hung, Shop(folders[1], catalogue=None) as well, \
            Balancer(folders[2], *before([hung.url, well.url]), "--policy", "round-robin",
                     "--slow-start", "100ms", "--silent-after", "3s") as balancer, \
            Load(balancer, path="/healthz") as load:
        load.wait_more(50)
        hung.process.send_signal(signal.SIGSTOP)
        text = balancer.wait_event("suspect", hung.address)["text"]
        assert 3000 <= int(re.search(r"for (\d+) ms", text)[1]) < 8000, text
        load.wait_more(50)
        assert balancer.wait_event("out", hung.address)
        hung.process.send_signal(signal.SIGCONT)
        balancer.wait_state(hung.address, "up")
        load.wait_more(50)
        assert not load.failures()
        assert not balancer.events("suspect", well.address)


def test_a_load_manager_that_stood_still_blames_nobody(tmp_path):
    """Silence is borne for longer than these servers, threads of the test, may be held up, and for
    less than the load manager is."""
    with upstreams(3) as servers, \
            Balancer(tmp_path, *options(servers, "--silent-after", "3s")) as balancer:
        for server in servers:
            wait_until(lambda: len(server.checks) > 2, 20, "checks")
        for _ in range(5):
            before = [len(server.checks) for server in servers]
            stop_for_a_while(balancer.process)
            wait_until(lambda: all(len(server.checks) > count + 2
                                   for server, count in zip(servers, before)), 20, "checks")
        assert not balancer.events("out")
        assert not balancer.events("suspect")


def stop_for_a_while(process):
    """SIGSTOP, seen to be done, for longer than silence is borne, and SIGCONT."""
    process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 3.5, 20, "time")
    process.send_signal(signal.SIGCONT)


def test_a_slow_server_loses_most_of_its_requests(tmp_path):
    with upstreams(3) as servers, \
            Balancer(tmp_path, *options(servers, "--policy", "round-robin",
                                        "--hedge", "off", *CALM)) as balancer, \
            Load(balancer, clients=8) as load:
        for server in servers:
            server.pause = 0.005
        load.wait_more(200)
        slow = servers[0]
        slow.pause = 0.2
        assert "slower" in balancer.wait_event("slow", slow.name, seconds=40)["text"]

        def is_small():
            return balancer.servers()[slow.name]["share"] <= 0.1

        def counted():
            """What comes while its share is small, which grows whenever there is little to judge
            it by."""
            count = is_small() and bodies(load.wait_more(300))
            return count and is_small() and count
        count = wait_until(counted, 60, "a small share")
        assert 0 < count[slow.name] + 1 < 300 / 10, count
        assert balancer.state(slow.name) == "up"
        slow.pause = 0.005
        wait_until(lambda: balancer.servers()[slow.name]["share"] == 1, 60, "the full share")
        assert not load.failures()


# ---- Servers of ours


@pytest.fixture
def three(tmp_path):
    goods = tmp_path / "goods.csv"
    goods.write_text(GOODS)
    with Three(tmp_path, goods) as own:
        own.wait_healthy()
        yield own


def in_front(three, *more, seeds=(0,)):
    words = [word for i in seeds for word in ("--server", "http://" + three.addresses[i])]
    return Balancer(three.folder, *words, "--token-file",
                    str(three.dirs[seeds[0]] / "operator.token"), *more)


def names(balancer):
    return sorted(balancer.servers())


def announced(three, i):
    """The load managers that server I lists; none: it does not say."""
    view = three.view(i)
    return view["load_managers"] if view else []


def test_members_are_learnt_from_one_of_them_and_each_server_lists_the_load_manager(three):
    with in_front(three) as balancer:
        wait_until(lambda: names(balancer) == ["server 1", "server 2", "server 3"], 20, "members")
        wait_until(lambda: balancer.servers()[f"server {three.wait_primary() + 1}"]["primary"], 20,
                   "the primary being known")
        for i in range(COUNT):
            seen = wait_until(lambda: announced(three, i), 20, "being announced")
            assert [(one["pid"], one["url"]) for one in seen] == \
                [(balancer.process.pid, balancer.url)]
        assert balancer.get()[0] == 200


def test_two_load_managers_know_nothing_of_each_other_and_both_are_listed(three):
    with in_front(three) as one, in_front(three, seeds=(1, 2)) as two:
        for i in range(COUNT):
            wait_until(lambda: len(announced(three, i)) == 2, 20, "both being listed")
        assert one.get()[0] == two.get()[0] == 200


def test_a_server_that_leaves_is_drained_and_one_that_joins_gets_requests(three):
    """With no failed request, no restart and no file edited."""
    with in_front(three) as balancer, Load(balancer) as load:
        wait_until(lambda: len(names(balancer)) == 3, 20, "members")
        load.wait_more(50)
        leaver = (three.wait_primary() + 1) % COUNT
        name = f"server {three.ids[leaver]}"
        done = operate(three, leaver, "/leave", {})
        assert done.status == 200, done.text
        assert three.processes[leaver].wait(30) == 0, three.log(leaver)
        wait_until(lambda: name not in names(balancer), 20, "its being forgotten")
        balancer.wait_event("gone", name)
        load.wait_more(50)
        assert not load.failures(), load.failures()[:3]
        three.join(leaver)
        fresh = f"server {three.ids[leaver]}"
        wait_until(lambda: fresh in names(balancer), 30, "the new one")
        balancer.wait_event("joined", fresh)
        wait_until(lambda: balancer.servers()[fresh]["answers"] > 0, 30, "answers of it")
        balancer.wait_state(fresh, "up", seconds=60)
        assert not load.failures(), load.failures()[:3]


def test_the_seed_may_die_once_the_others_are_known(three):
    with in_front(three) as balancer:
        wait_until(lambda: len(names(balancer)) == 3, 20, "members")
        three.kill(0)
        balancer.wait_state("server 1", "out")
        others = [i for i in range(COUNT) if i]
        wait_until(lambda: any(server["primary"] and server["name"] != "server 1"
                               for server in balancer.servers().values()), 30, "a primary")
        for i in others:
            wait_until(lambda: announced(three, i), 20, "being announced")
        assert balancer.get()[0] == 200
        three.start(0)
        balancer.wait_state("server 1", "warming", "up", seconds=60)


def test_a_server_of_ours_that_hangs_is_left_and_comes_back(three):
    with in_front(three) as balancer, Load(balancer) as load:
        wait_until(lambda: len(names(balancer)) == 3, 20, "members")
        load.wait_more(50)
        hung = (three.wait_primary() + 1) % COUNT
        three.hang(hung)
        name = f"server {hung + 1}"
        text = balancer.wait_event("suspect", name)["text"]
        assert int(re.search(r"for (\d+) ms", text)[1]) >= 300, text
        load.wait_more(50)
        balancer.wait_state(name, "out")
        three.go_on(hung)
        balancer.wait_state(name, "warming", "up")
        load.wait_more(50)
        assert not load.failures(), load.failures()[:3]


def test_a_wrong_token_is_told_and_the_right_one_is_not_given_away(three, tmp_path):
    wrong = tmp_path / "wrong.token"
    wrong.write_text("not-the-token")
    with Balancer(tmp_path, "--server", "http://" + three.addresses[0], "--token-file", str(wrong),
                  "--queue-timeout", "300ms") as balancer:
        balancer.wait_event("members", saying="token")
        assert balancer.get()[0] == 503


# ---- TLS behind


def test_servers_behind_https_are_believed_by_their_certificates(tmp_path):
    port = free_port()
    with Shop(tmp_path, "--listen-tls", f"127.0.0.1:{port}") as shop:
        url, name = f"https://127.0.0.1:{port}", f"127.0.0.1:{port}"
        own = next(shop.dir.glob("**/self-signed.pem"))
        with Balancer(tmp_path, "--upstream", url, "--check-path", "/healthz", "--authority",
                      str(own)) as balancer:
            assert balancer.get()[0] == 200
            balancer.wait_state(name, "up")
        with Balancer(tmp_path, "--upstream", url, "--check-path", "/healthz",
                      "--insecure") as balancer:
            assert balancer.get()[0] == 200
        with Balancer(tmp_path, "--upstream", url, "--check-path", "/healthz",
                      *CALM) as balancer:
            balancer.wait_event("out", name, saying="self")
            assert balancer.get()[0] == 503
