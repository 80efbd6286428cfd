"""The cluster's certificates, made with the openssl command so that no extra library is needed."""

from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.commands import run

_DAYS = "3650"


@dataclass(frozen=True)
class Identity:
    """A certificate that is wanted: who it speaks for, and which names it serves under."""

    name: str
    common_name: str
    organization: str = ""
    alt_names: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        # RBAC reads groups from O and the user from CN.
        return f"/O={self.organization}/CN={self.common_name}" if self.organization else f"/CN={self.common_name}"


def ensure(directory: Path, identities: tuple[Identity, ...]) -> None:
    """Make the authority, the service account key and each identity that is not there yet."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (directory / "ca.crt").exists():
        _make_authority(directory)
    if not (directory / "sa.key").exists():
        _make_service_account_key(directory)
    for identity in identities:
        if not (directory / f"{identity.name}.crt").exists():
            _issue(directory, identity)


def _make_authority(directory: Path) -> None:
    _new_key(directory / "ca.key")
    run("openssl", "req", "-x509", "-new", "-key", directory / "ca.key", "-days", _DAYS, "-subj", "/CN=celeriac-e2e-ca",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature", "-out", directory / "ca.crt")  # fmt: skip


def _make_service_account_key(directory: Path) -> None:
    _new_key(directory / "sa.key")
    run("openssl", "pkey", "-in", directory / "sa.key", "-pubout", "-out", directory / "sa.pub")


def _issue(directory: Path, identity: Identity) -> None:
    key, request, certificate = (directory / f"{identity.name}.{suffix}" for suffix in ("key", "csr", "crt"))
    _new_key(key)
    run("openssl", "req", "-new", "-key", key, "-subj", identity.subject, "-out", request)
    extensions = directory / f"{identity.name}.ext"
    extensions.write_text(_extensions(identity))
    run("openssl", "x509", "-req", "-in", request, "-CA", directory / "ca.crt", "-CAkey", directory / "ca.key",
        "-CAcreateserial", "-days", _DAYS, "-extfile", extensions, "-out", certificate)  # fmt: skip
    request.unlink()
    extensions.unlink()


def _extensions(identity: Identity) -> str:
    lines = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
    if identity.alt_names:
        lines.append("subjectAltName=" + ",".join(identity.alt_names))
    return "\n".join(lines) + "\n"


def _new_key(path: Path) -> None:
    path.touch(mode=0o600)
    run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
