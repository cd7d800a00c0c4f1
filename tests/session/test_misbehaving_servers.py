"""One call against a real server that misbehaves: the row says what it did, by name, and nothing is invented."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from bench.facts.timeline import Timeline
from bench.measure.sessions import measure_session
from tests.session import test_attribution_calls
from tests.session.test_attribution_calls import (
    ANCHOR,
    TONE,
    Line,
    Measured,
    created,
    done,
    play_against,
    reply,
    sound,
    took_in,
    turn,
    understood,
    words,
)
from tests.support.play import Rows, play
from tests.support.processes import cued_server

SILENCE = b"\0\0" * 4800
"""200 ms at 24 kHz."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with cued_server() as url:
        yield url


def updated(**changes: Any) -> list[Line]:
    """`session.updated` with a session of these parts."""
    return [(0, {"type": "session.updated", "session": changes})]


def event(kind: str, **fields: Any) -> Line:
    return 0, {"type": kind, **fields}


def raw(text: str) -> Line:
    return 0, {"raw": text}


def audio(rid: str, item: str, pcm: bytes) -> Line:
    return event("response.output_audio.delta", response_id=rid, item_id=item, delta=base64.b64encode(pcm).decode())


def one(server: str, folder: Path, lines: list[Line], *, manual: bool = False, **script: Any) -> Measured:
    """A call of which the first turn is answered by `lines` and the second as it should be."""
    if manual:
        return play_against(server, folder, manual=True, create=[lines, reply("r2")], **script)
    return play_against(server, folder, heard=[[*took_in("u1"), *lines], turn(2)], **script)


# replies that are none


def ended(*output: dict[str, Any]) -> Line:
    return event("response.done", response={"id": "r1", "status": "completed", "output": list(output)})


TOOL = event(
    "response.function_call_arguments.done", response_id="r1", call_id="c1", name="get_balance", arguments="{}"
)
TEXT = event("response.output_text.delta", response_id="r1", delta="Your balance is 5.")
BAD_AUDIO = event("response.output_audio.delta", response_id="r1", delta="!!! no base64 !!!")

UNSPOKEN: dict[str, tuple[list[Line], tuple[str, str | None, str | None], bool]] = {
    "text alone": ([created("r1", 50), TEXT, ended()], ("no_reply", "server", "text_only"), True),
    "a tool call alone": ([created("r1", 50), TOOL, ended()], ("no_reply", "server", "tool_only"), False),
    "a tool call that only the end tells of": (
        [
            created("r1", 50),
            ended({"type": "function_call", "call_id": "c1", "name": "get_balance", "arguments": "{}"}),
        ],
        ("no_reply", "server", "tool_only"),
        False,
    ),
    "a tool call that was not finished": (
        [created("r1", 50), ended({"type": "function_call", "call_id": "c1", "name": "get", "status": "incomplete"})],
        ("no_reply", "server", "empty_reply"),
        False,
    ),
    "nothing": ([created("r1", 50), ended()], ("no_reply", "server", "empty_reply"), False),
    "a transcript and no audio": ([created("r1", 50), words("r1"), ended()], ("no_reply", "server", "text_only"), True),
    "audio that is no base64": (
        [created("r1", 50), BAD_AUDIO, ended()],
        ("no_reply", "protocol", "malformed_message"),
        False,
    ),
    "words, and audio in binary messages": (
        [created("r1", 50), words("r1"), (0, {"binary": base64.b64encode(TONE).decode()}), ended()],
        ("no_reply", "protocol", "malformed_message"),
        True,
    ),
    "words, and audio that is no base64": (
        [created("r1", 50), words("r1"), BAD_AUDIO, ended()],
        ("no_reply", "protocol", "malformed_message"),
        True,
    ),
}


@pytest.mark.parametrize("name", UNSPOKEN)
def test_a_reply_that_cannot_be_heard_has_a_name(server: str, tmp_path: Path, name: str) -> None:
    lines, expected, has_words = UNSPOKEN[name]
    row = one(server, tmp_path, lines).turns[0]
    assert (row.status, row.error_kind, row.error_code) == expected
    assert (row.ttft_ms is not None) == has_words


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
        lambda text: "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
    ],
    ids=["unpadded", "for URLs", "for URLs, unpadded", "in lines"],
)
def test_base64_of_every_kind_is_audio(server: str, tmp_path: Path, write: Callable[[str], str]) -> None:
    pcm = bytes(range(256)) * 10 + b"\xff\xff"
    delta = write(base64.b64encode(pcm).decode())
    lines = [created("r1", 50), event("response.output_audio.delta", response_id="r1", delta=delta), done("r1")]
    row = one(server, tmp_path, lines).turns[0]
    assert (row.status, row.reply_audio_ms) == ("ok", pytest.approx(len(pcm) / 2 / 24))


# ids that tell nothing apart


def named(lines: list[Line], **names: Any) -> list[Line]:
    """`lines` with these ids in the place of their own, in every event and inside of it."""

    def rename(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: names.get(key, rename(inner)) for key, inner in value.items()}

    return [
        (after_ms, {**rename(message), **{k: v for k, v in names.items() if k == "event_id"}})
        for after_ms, message in lines
    ]


ODD_IDS: dict[str, dict[str, Any]] = {
    "one id for all events": {"event_id": "event_1"},
    "an empty id for all events": {"event_id": ""},
    "one item for all turns": {"item_id": "item_1"},
    "one response for all turns": {"id": "resp_1", "response_id": "resp_1"},
    "one name for everything": dict.fromkeys(("event_id", "item_id", "id", "response_id"), "x"),
    "empty names": dict.fromkeys(("event_id", "item_id", "id", "response_id"), ""),
    "numbers": dict.fromkeys(("event_id", "item_id", "id", "response_id"), 7),
    "null": dict.fromkeys(("event_id", "item_id", "id", "response_id")),
}


def with_ids(server: str, folder: Path, names: dict[str, Any], manual: bool) -> test_attribution_calls.Measured:
    onset = [event("input_audio_buffer.speech_started", item_id="u")]
    taken = [[(0, {"type": "input_audio_buffer.committed", "item_id": f"u{n}"}), understood(f"u{n}")] for n in (1, 2)]
    if manual:
        script = {"commit": [named(each, **names) for each in taken]}
        script["create"] = [named(reply(f"r{n}"), **names) for n in (1, 2)]
    else:
        script = {"onset": [named(onset, **names)] * 2, "heard": [named(turn(n), **names) for n in (1, 2)]}
    return play_against(server, folder, manual=manual, pause="600ms", **script)


@pytest.fixture(scope="module")
def odd_calls(server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], gevent.Greenlet]:
    """A call with each kind of odd ids, all at the same time."""
    return {
        (name, manual): gevent.spawn(with_ids, server, tmp_path_factory.mktemp("ids"), names, manual)
        for name, names in ODD_IDS.items()
        for manual in (False, True)
    }


@pytest.mark.parametrize("manual", [False, True], ids=["heard", "push to talk"])
@pytest.mark.parametrize("name", ODD_IDS)
def test_ids_that_come_again_lose_nothing(
    odd_calls: dict[tuple[str, bool], gevent.Greenlet], name: str, manual: bool
) -> None:
    found = odd_calls[name, manual].get()
    test_attribution_calls.assert_two_good_turns(found)
    if not manual:
        assert all(row.endpoint_ms is not None for row in found.turns)


def test_ids_of_events_that_begin_anew_with_each_response_lose_nothing(server: str, tmp_path: Path) -> None:
    def counted(lines: list[Line]) -> list[Line]:
        return [(after_ms, {**message, "event_id": f"event_{n}"}) for n, (after_ms, message) in enumerate(lines)]

    found = play_against(server, tmp_path, heard=[counted(turn(1)), counted(turn(2))])
    test_attribution_calls.assert_two_good_turns(found)


# replies at the second attempt, and a server that hangs up


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_response_that_a_server_makes_again_by_itself_answers_the_turn(
    server: str, tmp_path: Path, status: str
) -> None:
    broken = event("response.done", response={"id": "r0", "status": status, "usage": None})
    row = one(server, tmp_path, [created("r0", 50), broken, *reply("r1", 200)]).turns[0]
    assert (row.status, row.responses, row.talk_over_ms) == ("ok", 2, None)
    assert row.cost_usd is None or row.in_text == 100


@pytest.mark.parametrize(("code", "status"), [(1000, "ok"), (1001, "failed"), (1011, "failed")])
@pytest.mark.parametrize("after_ms", [0.0, 50.0])
def test_a_server_may_hang_up_when_all_was_answered(
    server: str, tmp_path: Path, code: int, status: str, after_ms: float
) -> None:
    long = audio("r2", "i2", TONE + SILENCE * 5)
    last = [
        *took_in("u2"),
        created("r2", 60),
        words("r2"),
        long,
        done("r2"),
        understood("u2"),
        (after_ms, {"close": code}),
    ]
    found = play_against(server, tmp_path, heard=[turn(1), last])
    test_attribution_calls.assert_two_good_turns(found)
    assert (found.call.status, found.call.close_code) == (status, code)


def test_a_transcription_that_the_end_of_the_call_cut_off_did_not_time_out(server: str, tmp_path: Path) -> None:
    unheard = [*took_in("u1"), *reply("r1")]
    found = play_against(server, tmp_path, heard=[[*unheard, (50.0, {"close": 1011})]])
    assert (found.turns[0].status, found.turns[0].transcription_error) == ("ok", "closed")
    assert "transcription" in (found.turns[0].cost_unknown or ""), "what was written down may be billed all the same"
    found = play_against(server, tmp_path, heard=[unheard, turn(2)], pause="800ms")
    assert [row.transcription_error for row in found.turns] == ["timeout", None]


def test_a_server_that_hangs_up_before_all_was_said_fails_the_call(server: str, tmp_path: Path) -> None:
    found = play_against(server, tmp_path, heard=[[*turn(1), (50.0, {"close": 1000})], turn(2)])
    assert (found.call.status, found.call.error_code) == ("failed", "close_1000")


# replies in two parts


def test_the_first_audible_sound_may_be_in_the_second_item(server: str, tmp_path: Path) -> None:
    lines = [
        created("r1", 50),
        audio("r1", "i1", SILENCE),
        event("response.output_audio.done", response_id="r1", item_id="i1"),
        audio("r1", "i2", TONE * 4),
        event("response.output_audio.done", response_id="r1", item_id="i2"),
        done("r1"),
    ]
    row = one(server, tmp_path, lines).turns[0]
    assert row.status == "ok"
    assert row.leading_silence_ms == pytest.approx(200, abs=25)


# JSON that is none


ODD_JSON = {
    "NaN": '{"type":"response.done","response":{"id":"r1","status":"completed","usage":{"total_tokens":NaN}}}',
    "Infinity": '{"type":"response.done","response":{"id":"r1","status":"completed","score":-Infinity}}',
    "half a surrogate": '{"type":"response.done","response":{"id":"r1","status":"completed","note":"\\ud83d"}}',
    "a byte order mark": '\ufeff{"type":"response.done","response":{"id":"r1","status":"completed"}}',
    "a huge whole number": '{"type":"response.done","response":{"id":"r1","status":"completed","n":' + "9" * 400 + "}}",
    "a key twice": '{"type":"x","type":"response.done","response":{"id":"r1","status":"completed"}}',
}


@pytest.mark.parametrize("name", ODD_JSON)
def test_odd_json_does_not_lose_the_end_of_a_turn(server: str, tmp_path: Path, name: str) -> None:
    row = one(server, tmp_path, [created("r1", 50), words("r1"), sound("r1"), raw(ODD_JSON[name])]).turns[0]
    assert (row.status, row.error_kind) == ("ok", None)


BAD_COUNTS = [1e308, -3, 2**60, "12", True, 1.5]


@pytest.mark.parametrize("count", BAD_COUNTS, ids=str)
def test_a_count_that_cannot_be_is_not_billed_and_is_named(server: str, tmp_path: Path, count: Any) -> None:
    usage = {
        "input_token_details": {"text_tokens": 1, "audio_tokens": 2, "cached_tokens": 0},
        "output_token_details": {"text_tokens": count, "audio_tokens": 3},
    }
    row = one(server, tmp_path, [created("r1", 50), words("r1"), sound("r1"), done("r1", usage=usage)]).turns[0]
    assert (row.status, row.out_text, row.out_audio, row.cost_usd) == ("ok", None, 3, None)
    assert row.cost_note is not None
    assert f"text_tokens = {count}"[:40] in row.cost_note


# sessions


DECISIVE = {
    "another input format": updated(audio={"input": {"format": {"type": "audio/pcmu"}}}),
    "another rate": updated(audio={"input": {"format": {"type": "audio/pcm", "rate": 16000}}}),
    "another output format": updated(audio={"output": {"format": {"type": "audio/pcma"}}}),
    "no turn detection": updated(audio={"input": {"turn_detection": None}}),
    "another format in the beta's words": updated(input_audio_format="g711_ulaw"),
}
KEYS = {
    "another input format": "session.audio.input.format.type to audio/pcmu, not to audio/pcm",
    "another rate": "session.audio.input.format.rate to 16000, not to 24000",
    "another output format": "session.audio.output.format.type to audio/pcma",
    "no turn detection": "session.audio.input.turn_detection to null, not to server_vad",
    "another format in the beta's words": "session.audio.input.format.type to audio/pcmu",
}


@pytest.mark.parametrize("name", DECISIVE)
def test_a_session_that_would_measure_wrong_ends_the_call_and_names_the_key(
    server: str, tmp_path: Path, name: str
) -> None:
    found = one(server, tmp_path, reply("r1"), answers=DECISIVE[name])
    assert found.turns == []
    assert (found.call.error_kind, found.call.error_code) == ("protocol", "session_not_applied")
    assert KEYS[name] in (found.call.error_message or "")


def test_turn_detection_that_stays_on_ends_a_call_with_push_to_talk(server: str, tmp_path: Path) -> None:
    kept = updated(audio={"input": {"turn_detection": {"type": "server_vad"}}})
    found = one(server, tmp_path, reply("r1"), manual=True, answers=kept)
    assert "turn_detection to server_vad, not to null" in (found.call.error_message or "")


OTHER_DIFFERENCES = {
    "no transcription": (
        updated(audio={"input": {"transcription": None}}),
        "session.audio.input.transcription to null",
    ),
    "another silence": (
        updated(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}}}),
        "silence_duration_ms to 900",
    ),
    "nothing said": (updated(), None),
    "text alone": (updated(output_modalities=["text"]), "session.output_modalities to ['text']"),
    "only transcription": (updated(type="transcription"), "session.type to transcription, not to realtime"),
    "a rate as text": (updated(audio={"input": {"format": {"type": "audio/pcm", "rate": "24000"}}}), None),
}


@pytest.mark.parametrize("name", OTHER_DIFFERENCES)
def test_other_differences_are_kept_with_the_call(server: str, tmp_path: Path, name: str) -> None:
    answers, said = OTHER_DIFFERENCES[name]
    found = one(server, tmp_path, reply("r1"), answers=answers)
    assert found.call.status == "ok"
    assert (found.call.session_differences is None) == (said is None)
    assert (said or "") in (found.call.session_differences or "")


def test_an_error_without_an_id_before_the_session_is_ready_ends_the_call_at_once(server: str, tmp_path: Path) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "no such voice"}
    found = one(server, tmp_path, reply("r1"), answers=[event("error", error=error)])
    assert (found.call.error_code, found.call.error_message) == ("invalid_value", "no such voice")
    assert (found.call.duration_ms or 0) < 3_000


# causes


def test_the_first_cause_stands_in_the_turn_and_in_the_call(server: str, tmp_path: Path) -> None:
    error = {"type": "server_error", "code": "internal_error", "message": "it broke"}
    found = one(server, tmp_path, [created("r1", 50), event("error", error=error)], timeouts={"reply": "600ms"})
    for row in (found.turns[0], found.call):
        assert (row.error_kind, row.error_code, row.error_message) == ("server", "internal_error", "it broke")


def test_the_cause_is_that_of_the_last_turn_though_an_earlier_one_is_measured_later(
    server: str, tmp_path: Path
) -> None:
    heard = [[*took_in("u1"), *reply("r1")], [*took_in("u2"), created("r2", 50)]]
    found = play_against(server, tmp_path, heard=heard, timeouts={"reply": "600ms", "transcription": "5s"})
    assert [(row.turn, row.status) for row in found.live] == [(1, "no_reply"), (0, "ok")]
    assert "the response was announced" in (found.turns[1].error_message or "")
    assert measure_session(found.timeline, found.live, ANCHOR).error_message == found.turns[1].error_message


WAITED = {
    "announced": ([created("r1", 50)], "the response was announced", "no_reply"),
    "begun": ([created("r1", 50), words("r1"), sound("r1")], "its end never came", "failed"),
    "events of another protocol": (
        [event("response.speech.delta", response_id="r1", delta=""), event("response.words.delta", delta="a")],
        "the server sent response.speech.delta, response.words.delta",
        "no_reply",
    ),
    "broken": ([raw("{broken")], "not JSON", "no_reply"),
}


@pytest.mark.parametrize("name", WAITED)
def test_a_reply_that_is_waited_for_in_vain_says_how_far_it_came(server: str, tmp_path: Path, name: str) -> None:
    lines, said, status = WAITED[name]
    found = one(server, tmp_path, lines, timeouts={"reply": "600ms"})
    assert found.turns[0].status == status
    assert said in (found.turns[0].error_message or "")
    assert found.call.error_message == found.turns[0].error_message
    assert found.call.error_kind == found.turns[0].error_kind


def test_a_server_that_never_hears_the_caller_gets_a_hint(server: str, tmp_path: Path) -> None:
    found = play_against(server, tmp_path, timeouts={"reply": "600ms"})
    assert "does the server detect turns? try session.turn_detection: manual" in (found.turns[0].error_message or "")


def test_events_that_are_not_understood_are_named_and_counted(server: str, tmp_path: Path) -> None:
    lines = [*[event("response.speech.delta", delta="") for _ in range(3)], event("x" * 500), *reply("r1")]
    found = one(server, tmp_path, lines)
    assert found.turns[0].status == "ok"
    assert (found.call.unrecognised_events or "").startswith("response.speech.delta x 3; xxx")
    assert len(found.call.unrecognised_events or "") < 300


# texts without end


def test_long_texts_are_cut_where_they_are_kept(server: str, tmp_path: Path) -> None:
    error = {"type": "server_error", "code": "c" * 100_000, "message": "m" * 100_000}
    lines = [event("error", error=error), *reply("r1"), understood("u1", transcript="five " * 20_000)]
    found = one(server, tmp_path, lines)
    row = found.turns[0]
    assert row.hypothesis is not None
    assert len(row.hypothesis) <= 64 * 1024
    assert (row.transcription_error, row.wer) == ("too_long", None)
    stored = [entry.signal for entry in found.timeline.entries if entry.signal.kind == "server_error"]
    assert len(stored[0].error.code) <= 220  # type: ignore[union-attr]
    assert len(json.dumps(str(stored[0]))) < 2_000


def test_a_reply_without_end_is_not_listened_to_for_ever(server: str, tmp_path: Path) -> None:
    long = base64.b64encode(TONE * 20 * 60).decode()
    lines = [
        created("r1", 50),
        words("r1"),
        event("response.output_audio.delta", response_id="r1", delta=long),
        done("r1"),
    ]
    found = one(server, tmp_path, lines, timeouts={"playback": "500ms"})
    assert [row.status for row in found.turns] == ["ok", "ok"]
    assert (found.turns[0].reply_audio_ms or 0) > 50_000
    assert (found.call.duration_ms or 0) < 20_000


def test_a_mistake_of_ours_in_keeping_a_turn_still_ends_the_call(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Timeline, Rows]] = []

    def fail(*_: object) -> None:
        raise KeyError("ours")

    def play_and_keep(body: dict[str, Any], folder: Path) -> tuple[Timeline, Rows]:
        calls.append(play(body, folder))
        raise EndOfTestError

    monkeypatch.setattr(Rows, "turn_ended", fail)
    monkeypatch.setattr(test_attribution_calls, "play", play_and_keep)
    with pytest.raises(EndOfTestError):
        one(server, tmp_path, reply("r1"))
    ((timeline, rows),) = calls
    assert timeline.failure is not None
    assert (timeline.failure.error_kind, timeline.failure.error_code) == ("harness", "KeyError")
    assert timeline.connection.closed_ns is not None
    assert timeline.close_code == 1000, "the connection was closed, not left open"
    assert (rows.open_sessions, rows.talking_sessions) == (0, 0)


class EndOfTestError(Exception):
    """The call was played; what follows in `play_against` is not wanted."""
