"""How true a name is, and what acquaintance its bearer is: the one place where papers are judged.

Theory of operation. A person is judged for one of our own identities, by the identity key in their papers. Our own keys come
first, then the pin: the key by which the user knows the name. Where the key is another one, the pin follows it only if the user
has not confirmed the pin, and the old key has signed the new one, or who verified the name when the pin was made verifies the
new key, too; it never follows back to a key that it has left. Otherwise the name is *changed*. Where nothing is pinned, the
vouchers say whether the name is verified, or, by the word of its domain, another key's: then it is *changed*, too. So it is where the
key is pinned for no better reason than that it answered a call: whoever answers at once is quicker than a web server.

A true name makes nobody less a stranger. A contact is who is entered as one *and* whose name is known or verified: whoever
merely claims the name of a contact is a stranger, shown by the name that they claim, with a warning.

Judging writes nothing but a pin that follows, and which devices the new key lists: one of those that still comes with the old key is
the person's, any other one is not. Pins are made by acts of the user: :meth:`TrustPolicy.call_answered` and
:meth:`TrustPolicy.confirm`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.errors import BadPapers
from p2pship.identity.fingerprint import fingerprint, names_itself
from p2pship.identity.papers import Papers, Statement
from p2pship.identity.statement import read_statement
from p2pship.identity.succession import predecessors
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.identity.verify import listing
from p2pship.interfaces import IAcquaintances, IIdentity, IKeyring, ITrustPolicy, IVoucher
from p2pship.journal import Journal
from p2pship.trust.contacts import Contacts
from p2pship.trust.facts import PinFollowed, PinMade, PinOffered
from p2pship.trust.introductions import Introductions
from p2pship.trust.ledger import ALLOW, BLOCK, CONFIRMED, CONTACT, PIN, REVOKED, VOUCH, Ledger
from p2pship.trust.likenesses import LookAlikes
from p2pship.trust.offers import Offer, Offers
from p2pship.trust.pins import BY_CALL, BY_CONFIRMING, BY_CONTACT, BY_PROOF, Pin, Pins
from p2pship.trust.vouch import BY_DOMAIN, Vouch
from p2pship.trust.vouching import Vouching

EVERYBODY = ""
"In place of a person's AOR: whoever it is has to be judged again."

_HOW = {
    BY_CONTACT: "you pinned this key",
    BY_CALL: "it is the key that answered your call",
    BY_CONFIRMING: "you compared the safety number of this key",
    BY_PROOF: "it is the key of a call that you took, when the name was verified",
}
_OWN = Verdict(NameGrade.KNOWN, Acquaintance.OWN, ("the identity key is our own",))
_SUCCEEDED = Verdict(
    NameGrade.KNOWN, Acquaintance.OWN, ("one of the two identity keys gave way to the other",)
)


@implementer(ITrustPolicy, IAcquaintances)
class TrustPolicy:
    """Judges people, and pins their keys when the user does what pins them."""

    def __init__(
        self,
        keyring: IKeyring,
        ledger: Ledger,
        vouchers: Sequence[IVoucher],
        clock: IReactorTime,
        journal: Journal,
        hint: Callable[[bytes], bool],
    ) -> None:
        """``vouchers`` are asked in their order: the first that vouches for a name says by whom it is verified.

        ``hint`` tells whether an authority, of which it gets the first 8 octets of its key's SHA-256, is trusted by anybody.
        """
        self.contacts = Contacts(ledger, clock)
        self.pins = Pins(ledger, clock)
        self.introductions = Introductions(ledger, self.contacts, self.pins, clock)
        self.lookalikes = LookAlikes(keyring, ledger, self.contacts)
        self.offers = Offers()
        "the keys that came with names that are unproven or changed"
        self._keyring = keyring
        self._vouching = Vouching(vouchers, clock)
        self._clock = clock
        self._journal = journal
        self._hint = hint
        self._watchers: list[Callable[[str, str], None]] = []
        ledger.watch(self._entry_changed)

    def watch(self, changed: Callable[[str, str], None]) -> Callable[[], None]:
        """Call ``changed`` with own and other AOR when that person may have to be judged anew; returns a call that ends it.

        Either is :data:`EVERYBODY` where it concerns all of them.
        """
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def changed(self, own: str = EVERYBODY, aor: str = EVERYBODY) -> None:
        """Tell the watchers that somebody has to be judged anew, as when an authority is no longer trusted."""
        for changed in tuple(self._watchers):
            changed(own, aor)

    # Judging.

    def wants_chain(self, authority: bytes) -> bool:
        """Tell whether the certificates of somebody could prove the name, as an authority that is trusted signed them."""
        return bool(authority) and self._hint(authority)

    def judge(self, papers: Papers, own: IIdentity) -> Deferred[Verdict]:
        """Judge the papers of another device for one of our own identities; within 0.35 s, also when others are asked.

        Who has the name of another one of ours, with a device of its own, and not its key is judged like anybody: a refusal
        would tell that both are on one node.
        """
        ours = self._keyring.identity(papers.aor)
        if ours is not None:
            verdict = self._judged_as_own(papers, ours)
            if verdict.acquaintance is Acquaintance.OWN or ours.device.hit == own.device.hit:
                return succeed(verdict)
        pin = self.pins.get(own.aor, papers.aor)

        def late() -> None:
            self.changed(own.aor, papers.aor)

        if pin is not None and pin.key == papers.statement.key:
            return succeed(self._judged(self._vouching.at_once(papers, own, late), papers, own))
        wanted = pin.by if pin is not None else ""
        return self._vouching.ask(papers, own, late, wanted).addCallback(self._judged, papers, own)

    def _judged(self, vouch: Vouch, papers: Papers, own: IIdentity) -> Verdict:
        verdict = self._verdict(vouch, papers, own)
        if vouch or vouch.revoked:
            verdict = replace(verdict, until=vouch.until or inf)
        if not verdict.proven:
            offer = Offer(papers.statement.key, self._clock.seconds(), verdict)
            self.offers.seen(own.aor, papers.aor, offer)
        return verdict

    def _verdict(self, vouch: Vouch, papers: Papers, own: IIdentity) -> Verdict:
        key = papers.statement.key
        pin = self.pins.get(own.aor, papers.aor)
        if names_itself(papers.aor, key) is False:
            return self._changed(papers, own, ("the name is the fingerprint of another key",))
        if vouch.revoked:
            return self._changed(papers, own, vouch.reasons)
        if vouch.contradicted and (pin is None or pin.by_call_alone):
            outdated = pin is not None and pin.gave_way(key)
            return replace(self._changed(papers, own, vouch.reasons), outdated=outdated)
        if pin is None:
            return self._unpinned(vouch, papers, own)
        if pin.gave_way(key):
            return self._outdated(pin, vouch, papers, own)
        if pin.key != key:
            wrong = self._follow(pin, vouch, papers, own)
            if wrong:
                return self._changed(papers, own, (*wrong, *vouch.reasons))
        return self._known(vouch, papers, own)

    def _outdated(self, pin: Pin, vouch: Vouch, papers: Papers, own: IIdentity) -> Verdict:
        """Judge who comes with a key that gave way to the pinned one: a device that is still listed has not heard of that."""
        if self._keyring.lists(pin.key, papers.record.device_key):
            return self._known(vouch, papers, own)
        reason = f"{_differs(pin, papers)}, to which the other gave way"
        return replace(self._changed(papers, own, (reason, *vouch.reasons)), outdated=True)

    def _known(self, vouch: Vouch, papers: Papers, own: IIdentity) -> Verdict:
        pin = self.pins.get(own.aor, papers.aor)
        how = (_HOW.get(pin.how, "you know this key"),) if pin is not None else ()
        grade = NameGrade.VERIFIED if vouch else NameGrade.KNOWN
        return self._met(grade, (*how, *vouch.reasons), vouch.by, papers, own)

    def _unpinned(self, vouch: Vouch, papers: Papers, own: IIdentity) -> Verdict:
        if vouch:
            return self._met(NameGrade.VERIFIED, vouch.reasons, vouch.by, papers, own)
        reasons = ("nobody vouches for the name", *vouch.reasons)
        if self.contacts.get(own.aor, papers.aor) is not None:
            reasons = (*reasons, "it is the name of a contact of yours whose key you have not confirmed yet")
        return self._unmet(NameGrade.UNPROVEN, reasons, papers, own)

    def _changed(self, papers: Papers, own: IIdentity, reasons: tuple[str, ...]) -> Verdict:
        warnings = self.lookalikes.warnings(own.aor, papers.aor)
        return Verdict(NameGrade.CHANGED, Acquaintance.STRANGER, reasons, warnings=warnings)

    def _met(
        self, grade: NameGrade, reasons: tuple[str, ...], by: str, papers: Papers, own: IIdentity
    ) -> Verdict:
        """Judge somebody whose name is true."""
        contact = self.contacts.get(own.aor, papers.aor)
        if contact is None:
            return self._unmet(grade, reasons, papers, own, by)
        return Verdict(grade, Acquaintance.CONTACT, reasons, contact.name, by=by)

    def _unmet(
        self, grade: NameGrade, reasons: tuple[str, ...], papers: Papers, own: IIdentity, by: str = ""
    ) -> Verdict:
        """Judge somebody who is no contact."""
        vouches = self.introductions.of(own.aor, papers.aor, papers.statement.key)
        introduced = tuple(f"{each.voucher} vouches for this name and key" for each in vouches)
        acquaintance = Acquaintance.INTRODUCED if introduced else Acquaintance.STRANGER
        warnings = self.lookalikes.warnings(own.aor, papers.aor)
        return Verdict(grade, acquaintance, (*reasons, *introduced), warnings=warnings, by=by)

    # Following.

    def _follow(self, pin: Pin, vouch: Vouch, papers: Papers, own: IIdentity) -> tuple[str, ...]:
        """Let the pin follow a new key; return why it does not, nothing if it does."""
        key, differs = papers.statement.key, _differs(pin, papers)
        succeeded = pin.key in predecessors(papers.statement)
        if pin.confirmed:
            signed = ("; the old key has signed the new one",) if succeeded else ()
            return (f"{differs}, whose safety number you confirmed{''.join(signed)}",)
        if not succeeded and not (vouch and vouch.by == pin.by):
            return (differs,)
        by = "the old key" if succeeded else _words(vouch.by)
        self._remember(papers.statement)
        self.pins.follow(own.aor, papers.aor, key, vouch.by)
        self._journal.tell(PinFollowed(own.aor, papers.aor, fingerprint(key), by))
        return ()

    def _remember(self, statement: Statement) -> None:
        """Remember which devices the new key lists, before those are judged that still show the old one."""
        with suppress(BadPapers):  # a newer one was seen
            self._keyring.accept_statement(statement, self._clock.seconds(), keep=True)

    # Our own.

    def _judged_as_own(self, papers: Papers, ours: IIdentity) -> Verdict:
        """Judge somebody who comes by the name of one of our own identities, ``ours``."""
        if ours.key == papers.statement.key:
            return _OWN
        if self._is_of_other_key(papers, ours):
            return _SUCCEEDED
        reason = f"{papers.aor} is one of your own identities, and the key is another one"
        return Verdict(NameGrade.CHANGED, Acquaintance.STRANGER, (reason,))

    @staticmethod
    def _is_of_other_key(papers: Papers, ours: IIdentity) -> bool:
        """Tell whether it is a device of ours, and one of the two has not yet heard that the identity key was replaced."""
        if ours.key in predecessors(papers.statement):
            return True
        statement = read_statement(ours.statement)
        if papers.statement.key not in predecessors(statement):
            return False
        return listing(statement, papers.record.device_key) is not None

    # What the user does.

    def call_answered(self, own: str, aor: str, key: bytes, verdict: Verdict, placed: bool) -> None:
        """Pin the key of somebody whom the user has called, or whose verified name called; else tell how it can be pinned.

        ``placed`` says that our user called, and called this very person. What is pinned already stays.

        :raises LocalError: if it cannot be written.
        """
        known = self.pins.get(own, aor) is not None or self._keyring.identity(aor) is not None
        if known or verdict.name is NameGrade.CHANGED:
            return
        if placed:
            self.pin(own, aor, key, BY_CALL, verdict.by)
        elif verdict.name is NameGrade.VERIFIED:
            self.pin(own, aor, key, BY_PROOF, verdict.by)
        else:
            self._journal.tell(PinOffered(own, aor, fingerprint(key)))

    def confirm(self, own: str, aor: str, key: bytes, how: str = BY_CONFIRMING) -> Pin:
        """Pin the key whose safety number the user has compared, in place of any other.

        :raises LocalError: if it cannot be written.
        """
        return self.pin(own, aor, key, how)

    def pin(self, own: str, aor: str, key: bytes, how: str, by: str = "") -> Pin:
        """Pin a key by an act of the user, in place of any other; ``by`` is who verifies the name now, as in a verdict.

        :raises LocalError: if it cannot be written.
        """
        pin = self.pins.make(own, aor, key, how, by)
        self.offers.forget(own, aor)
        self._journal.tell(PinMade(own, aor, fingerprint(key), how))
        return pin

    def knows(self, own: str, aor: str) -> bool:
        """Tell whether there is anything of the person to forget."""
        there = (self.contacts.get(own, aor), self.pins.get(own, aor))
        return there != (None, None) or bool(self.introductions.about(own, aor))

    def forget(self, own: str, aor: str) -> None:
        """Forget the person: contact, pin and vouches.

        :raises LocalError: if it cannot be written.
        """
        self.offers.forget(own, aor)
        self.contacts.remove(own, aor)
        self.pins.remove(own, aor)
        self.introductions.forget(own, aor)

    def _entry_changed(self, own: str, kind: str, name: str) -> None:
        pin = self.pins.get(own, name) if kind in (PIN, CONFIRMED) else None
        if pin is not None:  # also one that another device of ours made, or that followed
            self.offers.believed(own, name, pin.key)
        if kind in (CONTACT, PIN, CONFIRMED):
            self.changed(own, name)
            for subject in self.introductions.subjects(own, name):
                self.changed(own, subject)
        elif kind == VOUCH:
            self.changed(own, name.partition(" ")[0])
        elif kind in (BLOCK, ALLOW):
            self.changed(own, EVERYBODY if name.startswith("*") else name)
        elif kind == REVOKED:
            self.changed(own, EVERYBODY)


def _differs(pin: Pin, papers: Papers) -> str:
    return f"the key is {fingerprint(papers.statement.key)}, but you know {fingerprint(pin.key)}"


def _words(by: str) -> str:
    return "the domain of the name" if by == BY_DOMAIN else "the authority that vouched for the old one"
