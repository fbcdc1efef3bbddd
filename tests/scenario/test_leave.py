"""A server leaves its cluster by the operator's API; the others go on."""

import socket
import time

import pytest

from cluster_client import cart_of, operate, quantity_in, told, ucp
from shop_server import wait_until
from three_servers import COUNT, Three


def is_rest(own, i, rest):
    """Whether server I knows that REST are all the servers."""
    view = own.view(i)
    return view and [s["id"] - 1 for s in view["servers"]] == rest


@pytest.mark.parametrize("is_primary", [True, False], ids=["the primary", "a secondary"])
def test_a_server_leaves_and_the_others_go_on(tmp_path, is_primary):
    goods = tmp_path / "goods.csv"
    goods.write_text("Title,URL handle,Price,Inventory quantity\nMug,mug,9.00,1000\n")
    with Three(tmp_path, goods) as own:
        own.wait_healthy()
        leaver = (own.wait_primary() + (0 if is_primary else 1)) % COUNT
        rest = [i for i in range(COUNT) if i != leaver]
        made = told(ucp, own, leaver, "POST", "/carts", cart_of(2))
        done = operate(own, leaver, "/leave", {})
        assert done.status == 200 and done.json == {"done": True}, done.text
        assert own.processes[leaver].wait(30) == 0, own.log(leaver)
        for i in rest:
            wait_until(lambda: is_rest(own, i, rest), 30, "the server being gone from the cluster")
            path = "/carts/" + made.json["id"]
            assert quantity_in(told(ucp, own, i, "GET", path, token=made.token)) == 2
            assert quantity_in(told(ucp, own, i, "PUT", path, cart_of(2), made.token)) == 2


def test_who_leaves_and_takes_its_time_to_stop_has_not_been_thrown_out(tmp_path):
    """A client keeps its answer waiting for longer than it takes to believe in a removal."""
    goods = tmp_path / "goods.csv"
    goods.write_text("Title,URL handle,Price,Inventory quantity\nMug,mug,9.00,1000\n")
    with Three(tmp_path, goods, options=["--stop-grace", "5s"]) as own:
        own.wait_healthy()
        leaver = own.wait_primary()
        host, port = own.addresses[leaver].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /carts HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n"
                         b"Expect: 100-continue\r\n\r\n")
            assert slow.recv(100).startswith(b"HTTP/1.1 100 ")  # it is being served
            done = operate(own, leaver, "/leave", {})
            assert done.status == 200 and done.json == {"done": True}, done.text
            begun = time.monotonic()
            assert own.processes[leaver].wait(30) == 0, own.log(leaver)
            assert time.monotonic() - begun > 3


def test_a_change_asked_while_the_servers_choose_a_primary_is_done(tmp_path):
    goods = tmp_path / "goods.csv"
    goods.write_text("Title,URL handle,Price,Inventory quantity\nMug,mug,9.00,1000\n")
    with Three(tmp_path, goods) as own:
        own.wait_healthy()
        dead = own.wait_primary()
        rest = [i for i in range(COUNT) if i != dead]
        own.kill(dead)
        removed = operate(own, rest[0], "/remove", {"id": dead + 1})
        assert removed.status == 200 and removed.json == {"done": True}, removed.text
        wait_until(lambda: is_rest(own, rest[1], rest), 30,
                   "the dead server being gone from the cluster")
