"""Whom a server believes that the shopper speaks https, where something in front takes it off."""

import http.client

import pytest

from shop_server import Shop
from ucp import FLOWERS, Platform

HEADERS = {"Host": "shop.example", "X-Forwarded-Proto": "https"}


def cookies_of_a_shopper(shop, origin):
    """Set-Cookie of an answer to a form that a page at ORIGIN has sent; None: it was refused."""
    connection = http.client.HTTPConnection(shop.address, timeout=20)
    connection.request("POST", "/cart/add", "item=bouquet_roses&quantity=1",
                       {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin,
                        **HEADERS})
    answer = connection.getresponse()
    connection.close()
    assert answer.status in (303, 403), answer.status
    return answer.headers.get_all("Set-Cookie") if answer.status == 303 else None


def link_of_a_cart(shop):
    made = Platform(shop).send("POST", "/carts", {"line_items": [
        {"item": {"id": "bouquet_roses"}, "quantity": 1}]}, HEADERS)
    assert made.status == 201, made.text
    return made["continue_url"]


@pytest.mark.quick
@pytest.mark.parametrize("trusted", [[], ["192.0.2.0/24"], ["::1"]])
def test_a_stranger_is_not_believed_to_have_come_by_https(tmp_path, trusted):
    """Or cookies that a browser on http drops, and links that lead nowhere, could be had from us."""
    words = [word for network in trusted for word in ("--trust", network)]
    with Shop(tmp_path, *words, catalogue=FLOWERS) as shop:
        assert link_of_a_cart(shop).startswith("http://shop.example/carts/")
        assert cookies_of_a_shopper(shop, "https://shop.example") is None
        plain = cookies_of_a_shopper(shop, "http://shop.example")
        assert plain and not any("Secure" in line for line in plain)


@pytest.mark.quick
@pytest.mark.parametrize("trusted", [["127.0.0.1"], ["192.0.2.0/24", "127.0.0.0/8"]])
def test_a_trusted_proxy_is_believed(tmp_path, trusted):
    words = [word for network in trusted for word in ("--trust", network)]
    with Shop(tmp_path, *words, catalogue=FLOWERS) as shop:
        assert link_of_a_cart(shop).startswith("https://shop.example/carts/")
        secure = cookies_of_a_shopper(shop, "https://shop.example")
        assert secure and all("; Secure" in line for line in secure)
        assert cookies_of_a_shopper(shop, "http://shop.example") is None
