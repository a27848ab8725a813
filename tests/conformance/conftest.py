"""One bridge for a module, with the test adapters and those of the conformance suite."""

from collections.abc import Iterator

import pytest
import tools_for_tests

from snakepit_jupyter import Client

ADAPTERS = [*tools_for_tests.ALL, "conformance.bridge_tools:BridgeTools"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers, short graces."""
    with Client(pool_size=2, adapters=ADAPTERS, session_id="", cancel_grace=0.3, kill_grace=1.0) as shared:
        yield shared
