"""The signature behind a module, as ``modinfo`` shows it (kmod: ``libkmod-signature.c``)."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyalias.packages.libraries import load

_MAGIC = b"~Module signature appended~\n"
_TRAILER = 12  # algorithm, hash, kind, length of signer, of key id, three zeros, length of signature
_ALGORITHMS = 2
_HASHES = ("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3")
_OTHER_NAMES = {"ripemd160": "rmd160"}
_KINDS = ("PGP", "X509", "PKCS#7")
_PKCS7 = 2
_SECTION_LINE = 20  # bytes of a signature on a line


class _Trailer(NamedTuple):
    """The numbers that stand between a signature and its magic."""

    algorithm: int
    hash_number: int
    kind: int
    signer_length: int
    key_id_length: int
    length: int


def signature_fields(data: bytes) -> list[tuple[bytes, bytes]]:
    """``sig_id``, ``signer``, ``sig_key``, ``sig_hashalgo``, ``signature``; none where there is no valid one.

    Raises:
        MissingLibraryError: asn1crypto, which reads PKCS#7, is not installed.
    """
    if not data.endswith(_MAGIC):
        return []
    end = len(data) - len(_MAGIC) - _TRAILER
    if end < 0:
        return []
    numbers = data[end : end + _TRAILER]
    algorithm, hash_number, kind, signer_length, key_id_length = numbers[:5]
    length = int.from_bytes(numbers[8:], "big")
    trailer = _Trailer(algorithm, hash_number, kind, signer_length, key_id_length, length)
    if trailer.algorithm >= _ALGORITHMS or trailer.hash_number >= len(_HASHES) or trailer.kind >= len(_KINDS):
        return []
    if not 0 < trailer.length <= end:
        return []
    signature = data[end - trailer.length : end]
    if trailer.kind == _PKCS7:
        found = _read_pkcs7(signature)
    else:
        found = _read_plain(data[: end - trailer.length], signature, trailer)
    if found is None:
        return []
    signer, key_id, hash_name, value = found
    return [
        (b"sig_id", _KINDS[trailer.kind].encode()),
        (b"signer", signer),
        (b"sig_key", _hexadecimal(key_id)),
        (b"sig_hashalgo", hash_name.encode()),
        (b"signature", _hexadecimal(value)),
    ]


def _read_plain(before: bytes, signature: bytes, trailer: _Trailer) -> tuple[bytes, bytes, str, bytes] | None:
    """The form of kernels before 4.3: the signer's name and the key's id stand before the signature."""
    if trailer.signer_length + trailer.key_id_length > len(before):
        return None
    key_id_at = len(before) - trailer.key_id_length
    # A NUL ends it, as it ends every text that modinfo prints.
    signer = before[key_id_at - trailer.signer_length : key_id_at].partition(b"\0")[0]
    return signer, before[key_id_at:], _HASHES[trailer.hash_number], signature


def _read_pkcs7(signature: bytes) -> tuple[bytes, bytes, str, bytes] | None:
    """The first signer of a CMS message: the common name of the issuer, and the certificate's number."""
    cms = load("asn1crypto.cms", "signatures of modules")
    try:
        signer = cms.ContentInfo.load(signature)["content"]["signer_infos"][0]
        identity = signer["sid"].chosen
        hash_name = signer["digest_algorithm"]["algorithm"].native
        hash_name = _OTHER_NAMES.get(hash_name, hash_name)
        key_id = abs(identity["serial_number"].native)
        name = _common_name(identity["issuer"])
        value = signer["signature"].native
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        return None  # damaged, or signed by a key without a certificate: modinfo shows nothing either
    if hash_name not in _HASHES:
        return None
    return name, key_id.to_bytes((key_id.bit_length() + 7) // 8, "big"), hash_name, value


def _common_name(issuer: Any) -> bytes:
    for attributes in issuer.chosen:
        for attribute in attributes:
            if attribute["type"].native == "common_name":
                return str(attribute["value"].native).encode()
    return b""


def _hexadecimal(data: bytes) -> bytes:
    """``01:AB:...``, twenty bytes a line (``kmod_module_hex_to_str``)."""
    lines = [data[at : at + _SECTION_LINE] for at in range(0, len(data), _SECTION_LINE)]
    return b":\n\t\t".join(line.hex(":").upper().encode() for line in lines)
