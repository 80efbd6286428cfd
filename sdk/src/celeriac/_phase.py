"""The phases that a client sees: those of a Task, and the one before there is a Task."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """A summary of a task's state for people. No code decides by it.

    Equal to the phase of the same name that a Task's status has.
    """

    BACKLOGGED = "Backlogged"
    """A message that NATS holds, and no Task yet."""
    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"
