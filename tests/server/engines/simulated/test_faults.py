"""Each fault of a profile is seen on the wire as documented, by real callers of one real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bench.server.engines.simulated.faults import PARAMETERS
from tests.server.engines.simulated.client import Seen, call, simulated, utterance
from tests.server.support import ROOT

AUDIO = "response.output_audio.delta"
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"

Check = Callable[[Seen], bool]


def well(seen: Seen) -> bool:
    return seen.statuses() == ["completed"] and seen.transcripts() == ["Yes."] and seen.close_code == 1000


def gap_ms(seen: Seen) -> float:
    """The longest wait between two audio deltas."""
    stamps = [at for at, event in zip(seen.at_ns, seen.events, strict=True) if event["type"] == AUDIO]
    return max((after - before) / 1e6 for before, after in pairwise(stamps))


def later(seen: Seen, first: str, then: str) -> float:
    return (seen.first_ns(then) - seen.first_ns(first)) / 1e6


def error_code(seen: Seen) -> str | None:
    errors = seen.of("error")
    return errors[0]["error"]["code"] if errors else None


# fault without `kind` and session, fixtures spoken, what the caller sees
CASES: list[tuple[str, str, str, Check]] = [
    ("none", "", "yes-rms", well),
    ("refuse", "", "yes-rms", lambda s: s.refused),
    ("http", "status: 401", "yes-rms", lambda s: s.http_status == 401 and "invalid_api_key" in str(s.http_body)),
    ("http", "status: 403", "yes-rms", lambda s: s.http_status == 403),
    ("http", "status: 429", "yes-rms", lambda s: s.http_status == 429 and "rate_limit_exceeded" in str(s.http_body)),
    ("http", "", "yes-rms", lambda s: s.http_status == 503 and s.http_body is not None),
    (
        "error_then_close",
        "",
        "yes-rms",
        lambda s: s.types() == ["error"] and error_code(s) == "session_limit_reached" and s.close_code == 1008,
    ),
    ("slow_handshake", "delay: 900ms", "yes-rms", lambda s: 0.9 <= s.connect_s < 3 and well(s)),
    ("expire", "delay: 1s", "yes-rms", lambda s: error_code(s) == "session_expired" and s.close_code == 1001),
    ("no_reply", "", "yes-rms", lambda s: "response.created" in s.types() and not s.statuses() and not s.of(AUDIO)),
    (
        "early_reply",
        "after: 500ms",
        "balance-slt",
        lambda s: (
            later(s, "input_audio_buffer.speech_started", AUDIO) < 1500  # the caller speaks for two seconds
            and s.statuses() == ["completed"]
            and s.transcripts() == ["What is the balance of my checking account?"]
        ),
    ),
    (
        "early_reply",  # due in the silence behind a short word, before the turn's own end
        "{after: 650ms, at_turn: 0}",
        "yes-rms hours-friday-slt",
        lambda s: s.statuses() == ["completed"] * 2 and s.transcripts() == ["Yes.", "When do you close on Friday?"],
    ),
    # A busy machine sends the event before late: what is left of the wait is far more than without the fault.
    ("slow_first_byte", "delay: 2s", "yes-rms", lambda s: later(s, "response.created", AUDIO) > 1500),
    ("stall", "delay: 1500ms", "yes-rms", lambda s: gap_ms(s) > 1200 and s.statuses() == ["completed"]),
    ("stall", "", "yes-rms", lambda s: len(s.of(AUDIO)) == 1 and not s.statuses() and s.close_code == 1000),
    ("cut", "after: 400ms", "yes-rms", lambda s: len(s.of(AUDIO)) == 2 and s.close_code == 1006),
    ("close", "code: 1006", "yes-rms", lambda s: len(s.of(AUDIO)) == 1 and s.close_code == 1006),
    ("close", "code: 1008", "yes-rms", lambda s: len(s.of(AUDIO)) == 1 and s.close_code == 1008),
    ("close", "", "yes-rms", lambda s: len(s.of(AUDIO)) == 1 and s.close_code == 1011),
    ("close", "code: 4000", "yes-rms", lambda s: s.close_code == 4000 and not s.statuses()),
    ("broken_json", "", "yes-rms", lambda s: s.broken == 1 and s.statuses() == ["completed"]),
    ("unknown_events", "", "yes-rms", lambda s: "response.weather.delta" in s.types() and well(s)),
    ("duplicate_events", "", "yes-rms", lambda s: s.statuses() == ["completed"] * 2 and len(s.of(AUDIO)) % 2 == 0),
    ("missing_usage", "", "yes-rms", lambda s: "usage" not in s.of("response.done")[0]["response"]),
    ("transcription", "{how: late, delay: 1s}", "yes-rms", lambda s: later(s, "response.done", TRANSCRIBED) > 300),
    ("transcription", "how: after_done", "yes-rms", lambda s: later(s, "response.done", TRANSCRIBED) > 40),
    ("transcription", "how: never", "yes-rms", lambda s: not s.transcripts() and s.statuses() == ["completed"]),
    (
        "transcription",
        "how: failed",
        "yes-rms",
        lambda s: bool(s.of("conversation.item.input_audio_transcription.failed")) and not s.transcripts(),
    ),
    (
        "transcription",
        "{how: out_of_order, at_turn: 0}",
        "yes-rms hours-friday-slt",
        lambda s: s.transcripts() == ["When do you close on Friday?", "Yes."],
    ),
    (
        "split_turn",
        "",
        "balance-slt",
        lambda s: (
            len(s.of("input_audio_buffer.committed")) == 2
            and s.statuses() == ["cancelled", "completed"]
            and s.of("response.done")[0]["response"]["status_details"]["reason"] == "turn_detected"
            and " ".join(s.transcripts()) == "What is the balance of my checking account?"
        ),
    ),
    ("done", "", "yes-rms", lambda s: s.statuses() == ["failed"] and not s.of(AUDIO)),
    ("done", "status: incomplete", "yes-rms", lambda s: s.statuses() == ["incomplete"] and bool(s.of(AUDIO))),
    ("done", "status: cancelled", "yes-rms", lambda s: s.statuses() == ["cancelled"]),
    ("error_event", "", "yes-rms", lambda s: error_code(s) == "server_error" and not s.statuses()),
    ("silent_reply", "", "yes-rms", lambda s: s.statuses() == ["completed"] and not s.of(AUDIO)),
    ("cross_talk", "", "yes-rms", lambda s: s.statuses() == ["completed"] and s.transcripts() not in [[], ["Yes."]]),
]
OF_TOOLS = {"unknown_tool", "bad_arguments"}
"""Seen in a session with tools (tests/integration/test_tools.py)."""
OF_SECRETS = {"secret_http", "dead_secret"}
"""No call is made with them (tests/integration/test_ephemeral.py)."""
PROFILE = """
endpointing: 250ms
first_token: 300ms
first_audio: 350ms
reply_length: 900ms
faults:
"""


def _profile() -> str:
    lines = []
    for number, (kind, keys, _, _) in enumerate(CASES):
        if kind != "none":
            more = keys.strip("{}")
            lines.append(f"  - {{kind: {kind}, sessions: [{number}]{', ' + more if more else ''}}}")
    return PROFILE + "\n".join(lines)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    """What the callers saw, one call for each case, all at the same time."""

    async def run(url: str) -> list[Seen]:
        tasks = []
        for _, _, fixtures, _ in CASES:
            appends = [frame for fixture in fixtures.split() for frame in utterance(fixture)]
            tasks.append(asyncio.create_task(call(url, appends)))
            await asyncio.sleep(0.1)  # sessions are numbered in the order of their handshakes
        return await asyncio.gather(*tasks)

    with simulated(_profile(), tmp_path_factory.mktemp("faults")) as url:
        return asyncio.run(run(url))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{kind}-{keys}" for kind, keys, _, _ in CASES])
def test_a_fault_is_seen_as_documented(calls: list[Seen], number: int) -> None:
    seen = calls[number]
    assert CASES[number][3](seen), (seen.types(), seen.statuses(), seen.close_code, seen.http_status)


def test_the_checks_tell_faults_from_a_good_call(calls: list[Seen]) -> None:
    for kind, keys, _, check in CASES[1:]:
        if kind in {"slow_handshake", "unknown_events"}:
            continue  # nothing else of the call is different
        try:
            assert not check(calls[0]), (kind, keys)
        except (ValueError, IndexError):  # it looked for something that a good call has not
            continue


def test_every_fault_has_a_case_and_a_place_in_the_documentation() -> None:
    assert {kind for kind, *_ in CASES} | OF_TOOLS | OF_SECRETS == {"none", *PARAMETERS}
    page = (ROOT / "docs" / "simulator.md").read_text()
    for kind in PARAMETERS:
        assert f"| `{kind}`" in page, kind


def test_not_listening_is_a_refused_connection(tmp_path: Path) -> None:
    profile = "faults: [{kind: refuse, how: not_listening, rate: 1}]"
    with simulated(profile, tmp_path) as url:
        assert asyncio.run(call(url, [])).refused
