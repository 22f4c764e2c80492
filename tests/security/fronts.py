"""The shipped front proxy on a free port: nothing but ports and paths is replaced."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.clock import now
from tests.engines import ROOT
from tests.faults.server import free_port
from tests.faults.waiting import until

CONFIGURATION = ROOT / "deploy" / "nginx.conf"
NAME = "api.example.org"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Front:
    """``tls`` trusts the certificate of this front and no other."""

    port: int
    tls: ssl.SSLContext


def find_nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.fail("nginx is needed here: apt-get install nginx-light (or your system's nginx)")
    return found


def derived(folder: Path, port: int, upstream: int) -> str:
    """Return the shipped configuration with the ports and the paths of a test."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    paths = "".join(f"    {name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
    for old, new, times in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl", 2),
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream};", 1),
        ("/etc/ssl/qingxiang/", f"{folder}/", 2),
        ("/var/log/nginx/", f"{folder}/", 2),
        ("/run/nginx.pid", f"{folder}/nginx.pid", 1),
        ("http {\n", "http {\n" + paths, 1),
    ):
        assert text.count(old) == times, old
        text = text.replace(old, new)
    return text


@contextmanager
def front(folder: Path, upstream: int) -> Iterator[Front]:
    """Run nginx before a server on a port of this machine."""
    folder.mkdir()
    port, nginx = free_port(), find_nginx()
    make_certificate(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(derived(folder, port, upstream), encoding="utf-8")
    process = subprocess.Popen(  # noqa: S603 - nginx with our own file
        [nginx, "-p", folder, "-c", configuration, "-g", "daemon off;"],
        stderr=subprocess.DEVNULL,  # it has a log
    )
    try:
        until(lambda: (folder / "nginx.pid").exists() or process.poll() is not None)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield Front(port, ssl.create_default_context(cafile=folder / "fullchain.pem"))
    finally:
        process.terminate()
        process.wait(10)


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Ask nginx whether it understands the configuration."""
    nginx = find_nginx()
    make_certificate(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(derived(folder, free_port(), free_port()), encoding="utf-8")
    return subprocess.run(  # noqa: S603 - nginx with our own file
        [nginx, "-t", "-p", folder, "-c", configuration],
        capture_output=True,
        text=True,
        check=False,
    )


def make_certificate(folder: Path) -> None:
    """Write a certificate of the front's name, signed by itself, for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(minutes=1))
        .not_valid_after(now() + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
