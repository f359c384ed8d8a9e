"""Which of several failures is the one that passes."""

from __future__ import annotations

from collections.abc import Sequence

from p2pship.sip.message import Response

_TELLING = frozenset({401, 407, 415, 420, 484})
_LEAST = frozenset({408, 480, 487, 503})
_NOBODY = frozenset({404, 482})


def best(responses: Sequence[Response]) -> Response:
    """Choose the response that passes when all have failed (RFC 3261 §16.7 item 6).

    A 6xx wins; else the lowest class, and within 4xx those that tell how to go on. A 408 or 480 of one phone says less
    than what another said; least does a 404 or 482, because of several to whom a call was forwarded somebody is there.
    """
    return min(responses, key=_rank)


def _rank(response: Response) -> tuple[int, int]:
    status = response.status
    if status >= 600:
        return (0, status)
    if status in _TELLING:
        return (status // 100, 0)
    if status in _NOBODY:
        return (status // 100, 3)
    return (status // 100, 2 if status in _LEAST else 1)
