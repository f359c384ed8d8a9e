"""Commands that change what a desk keeps, and what each of them is to change: for tests that interrupt them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from p2pship.commands.keepsake import run_by
from p2pship.commands.table import commands
from p2pship.desk import Desk
from p2pship.identity.device import Device
from p2pship.identity.fingerprint import fingerprint
from p2pship.identity.keys import new_p256, spki
from p2pship.identity.statement import host_identity_hash
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.relations.devicenames import DEVICE
from p2pship.relations.secrets import version_of
from p2pship.trust.offers import Offer
from tests.commands.test_ca import file

OWNS = ("alice@example.com", "carol@example.com", "dave@example.com")
PEOPLE = ("bob@example.org", "erin@example.org")
DOMAIN = "example.com"
PASSPHRASES = ("correct horse", "battery staple")
AUTHORITIES = ("one", "two")
MOST_DEVICES = 4

Item = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One command that is interrupted."""

    give: Callable[[Desk], object]
    "gives it"
    wholes: tuple[frozenset[Item], ...]
    "what may have changed afterwards, if anything has: the items of one of these sets, all of them"


def give(desk: Desk, command: str, **arguments: Any) -> Any:
    """Give a command at a desk; its arguments are as in a request."""
    return commands(lambda: desk)[command](arguments)


def facts_of(desk: Desk, passphrase: str) -> dict[Item, object]:
    """Return everything that a desk keeps, item by item; ``passphrase`` is the one that opened it."""
    facts: dict[Item, object] = {("passphrase",): passphrase}
    for identity in desk.keyring.identities():
        said = identity.newest
        here = identity.device.hit
        facts["identity", identity.aor] = (identity.key, identity.chain, said.devices, said.revoked, here)
        for entry in desk.ledger.entries(identity.aor):
            if entry.value is not None and entry.kind != DEVICE:  # this device's name comes with the identity
                facts["ledger", identity.aor, entry.kind, entry.name] = entry.value
    for own in desk.authorities.owned():
        facts["authority", own.name] = own.fingerprint
        for one in desk.authorities.issued(own):
            listed = facts.get(("issued", own.name, one.aor), ())
            facts["issued", own.name, one.aor] = (*listed, one) if isinstance(listed, tuple) else ()
    for trusted in desk.authorities.all():
        if desk.authorities.own(trusted.root) is None:
            facts["trusted", trusted.root.hex(), trusted.domain] = True
    for phone in desk.phones.list():
        facts["phone", phone.aor, phone.username] = desk.phones.secret(phone.aor, phone.username, "SHA-256")
    return facts


class Changes:
    """Makes changes to a desk; ``elsewhere`` is the desk of somebody whose CA answers its requests."""

    def __init__(self, random: Random, elsewhere: Desk) -> None:
        self._random = random
        self._elsewhere = elsewhere
        self._backups: dict[str, tuple[str, frozenset[Item]]] = {}
        self._all: tuple[Callable[[Desk], Change | None], ...] = (
            self.create,
            self.remove,
            self.rotate,
            self.separate,
            self.install,
            self.restore,
            self.add_device,
            self.revoke_device,
            self.add_contact,
            self.pin,
            self.forget,
            self.block,
            self.unblock,
            self.pair,
            self.set_passphrase,
            self.change_passphrase,
            self.remove_passphrase,
            self.create_authority,
            self.remove_authority,
            self.issue,
            self.revoke,
            self.set_password,
        )

    def choose(self, desk: Desk) -> tuple[str, Change]:
        """Return the name of a change that can be made at this desk now, and the change."""
        while True:
            make = self._random.choice(self._all)
            change = make(desk)
            if change is not None:
                return make.__name__, change

    def create(self, desk: Desk) -> Change | None:
        """Make an identity."""
        free = [aor for aor in OWNS if desk.keyring.identity(aor) is None]
        given = {"aor": free[0], "separate_device": self._random.random() < 0.3} if free else {}
        return _one("identity create", given, ("identity", free[0])) if free else None

    def remove(self, desk: Desk) -> Change | None:
        """Remove an identity, of which a backup is made before; all that was kept for it goes with it."""
        owns = [identity.aor for identity in desk.keyring.identities()]
        if len(owns) < 2:
            return None
        aor, facts = self._random.choice(owns), facts_of(desk, "")
        if [*run_by(desk, aor)]:  # its backup brings back CAs, each of which is whole by itself
            return None
        ledger = frozenset(item for item in facts if item[:2] == ("ledger", aor))
        self._backups[aor] = give(desk, "identity export", aor=aor)["content"], ledger
        phones = [item for item in facts if item[:2] == ("phone", aor)]
        return _one("identity remove", {"aor": aor}, ("identity", aor), *ledger, *phones)

    def restore(self, desk: Desk) -> Change | None:
        """Restore one that is not there now; its contacts come with it."""
        gone = [aor for aor in self._backups if desk.keyring.identity(aor) is None]
        if not gone:
            return None
        backup, ledger = self._backups[gone[0]]
        return _one("identity restore", {"file": file(backup)}, ("identity", gone[0]), *ledger)

    def rotate(self, desk: Desk) -> Change | None:
        """Give the default identity a new key."""
        return _one("identity rotate", {}, ("identity", _own(desk))) if _own(desk) else None

    def separate(self, desk: Desk) -> Change | None:
        """Give the default identity a device of its own."""
        identity = desk.keyring.default
        if identity is None or identity.separate:
            return None
        return _one("identity separate", {"aor": identity.aor}, ("identity", identity.aor))

    def install(self, desk: Desk) -> Change | None:
        """Take a CA's answer. The CA is trusted first, which is whole by itself."""
        aor = _own(desk)
        if not aor:
            return None
        request = give(desk, "identity request", aor=aor)["content"]
        answer = give(self._elsewhere, "ca issue", request=file(request), replace=True)["content"]
        (root,) = [own.fingerprint.hex() for own in self._elsewhere.authorities.owned()]
        trusted = frozenset({("trusted", root, DOMAIN)} - facts_of(desk, "").keys())
        return Change(
            lambda desk: give(desk, "identity import", file=file(answer)),
            (trusted, trusted | {("identity", aor)}),
        )

    def add_device(self, desk: Desk) -> Change | None:
        """List another device, as linking does."""
        aor, other = _own(desk), Device.new().listed
        if not aor or len(_others(desk, aor)) >= MOST_DEVICES:
            return None
        return Change(lambda desk: desk.keyring.add_device(aor, other), _wholes(("identity", aor)))

    def revoke_device(self, desk: Desk) -> Change | None:
        """Revoke a device."""
        aor = _own(desk)
        if not aor or not _others(desk, aor):
            return None
        device = _others(desk, aor)[0].hex()
        return Change(lambda desk: give(desk, "device revoke", device=device), _wholes(("identity", aor)))

    def add_contact(self, desk: Desk) -> Change | None:
        """Add a contact, or give one another name."""
        own, aor = _own(desk), self._random.choice(PEOPLE)
        given = {"aor": aor, "name": f"name {self._random.random()}"}
        return _one("contact add", given, ("ledger", own, "contact", aor)) if own else None

    def pin(self, desk: Desk) -> Change | None:
        """Pin a key that was seen."""
        own, aor, key = _own(desk), self._random.choice(PEOPLE), spki(new_p256())

        def pin(desk: Desk) -> None:
            seen = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
            desk.trust.offers.seen(own, aor, Offer(key, desk.clock.seconds(), seen))
            give(desk, "contact pin", aor=aor, fingerprint=fingerprint(key))

        return Change(pin, _wholes(("ledger", own, "pin", aor))) if own else None

    def forget(self, desk: Desk) -> Change | None:
        """Forget a person: the entry, the pin and the secret at once."""
        own, aor = _own(desk), self._random.choice(PEOPLE)
        items = [
            item
            for item in facts_of(desk, "")
            if item[:2] == ("ledger", own) and item[3].partition(" ")[0] == aor and item[2] != "block"
        ]
        known = any(item[2] in ("contact", "pin") for item in items)
        return _one("contact forget", {"aor": aor}, *items) if known else None

    def block(self, desk: Desk) -> Change | None:
        """Block somebody."""
        own, aor = _own(desk), self._random.choice(PEOPLE)
        blocked = not own or desk.blocks.blocked(own, aor)
        return None if blocked else _one("contact block", {"pattern": aor}, ("ledger", own, "block", aor))

    def unblock(self, desk: Desk) -> Change | None:
        """Take somebody off the list."""
        own, aor = _own(desk), self._random.choice(PEOPLE)
        blocked = own and desk.blocks.blocked(own, aor)
        return _one("contact unblock", {"pattern": aor}, ("ledger", own, "block", aor)) if blocked else None

    def pair(self, desk: Desk) -> Change | None:
        """Keep a secret that was agreed with somebody."""
        own, aor = _own(desk), self._random.choice(PEOPLE)
        if not own or desk.secrets.of(own, aor):
            return None
        secret = self._random.randbytes(32)
        name = f"{aor} {version_of(secret):016x}"
        return Change(
            lambda desk: desk.secrets.keep(own, aor, bytes(32), secret, sure=True),
            _wholes(("ledger", own, "pair", name)),
        )

    def set_passphrase(self, desk: Desk) -> Change | None:
        """Put the keys under a passphrase."""
        given = {"passphrase": self._random.choice(PASSPHRASES)}
        return None if desk.vault.locked else _one("passphrase set", given, ("passphrase",))

    def change_passphrase(self, desk: Desk) -> Change | None:
        """Put them under another."""
        if not desk.vault.locked:
            return None
        current, other = _passphrases(desk)
        return _one("passphrase change", {"current": current, "passphrase": other}, ("passphrase",))

    def remove_passphrase(self, desk: Desk) -> Change | None:
        """Put them under none."""
        if not desk.vault.locked:
            return None
        return _one("passphrase remove", {"current": _passphrases(desk)[0]}, ("passphrase",))

    def create_authority(self, desk: Desk) -> Change | None:
        """Make a CA."""
        free = [name for name in AUTHORITIES if name not in [own.name for own in desk.authorities.owned()]]
        given = {"domain": DOMAIN, "name": free[0]} if free else {}
        return _one("ca create", given, ("authority", free[0])) if free else None

    def remove_authority(self, desk: Desk) -> Change | None:
        """Delete a CA's key, and no longer trust it for any domain. Its register stays, should a backup bring it back."""
        owned = desk.authorities.owned()
        if len(owned) < 2:
            return None
        one = self._random.choice(owned)
        items = [item for item in facts_of(desk, "") if item[:2] == ("issued", one.name)]
        return _one("ca remove", {"ca": one.name, "key": True}, ("authority", one.name), *items)

    def issue(self, desk: Desk) -> Change | None:
        """Answer a request; certificates of a former key are revoked at once."""
        aor, owned = _own(desk), desk.authorities.owned()
        if not aor or not owned:
            return None
        given = {"request": file(give(desk, "identity request", aor=aor)["content"])}
        name = self._random.choice(owned).name
        return _one("ca issue", given | {"ca": name, "replace": True}, ("issued", name, aor))

    def revoke(self, desk: Desk) -> Change | None:
        """Revoke what a CA issued to somebody: in the register, and in the list that is handed out."""
        held = [
            (own.name, one.aor)
            for own in desk.authorities.owned()
            for one in desk.authorities.issued(own)
            if one.holds(desk.clock.seconds())
        ]
        if not held:
            return None
        name, aor = self._random.choice(held)
        return _one("ca revoke", {"which": aor, "ca": name}, ("issued", name, aor))

    def set_password(self, desk: Desk) -> Change | None:
        """Set a phone's password."""
        own, password = _own(desk), f"password {self._random.random()}"
        given = {"aor": own, "username": "hall", "password": password}
        return _one("phone password", given, ("phone", own, "hall")) if own else None


def _one(command: str, given: dict[str, Any], *items: Item) -> Change:
    """Return the change that one command makes, all of it or nothing."""
    return Change(lambda desk: give(desk, command, **given), _wholes(*items))


def _wholes(*items: Item) -> tuple[frozenset[Item]]:
    return (frozenset(items),)


def _own(desk: Desk) -> str:
    return desk.keyring.default.aor if desk.keyring.default is not None else ""


def _others(desk: Desk, aor: str) -> list[bytes]:
    """Return the SHA-256 of each other device of an own identity."""
    identity = desk.keyring.identity(aor)
    assert identity is not None
    own = host_identity_hash(identity.device.key)
    listed: Iterable[bytes] = (device.host_identity_hash for device in identity.newest.devices)
    return [digest for digest in listed if digest != own]


def _passphrases(desk: Desk) -> tuple[str, str]:
    """Return the passphrase of the keys, and the other one."""
    first, second = PASSPHRASES
    return (first, second) if desk.vault.is_passphrase(first.encode()) else (second, first)
