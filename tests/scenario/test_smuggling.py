"""Requests that could be read in two ways, sent through the load manager: what it takes for a
request is what the server behind it gets, whichever server that is."""

import http.client
import re
import socket
import subprocess

import pytest

import smuggling_corpus
from cluster_server import free_port, wait_until
from engine_server import Server as EngineServer
from raw_front import RawFront, exchange, program, read_answers
from recording_server import RecordingServer
from shop_server import Shop

pytestmark = pytest.mark.front

CANARY = b"GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n"
CASES = smuggling_corpus.corpus()
GROUPS = sorted({case.name.partition(":")[0] if ":" in case.name else "other" for case in CASES})


def wait_listening(port, process):
    def listens():
        assert process.poll() is None, "it does not start"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    wait_until(listens, 20, f"somebody at port {port}")


# ---- The servers behind it ----


class Recorder:
    """Complains of everything that is not canonical."""

    def __init__(self, _):
        self.server = RecordingServer()
        self.url = self.server.url

    def seen(self):
        requests, complaints = self.server.take()
        assert complaints == []
        self.requests = requests
        return [request.line for request in requests]

    def stop(self):
        self.server.stop()


class Nginx:
    """Its log tells what it answered with 200."""

    def __init__(self, folder):
        self.port, self.log, self.read = free_port(), folder / "requests.log", 0
        self.log.touch()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self.start(folder)
        Shop.running.add(self.process)
        wait_listening(self.port, self.process)

    def seen(self):
        """What was answered, up to the request for /after, which is the last one."""
        def complete():
            lines = self.log.read_text("latin-1")[self.read:]
            return lines if lines.endswith("\nGET /after 200\n") or \
                lines == "GET /after 200\n" else None
        lines = wait_until(complete, 20, "the request for /after in nginx's log")
        self.read += len(lines)
        assert "/hidden" not in lines
        return re.findall(r"^(.*) 200$", lines, re.M)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def start(self, folder):
        # A request gets its answer from the inner server when all of its body has been read.
        config = folder / "nginx.conf"
        config.write_text(f"""
            daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
            events {{ worker_connections 512; }}
            http {{
                log_format line escape=none '$request_method $request_uri $status'; access_log off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
                merge_slashes off;
                server {{
                    listen 127.0.0.1:{self.port};
                    access_log {self.log} line;
                    location / {{ proxy_pass http://unix:{folder}/inner; }}
                }}
                server {{
                    listen unix:{folder}/inner;
                    location / {{
                        add_header Saw "$request_method $request_uri" always;
                        return 200 "$request_method $request_uri";
                    }}
                }}
            }}""")
        return subprocess.Popen([program("nginx"), "-c", str(config), "-p", str(folder)])


class Haproxy:
    """It hands on to a recorder what it understood."""

    def __init__(self, folder):
        self.server, port = RecordingServer(), free_port()
        config = folder / "haproxy.cfg"
        config.write_text(f"""
global
    maxconn 500
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
listen all
    bind 127.0.0.1:{port}
    server recorder 127.0.0.1:{self.server.port}
""")
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([program("haproxy"), "-q", "-f", str(config)])
        Shop.running.add(self.process)
        wait_listening(port, self.process)

    def seen(self):
        requests, complaints = self.server.take()
        assert complaints == []
        return [request.line for request in requests]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.server.stop()


class Own:
    """The server of this project, which is the engine with another app."""

    def __init__(self, folder):
        self.server = EngineServer(folder, "--loops", 1, tls=False)
        Shop.running.add(self.server.process)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.counted = self.count()

    def count(self):
        return self.server.stats()["requests"]

    def seen(self):
        """Only how many requests there were: ours, /after and the question itself left out."""
        now = self.count()
        before, self.counted = self.counted, now
        return now - before - 2

    def stop(self):
        self.server.stop()


SERVERS = {"recorder": Recorder, "nginx": Nginx, "haproxy": Haproxy, "own": Own}


@pytest.fixture(scope="module", params=SERVERS)
def pair(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    server = SERVERS[request.param](folder)
    with RawFront(folder, [server.url]) as front:
        yield server, front
    server.stop()


# ---- What is checked ----


def ask_after(front):
    """Another client's request on whatever connections are kept: it gets its own answer."""
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=20)
    connection.request("GET", "/after")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers.get("Saw"), body


def check_passed(server, case, answers, seen):
    method = case.send.lstrip().split(b" ", 1)[0].decode()
    assert answers and answers[0].status < 500, answers
    if isinstance(server, Recorder):
        first = [one for one in server.requests if one.target.startswith(b"/case")][0]
        assert first.method.decode() == method and first.target.startswith(b"/case")
        assert first.body == (case.body or b"")
        assert answers[0].header("Saw").startswith(f"{method} /case")


def check_must(server, case, answers, seen):
    if case.must == "refused":
        assert answers and 400 <= answers[0].status <= 505, answers
        assert not seen, seen
    elif case.must in ("broken", "cut"):
        assert not isinstance(seen, list) or not any("/case" in line for line in seen), seen
        assert all(answer.status >= 400 for answer in answers), answers
    elif case.must == "passed":
        check_passed(server, case, answers, seen)


def play(server, front, case):
    received, _ = exchange(front.port, case.send + CANARY)
    answers, rest = read_answers(received, case.send.split(b" ", 1)[0].decode("latin-1"))
    assert rest == b""
    after = ask_after(front)
    seen = server.seen()
    if isinstance(server, Own):
        from_server = [answer for answer in answers if answer.status < 400 or
                       answer.status == 404]
        if case.must in ("refused", "passed"):
            assert seen == len(from_server), (seen, answers)
        assert seen <= len(answers) + (case.must in ("broken", "cut")), (seen, answers)
    else:
        assert after[1] == "GET /after", after
        assert seen[-1:] == ["GET /after"], seen
        seen = seen[:-1]
        from_server = [answer.header("Saw") for answer in answers if answer.header("Saw")]
        assert sorted(seen) == sorted(from_server)
        if len(answers) > 1:
            assert answers[-1].header("Saw") in ("GET /canary", None), answers
        seen = from_server
        assert not any("hidden" in line and "case" not in line for line in seen), seen
    check_must(server, case, answers, seen)


@pytest.mark.parametrize("group", GROUPS)
def test_front_and_server_see_the_same_requests(pair, group):
    server, front = pair
    wrong, played = [], 0
    for case in CASES:
        name = case.name.partition(":")[0] if ":" in case.name else "other"
        if name != group:
            continue
        played += 1
        try:
            play(server, front, case)
        except AssertionError as error:
            wrong.append(f"{case.name}: {case.send[:120]!r}: {str(error)[:600]}")
    assert not wrong, f"{len(wrong)} of {played}:\n" + "\n".join(wrong)
    assert played > 0
