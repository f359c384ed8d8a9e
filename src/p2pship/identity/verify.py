"""Whether a statement and a record are both true and belong together."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from p2pship.errors import BadPapers
from p2pship.identity.certificate import BadCertificate
from p2pship.identity.hit import hit_of
from p2pship.identity.ownchain import split_chain
from p2pship.identity.papers import ListedDevice, Papers, Record, Statement
from p2pship.identity.record import verify_record
from p2pship.identity.statement import host_identity_hash, person_hash, verify_statement


def papers_from(
    statement_raw: bytes,
    record_raw: bytes,
    now: float,
    aor: str | None = None,
    publication_key: bytes | None = None,
    chain: bytes = b"",
    revocations: bytes = b"",
) -> Papers:
    """Check a statement and a record, each by itself and that they belong together, and return both.

    :param aor: the canonical AOR that they have to be of; None if anybody's will do.
    :param publication_key: the key under which the record was published; None if it was not found but handed over.
    :param chain: the certificates that came along, DER, end entity first, one after the other; they have to be those of
        the statement. Nothing else of them is checked, and nothing of ``revocations``: that is for who judges.
    :raises BadPapers: if anything is wrong; the message says what.
    """
    statement = verify_statement(statement_raw, now)
    if aor is not None and statement.aor != aor:
        raise BadPapers(f"the statement is that of {statement.aor}, not of {aor}")
    record = verify_record(record_raw, now)
    _check_record(statement, record)
    _check_device(statement, listing(statement, record.device_key), record.device_key, publication_key)
    papers = Papers(statement, record, hit_of(record.device_key))
    return with_chain(papers, chain, revocations)


def with_chain(papers: Papers, chain: bytes, revocations: bytes) -> Papers:
    """Return papers with the certificates and the revocation list that came along; see :func:`papers_from`.

    :raises BadPapers: if the certificates are not those that the statement names.
    """
    return replace(papers, chain=_chain(papers.statement, chain), revocations=revocations)


def _chain(statement: Statement, chain: bytes) -> tuple[bytes, ...]:
    if not chain:
        return ()
    if hashlib.sha256(chain).digest() != statement.certificate_hash:
        raise BadPapers(f"the certificates are not those that the statement of {statement.aor} names")
    try:
        return split_chain(chain)
    except BadCertificate as error:
        raise BadPapers(str(error)) from None


def listing(statement: Statement, device_key: bytes) -> ListedDevice | None:
    """Return the entry of a Host Identity in a statement, or None."""
    digest = host_identity_hash(device_key)
    return next((device for device in statement.devices if device.host_identity_hash == digest), None)


def _check_record(statement: Statement, record: Record) -> None:
    if record.person != person_hash(statement.aor, statement.key):
        raise BadPapers(f"the record is not that of a device of {statement.aor} with this identity key")
    if record.statement_version != statement.version:
        raise BadPapers(
            f"the record belongs to version {record.statement_version} of the statement, not to {statement.version}"
        )


def _check_device(
    statement: Statement, listed: ListedDevice | None, device_key: bytes, publication_key: bytes | None
) -> None:
    if host_identity_hash(device_key) in statement.revoked:
        raise BadPapers(f"{statement.aor} has revoked the device")
    if listed is None:
        raise BadPapers(f"the device is not among the {len(statement.devices)} devices of {statement.aor}")
    if publication_key is not None and listed.publication_key != publication_key:
        raise BadPapers("the record was published under another key than the statement lists for the device")
