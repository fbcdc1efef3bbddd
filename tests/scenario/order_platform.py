"""A platform that has a profile and takes order webhooks, on loopback. It believes nothing: each
webhook's digest and signature (RFC 9421) are checked by hand with the shop's published key and the
openssl program, as a stranger would."""

import base64
import hashlib
import http.server
import json
import re
import subprocess
import tempfile
import threading
import time
import urllib.request

# A P-256 key as SubjectPublicKeyInfo, up to the point.
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def integer(number):
    """A DER INTEGER."""
    number = number.lstrip(b"\0") or b"\0"
    if number[0] & 0x80:
        number = b"\0" + number
    return b"\x02" + bytes([len(number)]) + number


def verifies(key, base, signature):
    """Whether openssl takes the 64 bytes SIGNATURE (r and s) of the text BASE by the JWK KEY."""
    assert len(signature) == 64
    parts = integer(signature[:32]) + integer(signature[32:])
    spki = base64.encodebytes(SPKI + unpadded(key["x"]) + unpadded(key["y"])).decode()
    with tempfile.NamedTemporaryFile("w") as pem, tempfile.NamedTemporaryFile() as der:
        pem.write(f"-----BEGIN PUBLIC KEY-----\n{spki}-----END PUBLIC KEY-----\n")
        pem.flush()
        der.write(b"\x30" + bytes([len(parts)]) + parts)
        der.flush()
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", pem.name, "-signature", der.name],
            input=base.encode(), capture_output=True, check=False)
    return done.returncode == 0


class Webhook:
    """One request as it came."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.order = json.loads(body)
        self.came = time.monotonic()

    @property
    def id(self):
        return self.headers["webhook-id"]

    def covered(self):
        """(components, all that stands behind "sig1=")."""
        name, _, params = self.headers["signature-input"].partition("=")
        assert name == "sig1"
        return re.findall(r'"([^"]+)"', params[:params.index(")")]), params

    def base(self):
        path, _, query = self.target.partition("?")
        derived = {"@method": self.method, "@authority": self.headers["host"], "@path": path,
                   "@query": "?" + query}
        components, params = self.covered()
        lines = [f'"{c}": {derived[c] if c[0] == "@" else self.headers[c]}' for c in components]
        return "\n".join(lines + [f'"@signature-params": {params}'])

    def check(self, shop=None):
        """Digest and signature, by the key in the profile that UCP-Agent names, or of the server at
        SHOP. The key's name."""
        digest = base64.b64encode(hashlib.sha256(self.body).digest()).decode()
        assert self.headers["content-digest"] == f"sha-256=:{digest}:"
        profile = re.fullmatch(r'profile="([^"]+/\.well-known/ucp)"', self.headers["ucp-agent"])
        address = f"http://{shop}/.well-known/ucp" if shop else profile[1]
        with urllib.request.urlopen(address, timeout=30) as answer:
            keys = {key["kid"]: key for key in json.load(answer)["signing_keys"]}
        kid = re.search(r';keyid="([^"]+)"', self.headers["signature-input"])[1]
        assert keys[kid]["kty"] == "EC" and keys[kid]["crv"] == "P-256"
        signature = base64.b64decode(
            re.fullmatch(r"sig1=:([A-Za-z0-9+/=]+):", self.headers["signature"])[1])
        assert verifies(keys[kid], self.base(), signature)
        assert not verifies(keys[kid], self.base() + " ", signature)
        return kid


class OrderPlatform:
    """answers: what the next webhooks are answered with, (status, headers); then always 200."""

    def __init__(self, answers=(), profile_status=200):
        self.webhooks, self.profiles = [], 0
        self.answers = list(answers)
        self.profile_status = profile_status
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reply(self, status, headers, body=b"{}"):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                outer.profiles += 1
                self.reply(outer.profile_status, {"Location": outer.url + "/elsewhere"},
                           json.dumps(outer.profile()).encode())

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, more = outer.answers.pop(0) if outer.answers else (200, {})
                outer.webhooks.append(Webhook(self.command, self.path, headers, body))
                self.reply(status, more)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def profile(self):
        return {"ucp": {"version": "2026-04-08", "capabilities": {"dev.ucp.shopping.order": [
            {"version": "2026-04-08", "config": {"webhook_url": self.url + "/hooks?shop=7"}}]}}}

    @property
    def agent(self):
        return f'profile="{self.url}/profile.json"'

    def of(self, order_id):
        """Webhooks about one order."""
        return [hook for hook in list(self.webhooks) if hook.order["id"] == order_id]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
