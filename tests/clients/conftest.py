"""Servers for the tests of stock clients, whose packages are the extra `clients`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.support import KEY, profile_in
from tests.server.support import server_process


@pytest.fixture(scope="session", params=["local", "simulated"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The HTTP address of a server that lets everyone in, one of each engine."""
    options = {"workers": 1} if request.param == "local" else {}
    with server_process(engine=request.param, **options) as (_, address):
        yield address


@pytest.fixture(scope="session")
def realtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The HTTP address of a Realtime server (GA) with the profile of `support` and its key."""
    with server_process(engine="simulated", profile=profile_in(tmp_path_factory), api_key=KEY) as (_, address):
        yield address
