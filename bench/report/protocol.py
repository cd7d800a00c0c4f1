"""What the server said that was not understood, or that is not what it was asked for: over all calls of a run.

In: a `View`. Out: `ProtocolFindings`. Each row of a call names its own events (`name x count; ...`); they are pooled
here, and the likely reason is told where the names give it away.
"""

from __future__ import annotations

import re
from collections import Counter

from bench.report.findings import ProtocolFindings
from bench.report.view import View

MOST_NAMED = 5
_COUNTED = re.compile(r"(.+) x (\d+)$")
_BETA = re.compile(r"response\.(audio|text|audio_transcript)\.|conversation\.item\.created$")


def protocol(view: View) -> ProtocolFindings:
    """Events that were not understood, and sessions that the server set otherwise."""
    events: Counter[str] = Counter()
    for text in view.sessions["unrecognised_events"].dropna():
        for piece in str(text).split("; "):
            found = _COUNTED.match(piece)
            if found is not None:
                events[found[1]] += int(found[2])
    differences: Counter[str] = Counter()
    for text in view.sessions["session_differences"].dropna():
        differences.update(set(str(text).split("; ")))
    return ProtocolFindings(
        not_understood=dict(events.most_common()), reason=_reason(events), differences=dict(differences.most_common())
    )


def protocol_warnings(found: ProtocolFindings) -> list[str]:
    """The same in sentences."""
    said = []
    if found.not_understood:
        names = list(found.not_understood.items())
        listed = ", ".join(f"{name} ({count:,})" for name, count in names[:MOST_NAMED])
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        why = f": {found.reason}" if found.reason else ""
        said.append(f"events of the server that are not understood: {listed}{more}{why}")
    said += [
        f"{difference} ({count:,} call{'' if count == 1 else 's'})" for difference, count in found.differences.items()
    ]
    return said


def _reason(events: Counter[str]) -> str | None:
    if any(_BETA.match(name) for name in events):
        return (
            "the server speaks the beta shape of the protocol, such as response.audio.delta where "
            "response.output_audio.delta belongs"
        )
    return None
