"""The sandbox bank, as a client of Stripe's API sees it: one effect per key whatever happens on the
way, its errors, its webhooks, its fences, and the faults that it can be asked for."""

import concurrent.futures
import http.client
import itertools
import json
import socket
import ssl
import struct
import time
import urllib.parse

import pytest

from bank_server import Bank, Receiver
from disk import SANITIZED, Faults
from shop_server import wait_until

pytestmark = pytest.mark.outside

SHOP = "0123456789abcdef0123456789abcdef"
LOST = (OSError, http.client.HTTPException)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    with Bank(tmp_path_factory.mktemp("bank")) as running:
        yield running


@pytest.fixture
def client(bank):
    found = bank.client()
    yield found
    found.close()


def the_error(answer, status, code=None, param=None, kind="invalid_request_error"):
    """Its error, which has to be of STATUS, CODE and so on."""
    assert answer.status == status, answer.body
    error = answer.error
    assert (error["type"], error.get("code"), error.get("param")) == (kind, code, param), error
    assert error["message"]
    return error


# ---- A payment's life ----


INTENT = {
    "id", "object", "amount", "amount_capturable", "amount_details", "amount_received",
    "application", "application_fee_amount", "automatic_payment_methods", "canceled_at",
    "cancellation_reason", "capture_method", "client_secret", "confirmation_method", "created",
    "currency", "customer", "description", "last_payment_error", "latest_charge", "livemode",
    "metadata", "next_action", "on_behalf_of", "payment_method", "payment_method_options",
    "payment_method_types", "processing", "receipt_email", "review", "setup_future_usage",
    "shipping", "source", "statement_descriptor", "statement_descriptor_suffix", "status",
    "transfer_data", "transfer_group"}
CHARGE = {
    "id", "object", "amount", "amount_captured", "amount_refunded", "captured", "created",
    "currency", "failure_code", "failure_message", "livemode", "outcome", "paid",
    "payment_intent", "payment_method", "payment_method_details", "refunded", "status"}
REFUND = {
    "id", "object", "amount", "balance_transaction", "charge", "created", "currency",
    "destination_details", "metadata", "payment_intent", "reason", "receipt_number",
    "source_transfer_reversal", "status", "transfer_reversal"}


def test_objects_have_the_members_of_stripes(client):
    made = client.create(2000, **{"metadata[order]": "17 \"quoted\"", "description": "Flöten",
                                  "shipping[name]": "Ada", "shipping[address][city]": "Wien"})
    assert made.status == 200 and made.headers["Request-Id"].startswith("req_")
    intent = made.json
    assert set(intent) == INTENT
    assert (intent["object"], intent["status"]) == ("payment_intent", "requires_payment_method")
    assert intent["metadata"] == {"order": '17 "quoted"'} and intent["description"] == "Flöten"
    assert intent["shipping"]["address"]["city"] == "Wien" and intent["shipping"]["name"] == "Ada"
    assert intent["client_secret"].startswith(intent["id"] + "_secret_")
    assert abs(intent["created"] - time.time()) < 60
    intent = client.confirm(intent["id"]).json
    assert set(intent) == INTENT
    charge = client.get("/v1/charges/" + intent["latest_charge"]).json
    assert set(charge) == CHARGE
    assert not charge["captured"] and charge["paid"] and charge["status"] == "succeeded"
    assert charge["payment_method_details"]["card"]["last4"] == "4242"
    assert charge["payment_method_details"]["card"]["capture_before"] > time.time() + 6 * 86400
    client.capture(intent["id"])
    refund = client.refund(intent["id"], amount=1).json
    assert set(refund) == REFUND
    assert client.get("/v1/refunds/" + refund["id"]).json == refund
    expanded = client.get(f"/v1/payment_intents/{intent['id']}?expand[]=latest_charge").json
    assert set(expanded["latest_charge"]) == CHARGE
    assert expanded["latest_charge"]["amount_refunded"] == 1


def test_what_is_authorised_is_captured_once_and_given_back_once(client):
    payment = client.authorised(2000)
    seen = client.get("/v1/payment_intents/" + payment).json
    assert (seen["amount_capturable"], seen["amount_received"]) == (2000, 0)
    captured = client.capture(payment, amount_to_capture=1500).json
    assert captured["status"] == "succeeded"
    assert (captured["amount_capturable"], captured["amount_received"]) == (0, 1500)
    again = the_error(client.capture(payment), 400, "payment_intent_unexpected_state")
    assert again["payment_intent"]["status"] == "succeeded" and "already" in again["message"]
    assert client.refund(payment, amount=500, reason="requested_by_customer").status == 200
    the_error(client.refund(payment, amount=1001), 400, None, "amount")
    assert client.refund(payment).json["amount"] == 1000
    the_error(client.refund(payment), 400, "charge_already_refunded")
    refunds = client.get("/v1/refunds?payment_intent=" + payment).json
    assert [refund["amount"] for refund in refunds["data"]] == [1000, 500]
    charge = client.get("/v1/charges/" + seen["latest_charge"]).json
    assert charge["refunded"] and charge["amount_refunded"] == 2000 and charge["captured"]


def test_what_is_authorised_can_be_let_go_and_then_nothing_else(client):
    payment = client.authorised()
    canceled = client.cancel(payment, cancellation_reason="abandoned").json
    assert (canceled["status"], canceled["cancellation_reason"]) == ("canceled", "abandoned")
    assert canceled["canceled_at"] and canceled["amount_capturable"] == 0
    charge = client.get("/v1/charges/" + canceled["latest_charge"]).json
    assert charge["refunded"] and not charge["captured"] and charge["amount_captured"] == 0
    unexpected = "payment_intent_unexpected_state"
    for answer in (client.cancel(payment), client.capture(payment), client.confirm(payment)):
        assert the_error(answer, 400, unexpected)["payment_intent"]["status"] == "canceled"
    the_error(client.refund(payment), 400, None, "payment_intent")


def test_a_decline_leaves_a_payment_that_another_card_can_pay(client):
    payment = client.create().json["id"]
    declined = client.confirm(payment, "pm_card_chargeDeclinedInsufficientFunds")
    error = the_error(declined, 402, "card_declined", kind="card_error")
    assert error["decline_code"] == "insufficient_funds" and error["charge"].startswith("ch_")
    assert error["payment_method"]["card"]["last4"] == "9995"
    intent = error["payment_intent"]
    assert set(intent) == INTENT
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["last_payment_error"]["decline_code"] == "insufficient_funds"
    assert "payment_intent" not in intent["last_payment_error"]
    charge = client.get("/v1/charges/" + intent["latest_charge"]).json
    assert (charge["status"], charge["failure_code"]) == ("failed", "card_declined")
    assert charge["outcome"]["type"] == "issuer_declined"
    paid = client.confirm(payment).json
    assert paid["status"] == "requires_capture" and paid["last_payment_error"] is None


@pytest.mark.parametrize("card, code, decline_code", [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined",
     "card_velocity_exceeded"),
])
def test_each_way_of_being_declined_has_its_code(client, card, code, decline_code):
    answer = client.create(payment_method=card, confirm="true")
    error = the_error(answer, 402, code, kind="card_error")
    assert error["decline_code"] == decline_code
    assert client.get("/v1/payment_intents/" + error["payment_intent"]["id"]).status == 200


def test_a_card_that_asks_waits_for_the_shopper_or_is_declined(client):
    payment = client.create(payment_method="pm_card_authenticationRequired").json
    assert payment["status"] == "requires_confirmation"
    waiting = client.post(f"/v1/payment_intents/{payment['id']}/confirm").json
    assert waiting["status"] == "requires_action" and waiting["next_action"]
    assert client.cancel(payment["id"]).json["status"] == "canceled"
    strict = client.create(payment_method="pm_card_authenticationRequired", confirm="true",
                           error_on_requires_action="true")
    error = the_error(strict, 402, "authentication_required", kind="card_error")
    assert error["payment_intent"]["status"] == "requires_payment_method"


def test_automatic_capture_takes_the_money_at_once(client):
    paid = client.create(capture_method="automatic", payment_method="pm_card_mastercard",
                         confirm="true", **{"expand[0]": "latest_charge"}).json
    assert (paid["status"], paid["amount_received"]) == ("succeeded", 1999)
    assert paid["latest_charge"]["captured"]
    assert client.refund(paid["id"]).json["amount"] == 1999


def test_refunds_may_turn_out_otherwise_later(client):
    def one(card):
        payment = client.create(capture_method="automatic", payment_method=card,
                                confirm="true").json["id"]
        return client.refund(payment).json
    pending, failing = one("pm_card_pendingRefund"), one("pm_card_refundFail")
    assert (pending["status"], failing["status"]) == ("pending", "succeeded")

    def status(refund):
        return client.get("/v1/refunds/" + refund["id"]).json["status"]
    wait_until(lambda: status(pending) == "succeeded" and status(failing) == "failed")
    charge = client.get("/v1/charges/" + failing["charge"]).json
    assert charge["amount_refunded"] == 0 and not charge["refunded"]


# ---- Errors ----


def test_what_is_not_understood_is_refused(client):
    create = "/v1/payment_intents"
    good = {"amount": "1999", "currency": "eur"}
    the_error(client.post(create, {**good, "colour": "red"}), 400, "parameter_unknown", "colour")
    the_error(client.post(create, {**good, "amount_to_capture": "1"}), 400, "parameter_unknown",
              "amount_to_capture")
    the_error(client.post(create, {"currency": "eur"}), 400, "parameter_missing", "amount")
    the_error(client.post(create, {"amount": "19.99", "currency": "eur"}), 400,
              "parameter_invalid_integer", "amount")
    the_error(client.post(create, {**good, "amount": ""}), 400, "parameter_invalid_empty",
              "amount")
    the_error(client.post(create, {**good, "amount": "49"}), 400, "amount_too_small", "amount")
    the_error(client.post(create, {**good, "amount": "100000000"}), 400, "amount_too_large",
              "amount")
    the_error(client.post(create, {**good, "currency": "EUR"}), 400, None, "currency")
    the_error(client.post(create, {**good, "capture_method": "never"}), 400, None,
              "capture_method")
    the_error(client.post(create, {**good, "confirm": "yes"}), 400, None, "confirm")
    the_error(client.post(create, {**good, "metadata": "x"}), 400, None, "metadata")
    the_error(client.post(create, {**good, "metadata[" + 41 * "k" + "]": "x"}), 400, None,
              "metadata")
    the_error(client.post(create, {**good, "metadata[k]": 501 * "x"}), 400, None, "metadata")
    the_error(client.post(create, {**good, "payment_method": "pm_card_none"}), 400,
              "resource_missing", "payment_method")
    the_error(client.post(create, {**good, "payment_method_types[]": "cash"}), 400,
              "payment_intent_invalid_parameter", "payment_method_types")
    the_error(client.post(create, '{"amount":1}', Content_Type="application/json"), 400)
    the_error(client.post(create, "amount=%ff&currency=eur"), 400)
    payment = client.create().json["id"]
    the_error(client.capture(payment, amount_to_capture=0), 400, "parameter_invalid_integer",
              "amount_to_capture")
    the_error(client.capture(payment), 400, "payment_intent_unexpected_state")
    the_error(client.post(f"/v1/payment_intents/{payment}/confirm"), 400,
              "payment_intent_unexpected_state")
    the_error(client.cancel(payment, cancellation_reason="bored"), 400, None,
              "cancellation_reason")
    the_error(client.capture(client.authorised(500), amount_to_capture=501), 400,
              "amount_too_large", "amount_to_capture")
    the_error(client.post("/v1/refunds", {}), 400, "parameter_missing", "payment_intent")


def test_what_is_not_there_is_missing(client):
    missing = "pi_" + 24 * "0"
    error = the_error(client.get("/v1/payment_intents/" + missing), 404, "resource_missing",
                      "intent")
    assert error["message"] == f"No such payment_intent: '{missing}'"
    the_error(client.capture("pi_x"), 404, "resource_missing", "intent")
    the_error(client.refund(missing), 400, "resource_missing", "payment_intent")
    the_error(client.get("/v1/refunds/re_x"), 404, "resource_missing", "refund")
    the_error(client.get("/v1/charges/ch_x"), 404, "resource_missing", "charge")
    the_error(client.get("/v1/events/evt_x"), 404, "resource_missing", "id")
    the_error(client.get("/v1/payment_intents?starting_after=pi_x"), 400, "resource_missing",
              "starting_after")
    the_error(client.get("/v1/payment_intents?limit=101"), 400, "parameter_invalid_integer",
              "limit")
    the_error(client.get("/v1/customers"), 404)
    the_error(client.call("DELETE", "/v1/payment_intents"), 404)


def test_nobody_gets_in_without_the_key(bank, client):
    stranger = bank.client(key="sk_test_" + 48 * "0")
    for path in ("/v1/payment_intents", "/sandbox/ledger", "/sandbox/faults", "/nothing"):
        the_error(stranger.get(path), 401)
    assert "Basic" in stranger.get("/v1/events").headers["WWW-Authenticate"]
    the_error(client.get("/v1/events", Authorization=""), 401)
    basic = ssl.base64.b64encode(f"{bank.key}:".encode()).decode()
    assert client.get("/v1/events", Authorization="Basic " + basic).status == 200
    stranger.close()


# ---- Lists ----


def test_lists_are_newest_first_and_page_by_page(client):
    made = [client.create(key=f"list {i}").json["id"] for i in range(7)]
    newest = list(reversed(made))

    def page(**query):
        answer = client.get("/v1/payment_intents?" + urllib.parse.urlencode(query)).json
        assert (answer["object"], answer["url"]) == ("list", "/v1/payment_intents")
        return [intent["id"] for intent in answer["data"]], answer["has_more"]
    assert page(limit=3) == (newest[:3], True)
    assert page(limit=3, starting_after=newest[2]) == (newest[3:6], True)
    assert page(limit=3, ending_before=newest[6]) == (newest[3:6], True)
    assert page(limit=10, ending_before=newest[2]) == (newest[:2], False)
    now = int(time.time())
    assert page(**{"created[gt]": now + 60}) == ([], False)
    assert page(**{"created[lt]": now - 3600}) == ([], False)
    inside, _ = page(limit=7, **{"created[gte]": now - 600, "created[lte]": now + 60})
    assert inside == newest


def test_a_page_ends_where_the_list_does(client):
    seen, query = [], "?limit=100"
    while True:
        answer = client.get("/v1/payment_intents" + query).json
        seen += [intent["id"] for intent in answer["data"]]
        if not answer["has_more"]:
            break
        query = "?limit=100&starting_after=" + seen[-1]
    assert len(seen) == len(set(seen)) and seen == sorted(seen, reverse=True) and len(seen) >= 7


# ---- Idempotency keys ----


def test_a_key_gives_the_first_answer_again(client):
    first = client.create(2500, key="K1:create")
    assert first.headers["Idempotency-Key"] == "K1:create"
    assert first.headers["Idempotent-Replayed"] is None
    payment = first.json["id"]
    client.confirm(payment)
    # Other order, other spelling, the same parameters.
    again = client.post("/v1/payment_intents", "payment%5Fmethod_types[]=card&currency=eur&"
                        "capture_method=m%61nual&amount=2500", key="K1:create")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first.body  # as it was then, not as the payment is now
    assert client.get("/v1/payment_intents/" + payment).json["status"] == "requires_capture"


def test_a_decline_stands_under_its_key(client):
    payment = client.create().json["id"]
    declined = client.confirm(payment, "pm_card_chargeDeclined", key="K2:confirm")
    assert declined.status == 402
    again = client.confirm(payment, "pm_card_chargeDeclined", key="K2:confirm")
    assert (again.status, again.body) == (402, declined.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    missing = client.capture("pi_" + 24 * "0", key="K2:nothing")
    assert client.capture("pi_" + 24 * "0", key="K2:nothing").body == missing.body


def test_a_key_is_for_one_request(client):
    first = client.create(key="K3").json["id"]
    other = the_error(client.create(2000, key="K3"), 400, kind="idempotency_error")
    assert "same parameters" in other["message"]
    elsewhere = the_error(client.cancel(first, key="K3"), 400, kind="idempotency_error")
    assert "same endpoint" in elsewhere["message"]
    assert client.create(key="K3").json["id"] == first
    the_error(client.create(key=256 * "k"), 400)
    assert client.create(key=255 * "k").status == 200
    # What was refused for its parameters has not used the key up.
    the_error(client.create("much", key="K3b"), 400, "parameter_invalid_integer", "amount")
    assert client.create(key="K3b").status == 200


def hang_up(client, reset=False):
    """Whoever waits for an answer there waits no more. RESET: the bank is told at once."""
    if reset:
        client.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
    client.connection.sock.shutdown(socket.SHUT_RDWR)


def one_is_kept_waiting(bank, key, reset=False):
    """Four ask for the same under KEY, at a bank that takes a minute for everything: who comes
    first is kept waiting, until the others have been answered; then it gives up. Their answers."""
    clients = [bank.client(timeout=50) for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        asked = {pool.submit(client.create, key=key): client for client in clients}
        answered = list(itertools.islice(concurrent.futures.as_completed(asked), 3))
        first, = asked.keys() - set(answered)
        assert not first.done()
        hang_up(asked[first], reset)
        assert isinstance(first.exception(), LOST)
    for client in clients:
        client.close()
    return [one.result() for one in answered]


def test_a_key_in_use_is_told_so(bank, client):
    bank.faults(latency_ms=60000)
    try:
        answers = one_is_kept_waiting(bank, "K4", reset=True)
    finally:
        bank.faults(latency_ms=0)
    for answer in answers:
        the_error(answer, 409, "idempotency_key_in_use")
        assert answer.headers["Stripe-Should-Retry"] == "true"
    done = wait_until(lambda: (told := client.create(key="K4")).status == 200 and told)
    assert done.headers["Idempotent-Replayed"] == "true"


# ---- Deaths ----


@pytest.mark.parametrize("point", ["bank_before", "bank_after"])
def test_killed_between_doing_and_answering_it_gives_the_same_answer_later(tmp_path, point):
    bank = Bank(tmp_path)
    bank.start("--crash-at", point + ":3")
    client = bank.client()
    first = client.create(key="C:1")
    client.confirm(first.json["id"], key="C:2")
    with pytest.raises(LOST):
        client.capture(first.json["id"], key="C:3")
    assert bank.process.wait(60) == -9
    client.close()
    with bank.start():
        client = bank.client()
        seen = client.get("/v1/payment_intents/" + first.json["id"]).json
        done = point == "bank_after"
        assert seen["status"] == ("succeeded" if done else "requires_capture")
        answer = client.capture(first.json["id"], key="C:3")
        assert answer.json["status"] == "succeeded"
        assert (answer.headers["Idempotent-Replayed"] == "true") == done
        replayed = client.create(key="C:1")
        assert replayed.body == first.body and replayed.headers["Idempotent-Replayed"]
        client.close()
        assert [entry["charge"]["captured"] for entry in bank.ledger()] == [1999]


def test_killed_under_load_it_has_done_what_it_answered_and_nothing_twice(tmp_path):
    bank = Bank(tmp_path).start()
    answered = {}

    def buy(number):
        client = bank.client()
        try:
            for i in range(200):
                key = f"{number}:{i}"
                made = client.create(1000, key=key + "c", **{"metadata[k]": key}).json
                paid = client.confirm(made["id"], key=key + "p")
                answered[key] = (made["id"], paid.json["status"])
        except LOST:
            pass
        finally:
            client.close()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        buyers = [pool.submit(buy, number) for number in range(4)]
        wait_until(lambda: len(answered) > 60, 60)
        bank.kill()
        for buyer in buyers:
            buyer.result()
    with bank.start():
        book = {entry["metadata"]["k"]: entry for entry in bank.ledger()}
        assert len(book) == len(bank.ledger())
        for key, (payment, status) in answered.items():
            assert (book[key]["id"], book[key]["status"]) == (payment, status)
        client = bank.client()
        for key, entry in book.items():
            again = client.create(1000, key=key + "c", **{"metadata[k]": key}).json
            assert again["id"] == entry["id"]
        client.close()
        assert len(bank.ledger()) == len(book)


@pytest.mark.skipif(SANITIZED, reason="a library is preloaded; sanitizers refuse that")
@pytest.mark.parametrize("fault", ["ENOSPC write", "EIO sync"])
def test_a_disk_that_fails_leaves_no_half_of_anything(tmp_path, fault):
    faults = Faults(tmp_path)
    with Bank(tmp_path, environment=faults.environment()) as bank:
        client = bank.client()
        payment = client.authorised()
        faults.set(f"{fault} */bank.db-wal")
        the_error(client.capture(payment, key="disk"), 500, kind="api_error")
        assert faults.fired()
        faults.set()
        answer = wait_until(lambda: (lambda tried: tried.status == 200 and tried)(
            client.capture(payment, key="disk")))
        assert answer.json["amount_received"] == 1999
        client.close()
        assert [entry["charge"]["captured"] for entry in bank.ledger()] == [1999]
        assert "nothing is kept of a group" in bank.log.read_text()


# ---- Faults ----


def counted(bank, count=40, **faults):
    """What COUNT creations under keys come to: statuses, or "lost"; then the faults are over."""
    client, seen = bank.client(), []
    bank.faults(**faults)
    mark = f"{sorted(faults.items())}"
    for i in range(count):
        try:
            seen.append(client.create(key=f"{mark} {i}", **{"metadata[m]": f"{mark} {i}"}).status)
        except LOST:
            seen.append("lost")
    bank.faults(**{name: 0 for name in faults})
    done = {entry["metadata"]["m"] for entry in bank.ledger()
            if entry["metadata"].get("m", "").startswith(mark)}
    # Whatever was answered, the key tells what became of it.
    again = [client.create(key=f"{mark} {i}", **{"metadata[m]": f"{mark} {i}"})
             for i in range(count)]
    client.close()
    return seen, done, again


def test_faults_before_anything_is_done_leave_the_key_unused(bank):
    for fault, statuses in (("down", {500, 503}), ("conflict", {409}), ("rate_limit", {429})):
        seen, done, again = counted(bank, **{fault: "40%"})
        bad = [status for status in seen if status != 200]
        assert set(bad) == statuses and 4 < len(bad) < 32, (fault, seen)
        assert len(done) == seen.count(200)
        assert all(answer.status == 200 for answer in again)
        assert sum(bool(answer.headers["Idempotent-Replayed"]) for answer in again) == len(done)


def test_an_answer_that_is_lost_was_done(bank):
    seen, done, again = counted(bank, lost="30%")
    assert 2 < seen.count("lost") < 28 and set(seen) == {200, "lost"}
    assert len(done) == len(seen)
    assert all(answer.headers["Idempotent-Replayed"] == "true" for answer in again)


def test_an_error_after_doing_stands_under_its_key(bank):
    seen, done, again = counted(bank, error_after="30%")
    assert 2 < seen.count(500) < 28
    assert len(done) == len(seen)
    assert [answer.status for answer in again] == seen  # Stripe keeps a 500, too


def test_an_answer_that_hangs_was_done(bank, client):
    waiting = bank.client(timeout=60)
    bank.faults(hang="100%")
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(waiting.create, key="hangs", **{"metadata[m]": "hangs"})
            wait_until(lambda: [entry for entry in bank.ledger()
                                if entry["metadata"].get("m") == "hangs"])
            with pytest.raises(concurrent.futures.TimeoutError):
                asked.result(0.5)
            hang_up(waiting)
            assert isinstance(asked.exception(), LOST)
    finally:
        bank.faults(hang=0)
    waiting.close()
    again = client.create(key="hangs", **{"metadata[m]": "hangs"})
    assert again.status == 200 and again.headers["Idempotent-Replayed"] == "true"


def test_refusals_and_latency_can_be_asked_for(bank, client):
    bank.faults(refuse="100%", latency_ms=120)
    try:
        begun = time.monotonic()
        payment = client.create().json["id"]
        assert time.monotonic() - begun >= 0.12
        assert the_error(client.confirm(payment), 402, "card_declined",
                         kind="card_error")["decline_code"] == "generic_decline"
    finally:
        bank.faults(refuse=0, latency_ms=0)
    assert client.confirm(payment).json["status"] == "requires_capture"


def test_who_gives_up_early_has_it_done_all_the_same(tmp_path):
    bank = Bank(tmp_path, "--stop-grace", "100ms").start("--latency", "1m", "--plain")
    one_is_kept_waiting(bank, "early")
    assert bank.ledger() == []
    assert bank.stop() == 0  # which cuts it off
    assert "still holds" not in bank.log.read_text()
    with bank.start():
        assert len(bank.ledger()) == 1


def test_faults_are_shown_and_mistakes_in_them_refused(bank, client):
    shown = client.get("/sandbox/faults").json
    assert shown["lost"] == 0 and shown["lapse_ms"] == 7 * 86400 * 1000
    assert client.post("/sandbox/faults", "lost=2.5%&latency_ms=0").json["lost"] == 2.5
    the_error(client.post("/sandbox/faults", {"lost": "101%"}), 400, None, "lost")
    the_error(client.post("/sandbox/faults", {"lots": "1%"}), 400, "parameter_unknown")
    the_error(client.post("/sandbox/faults", {"lost": 0, "hang": "often"}), 400, None, "hang")
    assert bank.faults(lost=0)["lost"] == 0


def test_the_same_seed_has_the_same_fate(tmp_path):
    def fates(folder):
        with Bank(tmp_path / folder, "--seed", "7", "--down", "50%") as bank:
            client = bank.client()
            statuses = [client.create().status for _ in range(30)]
            client.close()
            return statuses
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = fates("a")
    assert first == fates("b") and len(set(first)) > 1


def test_authorisations_lapse(bank, client):
    bank.faults(lapse_ms=300)
    try:
        payment = client.authorised()
    finally:
        bank.faults(lapse_ms=7 * 86400 * 1000)
    kept = client.authorised()

    def lapsed():
        seen = client.get("/v1/payment_intents/" + payment).json
        return seen if seen["status"] == "canceled" else None
    assert wait_until(lapsed)["cancellation_reason"] == "expired"
    the_error(client.capture(payment), 400, "payment_intent_unexpected_state")
    assert client.get("/v1/payment_intents/" + kept).json["status"] == "requires_capture"
    events = client.get("/v1/events?type=charge.expired").json["data"]
    assert events[0]["data"]["object"]["payment_intent"] == payment


# ---- Fences ----


def test_a_deposed_primary_is_refused(bank, client):
    first, second = client.authorised(), client.authorised()
    assert client.capture(first, key="F:1", fence=f"{SHOP} 1.7").status == 200
    assert client.call("PUT", "/v1/fence", fence=f"{SHOP} 1.9").status == 200
    for answer in (client.capture(second, key="F:2", fence=f"{SHOP} 1.8"),
                   client.cancel(second, key="F:3", fence=f"{SHOP} 0.99"),
                   client.refund(first, key="F:4", fence=f"{SHOP} 1.8"),
                   client.capture(first, key="F:1", fence=f"{SHOP} 1.7"),
                   client.call("PUT", "/v1/fence", fence=f"{SHOP} 1.8")):
        the_error(answer, 409, "fence_too_old")
        assert answer.headers["Stripe-Should-Retry"] == "false"
    assert client.get("/v1/payment_intents/" + second).json["status"] == "requires_capture"
    # Its successor goes on under the same key, and another shop has terms of its own.
    assert client.capture(second, key="F:2", fence=f"{SHOP} 1.9").status == 200
    assert client.refund(first, key="F:4", fence=f"{SHOP} 2.1").status == 200
    other = client.authorised()
    assert client.capture(other, fence="f" * 32 + " 1.1").status == 200
    refused = [json.loads(line) for line in client.raw("GET", "/sandbox/refused").splitlines()]
    assert [row["fence"].split()[1] for row in refused] == ["1.8", "0.99", "1.8", "1.7", "1.8"]
    assert refused[0]["highest"] == f"{SHOP} 1.9"
    assert refused[0]["what"] == f"POST /v1/payment_intents/{second}/capture"
    assert refused[0]["peer"] == "127.0.0.1"
    assert "is older than" in bank.log.read_text()
    for bad in ("", "x", f"{SHOP}", f"{'0' * 32} 1.1", f"{SHOP} 1.99999999999999999999"):
        assert client.capture(other, fence=bad).status == 400
    the_error(client.call("PUT", "/v1/fence"), 400)


def test_the_fence_outlives_the_bank(tmp_path):
    bank = Bank(tmp_path).start()
    client = bank.client()
    assert client.call("PUT", "/v1/fence", fence=f"{SHOP} 3.4").status == 200
    client.close()
    bank.kill()
    with bank.start():
        client = bank.client()
        the_error(client.call("PUT", "/v1/fence", fence=f"{SHOP} 3.3"), 409, "fence_too_old")
        client.close()


# ---- Webhooks ----


@pytest.fixture
def receiver():
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def hooked(tmp_path, receiver):
    with Bank(tmp_path, "--webhook", receiver.url) as running:
        receiver.secret = running.hook_secret
        yield running


def test_webhooks_tell_what_happened_signed(hooked, receiver):
    client = hooked.client()
    payment = client.create(key="W:create").json["id"]
    client.confirm(payment, key="W:confirm")
    client.capture(payment)
    client.refund(payment, amount=100)
    expected = ["payment_intent.created", "charge.succeeded",
                "payment_intent.amount_capturable_updated", "charge.captured",
                "payment_intent.succeeded", "refund.created", "charge.refunded"]
    wait_until(lambda: len(receiver.events) >= len(expected))
    assert sorted(event["type"] for event in receiver.events) == sorted(expected)
    assert not receiver.bad
    event = receiver.of_type("payment_intent.amount_capturable_updated")[0]
    assert set(event) - {"signature"} == {
        "id", "object", "api_version", "created", "data", "livemode", "pending_webhooks",
        "request", "type"}
    assert event["data"]["object"]["status"] == "requires_capture"  # as it was then
    assert event["request"]["idempotency_key"] == "W:confirm"
    kept = client.get("/v1/events/" + event["id"]).json
    assert kept["data"] == event["data"]
    wait_until(lambda: client.get("/v1/events/" + event["id"]).json["pending_webhooks"] == 0)
    client.close()


def test_a_webhook_that_was_not_taken_comes_again_under_its_id(hooked, receiver):
    receiver.refusals = 1
    client = hooked.client()
    client.create()
    client.close()
    event = wait_until(lambda: receiver.of_type("payment_intent.created"))[0]
    assert [refused["id"] for refused in receiver.refused] == [event["id"]]
    assert receiver.refused[0]["data"] == event["data"]


def test_a_webhook_survives_the_bank(tmp_path, receiver):
    bank = Bank(tmp_path, "--webhook", receiver.url).start("--crash-at", "bank_hook")
    receiver.secret = bank.hook_secret
    client = bank.client()
    try:
        client.create()
    except LOST:
        pass  # the webhook was faster than the answer
    assert bank.process.wait(60) == -9  # it was taken, which was not noted
    client.close()
    with bank.start():
        events = wait_until(lambda: len(receiver.events) > 1 and receiver.events)
        assert events[0]["id"] == events[1]["id"]


def test_webhooks_can_come_twice_late_and_in_disorder(hooked, receiver):
    hooked.faults(duplicate_hooks="100%", hook_delay_ms=200, hooks_out_of_order="true")
    client = hooked.client()
    begun = time.monotonic()
    for i in range(5):  # each of three events, which happen in one moment
        client.create(key=f"D{i}", confirm="true", payment_method="pm_card_visa")
    wait_until(lambda: receiver.events)
    assert time.monotonic() - begun >= 0.2
    wait_until(lambda: not any(event["pending_webhooks"]
                               for event in client.get("/v1/events?limit=100").json["data"]))
    ids = [event["id"] for event in receiver.events]
    assert len(set(ids)) == 15 and all(ids.count(one) == 2 for one in ids), ids
    firsts = list(dict.fromkeys(ids))
    assert firsts != sorted(firsts)
    client.close()


def test_only_what_is_wanted_is_sent(tmp_path, receiver):
    with Bank(tmp_path, "--webhook", receiver.url, "--webhook-event",
              "payment_intent.canceled") as bank:
        receiver.secret = bank.hook_secret
        client = bank.client()
        client.cancel(client.authorised())
        wait_until(lambda: receiver.of_type("payment_intent.canceled"))
        client.close()
    assert len(receiver.events) == 1


# ---- The process ----


def test_the_pin_is_of_the_certificate_that_it_shows(bank):
    where = urllib.parse.urlsplit(bank.url)
    trust = ssl.create_default_context(cafile=str(bank.dir / "self-signed.pem"))
    with socket.create_connection((where.hostname, where.port)) as plain:
        with trust.wrap_socket(plain, server_hostname=where.hostname) as talk:
            assert talk.version() in ("TLSv1.2", "TLSv1.3")
    assert bank.pin.startswith("sha256//")
    found = json.loads((bank.dir / "server.json").read_text())
    assert (found["url"], found["pin"]) == (bank.url, bank.pin)
    for secret in ("key", "webhook.secret", "self-signed.pem"):
        assert (bank.dir / secret).stat().st_mode & 0o777 == 0o600


def test_plain_http_is_for_this_machine_alone(tmp_path):
    (tmp_path / "mine").write_text("sk_test_mine\n")
    with Bank(tmp_path).start("--plain", "--key-file", str(tmp_path / "mine")) as bank:
        assert bank.url.startswith("http://127.0.0.1:")
        assert bank.key == "sk_test_mine"
        client = bank.client()
        assert client.create().status == 200
        client.close()
        assert bank.stop() == 0
    lacking = Bank(tmp_path / "lacking")
    lacking.dir.parent.mkdir()
    with pytest.raises(AssertionError):
        lacking.start("--key-file", str(tmp_path / "nothing"))
    assert "--key-file" in lacking.log.read_text()
    other = Bank(tmp_path / "other")
    with pytest.raises(AssertionError):
        other.dir.parent.mkdir()
        other.start("--plain", "--listen", "0.0.0.0:0")
    assert "of this machine alone" in other.log.read_text()
