"""The chart's NATS as Helm renders it, and the server's own verdict on its configuration and permissions."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.nats_server import binary
from tests.unit.charts.test_templates import (
    CHART,
    HELM,
    KUBE_VERSION,
    Manifest,
    environment,
    helm,
    is_nats,
    only,
    pod_of_operator,
    refusal,
    template,
)

pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: not in HELM, on PATH or in the project's cache")

NATS = "celeriac-nats"
SHARED = ("--set=nats.auth.namespaces={media,a-b}",)
EXTERNAL = ("--set=nats.enabled=false,nats.url=tls://a.example:4222",)
OFF = ("--set=nats.enabled=false",)


def of_nats(kind: str, *args: str) -> Manifest:
    (manifest,) = (m for m in template(*args) if m["kind"] == kind and is_nats(m))
    return manifest


def pod(*args: str) -> Manifest:
    spec: Manifest = of_nats("StatefulSet", *args)["spec"]["template"]["spec"]
    return spec


def container(*args: str) -> Manifest:
    (found,) = pod(*args)["containers"]
    return dict(found)


def config(*args: str) -> str:
    return str(of_nats("ConfigMap", *args)["data"]["nats.conf"])


def decoded(secret: Manifest) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def secrets(*args: str) -> dict[tuple[str, str], dict[str, str]]:
    return {
        (m["metadata"]["namespace"], m["metadata"]["name"]): decoded(m)
        for m in template(*args)
        if m["kind"] == "Secret"
    }


# ---- on, off, or elsewhere


def test_by_default_there_is_one_server_with_a_volume() -> None:
    spec = of_nats("StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]

    assert (1, NATS) == (spec["replicas"], spec["serviceName"])
    assert "10Gi" == claim["spec"]["resources"]["requests"]["storage"]
    assert "storageClassName" not in claim["spec"], "the cluster's default"
    assert {"name": "data", "mountPath": "/data"} in container()["volumeMounts"]


@pytest.mark.parametrize("values", [OFF, EXTERNAL], ids=["NATS off", "NATS elsewhere"])
def test_there_is_no_server_with(values: tuple[str, ...]) -> None:
    kinds = {(m["kind"], m["metadata"]["name"]) for m in template(*values)}

    assert not [name for kind, name in kinds if kind in ("StatefulSet", "Secret", "ConfigMap") or NATS in name]


def test_without_nats_the_operator_is_told_so() -> None:
    told = {name: value for name, value in environment(pod_of_operator(*OFF)).items() if "NATS" in name}

    assert {"CELERIAC_NATS_URL": ""} == told


def test_a_server_and_a_url_are_one_too_many() -> None:
    assert "nats.url needs nats.enabled=false" in refusal("--set=nats.url=nats://a.example")


@pytest.mark.parametrize(
    ("storage_class", "given"),
    [("fast", "fast"), ("-", "")],
    ids=["a class by name", "no class, for a volume made by hand"],
)
def test_storage_class(storage_class: str, given: str) -> None:
    (claim,) = of_nats("StatefulSet", f"--set=nats.persistence.storageClassName={storage_class}")["spec"][
        "volumeClaimTemplates"
    ]

    assert given == claim["spec"]["storageClassName"]


def test_without_a_volume_the_data_lives_as_long_as_the_pod() -> None:
    values = ("--set=nats.persistence.enabled=false,nats.persistence.size=512Mi",)
    (data,) = (each for each in pod(*values)["volumes"] if each["name"] == "data")

    assert {"sizeLimit": "512Mi"} == data["emptyDir"]
    assert "volumeClaimTemplates" not in of_nats("StatefulSet", *values)["spec"]


@pytest.mark.parametrize(
    ("values", "named_in_message"),
    [
        pytest.param("nats.persistence.size=10G", "/nats/persistence/size", id="a size in other units"),
        pytest.param("nats.persistence.size=0Gi", "/nats/persistence/size", id="no size at all"),
        pytest.param("nats.url=localhost", "/nats/url", id="a URL without a scheme"),
        pytest.param("nats.url=nats://user:secret@host", "/nats/url", id="a password in a URL, which anybody may read"),
        pytest.param("nats.credentials.kind=token", "/nats/credentials/kind", id="a kind of credentials that is none"),
        pytest.param("nats.replicas=3", "replicas", id="more servers than one"),
        pytest.param("nats.auth.namespaces={Media}", "/nats/auth/namespaces/0", id="a namespace that cannot exist"),
        pytest.param("extraEnv[0].name=CELERIAC_NATS_URL", "/extraEnv/0/name", id="a variable that a value is for"),
    ],
)
def test_refused_by_name(values: str, named_in_message: str) -> None:
    assert named_in_message in refusal("--set", values)


# ---- the pod


def test_the_server_meets_the_restricted_standard() -> None:
    spec = pod(*SHARED)

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
    assert {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container(*SHARED)["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "serviceAccountName"} & set(spec)
    assert "memory" in container()["resources"]["limits"]


def test_every_probe_asks_the_port_that_opens_when_the_streams_are_read() -> None:
    probes = [container()[f"{kind}Probe"]["tcpSocket"] for kind in ("startup", "liveness", "readiness")]

    assert [{"port": "nats"}] * 3 == probes
    assert [{"name": "nats", "containerPort": 4222, "protocol": "TCP"}] == container()["ports"]


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "NetworkPolicy"])
def test_selects_the_server_and_not_the_operator(kind: str) -> None:
    args = ("--set=networkPolicy.enabled=true",)
    spec = of_nats(kind, *args)["spec"]
    selector = spec.get("podSelector") or spec["selector"]
    wanted = selector.get("matchLabels", selector).items()

    assert wanted <= of_nats("StatefulSet", *args)["spec"]["template"]["metadata"]["labels"].items()
    assert not wanted <= only("Deployment", *args)["spec"]["template"]["metadata"]["labels"].items()


def test_the_disruption_budget_never_blocks_a_drain() -> None:
    assert 1 == of_nats("PodDisruptionBudget")["spec"]["maxUnavailable"]


def test_the_network_policy_lets_the_operator_in_beside_those_who_are_named() -> None:
    values = ("--set=networkPolicy.enabled=true", '--set-json=nats.ingressFrom=[{"namespaceSelector":{}}]')
    (ingress,) = of_nats("NetworkPolicy", *values)["spec"]["ingress"]
    first, second = ingress["from"]

    assert {"namespaceSelector": {}} == first
    assert only("Deployment", *values)["spec"]["selector"] == second["podSelector"]


def test_another_configuration_is_another_pod() -> None:
    def checksum(*args: str) -> str:
        return str(of_nats("StatefulSet", *args)["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum() != checksum("--set=nats.persistence.size=20Gi")


# ---- what the operator gets


def test_the_operator_is_told_where_its_own_server_is() -> None:
    told = {name: value for name, value in environment(pod_of_operator()).items() if "NATS" in name}

    assert {
        "CELERIAC_NATS_URL": "nats://celeriac-nats.celeriac-system.svc:4222",
        "CELERIAC_NATS_USER": "operator",
        "CELERIAC_NATS_PASSWORD": {"secretKeyRef": {"name": "celeriac-nats-auth", "key": "operator"}},
        "CELERIAC_NATS_INBOX_PREFIX": "_INBOX_operator",
        "CELERIAC_NATS_REPLICAS": "1",
        "CELERIAC_NATS_DEAD_BYTES": "536870912",
        "CELERIAC_NATS_DELAYED_BYTES": "536870912",
        "CELERIAC_NATS_NAMESPACE_PERCENT": "25",
        "CELERIAC_RUNNER_NATS_URL": "",
        "CELERIAC_RUNNER_NATS_SECRET": "celeriac-nats-runner",
        "CELERIAC_RUNNER_NATS_CREDS": "false",
    } == told


@pytest.mark.parametrize(
    ("kind", "variables"),
    [
        ("creds", {"CELERIAC_NATS_CREDS": "/etc/celeriac/nats-credentials/creds"}),
        ("nkey", {"CELERIAC_NATS_NKEY": "/etc/celeriac/nats-credentials/nkey"}),
        (
            "password",
            {
                "CELERIAC_NATS_USER": {"secretKeyRef": {"name": "mine", "key": "user"}},
                "CELERIAC_NATS_PASSWORD": {"secretKeyRef": {"name": "mine", "key": "password"}},
            },
        ),
    ],
    ids=["a creds file", "an nkey", "a password"],
)
def test_the_operator_logs_in_elsewhere_with(kind: str, variables: dict[str, Any]) -> None:
    values = (*EXTERNAL, f"--set=nats.credentials.secretName=mine,nats.credentials.kind={kind}")
    spec = pod_of_operator(*values)
    told = {name: value for name, value in environment(spec).items() if name.startswith("CELERIAC_NATS")}
    assert ["1", "25"] == [told.pop(f"CELERIAC_NATS_{name}") for name in ("REPLICAS", "NAMESPACE_PERCENT")]
    mounted = [each["mountPath"] for each in spec["containers"][0]["volumeMounts"][1:]]

    assert {"CELERIAC_NATS_URL": "tls://a.example:4222", **variables} == told
    assert ([] if kind == "password" else ["/etc/celeriac/nats-credentials"]) == mounted


def test_certificates_are_files_of_the_operator() -> None:
    spec = pod_of_operator(*EXTERNAL, "--set=nats.tls.caSecretName=ca,nats.tls.clientSecretName=me")
    told = environment(spec)
    sources = {each["name"]: each.get("secret", {}).get("secretName") for each in spec["volumes"]}

    assert "/etc/celeriac/nats-ca/ca.crt" == told["CELERIAC_NATS_CA"]
    assert "/etc/celeriac/nats-client/tls.crt" == told["CELERIAC_NATS_CERT"]
    assert "/etc/celeriac/nats-client/tls.key" == told["CELERIAC_NATS_KEY"]
    assert {"tmp": None, "nats-ca": "ca", "nats-client": "me"} == sources


def test_a_server_certificate_makes_the_url_one_of_tls() -> None:
    values = ("--set=nats.tls.serverSecretName=cert",)

    assert environment(pod_of_operator(*values))["CELERIAC_NATS_URL"].startswith("tls://")
    assert 'cert_file: "/tls/tls.crt"' in config(*values)
    assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in container(*values)["volumeMounts"]


def test_pods_of_tasks_may_have_their_own_way_to_nats() -> None:
    told = environment(
        pod_of_operator("--set=nats.runner.url=nats://b:4222,nats.runner.secretName=s,nats.runner.creds=true")
    )

    assert "nats://b:4222" == told["CELERIAC_RUNNER_NATS_URL"]
    assert ("s", "true") == (told["CELERIAC_RUNNER_NATS_SECRET"], told["CELERIAC_RUNNER_NATS_CREDS"])


def test_streams_and_records_are_as_it_was_asked_for() -> None:
    told = environment(pod_of_operator(*EXTERNAL, "--set=nats.streamReplicas=3,nats.recordRetentionDays=30"))

    assert ("3", "30") == (told["CELERIAC_NATS_REPLICAS"], told["CELERIAC_RECORD_RETENTION_DAYS"])


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        pytest.param((), ("536870912", "536870912", "25"), id="a twentieth of the volume each"),
        pytest.param(
            ("--set=nats.persistence.size=1Ti",), ("54975581388", "54975581388", "25"), id="of a large one more"
        ),
        pytest.param(
            ("--set=nats.deadLettersSize=64Mi,nats.delayedSize=2Gi,nats.namespacePercent=100",),
            ("67108864", "2147483648", "100"),
            id="as given",
        ),
        pytest.param(EXTERNAL, (None, None, "25"), id="the operator's own default with a server of one's own"),
    ],
)
def test_what_all_namespaces_share_is_bounded(given: tuple[str, ...], bounds: tuple[str | None, ...]) -> None:
    told = environment(pod_of_operator(*given))

    names = ("NATS_DEAD_BYTES", "NATS_DELAYED_BYTES", "NATS_NAMESPACE_PERCENT")
    assert bounds == tuple(told.get(f"CELERIAC_{name}") for name in names)


# ---- passwords


def test_each_user_has_a_password_of_its_own_and_each_namespace_its_secrets() -> None:
    found = secrets(*SHARED)
    passwords = found["celeriac-system", "celeriac-nats-auth"]

    assert {"operator", "client", "client-media", "runner-media", "client-a-b", "runner-a-b"} == set(passwords)
    assert len(set(passwords.values())) == len(passwords)
    assert all(re.fullmatch("[A-Za-z0-9]{32}", each) for each in passwords.values())
    assert {
        ("celeriac-system", "celeriac-nats-auth"),
        ("celeriac-system", "celeriac-nats-client"),
        ("media", "celeriac-nats-client"),
        ("media", "celeriac-nats-runner"),
        ("a-b", "celeriac-nats-client"),
        ("a-b", "celeriac-nats-runner"),
    } == set(found)


def test_only_the_passwords_themselves_outlive_an_uninstallation() -> None:
    kept = [
        each["metadata"]["name"]
        for each in template(*SHARED)
        if (each["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") == "keep"
    ]

    assert ["celeriac-nats-auth"] == kept


def test_a_users_secret_is_what_the_sdk_reads_from_its_environment() -> None:
    found = secrets(*SHARED)

    assert {
        "CELERIAC_NATS_URL": "nats://celeriac-nats.celeriac-system.svc:4222",
        "CELERIAC_NATS_USER": "client-media",
        "CELERIAC_NATS_PASSWORD": found["celeriac-system", "celeriac-nats-auth"]["client-media"],
        "CELERIAC_NATS_INBOX_PREFIX": "_INBOX_client-media",
    } == found["media", "celeriac-nats-client"]


def test_watched_namespaces_have_users_unless_others_are_named() -> None:
    watched = ("--set=watch.namespaces={media,reports}",)

    assert {"celeriac-system", "media", "reports"} == {namespace for namespace, _ in secrets(*watched)}
    assert {"celeriac-system", "a-b"} == {
        namespace for namespace, _ in secrets(*watched, "--set=nats.auth.namespaces={a-b}")
    }


def test_with_a_secret_of_your_own_the_chart_makes_none_and_takes_the_passwords_from_there() -> None:
    values = (*SHARED, "--set=nats.auth.existingSecret=mine")
    variables = {each["name"]: each for each in container(*values)["env"]}

    assert {} == secrets(*values)
    assert {"name": "mine", "key": "runner-a-b"} == variables["RAW_PASSWORD_RUNNER_A_B"]["valueFrom"]["secretKeyRef"]
    assert {"secretKeyRef": {"name": "mine", "key": "operator"}} == environment(pod_of_operator(*values))[
        "CELERIAC_NATS_PASSWORD"
    ]


def test_no_password_is_in_the_configuration() -> None:
    rendered = template(*SHARED)
    passwords = next(decoded(m) for m in rendered if m["metadata"]["name"] == "celeriac-nats-auth").values()

    assert not [each for each in passwords if each in json.dumps([m for m in rendered if m["kind"] != "Secret"])]


# ---- the server's verdict


@pytest.mark.parametrize(
    "values", [(), SHARED, ("--set=nats.persistence.size=2Ti",)], ids=["the defaults", "namespaces", "2 TiB"]
)
def test_the_server_takes_the_configuration(values: tuple[str, ...], tmp_path: Path) -> None:
    done = _checked(config(*values), tmp_path, _variables(container(*values), "123456"))

    assert 0 == done.returncode, done.stderr


def test_the_server_refuses_a_configuration_with_a_mistake_so_that_the_test_above_can_fail(tmp_path: Path) -> None:
    broken = config().replace("max_payload", "max_paylaod")

    assert 0 != _checked(broken, tmp_path, _variables(container(), "x")).returncode


@pytest.mark.parametrize(
    ("size", "files"), [("10Gi", 9663676416), ("100Mi", 94371840)], ids=["of 10Gi 9/10", "of 100Mi 9/10"]
)
def test_jetstream_may_fill(size: str, files: int) -> None:
    assert f"max_file_store: {files}\n" in config(f"--set=nats.persistence.size={size}")


def test_writes_are_on_the_disk_before_they_are_acknowledged() -> None:
    assert re.search(r"^\s*sync_interval: always$", config(), re.M)


def test_monitoring_answers_on_localhost_only_and_nothing_else_listens() -> None:
    listening = re.findall(r"^\s*(listen|http|https|port|http_port|monitor_port): (.*)$", config(), re.M)

    assert [("listen", '"0.0.0.0:4222"'), ("http", '"127.0.0.1:8222"')] == listening
    assert not re.search(r"websocket|mqtt|leafnodes|gateway|cluster", config())


def test_the_chart_of_the_values_file_and_notes_name_no_tag_of_their_own() -> None:
    assert "" == yaml.safe_load((CHART / "values.yaml").read_text())["nats"]["image"]["tag"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param(
            (), "nats://celeriac-nats.s.svc:4222, with what is in the Secret celeriac-nats-client", id="where"
        ),
        pytest.param((), "and the Secret celeriac-nats-auth with NATS' passwords", id="that passwords are kept"),
        pytest.param(SHARED, "In the namespace a-b: the Secrets", id="the Secrets of namespaces"),
        pytest.param(
            ("--set=nats.persistence.enabled=false",), "nats.persistence.enabled is false", id="that data is not safe"
        ),
        pytest.param(EXTERNAL, "NATS: tls://a.example:4222", id="that NATS is elsewhere"),
        pytest.param(OFF, "No NATS", id="that there is none"),
        pytest.param(
            (*OFF, "--set=watch.namespaces={media,a-b}"),
            "kubectl label namespace media a-b pod-security.kubernetes.io/enforce=restricted",
            id="how namespaces enforce what pods of tasks meet",
        ),
    ],
)
def test_the_notes_say(values: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in _notes(tmp_path / "chart", *values)


def _notes(chart: Path, *args: str) -> str:
    """The notes by way of a template: only an installation prints them."""
    shutil.copytree(CHART, chart)
    notes = (chart / "templates" / "NOTES.txt").read_text()
    wrapped = 'text: {{ include "notes" . | toJson }}'
    (chart / "templates" / "notes.yaml").write_text(f'{{{{ define "notes" }}}}{notes}{{{{ end }}}}\n{wrapped}\n')
    done = helm("template", "celeriac", str(chart), "--namespace=s", "--kube-version", KUBE_VERSION,
        "--show-only=templates/notes.yaml", *args)  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return str(yaml.safe_load(done.stdout)["text"])


def _variables(found: Manifest, password: str) -> dict[str, str]:
    names = [each["name"] for each in found["env"] if each["name"].startswith("PASSWORD_")]
    return {name: f'"{password}"' for name in names} | {"SERVER_NAME": "celeriac-nats-0"}


def _checked(text: str, directory: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = directory / "nats.conf"
    path.write_text(text)
    env = {**os.environ, **variables}
    return subprocess.run([binary(), "-t", "-c", str(path)], env=env, capture_output=True, text=True, check=False)
