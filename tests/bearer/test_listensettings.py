"""Tests for p2pship.bearer.listensettings."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.listensettings import ListenSettings
from p2pship.config import load
from p2pship.errors import ConfigError


class ListenSettingsTests(SynchronousTestCase):
    """Where links are accepted."""

    def test_settings_refused(self) -> None:
        """Addresses that could never be listened on together are refused when they are read, with the way out."""
        for listen, way_out in (
            ([], "enabled = false"),
            (["127.0.0.1", "127.0.0.1"], "twice"),
            (["0.0.0.0", "127.0.0.1"], "all of their family"),
            (["::1", "::"], "all of their family"),
            (["[::]"], "write it as ::"),
        ):
            error = self.assertRaises(
                ConfigError,
                load,
                None,
                {"bearer.x": ListenSettings},
                [f"bearer.x.listen={json.dumps(listen)}"],
            )
            self.assertIn(f"--set: [bearer.x] listen = {json.dumps(listen)}: ", str(error))
            self.assertIn(way_out, str(error))
        load(None, {"bearer.x": ListenSettings}, ["bearer.x.listen=0.0.0.0,::1"])
