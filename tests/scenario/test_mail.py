"""Shoppers are told by e-mail what happens to their orders."""

import base64
import email
import email.policy
import re
import socket

import pytest

from mail_server import MailServer, make_certificate
from shop_server import Client, Shop, buy, checkout_body, wait_until
from ucp import FLOWERS

pytestmark = pytest.mark.outside

FROM = "orders@shop.example"


def operate(shop, method, path, **body):
    status, answer = Client(shop.address).call(method, "/admin/api" + path, body,
                                               Authorization="Bearer " + shop.token())
    assert status == 200, answer


def open_shop(folder, where, *options, **more):
    shop = Shop(folder, "--mail", where, "--mail-from", FROM, *options, catalogue=FLOWERS, **more)
    shop.start()
    operate(shop, "PUT", "/settings", mail=True, name="Blümchen & Co")
    return shop


def sell(shop, quantity=1, address="ada@shopper.example", **buyer):
    """The order's id."""
    body = checkout_body({"bouquet_tulips": quantity}, address)
    body["buyer"].update(buyer)
    return buy(Client(shop.address), body)


def parse(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def in_folder(folder):
    """The mails of a maildir, the oldest first."""
    return [parse(path.read_bytes()) for path in sorted(
        (folder / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns)]


def arrive(folder, subject):
    """The one mail in a maildir whose subject has these words, when it is there."""
    def found():
        return [mail for mail in in_folder(folder) if subject in mail["Subject"]]
    wait_until(found, 30, subject)
    assert len(found()) == 1
    return found()[0]


@pytest.mark.quick
def test_a_maildir_gets_one_mail_for_each_event(tmp_path):
    box = tmp_path / "box"
    shop = open_shop(tmp_path, f"maildir:{box}")
    order_id = sell(shop, 3, first_name="Ada\nBcc: all@shopper.example")
    placed = arrive(box, "Your order")
    assert placed["To"] == "ada@shopper.example" and placed["Bcc"] is None
    assert placed["From"] == "Blümchen & Co <orders@shop.example>"
    assert re.fullmatch(r"Your order \d+ at Blümchen & Co", placed["Subject"])
    assert re.fullmatch(r"<[0-9a-f]{32}@shop\.example>", placed["Message-ID"])
    assert placed["Auto-Submitted"] == "auto-generated"
    text = placed.get_content().replace("\r\n", "\n")
    assert text.startswith("Hello Ada Bcc: all@shopper.example,\n")
    assert "3 x " in text and "$90.00" in text and f"{shop.url}/order/{order_id}" in text
    assert "1 Main St" in text and "{" not in text
    assert not placed.is_multipart() and placed.get_content_type() == "text/plain"

    operate(shop, "POST", f"/orders/{order_id}/ship", lines=[{"line": 1, "quantity": 2}],
            carrier="Post", tracking="T7")
    shipped = arrive(box, "On its way: your order")
    assert "2 x " in shipped.get_content() and "Post, parcel T7" in shipped.get_content()
    assert "the rest follows" in shipped.get_content()
    operate(shop, "POST", f"/orders/{order_id}/cancel")
    arrive(box, "Partly canceled: your order")
    arrive(box, "given back: your order")  # the whole was taken with the first parcel
    operate(shop, "POST", f"/orders/{order_id}/return", lines=[{"line": 1, "quantity": 1}],
            restock=True)
    arrive(box, "Returned: your order")
    wait_until(lambda: len(in_folder(box)) == 6, 30, "the second refund")
    assert len({mail["Message-ID"] for mail in in_folder(box)}) == 6

    # Named for the event, so that a repeat finds it there.
    names = [path.name for path in (box / "new").iterdir()]
    assert all(re.fullmatch(r"\d+\.E[0-9a-f]{32}\.shop\.example", name) for name in names)
    wait_until(lambda: not list((box / "tmp").iterdir()), what="what was written being put away")
    shop.stop()


def test_smtp_is_encrypted_and_logged_in(tmp_path):
    certificate = make_certificate(tmp_path)
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    with MailServer(certificate) as server:
        shop = open_shop(tmp_path, f"smtp://user@127.0.0.1:{server.port}", "--mail-authority",
                         str(certificate), "--mail-password-file", str(password))
        sell(shop)
        sell(shop, address="b.c+d@shopper.example")
        wait_until(lambda: len(server.mails) == 2, 30, "two mails")
        for encrypted, user, sender, recipients, data in server.mails:
            assert encrypted.startswith("TLS") and sender == FROM and len(recipients) == 1
            assert base64.b64decode(user) == b"\0user\0open sesame"
            assert parse(data)["To"] == recipients[0]
            assert max(len(line) for line in data.split(b"\r\n")) <= 78
        assert {recipients[0] for *_, recipients, _ in server.mails} == {
            "ada@shopper.example", "b.c+d@shopper.example"}
        assert not [c for c in server.commands[:server.commands.index("STARTTLS")]
                    if c.startswith(("AUTH", "MAIL"))]
        shop.stop()


def test_an_untrusted_mail_server_gets_nothing(tmp_path):
    with MailServer(make_certificate(tmp_path)) as server:
        shop = open_shop(tmp_path, f"smtp://127.0.0.1:{server.port}")
        sell(shop)
        wait_until(lambda: "STARTTLS" in server.commands, 30, "a connection")
        wait_until(lambda: server.commands.count("STARTTLS") > 1, 30, "another try")
        assert not server.mails and not [c for c in server.commands if c.startswith("MAIL")]
        shop.stop()


def test_later_is_tried_again_and_never_is_given_up(tmp_path):
    answers = {"RCPT": ["550 no such mailbox"], "MAIL": ["421 closing", "421 closing"],
               "DOT": ["554 spam"]}
    with MailServer(answers=answers) as server:
        shop = open_shop(tmp_path, f"smtp://127.0.0.1:{server.port}")
        sell(shop, address="nobody@shopper.example")
        wait_until(lambda: "no mail is sent" in shop.log.read_text(), 30, "a line in the log")
        assert "550" in shop.log.read_text()
        sell(shop)
        wait_until(lambda: "554" in shop.log.read_text(), 30, "another line in the log")
        sell(shop)
        wait_until(lambda: server.mails, 30, "the mail")
        assert server.mails[0][3] == ["ada@shopper.example"]
        assert len(server.mails) == 1
        shop.stop()


def test_an_address_that_is_none_is_given_up_at_once(tmp_path):
    with MailServer() as server:
        shop = open_shop(tmp_path, f"smtp://127.0.0.1:{server.port}")
        sell(shop, address="ada,eve@shopper.example")
        wait_until(lambda: "is no address that can be written to" in shop.log.read_text(), 30,
                   "a line in the log")
        assert not server.mails and not [c for c in server.commands if c.startswith("MAIL")]
        shop.stop()


def test_mail_waits_until_there_is_a_server(tmp_path):
    with socket.socket() as nobody:  # has the port, and does not listen
        nobody.bind(("127.0.0.1", 0))
        shop = open_shop(tmp_path, f"smtp://127.0.0.1:{nobody.getsockname()[1]}")
        sell(shop)
        shop.kill()  # what was not delivered is in the outbox
    with MailServer() as server:
        shop.options = ("--mail", f"smtp://127.0.0.1:{server.port}", "--mail-from", FROM)
        shop.start()
        wait_until(lambda: server.mails, 30, "the mail")
        shop.stop()


@pytest.mark.quick
@pytest.mark.parametrize("options", [
    ("--mail", "http://x"), ("--mail", "smtp://"), ("--mail", "maildir:"),
    ("--mail", "maildir:x", "--mail-from", "nobody"), ("--mail", "maildir:x"),
    ("--mail", "smtp://a@b", "--mail-from", "a@b\r\nBcc: c@d")])
def test_settings_that_cannot_work_are_refused(tmp_path, options):
    shop = Shop(tmp_path, *options, catalogue=None)
    shop.spawn()
    assert shop.process.wait(60) == 2
    assert "mail" in shop.log.read_text()
