"""What the tests share. A client has its own bridge and workers: one for a module, where isolation is not the point."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tools_for_tests
from hypothesis import HealthCheck, settings
from waiting import eventually

from snakepit_jupyter import Client
from snakepit_jupyter.client.embedded import private_directory

# How fast a machine is says nothing of the code, and nothing is to be left in the working tree.
settings.register_profile("here", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers with all test adapters, and short graces."""
    with Client(pool_size=2, adapters=tools_for_tests.ALL, session_id="", cancel_grace=0.3, kill_grace=1.0) as shared:
        shared.start()
        eventually(lambda: {worker.status for worker in shared.status().workers} == {"ready"})
        yield shared


@pytest.fixture
def own_client() -> Iterator[Client]:
    """One worker that a test may do anything to."""
    with Client(pool_size=1, adapters=tools_for_tests.ALL, session_id="", cancel_grace=0.1, kill_grace=0.3) as owned:
        yield owned


@pytest.fixture
def directory() -> Iterator[Path]:
    """A private directory whose path is short enough for sockets."""
    made = private_directory()
    yield made
    shutil.rmtree(made, ignore_errors=True)
