"""One real server, with its speech workers, for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.support import server_process


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The HTTP address of a server that lets everyone in."""
    with server_process(workers=1) as (_, address):
        yield address
