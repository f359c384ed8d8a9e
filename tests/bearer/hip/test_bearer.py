"""Tests for p2pship.bearer.hip.bearer, over real sockets on loopback: the contract."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.bearer.contract import BearerContract
from tests.bearer.hip.pair import HIPPair


class HIPBearerTests(HIPPair, BearerContract, TestCase):
    """The contract of all bearers."""
