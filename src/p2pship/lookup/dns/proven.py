"""Questions to the DNS of whose answers only what DNSSEC proves is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2pship.trust.dnssec import DNSSEC, Ask

if TYPE_CHECKING:
    from dns.message import Message


def proven_only(ask: Ask, dnssec: DNSSEC) -> Ask:
    """Return what asks as ``ask`` does, and fails with NotProven where the answer says something that is not proven.

    An answer that says that there is nothing needs no proof: it leads nowhere.
    """

    async def asked(name: str, kind: str) -> Message:
        answer = await ask(name, kind)
        if answer.answer:
            await dnssec.prove(answer)
        return answer

    return asked
