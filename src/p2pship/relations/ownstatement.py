"""Our own identity's statement as another of its devices, or a lookup, has it."""

from __future__ import annotations

from p2pship.interfaces import IKeyring
from p2pship.relations.statementwire import News


def adopt(keyring: IKeyring, aor: str, news: News) -> None:
    """Take a statement of our own identity ``aor``, if it is here and this device did not know what it says.

    Where the identity key is held, what both say is put together (:meth:`~p2pship.interfaces.IKeyring.adopt_statement`).

    :raises BadPapers: if it is not valid, or not ours.
    :raises LocalError: if it cannot be kept.
    """
    identity = keyring.identity(aor)
    if identity is not None and news.statement != identity.statement:
        keyring.adopt_statement(aor, news.statement, news.chain, news.revocations)
