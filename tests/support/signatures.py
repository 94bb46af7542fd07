"""Signatures behind modules, of the kernel's forms: not valid ones, but ones that can be read."""

from __future__ import annotations

from asn1crypto import cms, x509

MAGIC = b"~Module signature appended~\n"


def trailer(length: int, *, kind: int, hash_number: int = 0, signer: int = 0, key_id: int = 0) -> bytes:
    """The twelve bytes of ``struct module_signature``, and the magic."""
    algorithm = 1 if kind < 2 else 0
    return bytes((algorithm, hash_number, kind, signer, key_id, 0, 0, 0)) + length.to_bytes(4, "big") + MAGIC


def pkcs7(value: bytes, *, serial: int, digest: str = "sha256", key_identifier: bool = False) -> bytes:
    """A detached CMS signature with the issuer of a distribution's key, not its first part the name."""
    issuer = x509.Name.build(
        {"organization_name": "Test", "common_name": "Kernel key", "email_address": "a@b"}
    )
    identity = (
        cms.SignerIdentifier("subject_key_identifier", b"\x01\x02")
        if key_identifier
        else cms.SignerIdentifier(
            "issuer_and_serial_number", cms.IssuerAndSerialNumber({"issuer": issuer, "serial_number": serial})
        )
    )
    signer = cms.SignerInfo(
        {
            "version": "v3" if key_identifier else "v1",
            "sid": identity,
            "digest_algorithm": {"algorithm": digest},
            "signature_algorithm": {"algorithm": "rsassa_pkcs1v15"},
            "signature": value,
        }
    )
    content = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": digest}],
            "encap_content_info": {"content_type": "data"},
            "signer_infos": [signer],
        }
    )
    data = cms.ContentInfo({"content_type": "signed_data", "content": content}).dump()
    return data + trailer(len(data), kind=2)
