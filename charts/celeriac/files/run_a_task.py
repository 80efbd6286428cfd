"""What `helm test` runs, in the operator's image: create a Task, wait until it has finished, and say how it went."""

import os
import sys
import time

from kubernetes import client, config

namespace = os.environ["TEST_NAMESPACE"]
timeout = int(os.environ["TEST_TIMEOUT_SECONDS"])
task = {
    "apiVersion": "celeriac.dev/v1alpha1",
    "kind": "Task",
    "metadata": {"generateName": "helm-test-"},
    "spec": {
        "container": {
            "image": os.environ["TEST_IMAGE"],
            "imagePullPolicy": os.environ["TEST_IMAGE_PULL_POLICY"],
            "command": ["python", "-c", "print(1)"],
        },
        "deadlines": {"totalSeconds": timeout},
        "ttlSecondsAfterFinished": 600,
    },
}

config.load_incluster_config()
api = client.CustomObjectsApi()
where = ("celeriac.dev", "v1alpha1", namespace, "tasks")
name = api.create_namespaced_custom_object(*where, task)["metadata"]["name"]
sys.stdout.write(f"Created Task {namespace}/{name}\n")

status, conditions = {}, {}
# The operator itself ends the Task after `timeout`; the margin is for seeing that it did.
deadline = time.monotonic() + timeout + 20
while conditions.get("Finished") != "True" and time.monotonic() < deadline:
    time.sleep(1)
    status = api.get_namespaced_custom_object(*where, name).get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}

if conditions.get("Succeeded") != "True":
    said = ": ".join(status[part] for part in ("phase", "reason", "message") if part in status)
    sys.exit(
        f"Task {namespace}/{name} did not succeed. Its status: {said or 'none, so no operator has seen it'}\n"
        f"It is kept; see: kubectl describe task --namespace {namespace} {name}"
    )
api.delete_namespaced_custom_object(*where, name)
sys.stdout.write("The Task succeeded.\n")
