"""What may change about an own identity: from what its folder holds to what it is to hold instead.

Theory of operation. All changes are made here, without I/O; :class:`~p2pship.identity.identity.Identity` then puts the whole
new folder in the place of the old one. Only who holds the identity key signs a statement. Its version is the Unix time, or one
more than the last if that is higher: a statement that was lost with a disk, while the key came back from a backup, is
thus not followed by one that those who saw it would refuse for ever.

Two devices that hold the key may change the statement at the same time. Whoever sees that of the other keeps what both say:
every listed device of either that neither has revoked, every revoked one of either, and of the certificates those of a CA
that were issued last. If that is not what the other says, it is signed as a new statement, which the other then finds to say
all that it knows, and takes.

An identity that gets a device of its own no longer lists the one that it was used on, which other identities still are; to name
it as revoked would tell everybody whose device else it is. What is stated in the place of its digest is a mark that only
those can make who hold the identity key: they do not put it back when they merge, and nobody else learns anything.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from p2pship.errors import BadPapers, LocalError
from p2pship.identity.certificate import BadCertificate, read_certificate, self_signed
from p2pship.identity.device import Device
from p2pship.identity.fingerprint import names_itself
from p2pship.identity.holdings import About, Holdings
from p2pship.identity.keys import from_der, new_p256, sign, spki, to_der
from p2pship.identity.ownchain import (
    authority_of,
    chain_hash,
    check_chain,
    check_revocations,
    check_stated,
)
from p2pship.identity.papers import ListedDevice, Statement
from p2pship.identity.statement import HASH_LENGTH, MOST_DEVICES, sign_statement, verify_statement
from p2pship.identity.succession import predecessors, succeeded, succession
from p2pship.identity.validity import STATEMENT_LIFETIME

MOST_REVOKED_STATED = 20
"""Revoked devices that our own statements name, newest first: with as many other things as there may be it is then short
enough. One that is no longer named is refused all the same, as it is not listed."""

MOST_REVOKED_KEPT = 1_000
"Revoked devices that are remembered, newest first: 32 kB, one new device a week for twenty years."

MOST_BACK = 300
"Seconds that :func:`set_back` dates back at the most: as much as records are."

_LEFT = b"p2pship device that was left v1"
"What the key of marks is made for."

_MARKED = 24
"Octets of a mark that stand for the device."


def begun(key: EllipticCurvePrivateKey, aor: str, device: ListedDevice, now: float) -> Holdings:
    """Return what a new identity of a canonical AOR holds, on its first device."""
    certificate = self_signed(key, aor, now)
    raw = sign_statement(
        _signer(key),
        aor=aor,
        key=spki(key),
        version=int(now),
        issued=int(now),
        expires=int(now) + STATEMENT_LIFETIME,
        devices=[device],
        certificate_hash=chain_hash((certificate,)),
    )
    return Holdings(to_der(key), (certificate,), b"", raw, About(int(now)))


def restated(holdings: Holdings, now: float, last: Statement | None = None, **changes: Any) -> Holdings:
    """Return them with a statement of ``now`` that says what the last one did (``last``; by default their own), but changed.

    :raises LocalError: if the key is not held here, or the statement would not be believed.
    """
    _check_held(holdings)
    key = from_der(holdings.private_key)
    last = last or holdings.statement
    values: dict[str, Any] = {
        "devices": last.devices,
        "revoked": last.revoked,
        "mail_holders": last.mail_holders,
        "certificate_hash": last.certificate_hash,
        "authority": last.authority,
        "succession": last.succession,
    }
    raw = sign_statement(
        _signer(key),
        aor=last.aor,
        key=spki(key),
        version=max(last.version + 1, int(now)),
        issued=int(now),
        expires=int(now) + STATEMENT_LIFETIME,
        **(values | changes),
    )
    return replace(holdings, raw=raw)


def _check_held(holdings: Holdings) -> None:
    """Raise LocalError if the identity key is not held here."""
    if not holdings.private_key:
        raise LocalError("another device of the person holds the identity key; make the change there")


def set_back(holdings: Holdings) -> int:
    """Return by how many seconds the next statement is to be dated back that a node signs by itself, for a separate device.

    A node that was off for weeks signs those of all its identities in one second. Without the identity key it is a random number.
    """
    digest = hmac.digest(_secret(holdings.private_key), b"set back" + holdings.raw, "sha256")
    return int.from_bytes(digest[:4], "big") % MOST_BACK


def with_device(holdings: Holdings, device: ListedDevice, now: float) -> Holdings:
    """Return them with one more device listed, or with its entry replaced; the same if it is listed as it is.

    :raises LocalError: if it has been revoked, or there are too many.
    """
    last = holdings.statement
    gone = _gone(holdings.private_key, _revoked(holdings), device.host_identity_hash)
    if gone == device.host_identity_hash:
        raise LocalError(f"that device of {last.aor} has been revoked, which is for ever; it needs new keys")
    if gone:
        raise LocalError(f"{last.aor} has left that device for one of its own; use --separate-device")
    if device in last.devices:
        return holdings
    others = [each for each in last.devices if each.host_identity_hash != device.host_identity_hash]
    if len(others) >= MOST_DEVICES:
        raise LocalError(f"{last.aor} has {MOST_DEVICES} devices already; revoke one that is no longer used")
    return restated(holdings, now, devices=[*others, device])


def brought(holdings: Holdings, device: ListedDevice, now: float, revoked: Sequence[bytes] = ()) -> Holdings:
    """Return what to hold of an identity that came from elsewhere, so that its statement lists this device and holds now.

    ``revoked`` are devices that are known here to be revoked, of which a backup may not have heard.

    :raises LocalError: if the device was revoked, or there are too many.
    :raises BadPapers: if the key did not come along, and the statement does not hold now or does not list the device.
    """
    last, holdings = holdings.statement, remembering(holdings, revoked)
    if holdings.private_key:
        gone = holdings.about.revoked
        devices = _remaining(holdings, last.devices)
        stated = restated(holdings, now, devices=devices, revoked=gone[:MOST_REVOKED_STATED])
        return with_device(stated, device, now)
    verify_statement(holdings.raw, now)
    if device.host_identity_hash in last.revoked or device not in last.devices:
        raise BadPapers(f"the statement of {last.aor} does not list this device")
    return holdings


def without_device(holdings: Holdings, digest: bytes, now: float) -> Holdings:
    """Return them with a device revoked, which is named by the SHA-256 of its Host Identity; for ever."""
    last = holdings.statement
    devices = [each for each in last.devices if each.host_identity_hash != digest]
    kept = remembering(holdings, [digest])
    return restated(kept, now, devices=devices, revoked=kept.about.revoked[:MOST_REVOKED_STATED])


def separated(holdings: Holdings, left: ListedDevice, device: Device, now: float) -> Holdings:
    """Return them with a device of the identity's own in place of ``left``, which stays that of others, and is not revoked."""
    _check_held(holdings)
    mark = _mark(holdings.private_key, left.host_identity_hash)
    kept = remembering(replace(holdings, device=device), [mark])
    devices = _remaining(kept, holdings.statement.devices)
    stated = restated(kept, now, devices=devices, revoked=kept.about.revoked[:MOST_REVOKED_STATED])
    return with_device(stated, device.listed, now)


def has_left(holdings: Holdings, device: ListedDevice) -> bool:
    """Tell whether an identity was used on a device before it got one of its own there; only who holds the key can."""
    gone = _gone(holdings.private_key, _revoked(holdings), device.host_identity_hash)
    return bool(gone) and gone != device.host_identity_hash


def remembering(holdings: Holdings, revoked: Sequence[bytes]) -> Holdings:
    """Return them with further devices remembered as revoked, each by the SHA-256 of its Host Identity, for ever."""
    return replace(holdings, about=replace(holdings.about, revoked=_revoked(holdings, revoked)))


def certified(holdings: Holdings, chain: Sequence[bytes], revocations: bytes, now: float) -> Holdings:
    """Return them with certificates from a CA, end entity first and the CA's own last.

    :raises BadCertificate: if they are not for this name and key, do not hold now, or have been revoked.
    """
    last, certificates = holdings.statement, tuple(chain)
    check_chain(certificates, last.aor, last.key, now)
    if revocations:
        check_revocations(revocations, certificates)
    stated = restated(
        holdings, now, certificate_hash=chain_hash(certificates), authority=authority_of(certificates)
    )
    return replace(stated, chain=certificates, revocations=revocations)


def rotated(holdings: Holdings, now: float) -> Holdings:
    """Return them with a new identity key, which the old one signs; a CA has to certify it anew.

    Marks say nothing without the key that they were made with, and are taken out.

    :raises LocalError: if the key is not held here, or the name is its fingerprint.
    """
    last = holdings.statement
    if names_itself(last.aor, last.key) is not None:
        raise LocalError(f"{last.aor} is made of its key, and cannot have another one; make a new identity")
    if not holdings.private_key:
        raise LocalError("another device of the person holds the identity key; rotate it there")
    key = new_p256()
    entry = succeeded(_signer(from_der(holdings.private_key)), last.key, last.aor, spki(key))
    certificate = self_signed(key, last.aor, now)
    following = replace(
        holdings,
        private_key=to_der(key),
        chain=(certificate,),
        revocations=b"",
        about=replace(holdings.about, exported=0, revoked=_without_marks(holdings)),
    )
    return restated(
        following,
        now,
        last,
        revoked=following.about.revoked[:MOST_REVOKED_STATED],
        certificate_hash=chain_hash((certificate,)),
        authority=b"",
        succession=succession(last, entry),
    )


def adopted(
    holdings: Holdings, own: bytes, raw: bytes, chain: Sequence[bytes], revocations: bytes, now: float
) -> Holdings | None:
    """Return what to hold after a statement of the same person came from another of their devices; None: the same.

    ``own`` is the SHA-256 of this device's Host Identity. Without ``chain`` the certificates that the statement has the hash of
    are not known, unless they are those of before.

    :raises BadPapers: if it is not valid now, not of this name, or neither signed by the same key nor by one to which that
        gave way.
    """
    ours, theirs = holdings.statement, verify_statement(raw, now)
    if theirs.aor != ours.aor:
        raise BadPapers(f"the statement is that of {theirs.aor}, not of {ours.aor}")
    if theirs.key != ours.key:
        if ours.key not in predecessors(theirs):
            raise BadPapers(f"the statement of {ours.aor} is signed by a key to which ours did not give way")
        without_key = replace(holdings, private_key=b"", about=replace(holdings.about, exported=0))
        return _taken(without_key, theirs, chain, revocations)
    taken = _taken(holdings, theirs, chain, revocations)
    if own in theirs.revoked:
        return taken  # whatever its version: that is for ever
    if holdings.private_key:
        return _merged(holdings, theirs, taken, now)
    return taken if theirs.version > ours.version else None


def _merged(before: Holdings, theirs: Statement, taken: Holdings, now: float) -> Holdings | None:
    ours = before.statement
    if theirs.version < ours.version:
        return None  # who signed it gets ours, and does the same
    # Of a device that the other one still lists it has not heard, however long ago it was revoked: that is said again.
    gone = [_gone(taken.private_key, taken.about.revoked, one.host_identity_hash) for one in theirs.devices]
    taken = remembering(taken, [digest for digest in gone if digest])
    stated = taken.about.revoked[:MOST_REVOKED_STATED]
    # Theirs first: of too many both sides then keep the same.
    listed = {each.host_identity_hash: each for each in (*theirs.devices, *ours.devices, *theirs.devices)}
    devices = _remaining(taken, listed.values())[:MOST_DEVICES]
    changes: dict[str, Any] = {"devices": devices, "revoked": stated}
    if _is_better(before, taken):
        taken = replace(taken, chain=before.chain, revocations=before.revocations)
        changes |= {"certificate_hash": ours.certificate_hash, "authority": ours.authority}
    elif set(devices) == set(theirs.devices) and set(stated) == set(theirs.revoked):
        # Of two of one version, which both signed at once, both take the same.
        return taken if (theirs.version, theirs.raw) > (ours.version, ours.raw) else None
    return restated(taken, now, theirs, **changes)


def _is_better(one: Holdings, other: Holdings) -> bool:
    """Tell whether a CA issued the certificates of the one, and those of the other are not known, of no CA, or older."""
    if not one.chain or not one.statement.authority:
        return False
    if not other.chain or not other.statement.authority:
        return True
    return read_certificate(one.chain[0]).begins > read_certificate(other.chain[0]).begins


def _taken(before: Holdings, theirs: Statement, chain: Sequence[bytes], revocations: bytes) -> Holdings:
    certificates, holdings = tuple(chain), remembering(before, theirs.revoked)
    if chain_hash(holdings.chain) == theirs.certificate_hash:
        return replace(holdings, raw=theirs.raw, revocations=revocations or holdings.revocations)
    if certificates and _are_stated(certificates, theirs):
        return replace(holdings, raw=theirs.raw, chain=certificates, revocations=revocations)
    return replace(holdings, raw=theirs.raw, chain=(), revocations=b"")


def _are_stated(chain: tuple[bytes, ...], statement: Statement) -> bool:
    try:
        check_stated(chain, statement)
    except BadCertificate:
        return False
    return True


def _revoked(holdings: Holdings, newest: Sequence[bytes] = ()) -> tuple[bytes, ...]:
    """Return the devices that were ever revoked, newest first."""
    known = dict.fromkeys((*newest, *holdings.statement.revoked, *holdings.about.revoked))
    return tuple(known)[:MOST_REVOKED_KEPT]


def _remaining(holdings: Holdings, devices: Iterable[ListedDevice]) -> list[ListedDevice]:
    """Return the devices that were neither revoked nor left."""
    key, revoked = holdings.private_key, holdings.about.revoked
    return [each for each in devices if not _gone(key, revoked, each.host_identity_hash)]


def _gone(private_key: bytes, revoked: Sequence[bytes], digest: bytes) -> bytes:
    """Return by what a device is among the revoked: its own digest, or the mark of one that was left; empty if it is not."""
    if digest in revoked:
        return digest
    mark = _mark(private_key, digest) if private_key and revoked else b""
    return mark if mark in revoked else b""


def _without_marks(holdings: Holdings) -> tuple[bytes, ...]:
    key = _mark_key(holdings.private_key)
    return tuple(entry for entry in _revoked(holdings) if _marked(key, entry[:_MARKED]) != entry)


def is_mark(private_key: bytes, entry: bytes) -> bool:
    """Tell whether an entry of the revoked is the mark of a device that was left."""
    return bool(private_key) and _marked(_mark_key(private_key), entry[:_MARKED]) == entry


def _mark(private_key: bytes, digest: bytes) -> bytes:
    """Return what stands for a device that an identity has left: for others 32 octets as those of any revoked one."""
    key = _mark_key(private_key)
    return _marked(key, hmac.digest(key, digest, "sha256")[:_MARKED])


def _mark_key(private_key: bytes) -> bytes:
    return hmac.digest(_secret(private_key), _LEFT, "sha256")


def _secret(private_key: bytes) -> bytes:
    return from_der(private_key).private_numbers().private_value.to_bytes(32, "big")


def _marked(key: bytes, name: bytes) -> bytes:
    """Return a mark, of which the rest shows those who have the key that it is one."""
    return name + hmac.digest(key, b"mark" + name, "sha256")[: HASH_LENGTH - len(name)]


def _signer(key: EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    return lambda data: sign(key, data)
