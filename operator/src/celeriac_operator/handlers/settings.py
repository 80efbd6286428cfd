"""kopf's settings: a frame that watches, and that writes, guesses and elects nothing."""

from __future__ import annotations

import kopf

from celeriac_operator.handlers.storage import NoDiffBase, NoProgress


def kopf_settings() -> kopf.OperatorSettings:
    """Settings under which kopf only watches.

    Peering is off (equal peers would freeze each other), so is scanning (the kinds are known); a silent watch is
    reconnected after 70 s, since bookmarks come every 60 s.
    """
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = 240
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 70
    settings.watching.reconnect_backoff = 1
    settings.watching.chunk_size = 500
    settings.queueing.idle_timeout = 10
    settings.queueing.exit_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = (0.5, 1, 2, 4, 8, 15)
    settings.networking.enforce_retry_after = True
    settings.persistence.finalizer = "celeriac.dev/never-set"
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    return settings
