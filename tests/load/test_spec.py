"""Who makes the calls, from the words of the command line."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.load.spec import Workforce


def test_this_process_unless_others_are_asked_for() -> None:
    assert (Workforce().in_this_process, Workforce().processes) == (True, 1)
    assert (Workforce(local=1).in_this_process, Workforce(local=1, remote=2).processes) == (False, 3)


def test_a_master_binds_where_it_is_told() -> None:
    assert Workforce.at("[::1]:5557", local=1, remote=2) == Workforce(1, 2, "[::1]", 5557)


@pytest.mark.parametrize("bind", ["*:5557", "0.0.0.0:1", "10.0.0.1:5557", "[::]:5557", "master.example:1"])
def test_an_address_that_others_reach_needs_a_token(bind: str) -> None:
    with pytest.raises(BenchError, match="there is no token"):
        Workforce.at(bind, local=0, remote=1)
    assert "secret" not in repr(Workforce.at(bind, local=0, remote=1, token="secret"))
    for here in ("127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1"):
        Workforce.at(here, local=0, remote=1)


@pytest.mark.parametrize("bind", ["5557", ":5557", "host:", "host:port"])
def test_a_bind_that_is_no_address_is_a_sentence(bind: str) -> None:
    with pytest.raises(BenchError, match="not HOST:PORT"):
        Workforce.at(bind, local=0, remote=1)
