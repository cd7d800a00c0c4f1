"""Text in aligned columns for a terminal of some width.

In: rows of cells, and what may go where there is no room for all of it. Out: lines, none wider than the terminal.
Trap: columns go before names are shortened, and a name keeps both of its ends, since names of one kind begin alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.terminal import shortened

GAP = "  "
SHORTEST = 12


def grid(
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    width: int | None = None,
    drop: Sequence[int] = (),
    shorten: Sequence[int] = (),
) -> list[str]:
    """`rows` as lines of aligned columns; the columns of `right` end together.

    Where `width` is too little, the columns of `drop` are left out in that order, as many as needed; then the texts of
    the columns of `shorten` become shorter, the longest first. None: as wide as the texts are.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = list(range(len(widths)))
    if width is not None:
        for place in drop:
            if _total(widths, shown) > width:
                shown.remove(place)
        for _ in range(_total(widths, shown) - width):
            long = [place for place in shorten if place in shown and widths[place] > SHORTEST]
            if not long:
                break
            widths[max(long, key=lambda place: widths[place])] -= 1
    lines = []
    for cells in rows:
        placed = [
            said.rjust(widths[place]) if place in right else said.ljust(widths[place])
            for place in shown
            for said in [shortened(cells[place], widths[place])]
        ]
        line = GAP.join(placed).rstrip()
        lines.append(line if width is None else shortened(line, width))
    return lines


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[place] for place in shown) + len(GAP) * (len(shown) - 1)
