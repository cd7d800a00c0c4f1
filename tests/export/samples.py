"""The samples of an export, as Prometheus' own parser reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Samples(list[tuple[str, dict[str, str], float]]):
    def of(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        return [(has, value) for found, has, value in self if found == name and labels.items() <= has.items()]

    def sum(self, name: str, **labels: str) -> float:
        found = self.of(name, **labels)
        assert found, (name, labels)
        return sum(value for _, value in found)

    def one(self, name: str, **labels: str) -> dict[str, str]:
        ((has, value),) = self.of(name, **labels)
        assert value == 1.0
        return has


def samples(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return Samples((each.name, each.labels, each.value) for family in families for each in family.samples)
