"""The section of the configuration."""

from twisted.trial.unittest import SynchronousTestCase

from p2pship.lookup.mainline.settings import MainlineSettings, check_node, split_node


class MainlineSettingsTests(SynchronousTestCase):
    """What may be configured."""

    def test_off(self) -> None:
        """Nobody is shown to strangers unless they want it."""
        self.assertFalse(MainlineSettings().enabled)

    def test_nodes(self) -> None:
        """A node is a host and a port."""
        self.assertEqual(split_node("router.example.com:6881"), ("router.example.com", 6881))
        self.assertEqual(split_node("[2001:db8::1]:6881"), ("2001:db8::1", 6881))
        for wrong in ("", "router.example.com", ":6881", "a:b", "a:0", "a:65536", "a:"):
            self.assertRaises(ValueError, check_node, wrong)
        error = self.assertRaises(ValueError, check_node, "a:\u00b2")
        self.assertIn("give a host and a port", str(error))

    def test_private(self) -> None:
        """A private network is not looked for in the DNS, and the public nodes are not asked about it."""
        self.assertRaises(ValueError, MainlineSettings, private=True)
        MainlineSettings(private=True, bootstrap=("10.0.0.1:5567",))
        MainlineSettings(private=True, bootstrap=())

    def test_somewhere(self) -> None:
        """It listens somewhere."""
        self.assertRaises(ValueError, MainlineSettings, listen=())
