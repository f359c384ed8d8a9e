"""Makes this node a new device of somebody, by a code that one of their devices shows: the other side of linking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.statement import host_identity_hash
from p2pship.interfaces import IDevice, IIdentity, IKeyring, IOverlay, IPeer
from p2pship.journal import Journal
from p2pship.lookup.privacy import MODE, OPEN, SETTING
from p2pship.relations.beginning import Refused, prove
from p2pship.relations.codes import Purpose, Secret
from p2pship.relations.devicenames import name_device
from p2pship.relations.linkfacts import DeviceLinked
from p2pship.relations.linkwire import NewDevice, Welcome
from p2pship.relations.pake import context
from p2pship.relations.seeking import Seeking
from p2pship.relations.window import Ending
from p2pship.trust.ledger import GUEST, Ledger

NAME = "link"
"The subprotocol's name."

MOST_TESTED = 3
"Devices that are shown a proof of the code: each may be a liar's, who tests one guess with it."


@dataclass(frozen=True, slots=True)
class Linked:
    """A device that was linked."""

    aor: str
    hit: bytes
    "the HIT of the other device, 16 octets"
    owner: bool
    "whether the new device has the identity key"
    name: str
    "the new device's name, as it says"


class NotLinked(RemoteError):
    """The device was not linked."""


class Joining:
    """One linking at a time."""

    def __init__(
        self,
        keyring: IKeyring,
        overlay: IOverlay,
        journal: Journal,
        random: Callable[[int], bytes],
        ledger: Ledger,
    ) -> None:
        self._keyring = keyring
        self._overlay = overlay
        self._journal = journal
        self._random = random
        self._ledger = ledger
        self._joining = False

    def start(self) -> None:
        """Remove the hello name of a linking during which the node was killed."""
        for identity in self._keyring.identities():
            if self._ledger.get(identity.aor, GUEST, NAME) is not None:
                self._part(identity.aor)

    def join(
        self, aor: str, secret: Secret, hit: bytes | None, name: str, separate: bool | None = None
    ) -> Deferred[Linked]:
        """Make this node a device of ``aor`` by the secret that one of their devices shows.

        :param hit: the HIT of the device that shows it; None to try those that are found.
        :param name: what the new device is called, for people.
        :param separate: whether it is to be one that no other identity of this node uses; None: as it is configured.

        Fails with a P2PShipError whose message says what to do.
        """
        return Deferred.fromCoroutine(self._join(aor, secret, hit, name, separate))

    async def _join(
        self, aor: str, secret: Secret, hit: bytes | None, name: str, separate: bool | None
    ) -> Linked:
        if self._joining:
            raise LocalError("this node is being linked already: wait for that to end")
        if self._keyring.identity(aor) is not None:
            raise LocalError(
                f"there is an identity {aor} on this node already: if it is not linked yet, keep a backup with "
                f"`p2pship identity export {aor}`, then `p2pship identity remove {aor}`, and link again"
            )
        self._joining = True
        try:
            guest = self._keyring.create_self_certifying(self._mark, separate)
            return await self._join_as_guest(guest, aor, secret, hit, name)
        finally:
            self._joining = False

    def _mark(self, guest: str) -> None:
        self._ledger.put(guest, GUEST, NAME, {})

    async def _join_as_guest(
        self, guest: IIdentity, aor: str, secret: Secret, hit: bytes | None, name: str
    ) -> Linked:
        """Say hello as a guest, on the device that is to be linked."""
        try:
            peer, bundle = await self._asked(aor, guest, secret, hit, name)
            peer.close("the device is linked")
            return self._adopt(aor, guest.device, peer, bundle, name)
        finally:
            self._part(guest.aor)

    def _part(self, guest: str) -> None:
        self._keyring.remove(guest)
        self._ledger.drop(guest)

    async def _asked(
        self, aor: str, guest: IIdentity, secret: Secret, hit: bytes | None, name: str
    ) -> tuple[IPeer, Welcome]:
        """Ask one device after the other; return the first that takes the secret, and what it gives."""
        seeking = Seeking(self._overlay, aor, guest, hit)
        refusals: list[RemoteError] = []
        try:
            while sum(map(_tested, refusals)) < MOST_TESTED and (peer := await seeking.next()) is not None:
                try:
                    return peer, await self._ask(aor, guest, peer, secret, name)
                except RemoteError as error:
                    refusals.append(error)
        finally:
            seeking.cancel()
        raise NotLinked(_why(refusals) or seeking.why_nobody())

    async def _ask(self, aor: str, guest: IIdentity, peer: IPeer, secret: Secret, name: str) -> Welcome:
        device = guest.device
        say = NewDevice(device.publication_key, name).encode()
        about = context(Purpose.LINK.value, aor, guest.aor)
        _, said = await prove(peer, NAME, secret, about, device.key, self._random, say)
        return Welcome.read(said)

    def _adopt(self, aor: str, device: IDevice, peer: IPeer, bundle: Welcome, name: str) -> Linked:
        key = bundle.private_key or None
        if bundle.mode not in ("", OPEN):  # before anything is published
            self._ledger.put(aor, SETTING, MODE, bundle.mode)
        name_device(self._ledger, aor, host_identity_hash(device.key), device.hit, name)
        self._keyring.adopt_identity(aor, bundle.statement, bundle.chain, bundle.revocations, key, device)
        self._journal.tell(DeviceLinked(aor, name, bool(bundle.private_key)))
        return Linked(aor, peer.hit, bool(bundle.private_key), name)


def _tested(error: RemoteError) -> bool:
    """Tell whether a device that refused could have tested a guess at the code."""
    return not isinstance(error, Refused) or error.tested


def _why(refusals: Sequence[RemoteError]) -> str:
    """Say why all devices refused; those without a window count only if there was no other."""
    telling = [one for one in refusals if not isinstance(one, Refused) or one.ending is not Ending.CLOSED]
    return "; ".join(dict.fromkeys(str(one) for one in telling or refusals))
