"""What is tried again, as the operator is to follow it: by the exit codes of the function's process."""

from __future__ import annotations

from celeriac._policy import Retry, RetryRule
from celeriac.api.v1alpha1 import ExitCodes
from celeriac.app.exit_code import FINAL

FINAL_RULE = RetryRule(on_exit_codes=ExitCodes(operator="In", values=FINAL), action="Fail")
"""Goes before every other rule, or ``dont_retry_for`` would not hold."""


def with_final_rule(retry: Retry | None) -> Retry:
    """The policy as the operator is to follow it."""
    given = retry or Retry()
    return given.model_copy(update={"rules": (FINAL_RULE, *(given.rules or ()))})


def of_call(retry: Retry | None) -> Retry | None:
    """A call's policy; where it has rules of its own, they replace the definition's, so the first must be there too."""
    if retry is None or retry.rules is None:
        return retry
    return with_final_rule(retry)
