"""The policies as a caller writes them: the API's models, but an unknown argument is an error.

Apart from the API models, which must stay lenient about fields that a later version added.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from celeriac.api import v1alpha1
from celeriac.app.interruptions import SoftDeadlineExceeded


class Backoff(v1alpha1.Backoff):
    """The pause before the next attempt: ``initial_seconds``, times ``multiplier_percent``/100 for each failure."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


class RetryRule(v1alpha1.RetryRule):
    """What to do about a kind of failure: exactly one of ``on_exit_codes`` and ``on_failures``."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


class Retry(v1alpha1.Retry):
    """When and how often a failed attempt is followed by another, such as ``Retry(max_attempts=3)``.

    ``retry_for`` and ``dont_retry_for`` are of functions (``@app.task``) only: the process in the pod decides by them.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    backoff: Backoff | None = None
    """The pause before the next attempt."""
    rules: Annotated[tuple[RetryRule, ...], Field(max_length=32)] | None = None
    """The first rule that matches decides; where none does, the defaults of the failure's class."""
    retry_for: tuple[type[BaseException], ...] = Field(default=(), exclude=True)
    """Exceptions after which the function may run again, beside SoftDeadlineExceeded. Empty: all."""
    dont_retry_for: tuple[type[BaseException], ...] = Field(default=(), exclude=True)
    """Exceptions after which it may not; these go before ``retry_for``."""

    def allows(self, error: BaseException) -> bool:
        """Whether the function may run again after this exception; of a group, after each one in it."""
        if isinstance(error, BaseExceptionGroup) and not isinstance(error, (*self.retry_for, *self.dont_retry_for)):
            return all(self.allows(each) for each in error.exceptions)
        if isinstance(error, self.dont_retry_for):
            return False
        if isinstance(error, SoftDeadlineExceeded):
            return True  # as where the operator ends it: a deadline is no exception of the program's
        return not self.retry_for or isinstance(error, self.retry_for)


class Deadlines(v1alpha1.Deadlines):
    """How long each part may take, in whole seconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


class Resources(v1alpha1.Resources):
    """Requests and limits of the container, such as ``Resources(limits={"memory": "128Mi"})``."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
