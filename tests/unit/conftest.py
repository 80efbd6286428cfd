"""What holds for all unit tests."""

import structlog

# Tests provoke errors by the hundred, and a traceback with the values of all variables takes a quarter of a second.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)
