"""The verdicts as an Atom feed (RFC 4287), the newest first.

In: series. Out: XML. Trap: an entry must have the same id for ever, wherever the site is published, or every reader
shows it again; it is made from the run and the target, not from an address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as ET

from bench.config.redactor import printable
from bench.site.config import SiteConfig
from bench.site.sentences import verdict_sentence
from bench.site.windows import Night, Series

ATOM = "http://www.w3.org/2005/Atom"
MOST = 100


def feed(
    config: SiteConfig,
    every: Sequence[Series],
    address_of: Callable[[str], str],
    anchor_of: Callable[[Night], str],
) -> str:
    """The newest verdicts. Addresses are relative where the site's own is not known."""
    nights = [(series, night) for series in every for night in series.nights]
    nights.sort(key=lambda pair: (pair[1].run.started_at, pair[1].target.name), reverse=True)
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed")
    base = config.url.rstrip("/") + "/" if config.url else ""
    _child(root, "title", config.title)
    _child(root, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, config.url or config.title)}")
    newest = max((_updated(night) for _, night in nights), default=datetime.fromtimestamp(0, UTC))
    _child(root, "updated", _stamp(newest))
    author = ET.SubElement(root, f"{{{ATOM}}}author")
    _child(author, "name", config.title)
    ET.SubElement(root, f"{{{ATOM}}}link", rel="alternate", href=f"{base}index.html")
    if base:
        ET.SubElement(root, f"{{{ATOM}}}link", rel="self", href=f"{base}feed.xml")
    for series, night in nights[:MOST]:
        entry = ET.SubElement(root, f"{{{ATOM}}}entry")
        _child(entry, "title", f"{night.target.name}, {series.scenario}: {night.state}")
        _child(entry, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, '|'.join((night.run.run_id, *night.target.key)))}")
        _child(entry, "updated", _stamp(_updated(night)))
        href = f"{base}{address_of(night.run.folder)}#{anchor_of(night)}"
        ET.SubElement(entry, f"{{{ATOM}}}link", rel="alternate", href=href)
        ET.SubElement(entry, f"{{{ATOM}}}category", term=night.state)
        _child(entry, "summary", verdict_sentence(night))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _child(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{ATOM}}}{name}").text = printable(text)


def _updated(night: Night) -> datetime:
    return night.run.ended_at or night.run.started_at


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
