"""What all scenarios share: no server outlives the test that started it."""

import pytest

from shop_server import Shop


@pytest.fixture(autouse=True)
def no_server_outlives_its_test():
    of_the_module = set(Shop.running)  # fixtures of wider scope have been set up already
    yield
    for process in Shop.running - of_the_module:
        if process.poll() is None:
            process.kill()
            process.wait()
    Shop.running &= of_the_module
