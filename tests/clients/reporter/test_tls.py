"""HTTPS: the reporter believes certificates of those whom the machine trusts, and no others."""

from __future__ import annotations

import datetime
import ssl
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients.reporter.gate import drip, with_clock
from tests.clients.reporter.job import Job
from tests.clients.reporter.program import USUAL


@pytest.fixture
def certificate(job: Job, tmp_path: Path) -> Path:
    """A certificate for the gate, which speaks TLS from now on."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "milepost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    job.gate.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    job.gate.tls.load_cert_chain(file, secret)
    address = job.report.env["MILEPOST_CALLBACK_URL"]
    job.report.env["MILEPOST_CALLBACK_URL"] = address.replace("http:", "https:")
    return file


def test_a_certificate_that_nobody_vouches_for_gets_nothing(job: Job, certificate: Path) -> None:
    done = job.report("step", "vm_created", "--wait", "5")

    assert done.returncode == 0
    assert b"CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert b"no answer" not in done.stderr, "it answered, and was not believed"
    assert certificate.exists()
    assert job.gate.seen == []
    assert len(job.report.waiting()) == 1


def test_a_trusted_certificate_gets_everything_also_after_a_slow_answer(
    job: Job, certificate: Path
) -> None:
    trusted = {"SSL_CERT_FILE": str(certificate)}
    way, job.gate.way = job.gate.way, drip
    assert job.report("step", "vm_created", **trusted, **USUAL).returncode == 0
    job.gate.way = way

    assert job.report("step", "network_configured", "--strict", **trusted).returncode == 0

    assert job.said() == ["vm_created", "network_configured"]


def test_a_trusted_server_corrects_a_clock_that_is_years_off(job: Job, certificate: Path) -> None:
    job.gate.way = with_clock(10 * 365 * 24 * 3600, time.time)

    done = job.report("step", "vm_created", "--strict", SSL_CERT_FILE=str(certificate))

    assert (done.returncode, done.stderr) == (0, b"")
