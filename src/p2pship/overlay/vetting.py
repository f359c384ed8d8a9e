"""What is said in a hello of ours, and whether what another's says is believed and lets it in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from p2pship.address import Locator, is_loopback, is_private
from p2pship.errors import BadPapers, HelloRefused, PeerLost
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.succession import is_followed
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import papers_from
from p2pship.interfaces import IIdentity, IKeyring, ILink, ITrustPolicy
from p2pship.overlay.hello import HelloBody, parse_hello
from p2pship.overlay.peer import Peer
from p2pship.overlay.wire import Hello

RecordFor: TypeAlias = Callable[[IIdentity, Sequence[Locator], float], bytes]
"Signs a record of this device for an own identity."

Locators: TypeAlias = Callable[[IIdentity], Iterable[Locator]]
"Returns where an own identity can be dialled now."

Admit: TypeAlias = Callable[[Papers, str, Verdict], "bool | Deferred[bool]"]
"Tells whether a person whose papers hold may reach one of our AORs."


@dataclass(frozen=True, slots=True)
class Vetted:
    """A hello that is believed."""

    hello: HelloBody
    papers: Papers
    verdict: Verdict
    identity: IIdentity
    "our own identity that it is for"
    admitted: bool = True
    "whether the person would be let in: always true of who came"

    def keep_for(self, peer: Peer) -> bool:
        """Tell whether the papers are to be kept for good: those of whom we know, or have looked for.

        That a name is proven does not count: whoever likes makes thousands that prove themselves, or that their domain proves.
        """
        return self.verdict.acquaintance is not Acquaintance.STRANGER or peer.sought is not None


class Vetting:
    """Looks at hellos, and writes ours."""

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        trust: ITrustPolicy,
        record_for: RecordFor,
        admit: Admit,
        locators: Locators,
        subprotocols: Iterable[str],
    ) -> None:
        """Let in whom ``admit`` does."""
        self._reactor = reactor
        self._keyring = keyring
        self._trust = trust
        self._record_for = record_for
        self._admit = admit
        self._locators = locators
        self._subprotocols = subprotocols
        self._chains: dict[str, tuple[bytes, bytes]] = {}

    def hello(self, peer: Peer, link: ILink, accepted: bool) -> Hello:
        """Return our hello to a peer; ``accepted`` says whether theirs has been believed.

        :raises PeerLost: if the identity was taken from this node meanwhile: removed, or the device revoked.
        """
        identity, session = peer.identity, peer.session
        if self._keyring.identity(identity.aor) is None:
            raise PeerLost(f"{identity.aor} is not an identity of this node any more")
        if identity.device.key != link.own:
            raise PeerLost(f"{identity.aor} has another device here than the link is of")
        locators = self._shown(identity, link, accepted and link.encrypted)
        chain = self._chain(identity)
        body = HelloBody(
            called=peer.aor,
            statement=identity.statement,
            record=self._record_for(identity, locators, self._reactor.seconds()),
            session=session.own,
            known=session.theirs,
            received=session.received,
            subprotocols=tuple(self._subprotocols),
            chain=chain,
            revocations=identity.revocations if chain else b"",
        )
        return Hello(_fitting(body))

    def _chain(self, identity: IIdentity) -> bytes:
        """Return an identity's certificates for a hello; they are on the disk, so those of a statement are kept."""
        statement = identity.statement
        known = self._chains.get(identity.aor)
        if known is None or known[0] != statement:
            chain = identity.chain
            known = self._chains[identity.aor] = statement, b"".join(chain) if len(chain) > 1 else b""
        return known[1]

    def _shown(self, identity: IIdentity, link: ILink, private: bool) -> list[Locator]:
        """Return an identity's locators that may be shown: private addresses are for those who have shown who they are."""
        same_machine = link.remote is None or is_loopback(link.remote.host.partition("%")[0])
        return [
            locator
            for locator in self._locators(identity)
            if (private or not is_private(locator.host)) and (same_machine or not is_loopback(locator.host))
        ]

    async def caller(self, body: bytes, link: ILink) -> Vetted:
        """Look at the hello of somebody who called, of whom nothing is known.

        For a name that is not ours all is done as for one that is: how long it takes must not tell. One of ours that has another
        device here than the link is of is not ours as far as that link goes, or it could be found out whom this node serves.

        :raises RemoteError: if it is not believed, or not let in.
        """
        hello = parse_hello(body)
        papers = self._papers(hello, link, None)
        here = [one for one in self._keyring.identities() if one.device.key == link.own]
        own = next((one for one in here if one.aor == hello.called), None)
        somebody = own or next(iter(here), None)
        if somebody is None:
            raise HelloRefused("nobody is here")
        verdict = await self._trust.judge(papers, somebody)
        called = hello.called if own is not None else ""
        admitted = await maybeDeferred(self._admit, papers, called, verdict)
        if own is None:
            raise HelloRefused("it called somebody who is not here")
        if not admitted:
            raise HelloRefused(f"{papers.aor} is not let in")
        return Vetted(hello, papers, verdict, own)

    async def answer(self, body: bytes, link: ILink, peer: Peer, person: bytes | None) -> Vetted:
        """Look at the answer to our hello; ``person`` is the identity key that it has to be of, None if any will do.

        A key to which that gave way will do as well, and one that gave way to that of the peer: who judges knows which.

        :raises RemoteError: if it is not believed.
        """
        hello = parse_hello(body)
        papers = self._papers(hello, link, peer.aor)
        if hello.called != peer.identity.aor:
            raise HelloRefused("its answer is for somebody else")
        if person is not None and not _is_of(person, papers.statement, peer.papers):
            raise BadPapers("its identity key is not the one that was found")
        verdict = await self._trust.judge(papers, peer.identity)
        if verdict.name is NameGrade.CHANGED:
            raise BadPapers("its identity key is not the one that was confirmed, or that the domain names")
        admitted = bool(await maybeDeferred(self._admit, papers, peer.identity.aor, verdict))
        return Vetted(hello, papers, verdict, peer.identity, admitted)

    def _papers(self, hello: HelloBody, link: ILink, aor: str | None) -> Papers:
        now = self._reactor.seconds()
        papers = papers_from(
            hello.statement, hello.record, now, aor, chain=hello.chain, revocations=hello.revocations
        )
        if papers.record.device_key != link.proof:
            raise BadPapers("its record is that of another device than the link has proven")
        self._check_way(papers, link)
        self._keyring.check(papers)
        return papers

    def _check_way(self, papers: Papers, link: ILink) -> None:
        if not link.encrypted and self.must_be_encrypted(papers.hit):
            raise HelloRefused("the device was reached encrypted before, and this link is not")

    def accept(self, papers: Papers, link: ILink, keep: bool) -> None:
        """Remember papers that a hello has proven, for good if they are to be kept.

        :raises RemoteError: if newer ones have come meanwhile, or a hello over an encrypted link, and this one is not.
        """
        self._check_way(papers, link)
        self._keyring.accept(papers, self._reactor.seconds(), keep)
        if link.encrypted:
            self._keyring.mark_encrypted(papers.hit)

    def must_be_encrypted(self, hit: bytes) -> bool:
        """Tell whether a device may not be talked to in the clear, as it was once reached over an encrypted link."""
        return self._keyring.must_be_encrypted(hit)


def _is_of(person: bytes, statement: Statement, known: Papers | None) -> bool:
    """Tell whether a statement is by an identity key, by one that took its place, or by one that the known one has replaced."""
    old = known is not None and is_followed(statement.key, known.statement)
    return old or is_followed(person, statement)


def _fitting(body: HelloBody) -> bytes:
    """Return the octets of a hello without what has no room: the revocation list is left out first, then the certificates."""
    octets = body.encode()
    if len(octets) > Hello.LAYOUT.most:
        octets = replace(body, revocations=b"").encode()
    if len(octets) > Hello.LAYOUT.most:
        octets = replace(body, revocations=b"", chain=b"").encode()
    return octets
