"""A scenario file: what it becomes, and the sentence for each thing that can be wrong with it."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from bench.audio.catalogue import shipped_catalogue
from bench.dialects.session_config import Manual, ServerVad, Voice
from bench.scenario.steps import Pause, Say
from tests.scenario.conftest import Load, Problems

SMALL = "name: t\nconversation: [{say: yes-slt}]\n"


def test_the_smallest_scenario_is_complete(load: Load, tmp_path: Path) -> None:
    scenario = load(SMALL)
    assert scenario.target is None
    assert (scenario.seed, scenario.turns) == (1, 1)
    assert (scenario.load.arrival, scenario.load.callers, scenario.load.sessions) == ("closed", 1, 1)
    assert isinstance(scenario.session.turn_detection, ServerVad)
    assert scenario.session.turn_detection.silence_duration_ms == 500
    assert scenario.session.transcription is not None
    assert (scenario.session.frame_ms, scenario.listener.jitter_buffer_ms) == (40, 60)
    times = scenario.timeouts
    assert (times.connect_ms, times.ready_ms, times.reply_ms, times.response_ms) == (10_000, 10_000, 15_000, 60_000)
    assert (times.transcription_ms, times.close_ms, scenario.load.graceful_stop_ms) == (5_000, 2_000, 30_000)
    assert scenario.source == tmp_path / "s.yaml"
    assert scenario.fixtures == shipped_catalogue()


def test_every_unit_arrives_in_its_name(load: Load) -> None:
    scenario = load("""\
name: t
session:
  voice: {name: af_heart}
  turn_detection: {type: manual, release: 250ms}
  transcription: null
  frame: 20ms
  max_output_tokens: inf
conversation:
  - say: [yes-slt, yes-rms]
    id: answer
  - pause: 1.5s
load: {callers: 3, ramp: 1m, duration: 1h, warmup: 30s, graceful_stop: 5s}
listener: {jitter_buffer: 100ms}
timeouts: {reply: 2s}
""")
    session = scenario.session
    assert session.voice == Voice("named", "af_heart")
    assert isinstance(session.turn_detection, Manual)
    assert session.turn_detection.release_ms == 250
    assert session.manual
    assert (session.transcription, session.frame_ms, session.max_output_tokens) == (None, 20, "inf")
    assert scenario.conversation == (Say(say=("yes-slt", "yes-rms"), id="answer"), Pause(pause="1.5s"))  # type: ignore[arg-type]
    load_ = scenario.load
    assert (load_.callers, load_.ramp_ms, load_.duration_ms, load_.sessions) == (3, 60_000, 3_600_000, None)
    assert (load_.warmup_ms, load_.warmup_sessions, load_.graceful_stop_ms) == (30_000, 0, 5_000)
    assert (scenario.listener.jitter_buffer_ms, scenario.timeouts.reply_ms) == (100, 2_000)


@pytest.mark.parametrize(
    ("yaml", "wire"), [("marin", "marin"), ("{name: af_heart}", "af_heart"), ("{id: voice_1}", {"id": "voice_1"})]
)
def test_voices_as_they_are_sent(yaml: str, wire: object, load: Load) -> None:
    voice = load(SMALL + f"session: {{voice: {yaml}}}").session.voice
    assert voice is not None
    assert voice.wire == wire


def test_a_list_is_a_draw_by_the_seed() -> None:
    say = Say(say=("a", "b", "c"))
    drawn = [say.draw(random.Random(seed)) for seed in range(300)]
    assert drawn == [say.draw(random.Random(seed)) for seed in range(300)]
    assert min(Counter(drawn).values()) > 60


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("sesion: {}", "sesion: unknown key; allowed: name, description, seed, target, targets, fixtures, conditions"),
        ("sesion: {}", "; did you mean 'session'?"),
        ("session: {voic: marin}", "session.voic: unknown key; allowed: type, instructions, voice, turn_detection"),
        ("session: {voice: marn}", "session.voice: no voice 'marn' in this dialect; allowed: alloy, ash, ballad"),
        ("session: {voice: marn}", "did you mean 'marin'?"),
        ("session: {voice: {nam: x}}", "session.voice: not a voice; allowed: alloy"),
        ("session: {turn_detection: manuel}", "session.turn_detection: found 'manuel'; allowed: server_vad, semantic"),
        ("session: {turn_detection: manuel}", "did you mean 'manual'?"),
        (
            "session: {turn_detection: {type: manual, releas: 1s}}",
            "turn_detection.releas: unknown key; allowed: type, ",
        ),
        ("session: {turn_detection: {silence_duration_ms: 500ms}}", "found '500ms'; allowed: a whole number of millis"),
        ("session: {turn_detection: {threshold: 2}}", "turn_detection.threshold: found 2; allowed: 1 or less"),
        ("session: {turn_detection: {idle_timeout_ms: 10}}", "found 10; allowed: 5000 or more"),
        ("session: {turn_detection: null}", "session.turn_detection: found nothing; allowed: server_vad, semantic"),
        ("session: {transcription: off}", "found 'off'; allowed: a mapping such as {model: whisper-1}, or null"),
        ("session: {frame: 5ms}", "session.frame: found 5ms; allowed: 10ms to 200ms"),
        ("session: {frame: 12.5ms}", "session.frame: '12.5ms' is finer than a millisecond"),
        ("session: {input_format: pcm}", "found 'pcm'; allowed: pcm16, pcmu, pcma; did you mean 'pcm"),
        ("session: {max_output_tokens: 0}", "session.max_output_tokens: found 0; allowed: a whole number"),
        ("session: {output: text, voice: marin}", "session.voice: has no effect with output: text; remove one of them"),
        ("session: {extra: {a: sk-abcdefghijklmno}}", "session.extra: a secret must not be written into a scenario"),
        ("session: fast", "session: found 'fast'; allowed: a mapping"),
        ("load: {callers: 0}", "load.callers: found 0; allowed: 1 or more"),
        ("load: {callers: ten}", "load.callers: found 'ten'; allowed: a whole number, without quotes or a unit"),
        ("load: {callers: 2.5}", "load.callers: found 2.5; allowed: a whole number"),
        ("load: {callers: true}", "load.callers: found true; allowed: a whole number"),
        ("load: {ramp: 10}", "load.ramp: 10 has no unit; allowed: a number with a unit: ms, s, m or h"),
        ("load: {warmup: 10x}", "load.warmup: '10x' is not a duration; allowed"),
        ("load: {warmup: -1}", "load.warmup: found -1; allowed: a whole number of calls, or a number with a unit"),
        ("load: {sessions: 2, duration: 1m}", "load.duration: found with sessions; allowed: one of them"),
        ("load: {duration: 0s}", "load.duration: found 0; allowed: a duration longer than 0"),
        ("load: {rate: 1/min}", "load.rate: only with arrival: constant or poisson; found arrival: closed"),
        ("load: {max_open: 5}", "load.max_open: only for open arrivals"),
        (
            "load: {schedule: [{at: 0s, rate: 1/s}]}",
            "load.schedule: only with arrival: schedule; found arrival: closed",
        ),
        (
            "load: {arrival: poison}",
            "load.arrival: found 'poison'; allowed: closed, constant, poisson, schedule; did you",
        ),
        ("load: {arrival: poisson, duration: 1m}", "load: arrival: poisson needs a rate, such as rate: 30/min"),
        ("load: {arrival: constant, rate: 1/s}", "load: arrival: constant never ends by itself; add duration or"),
        (
            "load: {arrival: constant, rate: 30, duration: 1m}",
            "load.rate: 30 has no unit; allowed: a number per s, min",
        ),
        ("load: {arrival: constant, rate: 0/s, duration: 1m}", "load.rate: found 0; allowed: a rate above 0"),
        ("load: {arrival: constant, rate: 1/s, duration: 1m, callers: 2}", "load.callers: only with arrival: closed"),
        ("load: {arrival: constant, rate: 1/s, duration: 1m, ramp: 2s}", "load.ramp: only with arrival: closed"),
        ("load: {arrival: schedule, duration: 1m}", "load: arrival: schedule needs a schedule"),
        (
            "load: {arrival: schedule, duration: 1m, schedule: [{at: 5s, rate: 1/s}]}",
            "load.schedule.0.at: found 5s; the first step begins at 0s",
        ),
        (
            "load: {arrival: schedule, duration: 1m, schedule: [{at: 0, rate: 1/s}, {at: 0s, rate: 2/s}]}",
            "load.schedule.1.at: found 0ms; allowed: later than the step before",
        ),
        (
            "load: {arrival: schedule, sessions: 5, schedule: [{at: 0, rate: 1/s}, {at: 9s, rate: 0/s}]}",
            "load.schedule.1.rate: found 0 in the last step; then add duration",
        ),
        ("load: {arrival: schedule, duration: 1m, schedule: [{at: 0, rate: 0/s}]}", "load.schedule: every rate is 0"),
        ("load: {arrival: schedule, duration: 1m, schedule: [{at: 0}]}", "load.schedule.0.rate: required, but missing"),
        ("timeouts: {reply: 0}", "timeouts.reply: found 0; allowed: a duration longer than 0"),
        ("listener: {jitter_bufer: 60ms}", "unknown key; allowed: jitter_buffer; did you mean 'jitter_buffer'?"),
        ("tags: {build: [12]}", "tags.build: found a list; allowed: a text"),
        ("tags: {build: null}", "tags.build: found nothing; allowed: a text"),
        ("seed: -1", "seed: found -1; allowed: 0 or more"),
        ("target: {dialect: openay}", "xai; did you mean 'openai'?"),
        ("target: {model: x}", "target: no url; add url: wss://..., or give --url"),
        ("target: {url: host/v1}", "target.url: the URL's scheme is none; allowed: wss://host/path"),
        ("target: {url: 'ftp://host'}", "target.url: the URL's scheme is 'ftp'; allowed: wss://host/path"),
        ("target: {url: 'wss://'}", "target.url: the URL names no host to call"),
        ("target: {url: 'wss://h:x/'}", "target.url: not a URL"),
        ("target: {url: 'wss://h/#a'}", "target.url: the URL has a fragment"),
        (
            "target: {url: 'ws://h', headers: {Authorization: env:A}, api_key: env:K}",
            "target.headers: 'Authorization' is",
        ),
        ("target: {url: 'ws://h', headers: {a: [5]}}", "target.headers.a: not a text; allowed: a text in quotes"),
        ('target: {url: "ws://h", headers: {a: "x\\ny"}}', "target.headers.a: an empty name or a line break"),
        (
            "target: {url: 'wss://h', verify_tls: false, ca_file: a.pem}",
            "target.ca_file: has no effect with verify_tls",
        ),
        ("targets: {a: {url: 'ws://h', modl: x}}", "targets.a.modl: unknown key; allowed: dialect, url, model"),
        ("fixtures: nowhere.yaml", "fixtures: "),
        ("fixtures: [a]", "fixtures: found a list"),
        ("pricing: {book: ''}", "pricing.book: not a price book; allowed: the name of a shipped book"),
    ],
)
def test_each_problem_is_a_sentence_with_its_line(lines: str, problem: str, problems: Problems) -> None:
    (found,) = problems(SMALL + lines)
    assert found.startswith("s.yaml:3: ")
    assert problem in found


@pytest.mark.parametrize(
    ("conversation", "problem"),
    [
        ("[]", "conversation: found an empty list; allowed: a list of steps"),
        ("hello", "conversation: found no list; allowed: a list of steps"),
        ("[{pause: 1s}]", "conversation: nobody speaks; allowed: at least one say step"),
        ("[{say: yes-slt, pause: 1s}]", "conversation.0: found say and pause in one step; allowed: one of them"),
        (
            "[{sya: yes-slt}]",
            "conversation.0: found a step with key 'sya'; allowed: a mapping with one of: say, ",
        ),
        ("[{sya: yes-slt}]", "did you mean 'say'?"),
        ("[{}]", "conversation.0: found an empty step; allowed: a mapping with one of: say, pause, listen"),
        (
            "[yes-slt]",
            "conversation.0: found 'yes-slt'; allowed: a mapping with one of: ",
        ),
        ("[yes-slt]", " (- say: yes-slt)"),
        ("[{say: yes-slt, is: a}]", "conversation.0.is: unknown key; allowed: say, choose, id"),
        ("[{say: balanc-rms}]", "conversation.0.say: no fixture 'balanc-rms'; allowed: the "),
        (
            "[{say: balanc-rms}]",
            "ids of the project's own catalogue (bench fixtures list); did you mean 'balance-rms'?",
        ),
        ("[{say: [yes-slt, nope-1]}]", "conversation.0.say: no fixture 'nope-1'"),
        ("[{say: []}]", "conversation.0.say: found an empty list; allowed: the id of a fixture"),
        ("[{say: true}]", "conversation.0.say: no fixture 'true'; allowed: the 105 ids"),
        ("[{say: [1]}]", "conversation.0.say: no fixture '1'; allowed: the 105 ids"),
        ("[{say: {a: b}}]", "conversation.0.say: found {'a': 'b'}; allowed: the id of a fixture in quotes"),
        ("[{say: yes-slt}, {pause: 0s}]", "conversation.1.pause: found 0; allowed: a duration longer than 0"),
        ("[{say: yes-slt}, {pause: 5}]", "conversation.1.pause: 5 has no unit"),
        ("[{say: yes-slt}, {listen: 5}]", "conversation.1.listen: 5 has no unit"),
        (
            "[{say: yes-slt}, {interrupt: {say: yes-rms}}]",
            "conversation.1.interrupt: nothing says when; allowed: after",
        ),
        (
            "[{say: yes-slt}, {interrupt: {say: yes-rms, after: 1s, words: 2}}]",
            "conversation.1.interrupt.words: found with after; allowed: one of them",
        ),
        (
            "[{say: yes-slt}, {interrupt: {say: nope, after: 1s}}]",
            "conversation.1.interrupt.say: no fixture 'nope'; allowed: the 105 ids",
        ),
        (
            "[{interrupt: {say: yes-rms, after: 1s}}]",
            "conversation.0: no reply to cut into; allowed: right after say, listen, interrupt, backchannel",
        ),
        (
            "[{say: yes-rms}, {pause: 1s}, {backchannel: cough}]",
            "conversation.2: no reply to cut into; allowed: right after say",
        ),
        (
            "[{say: yes-slt}, {backchannel: cogh}]",
            "conversation.1.backchannel: no fixture 'cogh'; allowed: the 105 ids of the project's own catalogue (bench "
            "fixtures list), or a sound: mm-hm, uh-huh, okay, right, cough, door; did you mean 'cough'?",
        ),
        ("[{say: cough}]", "conversation.0.say: no fixture 'cough'; allowed: the 105 ids"),
    ],
)
def test_problems_of_a_conversation(conversation: str, problem: str, problems: Problems) -> None:
    (found,) = problems(f"name: t\nconversation: {conversation}\n")
    assert found.startswith("s.yaml:2: ")
    assert problem in found


def test_a_sound_means_nothing_in_push_to_talk(problems: Problems) -> None:
    (found,) = problems(
        "name: t\nsession: {turn_detection: manual}\nconversation: [{say: yes-slt}, {backchannel: cough}]\n"
    )
    assert "conversation.1: backchannel means nothing in push to talk" in found


def test_missing_keys_say_what_they_are(problems: Problems) -> None:
    assert problems("seed: 1") == [
        "s.yaml:1: name: required, but missing; Names the run folder: letters, digits, dot, dash and underscore, "
        "64 at most (for example balance-calls)",
        "s.yaml:1: conversation: required, but missing; What each caller does, in order; each say is one turn (for "
        "example [{'say': 'balance-rms'}, {'pause': '1s'}, {'say': 'order-status-slt'}])",
    ]


def test_all_problems_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    found = problems(
        "name: my test\nload:\n  callers: 1\n  callers: 3\nconversation:\n  - say: nope\n  - pause: 3\nseed: ${NO}\n"
        "session:\n  voice: x\n  frame: 1s\n",
        "load.ramp=5",
        "nonsense",
    )
    assert [line.split(" ")[0] for line in found[:-2]] == [f"s.yaml:{n}:" for n in (1, 4, 6, 7, 8, 10, 11)]
    assert found[-2].startswith("--set load.ramp: load.ramp: 5 has no unit")
    assert found[-1].startswith("--set: not of the form path=value")


def test_a_catalogue_of_ones_own(load: Load, problems: Problems, tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    source = shipped_catalogue().parent / "yes-slt.wav"
    (tmp_path / "audio" / "mine.wav").write_bytes(source.read_bytes())
    (tmp_path / "audio" / "c.yaml").write_text(
        "fixtures:\n  - {id: mine, file: mine.wav, text: Yes.}\n", encoding="utf-8"
    )
    scenario = load("name: t\nfixtures: audio/c.yaml\nconversation: [{say: mine}]\n")
    assert scenario.fixtures == tmp_path / "audio" / "c.yaml"
    (found,) = problems("name: t\nfixtures: audio/c.yaml\nconversation: [{say: mien}]\n")
    assert found == (
        "s.yaml:3: conversation.0.say: no fixture 'mien'; allowed: the 1 ids of audio/c.yaml (bench fixtures list); "
        "did you mean 'mine'?"
    )
