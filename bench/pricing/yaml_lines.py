"""YAML that remembers its lines: so that an error in a price book can name the place to look at.

In: the text; out: plain values and a way to find the line of any key. Trap: YAML readers let the second of two equal
keys win without a word; in a list of prices that is an error, so it is raised as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """A parsed document: `value` as plain Python, `root` as the tree that knows its lines."""

    value: Any
    root: yaml.Node | None

    def line_of(self, place: Sequence[int | str]) -> int:
        """The line (from 1) of the key at `place`, or of the nearest parent that exists."""
        node, line = self.root, 1
        for part in place:
            step = _child(node, part)
            if step is None:
                break
            line, node = step
        return line


def parse_yaml(text: str) -> LocatedYaml:
    """Parse one document with the safe types. Raises `yaml.YAMLError`, also for a key that stands twice."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        _refuse_duplicates(root, set())
        value = loader.construct_document(root) if root is not None else None
    finally:
        loader.dispose()
    return LocatedYaml(value, root)


def _child(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line + 1, value
    return None


def _refuse_duplicates(node: yaml.Node | None, seen_nodes: set[int]) -> None:
    if node is None or id(node) in seen_nodes:  # an alias may point back at a node that is being walked
        return
    seen_nodes.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key `{key.value}` stands twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
            _refuse_duplicates(value, seen_nodes)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_duplicates(value, seen_nodes)
