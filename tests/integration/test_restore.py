"""etcd and the streams, put back to different moments: what is gone is named, and what is there runs once.

On a Kubernetes and a NATS of the test's own. Both are copied while they are stopped; what a copy is made with makes no
difference to what differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.support.kube import TASKS
from e2e.support.manifests import task
from e2e.support.predicates import Predicate, exists, status
from tests.support.site import NAMESPACE, Site, installed

RUNS = Predicate("running", lambda obj: status(obj).get("phase") == "Running")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One installation for each direction would cost a minute each; the tests use names of their own."""
    with installed(tmp_path_factory.mktemp("site")) as found:
        yield found


def ended_well(site: Site, *names: str) -> list[str]:
    return [str(status(site.namespace.wait(name))["phase"]) for name in names]


def test_what_is_as_it_should_be_is_told_so(site: Site) -> None:
    site.mailbox.submit(task("early"))
    site.namespace.submit(task("by-hand"))
    assert ended_well(site, "early", "by-hand") == ["Succeeded", "Succeeded"]

    assert site.audit() == (0, {})


def test_an_older_etcd_and_newer_streams(tmp_path: Path, site: Site) -> None:
    site.directory = tmp_path
    site.mailbox.submit(task("before"))
    ended_well(site, "before")
    site.node.plays |= {"under-way": "runs", "under-way-by-hand": "runs"}
    site.save()
    site.mailbox.submit(task("after"), task("under-way"))
    site.namespace.submit(task("under-way-by-hand"))
    ended_well(site, "after")
    for name in ("under-way", "under-way-by-hand"):
        site.namespace.wait(name, RUNS)
    starts = dict(site.node.starts)

    site.restore(etcd=True)
    site.kube.wait(TASKS, NAMESPACE, "before", exists())
    code, found = site.audit()

    assert code == 1
    assert {name for name, weight in found.items() if weight == "Lost"} == {"under-way", "under-way-by-hand"}
    assert "after" not in found  # its record says how it ended, and has its result
    site.start_operator()
    site.node.plays.clear()
    site.mailbox.submit(task("after"), task("under-way"), task("before"))  # as programs do that are told to
    assert ended_well(site, "after", "under-way", "before") == ["Succeeded"] * 3
    assert {name: site.node.starts[name] for name in ("before", "after")} == {name: 1 for name in ("before", "after")}
    assert site.node.starts["under-way"] == starts["under-way"] + 1
    assert site.audit()[1] == {"under-way-by-hand": "Lost"}  # until its history has expired


def test_older_streams_and_a_newer_etcd(tmp_path: Path, site: Site) -> None:
    site.directory = tmp_path
    site.hold("Hold")
    site.mailbox.submit(task("waits"))
    site.save()
    site.hold("None")
    site.mailbox.submit(task("later"))
    assert ended_well(site, "waits", "later") == ["Succeeded", "Succeeded"]
    site.hold("Hold")
    site.mailbox.submit(task("only-a-message"))

    site.restore(streams=True)
    code, found = site.audit()

    assert code == 1
    stream = f"CELERIAC_{NAMESPACE}_default"
    assert found[stream] == "Lost"  # of what only the streams knew nobody knows the names
    assert found["waits"] == "Note"
    assert found["later"] == "Note"
    site.start_operator()
    site.hold("None")
    site.mailbox.submit(task("only-a-message"), task("waits"), task("later"))
    site.mailbox.wait_empty()
    assert ended_well(site, "waits", "later", "only-a-message") == ["Succeeded"] * 3
    assert {name: site.node.starts[name] for name in ("waits", "later", "only-a-message")} == {
        "waits": 1,
        "later": 1,
        "only-a-message": 1,
    }
