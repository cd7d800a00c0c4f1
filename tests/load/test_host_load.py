"""How full a machine is, from what its kernel counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.load.host_load import HostReading, _pressure_s, _throttled_s, between, read_host


def reading(
    at_s: float, busy_s: float, *, waited_s: float | None = None, throttled_s: float | None = None
) -> HostReading:
    return HostReading(at_s, busy_s, at_s * 2, 0.0, waited_s, throttled_s)


def test_shares_are_of_the_time_between_two_readings() -> None:
    found = between(reading(10, 5, waited_s=1, throttled_s=0), reading(20, 24, waited_s=6, throttled_s=0.5))
    assert (found.busy, found.steal, found.pressure, found.throttled) == (0.95, 0, 0.5, 0.05)
    unknown = between(reading(10, 5), reading(20, 24, waited_s=6))
    assert (unknown.pressure, unknown.throttled) == (None, None)
    assert between(reading(10, 5), reading(10, 5)).busy is None
    assert between(reading(10, 5), reading(20, 26)).busy == 1.0, "ticks are coarse"


def test_this_machine_can_be_read() -> None:
    first, last = read_host(), read_host()
    assert 0 <= first.busy_s <= first.total_s
    assert last.total_s >= first.total_s


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("some avg10=1.80 avg60=4.40 avg300=4.50 total=3500000\nfull avg10=0.00 total=0\n", 3.5),
        ("full avg10=0.00 total=7\n", None),
        ("some avg10=1 total=\n", None),
        ("some avg10=1 total=x\n", None),
        ("", None),
    ],
)
def test_pressure(tmp_path: Path, text: str, found: float | None) -> None:
    (tmp_path / "cpu").write_text(text)
    assert _pressure_s(tmp_path / "cpu") == found
    assert _pressure_s(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("listing", "stat", "text", "found"),
    [
        ("0::/user.slice/x\n", "user.slice/x/cpu.stat", "nr_throttled 3\nthrottled_usec 2500000\n", 2.5),
        # In a container the path may be the host's; what is mounted is the group itself.
        ("0::/docker/abc\n", "cpu.stat", "usage_usec 1\nthrottled_usec 1000000\n", 1.0),
        (
            "4:memory:/a\n2:cpu,cpuacct:/a\n",
            "cpu,cpuacct/a/cpu.stat",
            "nr_throttled 1\nthrottled_time 500000000\n",
            0.5,
        ),
        ("2:cpu,cpuacct:/a\n", "cpu/a/cpu.stat", "throttled_time 500000000\n", 0.5),
        ("2:memory:/a\n", "memory/a/cpu.stat", "throttled_time 500000000\n", None),
        ("0::/a\n", "a/cpu.stat", "usage_usec 1\n", None),
        ("nonsense", "cpu.stat", "", None),
        ("", "cpu.stat", "throttled_usec 1\n", None),
    ],
)
def test_throttling_in_both_versions_of_control_groups(
    tmp_path: Path, listing: str, stat: str, text: str, found: float | None
) -> None:
    (tmp_path / "cgroup").write_text(listing)
    (tmp_path / "fs" / stat).parent.mkdir(parents=True)
    (tmp_path / "fs" / stat).write_text(text)
    assert _throttled_s(tmp_path / "cgroup", tmp_path / "fs") == found
