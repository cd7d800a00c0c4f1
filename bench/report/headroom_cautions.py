"""What a reader must know of figures about rate limits, in sentences.

In: a `Headroom` with its figures. Out: sentences, only those that hold for it.
"""

from __future__ import annotations

from bench.report.findings_headroom import Headroom
from bench.report.phrases import amount, number, seconds

SHARED = (
    "A limit belongs to an account or a deployment. Whatever else uses it counts as well: it is in what remained, and "
    "not in what the limits suffice for."
)


def cautions_of(found: Headroom) -> list[str]:
    """In the order of their weight."""
    said = [*_about_reservation(found)]
    names = {each.name for each in found.limits}
    if found.limits:
        missing = [name for name in ("tokens", "requests") if not any(each.endswith(name) for each in names)]
        if missing:
            said.append(f"The server told nothing of {' and '.join(missing)}: that limit may be used up first.")
        said.append(SHARED)
    said += [
        f"What the limit of {each.name} is counted over is not known: it took up to {seconds(each.longest_reset_s)} to "
        "be full again."
        for each in found.limits
        if each.per == "unknown"
    ]
    said += _about_the_run(found)
    if found.minutes:
        said.append(
            f"The calls came as far as minute {found.minutes[-1].minute}. Every response reads the whole call again, "
            "so longer calls use more a minute than any here; bench cost RUN --minutes N --calls-per-day N "
            "--peak-hour 12% projects them."
        )
    if not found.whole:
        said.append(
            "Too few calls came to their own end, so calls that were cut off are among those that use is learned from: "
            "their last and dearest minutes are missing."
        )
    if found.without_usage:
        turns = amount(found.without_usage, "turn")
        said.append(f"The server gave no count of {turns}: they count as the others of their minute.")
    if found.refused:
        turns = amount(found.refused, "turn")
        said.append(f"A limit refused {turns}: they count with what the others of their minute used.")
    return said


def _about_the_run(found: Headroom) -> list[str]:
    """Why a run may have had more calls open than a limit suffices for."""
    first = found.binding
    carried = first.calls_at_once.value if first is not None else None
    if carried is None or found.run_peak is None or found.run_peak <= carried or found.refused:
        return []
    return [
        f"The run had up to {amount(found.run_peak, 'call')} open at once, for which the limit does not suffice, and "
        "no turn was refused: a limit begins full, so it takes a longer run to use it up."
    ]


def _about_reservation(found: Headroom) -> list[str]:
    if found.tokens_per_call_minute.value is None:
        return []
    most = f"{number(found.reserved_tokens)} tokens"
    why = " (the most that is documented, as the scenario sets no max_output_tokens)" if found.reserved_assumed else ""
    return [
        f"Vendors set aside the most that a response may say before it is said, here {most}{why}, and give back later "
        "what was not used. The figure with the reservation counts all of it; what the limit carries lies between."
    ]
