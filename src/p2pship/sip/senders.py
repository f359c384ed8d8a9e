"""Who of our own sends a phone's request: the name in From, or who the phone is that does not tell its name."""

from __future__ import annotations

from p2pship.identity.aor import BadAOR
from p2pship.interfaces import IIdentity, IKeyring, ISIPHop
from p2pship.sip.bindings import Binding, Bindings
from p2pship.sip.hops import source_of
from p2pship.sip.message import Request
from p2pship.sip.names import OwnNames
from p2pship.sip.privacy import hides_name
from p2pship.sip.rewrite import contact_uri
from p2pship.sip.transactions import ServerTransaction
from p2pship.sip.uri import BadURI, NameAddr

_PREFERRED = ("P-Preferred-Identity", "P-Asserted-Identity")
"Where a phone of ours says under which of its names it calls (RFC 3325 §9.2)."


class Senders:
    """Knows whose phones are registered, and so in whose name each may send."""

    def __init__(self, names: OwnNames, keyring: IKeyring, bindings: Bindings) -> None:
        self._names = names
        self._keyring = keyring
        self._bindings = bindings

    def of(self, transaction: ServerTransaction) -> IIdentity | None:
        """Return the identity in whose name a phone sends; None if no phone has registered under it."""
        request = transaction.request
        own = self._registered(self._aor(request.from_.uri))
        if own is not None or not hides_name(request):
            return own
        return self._unnamed(request, transaction.origin)

    def claimed(self, transaction: ServerTransaction) -> str | None:
        """Return the name under which a phone sends, whether one of ours or not; None if it names none.

        Which name that is does not depend on who is registered here, unless at the very address that the phone sends from:
        nobody else learns that from a challenge.
        """
        own = self.of(transaction)
        if own is not None:
            aor: str = own.aor
            return aor
        request = transaction.request
        return (hides_name(request) and self._preferred(request)) or self._aor(request.from_.uri)

    def _aor(self, uri: str) -> str | None:
        try:
            return self._names.aor(uri)
        except (BadAOR, BadURI):
            return None

    def _registered(self, aor: str | None) -> IIdentity | None:
        return self._keyring.identity(aor) if aor is not None and self._bindings.of(aor) else None

    def _preferred(self, request: Request) -> str | None:
        """Return the first name by which a phone prefers to be called; it may give a telephone number as well."""
        values = (value for name in _PREFERRED for value in request.values(name))
        return next((aor for value in values if (aor := self._aor(_uri_of(value)))), None)

    def _unnamed(self, request: Request, origin: ISIPHop) -> IIdentity | None:
        """Return who calls anonymously: by what it prefers to be called, its Contact, or where it sends from."""
        preferred = self._registered(self._preferred(request))
        if preferred is not None:
            return preferred
        target, source = contact_uri(request), source_of(origin)
        known = [each for each in self._bindings if origin.trusted or each.source.host == source.host]
        return self._only([each for each in known if target and each.has_contact(target)]) or (
            self._only([each for each in known if each.source == source])
        )

    def _only(self, bindings: list[Binding]) -> IIdentity | None:
        """Return whose phones these are, if they are one person's: a name must not be guessed among several."""
        names = {binding.aor for binding in bindings}
        return self._keyring.identity(names.pop()) if len(names) == 1 else None


def _uri_of(value: str) -> str:
    try:
        return NameAddr.parse(value).uri
    except BadURI:
        return value
