"""What a task's process finds in its container: params as they were given, few rights, a place for its result."""

import pytest
from e2e.support.kube import Obj
from e2e.support.manifests import backoff, definition, task, task_of
from e2e.support.namespaces import Namespace
from e2e.support.predicates import attempts, status

NASTY = "a $b $$c $(HOME) $(params.other) `id` \"q\" 'q' \\ ü ✓ $(CELERIAC_TASK)\n\tend"
"""Whatever Kubernetes, a shell or a second pass could take for something else."""


def result_of(namespace: Namespace, manifest: Obj) -> object:
    """Run a Task; its result."""
    namespace.submit(manifest)
    ended = namespace.wait(manifest["metadata"]["name"])
    assert status(ended)["phase"] == "Succeeded", status(ended)["message"]
    return status(ended)["result"]["value"]


def test_a_param_with_dollars_arrives_unharmed_as_an_argument(shared_namespace: Namespace) -> None:
    fields = {"command": ["sh", "-c", 'printf "%s" "$1" > $CELERIAC_RESULT_FILE', "sh"], "args": ["$(params.text)"]}
    params = {"text": NASTY, "other": "never"}

    assert result_of(shared_namespace, task("argument", container_fields=fields, params=params)) == NASTY


def test_a_param_with_dollars_arrives_unharmed_in_the_environment(shared_namespace: Namespace) -> None:
    fields = {"env": [{"name": "TEXT", "value": "<$(params.text)>"}]}
    manifest = task(
        "env", 'printf "%s" "$TEXT" > $CELERIAC_RESULT_FILE', container_fields=fields, params={"text": NASTY}
    )

    assert result_of(shared_namespace, manifest) == f"<{NASTY}>"


def test_all_params_arrive_unharmed_as_json(shared_namespace: Namespace) -> None:
    params = {"text": NASTY, "deep": {"er": [1, 2.5, None, True]}, "empty": {}}
    manifest = task("json", 'printf "%s" "$CELERIAC_PARAMS" > $CELERIAC_RESULT_FILE', params=params)

    assert result_of(shared_namespace, manifest) == params


def test_other_references_are_left_to_kubernetes(shared_namespace: Namespace) -> None:
    fields = {"env": [{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)-$(params.n)-$$(A)"}]}
    manifest = task(
        "left", 'printf "%s" "$B" > $CELERIAC_RESULT_FILE', container_fields=fields, params={"n": [1, {"a": 2}]}
    )

    assert result_of(shared_namespace, manifest) == 'x-[1,{"a":2}]-$(A)'


def test_the_environment_tells_who_and_when(shared_namespace: Namespace) -> None:
    script = """printf '["%s","%s","%s","%s","%s"]' $CELERIAC_TASK $CELERIAC_NAMESPACE $CELERIAC_ATTEMPT \
        $CELERIAC_RESULT_FILE $CELERIAC_DEADLINE > $CELERIAC_RESULT_FILE; [ $CELERIAC_ATTEMPT = 2 ]"""
    retry = {"maxAttempts": 2, "backoff": backoff()}
    found = result_of(shared_namespace, task("who", script, retry=retry, deadlines={"totalSeconds": 600}))

    created = status(shared_namespace.task("who"))["createTime"]
    assert isinstance(found, list)
    assert found[:4] == ["who", shared_namespace.name, "2", "/dev/termination-log"]
    assert found[4] > created


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("null", None),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("12.5", 12.5),
        ("just text", "just text"),
        ('{"broken": ', '{"broken":'),
        ("NaN", "NaN"),
    ],
)
def test_what_is_written_becomes_the_result(namespace: Namespace, written: str, value: object) -> None:
    manifest = task("writes", "cat > $CELERIAC_RESULT_FILE <<'END'\n" + written + "\nEND")

    found = result_of(namespace, manifest)

    assert found == value or (isinstance(value, str) and str(found).strip() == value)


def test_a_result_of_4095_bytes_fits(namespace: Namespace) -> None:
    found = result_of(namespace, task("fits", "head -c 4095 /dev/zero | tr '\\0' x > $CELERIAC_RESULT_FILE"))

    assert found == "x" * 4095


def test_a_task_that_writes_nothing_has_no_result(namespace: Namespace) -> None:
    namespace.submit(task("silent", "echo log only"))

    assert "result" not in status(namespace.wait("silent"))


RIGHTS = """
answer() { printf '"%s": "%s",' "$1" "$2" >> /tmp/answers; }
answer uid $(id -u)
answer gid $(id -g)
answer root $(touch /written 2>/dev/null && echo writable || echo read-only)
answer tmp $(touch /tmp/written 2>/dev/null && echo writable || echo read-only)
answer token $([ -e /var/run/secrets ] && echo there || echo none)
answer capabilities $(grep CapEff /proc/self/status | cut -f2)
answer escalation $(grep NoNewPrivs /proc/self/status | cut -f2)
answer seccomp $(grep 'Seccomp:' /proc/self/status | cut -f2)
printf '{%s "end": ""}' "$(cat /tmp/answers)" > $CELERIAC_RESULT_FILE
"""


def test_a_process_has_the_rights_of_the_restricted_standard_and_no_more(shared_namespace: Namespace) -> None:
    assert result_of(shared_namespace, task("rights", RIGHTS)) == {
        "uid": "65532",
        "gid": "65532",
        "root": "read-only",
        "tmp": "writable",
        "token": "none",
        "capabilities": "0000000000000000",
        "escalation": "1",
        "seccomp": "2",
        "end": "",
    }


def test_a_definition_may_choose_the_user(shared_namespace: Namespace) -> None:
    security = {"runAsUser": 1234, "runAsGroup": 1235, "readOnlyRootFilesystem": False}
    shared_namespace.define(definition("other-user", RIGHTS, pod={"securityContext": security}))

    found = result_of(shared_namespace, task_of("other-user", "other-user"))

    assert isinstance(found, dict)
    assert (found["uid"], found["gid"]) == ("1234", "1235")
    assert found["capabilities"] == "0000000000000000"


def test_every_container_has_a_memory_limit(shared_namespace: Namespace) -> None:
    files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"  # cgroup v1, v2
    script = f"cat {files} 2>/dev/null | head -n 1 > $CELERIAC_RESULT_FILE"
    limits = {"resources": {"limits": {"memory": "48Mi"}}}

    assert result_of(shared_namespace, task("limited", script, container_fields=limits)) == 48 * 1024 * 1024


def test_the_attempt_tells_where_it_ran(shared_namespace: Namespace) -> None:
    shared_namespace.submit(task("where"))

    (attempt,) = attempts(shared_namespace.wait("where"))

    (pod,) = shared_namespace.pods_of("where")
    assert (attempt["podName"], attempt["podUID"]) == (pod["metadata"]["name"], pod["metadata"]["uid"])
    assert attempt["nodeName"] == pod["spec"]["nodeName"]
