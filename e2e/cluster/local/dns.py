"""One question to the cluster's DNS, over the wire: the answer proves pods, Service routing and CoreDNS at once.

What the API server says about them would not do: after a crash it is what was true before.
"""

import socket
import struct

_ID = 0x5EED
_RECURSION_DESIRED = 0x0100
_ANSWER, _NO_ERROR = 0x8000, 0
_TYPE_A, _CLASS_IN = 1, 1


def answers(server: str, name: str, timeout_seconds: float = 0.5) -> bool:
    """Tell whether a DNS server knows an address for a name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_seconds)
        try:
            client.sendto(question(name), (server, 53))
            return is_positive(client.recv(512))
        except OSError:
            return False


def question(name: str) -> bytes:
    """A question for the IPv4 address of a name (RFC 1035, section 4)."""
    header = struct.pack("!6H", _ID, _RECURSION_DESIRED, 1, 0, 0, 0)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return header + labels + b"\0" + struct.pack("!2H", _TYPE_A, _CLASS_IN)


def is_positive(reply: bytes) -> bool:
    """Tell whether a reply is ours, free of errors and not empty."""
    if len(reply) < 12:
        return False
    identity, flags, _questions, records, _, _ = struct.unpack("!6H", reply[:12])
    return bool(identity == _ID and flags & _ANSWER and flags & 0xF == _NO_ERROR and records)
