"""Certificates of tests, made afresh in every run: no private key lies in the repository."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import trustme

CA, SERVER, SELF_SIGNED = "ca.pem", "server.pem", "self-signed.pem"


@cache
def certificates() -> Path:
    """A folder with a CA, a server certificate for loopback signed by it, and one that signs itself ."""
    folder = Path(tempfile.mkdtemp(prefix="bench-certificates-"))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / CA)
    server = authority.issue_cert("localhost", "127.0.0.1", "::1")
    server.private_key_and_cert_chain_pem.write_to_path(folder / SERVER)
    alone = trustme.CA()
    alone.private_key_pem.write_to_path(folder / SELF_SIGNED)
    alone.cert_pem.write_to_path(folder / SELF_SIGNED, append=True)
    return folder
