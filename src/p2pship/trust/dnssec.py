"""The keys of a name in the DNS, believed only where DNSSEC proves them from the root down (RFC 4035 §5).

Theory of operation. The resolver is asked for the records with their signatures (DO) and without its own opinion (CD). Who
signed the answer names the zone; its keys must be signed by a key whose digest the zone above has signed, and so on
up to the root, whose keys' digests are known here. Only an answer that says something is of interest, so that no proof of
absence is needed: a missing, unsigned or badly signed answer never says that a name is a key's. Aliases and wildcards are
not followed.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from p2pship.errors import RemoteError
from p2pship.identity.aor import split_aor
from p2pship.trust.vouch import BY_DOMAIN, Vouch
from p2pship.trust.wellknown import key_hash, name_hash

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdataset import Rdataset
    from dns.rdtypes.ANY.DNSKEY import DNSKEY
    from dns.rdtypes.ANY.RRSIG import RRSIG
    from dns.rrset import RRset

Ask: TypeAlias = Callable[[str, str], Awaitable["Message"]]
"Asks the resolver for a name and a type; fails with DNSFailed."

ROOT_ANCHORS = (
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)
"The digests of the root's keys, as IANA publishes them (KSK-2017 and KSK-2024): https://data.iana.org/root-anchors/."

LABEL = "_p2pship"
"Between the name's hash and the domain."

TIMEOUT = 3.0
"Seconds for the answer and its whole proof."

MOST_UNDERWAY = 32
"Names asked for at once: anybody can make a node ask, by a hello under a made-up name, and the resolver is everybody's."

MOST_ZONES = 8
"Zones from the root to the answer."

MOST_SIGNATURES = 8
MOST_KEYS = 16
"Of one set of records."

MOST_TRIES = 4
"""Verifications for one set of records, each 0.5 ms at most. Whoever has a zone can give all its keys the tag that all signatures name, so that each
pair has to be tried (CVE-2023-50387); keys of honest zones hardly ever share one."""

LONGEST_EXPONENT = 8
"Octets of the exponent of an RSA key, which are three with nearly all: as long as the modulus, it makes a verification take 13 ms."

LONGEST_MODULUS = 512
"Octets of the modulus: the most that RFC 5702 §2 has."

MOST_TEXTS = 16

LONGEST_KEPT = 3600
"Seconds that a zone's keys or an answer is kept."

MOST_KEPT = 500
"Zones whose keys are kept, and answers."

_TEXT = re.compile(rb"v=p2pship1; *k=([0-9a-f]{64}); *x=(\d{1,12})")
_ZONE_KEY, _REVOKED_KEY = 0x0100, 0x0080
"Flags of a DNSKEY (RFC 4034 §2.1.1, RFC 5011 §2.1)."
_RSA = (5, 7, 8, 10)
_ALGORITHMS = (*_RSA, 13, 14, 15, 16)
"RSA, ECDSA and EdDSA (RFC 8624 §3.1); others are not in use, or must not be."
_DIGESTS = (2, 4)
"SHA-256 and SHA-384 (RFC 8624 §3.3)."


class DNSFailed(RemoteError):
    """The DNS has no answer."""


class NotProven(DNSFailed):
    """There is an answer, but DNSSEC does not prove it."""


class DNSSEC:
    """Asks for the keys of names; ``ask`` asks the resolver, ``anchors`` are the DS records of the root."""

    def __init__(self, ask: Ask, clock: IReactorTime, anchors: Sequence[str] = ROOT_ANCHORS) -> None:
        self._ask = ask
        self._clock = clock
        self._anchors = anchors
        self._keys: dict[Name, tuple[float, Rdataset]] = {}
        self._answers: dict[tuple[str, bytes], Vouch] = {}
        self._under_way = 0

    def vouch(self, aor: str, key: bytes) -> Deferred[Vouch]:
        """Say what the DNS says of a canonical AOR and an identity key, within 3 s; does not fail."""
        kept = self._answers.get((aor, key))
        if kept is not None and kept.until > self._clock.seconds():
            return succeed(kept)
        if self._under_way >= MOST_UNDERWAY:
            return succeed(Vouch(reasons=("the DNS is asked for too much at once",)))
        self._under_way += 1
        asked: Deferred[Vouch] = Deferred.fromCoroutine(self._vouch(aor, key))
        asked.addTimeout(TIMEOUT, self._clock).addBoth(self._ended)
        return asked.addCallbacks(self._keep, _without, (aor, key))

    def _ended(self, result: Vouch | Failure) -> Vouch | Failure:
        self._under_way -= 1
        return result

    async def prove(self, answer: Message) -> float:
        """Check what an answer says of the name that was asked for, and return until when it may be kept, Unix time.

        :raises NotProven: if DNSSEC does not prove it, or it says nothing.
        :raises DNSFailed: if what is needed for that cannot be had.
        """
        import dns.rdatatype

        asked = answer.question[0]
        return await self._proven(answer, asked.name, dns.rdatatype.to_text(asked.rdtype), MOST_ZONES)

    def _keep(self, vouch: Vouch, aor: str, key: bytes) -> Vouch:
        if len(self._answers) >= MOST_KEPT:
            self._answers.clear()
        if vouch:
            self._answers[aor, key] = vouch
        return vouch

    async def _vouch(self, aor: str, key: bytes) -> Vouch:
        domain = split_aor(aor)[1]
        try:
            answer = await self._ask(f"{name_hash(aor)}.{LABEL}.{domain}.", "TXT")
        except DNSFailed as error:
            return Vouch(reasons=(str(error),))
        expires = _named(answer, key)
        if expires is None:
            return Vouch(reasons=("the DNS does not name this key",))
        now = self._clock.seconds()
        if expires <= now:
            return Vouch(reasons=("what the DNS says about the name has expired",))
        try:
            proven = await self._proven(answer, answer.question[0].name, "TXT", MOST_ZONES)
        except DNSFailed as error:
            return Vouch(reasons=(f"the DNS names this key, which is a hint only: {error}",))
        return Vouch(
            BY_DOMAIN, (f"the DNS of {domain} names this key, proven by DNSSEC",), min(expires, proven)
        )

    async def _proven(self, answer: Message, name: Name, kind: str, zones: int) -> float:
        """Check the signature of a set of records down from the root, and return until when it may be kept.

        :raises NotProven: if there is none that holds.
        """
        records, signatures = _signed(answer, name, kind)
        zone = signatures[0].signer
        if not name.is_subdomain(zone) or (kind == "DS" and name == zone):
            raise NotProven(f"{zone} cannot sign {name}")
        keys = await self._zone_keys(zone, zones)
        return self._verified(records, signatures, zone, keys)

    async def _zone_keys(self, zone: Name, zones: int) -> Rdataset:
        """Return the proven keys of a zone."""
        import dns.name

        now = self._clock.seconds()
        until, kept = self._keys.get(zone, (0.0, None))
        if kept is not None and until > now:
            return kept
        if not zones:
            raise NotProven(f"there are more than {MOST_ZONES} zones above it")
        answer = await self._ask(str(zone), "DNSKEY")
        if zone == dns.name.root:
            digests, until = self._root_digests(), now + LONGEST_KEPT
        else:
            above = await self._ask(str(zone), "DS")
            until = await self._proven(above, zone, "DS", zones - 1)
            digests = _signed(above, zone, "DS")[0]
        records, signatures = _signed(answer, zone, "DNSKEY")
        trusted = _digested(zone, records, digests)
        until = min(until, self._verified(records, signatures, zone, trusted))
        self._keep_keys(zone, until, records)
        return records

    def _keep_keys(self, zone: Name, until: float, keys: Rdataset) -> None:
        if len(self._keys) >= MOST_KEPT:
            self._keys.clear()
        self._keys[zone] = until, keys

    def _root_digests(self) -> Rdataset:
        import dns.rdataset

        return dns.rdataset.from_text("IN", "DS", LONGEST_KEPT, *self._anchors)

    def _verified(self, records: RRset, signatures: Sequence[RRSIG], zone: Name, keys: Rdataset) -> float:
        import dns.dnssec
        import dns.exception

        now = self._clock.seconds()
        for signature, key in islice(_pairs(records, signatures, zone, keys), MOST_TRIES):
            try:
                dns.dnssec.validate_rrsig(records, signature, {zone: key}, None, now)
            except (dns.exception.DNSException, ValueError):
                continue
            return min(now + min(records.ttl, LONGEST_KEPT), float(signature.expiration))
        raise NotProven(f"the signature of {records.name} by {zone} does not hold")


def _pairs(
    records: RRset, signatures: Sequence[RRSIG], zone: Name, keys: Rdataset
) -> Iterator[tuple[RRSIG, Rdataset]]:
    """Return each signature of a zone over a set of records, with each key by which it may be."""
    import dns.dnssec
    import dns.rdataset

    tagged = [(dns.dnssec.key_id(key), key) for key in keys if _is_usable(key)]
    for signature in signatures:
        if signature.signer != zone or signature.labels != len(records.name.labels) - 1:
            continue  # another zone's, or a wildcard's (RFC 4035 §5.3.4)
        for tag, key in tagged:
            if (tag, key.algorithm) == (signature.key_tag, signature.algorithm):
                yield signature, dns.rdataset.from_rdata_list(keys.ttl, [key])


def _is_usable(key: DNSKEY) -> bool:
    """Tell whether a key is of an algorithm that is in use, and of a size with which it takes little time."""
    if key.algorithm not in _RSA:
        return key.algorithm in _ALGORITHMS
    # The length of the exponent is 0 where that is very long, and told in two more octets.
    length = key.key[0] if key.key else 0
    return 0 < length <= LONGEST_EXPONENT and 0 < len(key.key) - 1 - length <= LONGEST_MODULUS


def _without(failure: Failure) -> Vouch:
    failure.trap(TimeoutError, DNSFailed)
    return Vouch(reasons=(str(failure.value) if failure.check(DNSFailed) else "the DNS does not answer",))


def _named(answer: Message, key: bytes) -> int | None:
    """Return until when the answer names a key (Unix time); None if it does not."""
    wanted = key_hash(key).hex().encode("ascii")
    texts = [
        b"".join(one.strings)
        for records in answer.answer
        if records.rdtype == 16 and records.name == answer.question[0].name
        for one in list(records)[:MOST_TEXTS]
    ]
    found = [_TEXT.fullmatch(text) for text in texts]
    return max((int(match[2]) for match in found if match and match[1] == wanted), default=None)


def _signed(answer: Message, name: Name, kind: str) -> tuple[RRset, list[RRSIG]]:
    """Return a set of records and its signatures.

    :raises NotProven: if it is not there, is not signed, or has too many of something.
    """
    import dns.rdataclass
    import dns.rdatatype

    wanted = dns.rdatatype.from_text(kind)
    internet = dns.rdataclass.IN
    records = answer.get_rrset(answer.answer, name, internet, wanted)
    signatures = answer.get_rrset(answer.answer, name, internet, dns.rdatatype.RRSIG, wanted)
    if records is None or signatures is None:
        raise NotProven(f"{name} has no signed {kind}")
    if len(records) > MOST_KEYS or len(signatures) > MOST_SIGNATURES:
        raise NotProven(f"{name} has too many {kind} or signatures")
    return records, list(signatures)


def _digested(zone: Name, records: RRset, digests: Rdataset) -> Rdataset:
    """Return those keys of a zone whose digest the zone above has."""
    import dns.dnssec
    import dns.exception
    import dns.rdataset

    found = []
    for key in records:
        if not key.flags & _ZONE_KEY or key.flags & _REVOKED_KEY or key.protocol != 3:
            continue
        for digest in digests:
            if digest.digest_type not in _DIGESTS:
                continue
            made = dns.dnssec.make_ds(zone, key, digest.digest_type, validating=True)
            if made == digest:
                found.append(key)
    if not found:
        raise NotProven(f"no key of {zone} is one that the zone above names")
    return dns.rdataset.from_rdata_list(records.ttl, found)
