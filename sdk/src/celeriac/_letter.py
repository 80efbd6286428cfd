"""A task as it is sent: where to, under which id, and what has to be stored before. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from celeriac import errors
from celeriac._door import Identity, Submitted
from celeriac._request import TaskRequest, build_draft
from celeriac.api.v1alpha1 import ResultRef
from celeriac.api.v1alpha1.model import DNS_LABEL
from celeriac.wire.message import MAX_MESSAGE_BYTES, MSG_ID, digest_of, encode, id_of, message_of
from celeriac.wire.names import REQUEST_DIGEST, band_of, stream_of, submit_subject

EXPECTED_STREAM = "Nats-Expected-Stream"
DEFAULT_QUEUE = "default"
MAX_NAMESPACE = 63


@dataclass(frozen=True, slots=True)
class Letter:
    """A message, ready to be published."""

    name: str
    namespace: str
    queue: str
    subject: str
    data: bytes
    headers: dict[str, str]
    digest: str
    """``sha256:<hex>`` of the data."""
    request_digest: str
    named: bool
    """The caller gave the name, or the key that it comes from."""
    countdown: bool
    """The message has another start time each time that the request is repeated."""
    params_ref: ResultRef | None = None
    large_params: bytes | None = None

    @property
    def identity(self) -> Identity:
        """What tells the task from others of its name."""
        return Identity(None, None if self.countdown else self.digest, self.request_digest)

    def submitted(self, finished: bool = False) -> Submitted:
        """What the caller gets to know it by; a name that was made up needs nothing more to be the only one."""
        return Submitted(self.name, self.namespace, self.identity if self.named else Identity(), finished)


def letter_of(request: TaskRequest, default_namespace: str, now: datetime) -> Letter:
    """The message for a request. Raises InvalidTask and InvalidParams."""
    draft = build_draft(request, default_namespace, now)
    meta, spec = draft.manifest["metadata"], draft.manifest["spec"]
    namespace, queue = meta["namespace"], spec.get("queueName", DEFAULT_QUEUE)
    if not (len(namespace) <= MAX_NAMESPACE and re.fullmatch(DNS_LABEL, namespace)):
        raise errors.InvalidTask(f"{namespace!r} cannot be a namespace: use a-z, 0-9 and -, at most 63 characters.")
    data = encode(message_of(draft.manifest))
    if len(data) > MAX_MESSAGE_BYTES:
        raise errors.InvalidTask(
            f"The task is {len(data):,} bytes as a message; at most {MAX_MESSAGE_BYTES:,} are allowed. "
            "Put large data into a store and pass where it is."
        )
    found = digest_of(data)
    return Letter(
        name=meta["name"],
        namespace=namespace,
        queue=queue,
        subject=submit_subject(namespace, queue, band_of(spec.get("priority", 0))),
        data=data,
        headers={MSG_ID: id_of(meta["name"], found), EXPECTED_STREAM: stream_of(namespace, queue)},
        digest=found,
        request_digest=meta["annotations"][REQUEST_DIGEST],
        named=request.name is not None or request.key is not None,
        countdown=request.countdown is not None,
        params_ref=draft.params_ref,
        large_params=draft.large_params,
    )
