"""Apart from the connection, so that an attempt without NATS imports no event loop."""


class BusDown(Exception):  # noqa: N818 -- names what it is, as the other errors do
    """NATS did not answer in time."""
