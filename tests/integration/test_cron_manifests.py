"""What the API server itself says to CronTasks: bad ones are refused with the field's name, good ones are stored."""

from typing import Any

import pytest
from e2e.support.kube import Kube, Obj, Refused

TEMPLATE: Obj = {"spec": {"container": {"image": "busybox:1.36"}}}

FULL: Obj = {
    "apiVersion": "celeriac.dev/v1alpha1",
    "kind": "CronTask",
    "metadata": {"name": "every-field"},
    "spec": {
        "schedule": "H/15 9-17 * * MON-FRI",
        "timeZone": "Europe/Berlin",
        "dstPolicy": "Twice",
        "concurrencyPolicy": "Queue",
        "catchUp": {"policy": "All", "windowSeconds": 3600, "maxRuns": 5},
        "jitterSeconds": 30,
        "suspend": True,
        "successfulTasksHistoryLimit": 0,
        "failedTasksHistoryLimit": 10,
        "taskTemplate": {
            "metadata": {"labels": {"team": "media"}, "annotations": {"note": "every weekday"}},
            "spec": {
                "definitionName": "resize",
                "params": {"path": "a.png", "nothing": None},
                "retry": {
                    "maxAttempts": 2,
                    "rules": [{"onExitCodes": {"operator": "In", "values": [3]}, "action": "Fail"}],
                },
                "ttlSecondsAfterFinished": 60,
            },
        },
    },
}


def cron(name: str = "bad", **spec: Any) -> Obj:
    """A CronTask."""
    fields = {"schedule": "0 2 * * *", "taskTemplate": TEMPLATE, **spec}
    kept = {field: value for field, value in fields.items() if value is not None}
    return {**{k: FULL[k] for k in ("apiVersion", "kind")}, "metadata": {"name": name}, "spec": kept}


def template(**spec: Any) -> Obj:
    """A CronTask with that Task."""
    return cron(taskTemplate={"spec": {**TEMPLATE["spec"], **spec}})


BAD: list[tuple[str, Obj, tuple[str, ...]]] = [
    ("a name of 51 characters", cron("a" * 51), ("metadata.name", "50")),
    ("a name with a dot", cron("a.b"), ("metadata.name", "DNS label")),
    ("no schedule", cron(schedule=None), ("spec.schedule",)),
    ("an empty schedule", cron(schedule=""), ("spec.schedule",)),
    ("a field of seconds", cron(schedule="0 0 2 * * *"), ("spec.schedule", "five fields")),
    ("reboot", cron(schedule="@reboot"), ("spec.schedule", "five fields")),
    ("every five minutes in Go's words", cron(schedule="@every 5m"), ("spec.schedule", "five fields")),
    ("a time zone in the schedule", cron(schedule="TZ=Europe/Berlin 0 2 * * *"), ("spec.schedule",)),
    ("a minute that is none", cron(schedule="60 * * * *"), ("spec.schedule", "minute 0-59")),
    ("an hour that is none", cron(schedule="0 9-24 * * *"), ("spec.schedule", "hour 0-23")),
    ("a day that is none", cron(schedule="0 0 0 * *"), ("spec.schedule", "day of month 1-31")),
    ("a month that is none", cron(schedule="0 0 1 13 *"), ("spec.schedule", "month 1-12")),
    ("a day of the week that is none", cron(schedule="0 0 * * MON-FRE"), ("spec.schedule", "SUN-SAT")),
    ("a random minute", cron(schedule="R * * * *"), ("spec.schedule", "minute 0-59")),
    ("a step of nothing", cron(schedule="*/0 * * * *"), ("spec.schedule", "minute 0-59")),
    ("a schedule of 300 characters", cron(schedule="1," * 150 + "1 * * * *"), ("spec.schedule", "256")),
    ("a time zone with a space", cron(timeZone="Europe/ Berlin"), ("spec.timeZone",)),
    ("an unknown dstPolicy", cron(dstPolicy="Both"), ("spec.dstPolicy", "Twice")),
    ("an unknown concurrencyPolicy", cron(concurrencyPolicy="Skip"), ("spec.concurrencyPolicy", "Forbid")),
    ("an unknown catchUp policy", cron(catchUp={"policy": "Some"}), ("spec.catchUp.policy", "Latest")),
    ("a catchUp of 101 runs", cron(catchUp={"maxRuns": 101}), ("spec.catchUp.maxRuns", "100")),
    ("a catchUp window of nothing", cron(catchUp={"windowSeconds": 0}), ("spec.catchUp.windowSeconds",)),
    ("a jitter of more than a day", cron(jitterSeconds=86_401), ("spec.jitterSeconds",)),
    ("a negative jitter", cron(jitterSeconds=-1), ("spec.jitterSeconds",)),
    ("suspend as a string", cron(suspend="yes"), ("spec.suspend",)),
    ("a history of less than nothing", cron(failedTasksHistoryLimit=-1), ("spec.failedTasksHistoryLimit",)),
    ("no template", cron(taskTemplate=None), ("spec.taskTemplate",)),
    ("a template without a spec", cron(taskTemplate={}), ("spec.taskTemplate.spec",)),
    ("a template that runs two things", template(definitionName="x"), ("spec.taskTemplate.spec", "one of")),
    ("a template that runs nothing", cron(taskTemplate={"spec": {}}), ("spec.taskTemplate.spec", "one of")),
    ("a template that is cancelled", template(cancel={}), ("spec.taskTemplate.spec", "cancel cannot be set")),
    (
        "a template with a start of its own",
        *(template(startTime="2126-01-01T00:00:00Z"), ("spec.taskTemplate.spec", "startTime cannot be set")),
    ),
    (
        "a retry rule of the template on nothing",
        *(template(retry={"rules": [{"action": "Retry"}]}), ("taskTemplate.spec.retry.rules[0]", "onExitCodes")),
    ),
    (
        "a first pause of the template above the longest",
        template(retry={"backoff": {"initialSeconds": 2, "maxSeconds": 1}}),
        ("taskTemplate.spec.retry.backoff.initialSeconds", "at most maxSeconds"),
    ),
    (
        "params of the template of less than nothing",
        template(paramsRef={"bucket": "b", "key": "k", "size": -1, "digest": "d"}),
        ("taskTemplate.spec.paramsRef.size", "0 or more"),
    ),
    ("an image with a space", template(container={"image": "a b"}), ("taskTemplate.spec.container.image", "no spaces")),
    (
        "a relative working directory",
        template(container={"image": "x", "workingDir": "work"}),
        ("container.workingDir", "absolute path"),
    ),
    (
        "a variable twice",
        template(container={"image": "x", "env": [{"name": "A"}, {"name": "A"}]}),
        ("taskTemplate.spec.container.env", "each name"),
    ),
    (
        "a variable of ours",
        template(container={"image": "x", "env": [{"name": "CELERIAC_TASK"}]}),
        ("container.env[0].name", "CELERIAC_"),
    ),
    ("a privileged container", template(container={"image": "x", "securityContext": {}}), ("securityContext",)),
    (
        "a label of 64 characters",
        cron(taskTemplate={**TEMPLATE, "metadata": {"labels": {"team": "a" * 64}}}),
        ("spec.taskTemplate.metadata.labels",),
    ),
    (
        "a label whose key no label has",
        cron(taskTemplate={**TEMPLATE, "metadata": {"labels": {"a b": "c"}}}),
        ("spec.taskTemplate.metadata.labels", "each key"),
    ),
    (
        "a label with a space",
        cron(taskTemplate={**TEMPLATE, "metadata": {"labels": {"team": "a b"}}}),
        ("spec.taskTemplate.metadata.labels", "each value"),
    ),
    (
        "an annotation whose key none has",
        cron(taskTemplate={**TEMPLATE, "metadata": {"annotations": {"a b": "c"}}}),
        ("spec.taskTemplate.metadata.annotations", "each key"),
    ),
    (
        "a misspelt resource",
        template(container={"image": "x", "resources": {"limits": {"memroy": "1Gi"}}}),
        ("taskTemplate.spec.container.resources.limits", "ephemeral-storage"),
    ),
    (
        "a name for the Tasks",
        cron(taskTemplate={**TEMPLATE, "metadata": {"name": "x"}}),
        ("taskTemplate.metadata.name",),
    ),
]


@pytest.mark.parametrize(("manifest", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_is_refused_with_the_name_of_the_field(kube: Kube, manifest: Obj, says: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        kube.create(manifest, "default", dry_run=True)

    assert refused.value.status in (400, 422)
    assert [part for part in says if part not in refused.value.message] == [], refused.value.message


@pytest.mark.parametrize(
    "manifest",
    [
        FULL,
        cron("smallest"),
        cron("a" * 50),
        cron("nickname", schedule="@daily"),
        cron("capitals", schedule="@Daily"),
        cron("spaces", schedule=" 0  2 * * * "),
        cron(
            "labelled",
            taskTemplate={
                **TEMPLATE,
                "metadata": {
                    "labels": {"example.com/" + "k" * 63: "v" * 63, "plain_Key.1": ""},
                    "annotations": {"Example.com/Why": "no label: ü", "plain": "x" * 4096},
                },
            },
        ),
    ],
    ids=lambda manifest: manifest["metadata"]["name"][:40],
)
def test_is_stored_just_as_it_was_written(kube: Kube, manifest: Obj) -> None:
    assert manifest["spec"] == kube.create(manifest, "default", dry_run=True)["spec"]
