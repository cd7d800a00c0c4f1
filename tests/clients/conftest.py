"""One server of each engine for the tests of stock clients, whose packages are the extra `clients`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.support import server_process


@pytest.fixture(scope="session", params=["local", "simulated"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The HTTP address of a server that lets everyone in."""
    options = {"workers": 1} if request.param == "local" else {}
    with server_process(engine=request.param, **options) as (_, address):
        yield address
