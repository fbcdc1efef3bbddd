"""What all scenarios share: no server outlives the test that started it."""

import pytest

from shop_server import Shop


@pytest.fixture(autouse=True)
def no_server_outlives_its_test():
    yield
    for process in Shop.running:
        if process.poll() is None:
            process.kill()
            process.wait()
    Shop.running.clear()
