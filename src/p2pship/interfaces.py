"""The seams of the node: what each part may ask of another, and what it is told.

Calls go down as *find, dial, send, cast*. Data comes up only to the receiver that was handed over at ``start`` or
``offer``, in methods named ``*_received`` or ``*_lost``. What happened is told to the journal.

Every Deferred that an interface returns may be cancelled; it then fails with
:class:`twisted.internet.defer.CancelledError` and what it had begun is undone. All methods are called in the reactor's
thread. Times are seconds; dates are Unix time in seconds, as ``reactor.seconds()`` gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IProtocol

    from p2pship.address import HostPort, Locator
    from p2pship.identity.hostkeys import HostKey
    from p2pship.identity.papers import ListedDevice, Papers, Statement
    from p2pship.identity.verdict import Verdict
    from p2pship.lookup.candidate import Candidate, FindOutcome, Found, Slot
    from p2pship.network import Interface as NetworkInterface
    from p2pship.overlay.reach import ReachOutcome, Tried
    from p2pship.sip.message import Message
    from p2pship.trust.vouch import Vouch
    from p2pship.trust.wish import Asked, Decision, Wish


class IDevice(Interface):
    """This node as one device of its owner: the Host Identity and the two keys that go with it (RFC 7401 §3)."""

    hit = Attribute("bytes: the 16 octets of the Host Identity Tag (RFC 7343), the device's name")
    key = Attribute("bytes: the Host Identity, a DER SubjectPublicKeyInfo")
    private_key = Attribute("EllipticCurvePrivateKey: for the bearers' own handshakes")
    publication_key = Attribute("bytes: the 32 octets of the Ed25519 key under which records are published")
    sealing_key = Attribute("bytes: the 32 octets of the X25519 key to which others can seal")

    def sign(data: bytes) -> bytes:
        """Sign with the Host Identity: ECDSA P-256 with SHA-256 as r ‖ s, 64 octets (RFC 9053 §2.1), s being the lower one."""


class IHostKeys(Interface):
    """This node's Host Identities beside that of the device, which are for HIP alone."""

    def all() -> Sequence[HostKey]:
        """Return them."""

    def watch(changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when one was added or removed; returns a call that ends it."""


class IIdentity(Interface):
    """A person whose phone may register here: a name, its key pair and what it states."""

    aor = Attribute("str: the canonical address of record, such as ``alice@example.com``")
    key = Attribute("bytes: the identity key, a DER SubjectPublicKeyInfo")
    owner = Attribute("bool: whether this device holds the identity key, and so may sign statements")
    certificate = Attribute("bytes: the X.509 certificate, DER; empty where it is not known")
    chain = Attribute(
        "tuple[bytes, ...]: the certificates of which the statement has the hash, DER, end entity first, root last; "
        "one that is self-signed says nothing and is not sent; () where they are not known"
    )
    revocations = Attribute(
        "bytes: the newest revocation list of who issued the certificate, DER; empty if there is none"
    )
    statement = Attribute("bytes: the current signed statement, COSE_Sign1")

    def sign(data: bytes) -> bytes:
        """Sign with the identity key: ECDSA P-256 with SHA-256 as r ‖ s, 64 octets.

        :raises LocalError: if this device does not hold it.
        """


class IKeyring(Interface):
    """The node's own device and identities, and what it remembers of the people it met."""

    device = Attribute("IDevice: this node")
    host_keys = Attribute("IHostKeys: further Host Identities of this node")
    default = Attribute(
        "IIdentity | None: the one for whom nobody says which; None when there is none at all"
    )

    def identities() -> Sequence[IIdentity]:
        """Return this node's own identities, oldest first; each with a statement that is valid now."""

    def identity(aor: str) -> IIdentity | None:
        """Return the own identity of a canonical AOR, or None."""

    def create(aor: str) -> IIdentity:
        """Make the identity of a canonical AOR, keep it on disk and tell the watchers.

        :raises LocalError: if there is one already, or it cannot be written; NameRefused if it may not have that name.
        """

    def create_self_certifying() -> IIdentity:
        """Make an identity whose name is the fingerprint of its key, ``<fingerprint>@p2pship.alt``, as :meth:`create`."""

    def remove(aor: str) -> None:
        """Delete an own identity from this device for ever, and tell the watchers.

        :raises LocalError: if there is none, or it cannot be deleted.
        """

    def private_key(aor: str) -> bytes:
        """Return an own identity's key, DER (PKCS #8).

        :raises LocalError: if there is no such identity, or this device does not hold its key.
        """

    def install_chain(aor: str, chain: Sequence[bytes], revocations: bytes = b"") -> None:
        """Take the certificates that a CA issued, DER, the person's first and the CA's own last, and its revocation list.

        :raises BadCertificate: if they are not for this name and key, do not hold now, or were revoked.
        :raises LocalError: if there is no such identity with its key here, or they cannot be kept.
        """

    def request(aor: str) -> bytes:
        """Return an own identity's request for a certificate (PKCS #10, DER).

        :raises LocalError: if there is no such identity with its key here.
        """

    def add_device(aor: str, device: ListedDevice) -> None:
        """List another device of the person in a new statement; one that is listed already changes nothing.

        :raises LocalError: if it was revoked, there are too many, or the identity key is not held here.
        """

    def revoke_device(aor: str, digest: bytes) -> None:
        """Revoke a device of the person for ever; it is named by the SHA-256 of its Host Identity.

        :raises LocalError: if it is this very device, or the identity key is not held here.
        """

    def adopt_statement(aor: str, raw: bytes, chain: Sequence[bytes] = (), revocations: bytes = b"") -> bool:
        """Take a statement that another device of the person signed; returns whether anything here changed by it.

        Where the identity key is held, what both say is kept, and signed anew if need be. One that revokes this device, or no
        longer lists it, ends the use of the identity here. ``chain`` are the certificates of which it has the hash.

        :raises BadPapers: if it is not valid, or not signed by the same key or one to which that gave way.
        :raises LocalError: if there is no such identity here, or it cannot be kept.
        """

    def adopt_identity(
        aor: str,
        statement: bytes,
        chain: Sequence[bytes],
        revocations: bytes,
        private_key: bytes | None,
        replace: bool = False,
    ) -> IIdentity:
        """Make an identity of what another device of the person handed over, and tell the watchers.

        With the key, DER (PKCS #8), this device lists itself in a new statement; without, the statement has to list it. With
        ``replace`` one of that AOR that is here is lost for it.

        :raises LocalError: if there is one of that AOR, this device was revoked, or it cannot be kept.
        :raises BadPapers: if its parts do not belong together, or it comes without the key and its statement does not hold now
            or does not list this device.
        """

    def watch(changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` with the AOR of each own identity that is made, changed or removed; returns a call that ends it.

        Changed is one whose statement, key, certificates or status text is another. One that was removed, or that may no
        longer be used here as the person has revoked this device, is None in :meth:`identity`.
        """

    def accept(papers: Papers, now: float, keep: bool) -> None:
        """Remember a person's papers, once a hello has proven them.

        Who is not to be kept is forgotten when many others have come since: a stranger whom nobody here has called.

        :raises BadPapers: if a higher record sequence of the device was seen before, or a higher statement version of the same
            identity key that does not list the device, or it is one that the person has revoked.
        """

    def accept_statement(statement: Statement, now: float, keep: bool) -> None:
        """Remember a person's newer statement that came without a record, as :meth:`accept` does.

        :raises BadPapers: if a higher version of the same identity key was seen before.
        """

    def check(papers: Papers) -> None:
        """Raise what :meth:`accept` would, and remember nothing."""

    def met(aor: str) -> bool:
        """Tell whether a hello of a device of this AOR was ever accepted."""

    def mark_encrypted(hit: bytes) -> None:
        """Remember for good that a hello of the device of this HIT was accepted over an encrypted link."""

    def must_be_encrypted(hit: bytes) -> bool:
        """Tell whether the device of this HIT may only be talked to over encrypted links, because it once was."""

    def record_for(
        identity: IIdentity,
        locators: Sequence[Locator],
        now: float,
        parameters: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Sign a record of this device for one of our own identities, valid for an hour from ``now``.

        Of the locators, most preferred first, as many are named as a record holds. Its sequence number is higher than
        that of any other, and is on disk when this returns.

        :raises LocalError: if the identity is not this keyring's, or the parameters are too many or too long.
        """


class ITrustPolicy(Interface):
    """How true a name is, and what acquaintance its bearer is of ours."""

    def judge(papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge the papers of another person for one of our own; does not fail on anything that they say.

        Certificates and a revocation list are looked at if they came along.
        """

    def wants_chain(authority: bytes) -> bool:
        """Tell whether the certificates of somebody whose statement names this authority (8 octets) may prove the name.

        They are then fetched before the person is judged, where they have not come along.
        """


class IVoucher(Interface):
    """Somebody who may know whose name a name is: an authority, the name's domain, the name itself."""

    name = Attribute("str: the name, for people: ``authorities``, ``domain``, ``self``")

    def vouch(papers: Papers, own: IIdentity) -> Vouch | Deferred[Vouch]:
        """Say whether the name in some papers is their identity key's.

        The papers' form and signatures have been checked, nothing else. A Vouch without ``by`` if nothing is known; the
        Deferred, which comes only from those who ask others, does not fail but by being cancelled.
        """


class IScreenRule(Interface):
    """One of the ordered rules that decide who may reach our phones."""

    name = Attribute("str: the name that a decision bears, for people: ``block list``")

    def screen(asked: Asked) -> Decision | Deferred[Decision | None] | None:
        """Decide, or return None to leave it to the next rule; a Deferred where others have to be asked, or wait.

        A rule that fails refuses. It is asked at a hello, too, so being asked must change nothing.
        """


class IScreening(Interface):
    """Who may reach our phones: all rules in their order."""

    def decide(own: str, aor: str, verdict: Verdict, wish: Wish) -> Decision | Deferred[Decision]:
        """Decide whether an authenticated peer may have a wish of one of our own; a refusal is in the journal.

        A Deferred comes where a rule takes its time.
        """


class IAcquaintances(Interface):
    """Who learns from what the user does whom they know."""

    def call_answered(own: str, aor: str, key: bytes, verdict: Verdict, placed: bool) -> None:
        """Hear that a call between an own identity and a person with this identity key (DER) was answered.

        ``placed`` says that our user called, and called this very person.
        """


class INetwork(Interface):
    """One watcher of this machine's own addresses."""

    def interfaces() -> Sequence[NetworkInterface]:
        """Return the usable interfaces, loopback included, each with its addresses."""

    def watch(changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when an interface or address came or went; returns a call that ends the watch."""


class ISearch(Interface):
    """A search under way."""

    def cancel() -> None:
        """End the search now; its receiver is told nothing more. Harmless when it has ended."""


class IFinding(ISearch):
    """A search of every lookup for a person under way."""

    def so_far() -> FindOutcome:
        """Return what would be told now if it ended; a lookup that has not ended yet is told as such."""


class IReaching(ISearch):
    """The reaching of a person under way."""

    def so_far() -> ReachOutcome:
        """Return what would be told now if it ended; what has not ended yet is told as such."""


class ISearchReceiver(Interface):
    """What a lookup tells of one search."""

    def candidate_received(candidate: Candidate) -> None:
        """Take an answer, which may be anybody's: nothing of it has been checked."""

    def search_ended(error: Exception | None) -> None:
        """Hear that no more answers come: None when the lookup was truly asked, else why it was not."""


class ILookup(Interface):
    """A place where sealed records are published and found."""

    name = Attribute("str: the name, which is also its section ``[lookup.NAME]`` and its word in the log")
    wide_area = Attribute(
        "bool: whether others than our own networks can ask it, so that no private address may go there"
    )

    def start() -> Deferred[None]:
        """Begin; fires when questions can be asked. What cannot be opened now is tried again, not failed for ever."""

    def stop() -> Deferred[None]:
        """End, and fire when every socket is closed."""

    def find(key: bytes, receiver: ISearchReceiver) -> ISearch:
        """Ask for what is published under a lookup key of 32 octets; the lookup ends the search in its own time."""

    def publish(slot: Slot, item: bytes) -> Deferred[None]:
        """Publish a sealed item of at most 960 octets, in place of the slot's last one."""

    def withdraw(slot: Slot) -> Deferred[None]:
        """Take back what the slot holds."""


class IFindReceiver(Interface):
    """What the search for a person tells."""

    def device_found(found: Found) -> None:
        """Take one device of the person whose papers hold and whose key may be dialled."""

    def find_ended(outcome: FindOutcome) -> None:
        """Hear that no more devices come, and what was asked."""


class IFinder(Interface):
    """All lookups at once."""

    def find(aor: str, own: IIdentity, receiver: IFindReceiver) -> IFinding:
        """Search every lookup for the devices of a canonical AOR, on behalf of an own identity."""

    def forget(aor: str, device_key: bytes) -> None:
        """Hear that a device that was found was dialled in vain, so that it is not told again from memory."""


class IBearer(Interface):
    """Makes links to other devices."""

    name = Attribute(
        "str: the name, which is also its section ``[bearer.NAME]`` and the first part of its locators"
    )
    encrypted = Attribute("bool: whether nobody else can read what its links carry")

    def locators() -> Sequence[Locator]:
        """Return where this device can be dialled now, most preferred first; loopback addresses come last."""

    def listen(link_made: Callable[[ILink], None], locators_changed: Callable[[], None]) -> Deferred[None]:
        """Accept links; fires when listening.

        ``link_made`` gets each link that another device dialled, with its proof, before any octet of it is delivered.
        """

    def dial(device_key: bytes, locators: Sequence[Locator]) -> Deferred[ILink]:
        """Make a link to the device whose Host Identity is ``device_key`` at one of these locators of this bearer.

        Fails with :class:`~p2pship.errors.NotReached` if none answers and proves that key; its message says what each
        one did.
        """

    def stop() -> Deferred[None]:
        """Close the listener and every link that nobody closed, and fire when all is closed."""


Seek: TypeAlias = "Callable[[Sequence[Locator]], None]"
"Tells a link where the other side may be."


class ILinkReceiver(Interface):
    """What a link tells."""

    def frame_received(frame: bytes) -> None:
        """Take a frame that the other side sent with ``send``: in order, none lost, none twice."""

    def datagram_received(datagram: bytes) -> None:
        """Take a datagram that the other side sent with ``cast``."""

    def link_writable() -> None:
        """Hear that ``writable`` is true again."""

    def path_changed(path: str) -> None:
        """Hear that the same link now runs over another path."""

    def link_stalled() -> None:
        """Hear that nothing came for 5 s though it was watched; a later frame or datagram shows that it lives."""

    def link_astray(seek: Seek) -> None:
        """Hear that nothing comes, and that nobody answers wherever the link knows the other side to be: both may have moved.

        Only a link that moves by itself says so. ``seek`` may be called, also several times and later, with where the device is
        found now: the link asks there, and goes on where it is answered.
        """

    def link_lost(reason: str) -> None:
        """Hear that the link is gone: nothing comes after this. Told once, also after ``close``."""


class ILink(Interface):
    """One authenticated connection between two devices."""

    proof = Attribute(
        "bytes: the Host Identity (DER SubjectPublicKeyInfo) that the other side proved to have"
    )
    encrypted = Attribute("bool: whether nobody else can read what it carries")
    dialled = Attribute("bool: whether this side dialled")
    locator = Attribute("Locator | None: the locator that was dialled; None on the side that listened")
    remote = Attribute("HostPort | None: the other side's address as seen here; None where there is none")
    path = Attribute("str: which way it runs, for people: ``tls 192.0.2.1:5566``")
    writable = Attribute(
        "bool: whether another frame should be sent now; ``send`` works all the same, by queueing"
    )
    largest_datagram = Attribute("int: the most octets that ``cast`` carries in one piece")
    limit = Attribute("int: the most octets of a frame that is taken now; the receiver may change it")

    def start(receiver: ILinkReceiver) -> None:
        """Begin to deliver: nothing is delivered before, what came earlier comes now."""

    def send(frame: bytes) -> None:
        """Send a frame of at most 65,600 octets; harmless when the link is lost."""

    def cast(datagram: bytes) -> None:
        """Send a datagram if there is room for it: a late one is worth nothing, so the oldest waiting is dropped."""

    def watch(closely: bool) -> None:
        """Watch for silence (see ``link_stalled``) while true; the overlay sends pings meanwhile."""

    def close(reason: str) -> None:
        """Close when what was sent has left, at the latest after 2 s; the receiver hears ``link_lost``."""


class ISubprotocol(Interface):
    """What rides on a peer: SIP, media, presence, HTTP and others."""

    name = Attribute("str: the name that both sides know it by, lower-case ASCII, at most 32 characters")

    def payload_received(peer: IPeer, payload: bytes) -> bytes | Deferred[bytes] | None:
        """Take a payload; what is returned (None: empty) is the answer in its acknowledgement.

        An exception, raised or in the Deferred, refuses the payload.
        """

    def handed_over(peer: IPeer, thing: object, octets: int) -> None:
        """Take what would else come as a payload of so many octets: the sender is this very node (see ``IPeer.hand_over``).

        It is served in a later turn of the reactor. Raises :class:`~p2pship.errors.PayloadRefused` if it is not taken.
        """

    def stream_opened(peer: IPeer, stream: IStream) -> IProtocol | None:
        """Give the protocol that serves a stream which the other side opened; None refuses it."""

    def peer_lost(peer: IPeer, reason: str) -> None:
        """Hear that everything under way with the peer has ended: it was restarted, refused us, or closed for good."""


class IStream(Interface):
    """A byte stream within a peer, with its own flow control; also an ITransport, an IConsumer and an IPushProducer."""

    peer = Attribute("IPeer: whose stream it is")
    header = Attribute("bytes: what the opener said it is for, at most 4,096 octets")


class IPeer(Interface):
    """Another person's device, as one of our own identities sees it. It outlives its links."""

    aor = Attribute("str: the other person's canonical AOR")
    identity = Attribute("IIdentity: our own identity")
    device_key = Attribute("bytes: the other device's Host Identity, a DER SubjectPublicKeyInfo")
    hit = Attribute("bytes: the other device's HIT, 16 octets")
    own_hit = Attribute("bytes: the HIT of our device that this peer talks to, 16 octets")
    verdict = Attribute("Verdict: how true the name is, what acquaintance the person is")
    papers = Attribute("Papers | None: those of the last hello; None before the first")
    encrypted = Attribute("bool: whether the link in use is; False when there is none")
    path = Attribute("str: the path of the link in use; empty when there is none")
    lost_since = Attribute(
        "float | None: since when nothing reaches it (Unix time); None while it is reachable"
    )

    def send(subprotocol: str, payload: bytes) -> Deferred[bytes]:
        """Send a payload of at most 65,536 octets; fires with the answer when the other side has taken it.

        Waits while the link is re-dialled. Fails with :class:`~p2pship.errors.PayloadRefused` or
        :class:`~p2pship.errors.PeerLost`.
        """

    def hand_over(subprotocol: str, thing: object, octets: int) -> bool:
        """Where the other side is this very node, give its subprotocol a thing itself in place of a payload of so many octets.

        True if it was taken; False, always of other devices, if it has to be sent, as while a payload is on its way that
        it must not overtake. Raises :class:`~p2pship.errors.PayloadRefused`.
        """

    def open_stream(subprotocol: str, header: bytes, protocol: IProtocol) -> Deferred[IStream]:
        """Open a stream and connect ``protocol`` to it; fails with :class:`~p2pship.errors.PayloadRefused`."""

    def open_flow(receiver: Callable[[int, bytes], None]) -> int:
        """Allocate a flow number, even, 2 to 65534, and deliver its packets and those of the next (odd) number.

        :raises LocalError: if all are in use.
        """

    def close_flow(flow: int) -> None:
        """Give a flow number back; harmless when it is not in use."""

    def cast(flow: int, packet: bytes) -> None:
        """Send a media packet to a flow number that the other side allocated; best effort."""

    def watch(closely: bool) -> None:
        """Count one more (True) or one fewer (False) call that is up with this peer: its link is then watched."""

    def close(reason: str) -> None:
        """End it: everything under way fails, and the other side is told."""


class IPeopleReceiver(Interface):
    """What reaching a person tells."""

    def peer_reached(peer: IPeer, tried: Tried) -> None:
        """Take one device of the person, with which a hello has passed, and how long each stage took."""

    def reach_ended(outcome: ReachOutcome) -> None:
        """Hear that no more devices come, and what was tried."""


class IOverlay(Interface):
    """One authenticated pipe for each peer."""

    def people(aor: str, identity: IIdentity, receiver: IPeopleReceiver) -> IReaching:
        """Find and reach every device of a canonical AOR on behalf of an own identity, within 5 s in all."""

    def peer(aor: str, identity: IIdentity, hit: bytes) -> Deferred[IPeer]:
        """Reach one device by its HIT; fails with :class:`~p2pship.errors.NotReached`."""

    def peers() -> Sequence[IPeer]:
        """Return the peers with which a hello has passed; the path of one without a link is empty."""

    def offer(subprotocol: ISubprotocol) -> None:
        """Take part with a subprotocol: it is named in every hello, and served."""


class ISIPHop(Interface):
    """Where SIP messages are sent next: a phone's socket or connection, or a peer."""

    reliable = Attribute("bool: whether messages arrive in order and none is lost (RFC 3261 §17)")
    transport = Attribute("str: the transport's name in a Via: ``UDP``, ``TCP`` or ``P2P``")
    sent_by = Attribute("str: the sent-by of this node's Via on it: ``127.0.0.1:5060``")
    description = Attribute("str: what it is, for the log: ``phone udp 127.0.0.1:5070``")
    address = Attribute("HostPort | None: where it leads to; None for a peer")
    key = Attribute("Hashable: equal for two hops that lead to the same place; keeps transactions apart")
    trusted = Attribute(
        "bool: whether who is there has proven itself by being there: a peer by its link, a phone by being on loopback"
    )

    def send(message: Message) -> Deferred[None] | None:
        """Send a message; raises, or fails with, a RemoteError when it cannot be sent (§18.4).

        None if it is on its way already, else what fires when it is.
        """


class IMediaRelay(Interface):
    """One media line of one dialog: a pair of ports towards the phone, a flow pair towards the peer.

    ``to_phone`` and ``to_peer`` say what an offer or an answer asks for; that takes effect with ``commit`` (the answer
    was accepted) and is forgotten with ``rollback`` (it was not): RFC 3264 §8, RFC 6337 §3.4.
    """

    port = Attribute("int: the UDP port for RTP that the phone is shown, even; RTCP has the next")
    flow = Attribute("int: the flow number for RTP that the peer is shown, even; RTCP has the next")
    heard_at = Attribute(
        "float: when a packet last came from either side, or the time of opening (Unix time)"
    )

    def to_phone(rtp: HostPort | None, rtcp: HostPort | None) -> None:
        """Say where the phone's SDP wants RTP and RTCP (the same with rtcp-mux); None sends nothing there."""

    def to_peer(rtp: int | None, rtcp: int | None) -> None:
        """Say which flow numbers the peer's SDP shows for RTP and RTCP; None sends nothing there."""

    def commit() -> None:
        """Make what was last said take effect."""

    def rollback() -> None:
        """Forget what was said since the last commit."""

    def close() -> None:
        """Give the ports and the flow back; harmless when repeated."""


class IMediaRelays(Interface):
    """Opens media relays."""

    def open(peer: IPeer, own_host: str, phone_host: str) -> IMediaRelay:
        """Open a relay with ports at ``own_host`` for a phone that signals from ``phone_host``.

        :raises LocalError: if no ports or no flow numbers are left.
        """

    def open_beside(relay: IMediaRelay, own_ports: bool) -> IMediaRelay:
        """Open a relay for another answer to the same offer (RFC 3261 §12.1: another To tag).

        With ``own_ports`` it shares the flow of ``relay``, else its ports; what is shared stays open until all that share
        it are closed.

        :raises LocalError: as ``open``.
        """


class IPluginMaker(Interface):
    """The card of a plug-in: what there is to know of it before it is imported (see :mod:`p2pship.plugins`)."""

    name = Attribute("str: lower-case: the last part of its section, and its word in the log")
    section = Attribute("str: its section of the configuration, such as ``lookup.lan``")
    description = Attribute("str: what it does, for people")

    def settings() -> type:
        """Import the plug-in and return the dataclass of its section.

        :raises PluginBroken: if it cannot be imported, as when a library it needs is not installed.
        """

    def make(reactor: object, settings: object, node: INode) -> object:
        """Return what the card is for; it does nothing before it is started.

        :raises PluginBroken: if that fails, other than with an error of this project.
        """


class ILookupMaker(IPluginMaker):
    """The card of a lookup that can be made: ``make`` returns an ILookup."""


class IBearerMaker(IPluginMaker):
    """The card of a bearer that can be made: ``make`` returns an IBearer."""


class IApplicationMaker(IPluginMaker):
    """The card of an application that can be made: ``make`` returns a Twisted IService."""


class INode(Interface):
    """What a lookup, a bearer or an application may use of the node that it is in."""

    keyring = Attribute("IKeyring")
    network = Attribute("INetwork")
    journal = Attribute("p2pship.journal.Journal")
    random = Attribute("Callable[[int], bytes]: octets that nobody can guess, as os.urandom")
    ports = Attribute("p2pship.storage.ports.Ports: listening ports that are kept from one run to the next")
