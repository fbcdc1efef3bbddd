"""An SMTP server for tests: takes mail, or says what it was told to say."""

import socket
import ssl
import subprocess
import threading


def make_certificate(folder):
    """A self-signed certificate for 127.0.0.1 with its key: the file."""
    path = folder / "mail.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=mail", "-addext",
         "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(path), "-out",
         str(folder / "only.pem")], check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "only.pem").read_text())
    return path


class Session:
    def __init__(self, server, connection):
        self.server, self.socket = server, connection
        self.file = connection.makefile("rb")
        self.encrypted = self.user = None
        self.forget()

    def forget(self):
        self.sender, self.recipients = None, []

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.file = self.socket.makefile("rb")
        self.encrypted = self.socket.version()

    def greet(self):
        offers = ["250-mail.example", "250-8BITMIME"]
        if self.server.certificate and not self.encrypted:
            offers.append("250-STARTTLS")
        if self.encrypted or not self.server.certificate:
            offers.append("250-AUTH PLAIN")
        self.say("\r\n".join(offers + ["250 SIZE 10000000"]))

    def take_data(self):
        self.say("354 go on")
        lines = []
        while True:
            line = self.file.readline()
            if line in (b".\r\n", b""):
                break
            assert line.endswith(b"\r\n") and b"\r" not in line[:-2], line
            lines.append(line[1:] if line.startswith(b".") else line)
        self.server.took(self, b"".join(lines))

    def run(self):
        self.say("220 mail.example")
        while True:
            line = self.file.readline().decode().strip()
            word = line.upper().split(" ")[0].split(":")[0]
            self.server.commands.append(line)
            answer = self.server.answer_to(word, line)
            if not line or word == "QUIT":
                self.say("221 bye") if line else None
                return
            if answer:
                self.say(answer)
            elif word == "EHLO":
                self.greet()
            elif word == "STARTTLS":
                self.say("220 go on")
                self.start_tls()
            elif word == "AUTH":
                self.say("334 ")
                self.user = self.file.readline().decode().strip()
                self.say("235 welcome")
            elif word == "DATA":
                self.take_data()
            else:
                if word == "MAIL":
                    self.forget()
                    self.sender = line[10:].split(">")[0].lstrip("<")
                elif word == "RCPT":
                    self.recipients.append(line[8:].split(">")[0].lstrip("<"))
                self.say("250 fine")


class MailServer:
    """mails: (session's encryption, user, sender, recipients, bytes). answers: {"RCPT": ["450 …"]}:
    what the next such commands are answered with, instead of being done."""

    def __init__(self, certificate=None, answers=None):
        self.certificate = certificate
        self.answers = answers or {}
        self.mails, self.commands = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            Session(self, connection).run()
        except OSError:
            pass
        finally:
            connection.close()

    def answer_to(self, word, line):
        waiting = self.answers.get(word) or []
        return waiting.pop(0) if waiting else None

    def took(self, session, data):
        answer = self.answer_to("DOT", "")
        if not answer or answer[0] == "2":
            self.mails.append((session.encrypted, session.user, session.sender, session.recipients,
                               data))
        session.say(answer or "250 taken")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # whoever waits in accept() comes out of it
        self.listener.close()
