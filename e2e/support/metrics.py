"""Reading the operator's metrics."""

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

WRITES = ("create", "patch", "delete", "update")


@dataclass(frozen=True)
class Samples:
    """All samples of one scrape."""

    found: dict[tuple[str, frozenset[tuple[str, str]]], float]

    @property
    def names(self) -> set[str]:
        """The names of the samples."""
        return {name for name, _ in self.found}

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        return sum(
            value for (found, have), value in self.found.items() if found == name and labels.items() <= set(have)
        )

    def writes(self) -> dict[str, float]:
        """API calls that change something, by verb and resource; but for Leases, renewed whatever there is to do."""
        counts: dict[str, float] = {}
        for (name, labels), value in self.found.items():
            have = dict(labels)
            if name == "celeriac_api_calls_total" and have["verb"] in WRITES and have["resource"] != "leases":
                what = f"{have['verb']} {have['resource']}"
                counts[what] = counts.get(what, 0) + value
        return counts


def parse(text: str) -> Samples:
    """The samples of a scrape in Prometheus' text format."""
    families = text_string_to_metric_families(text)
    return Samples({(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples})
