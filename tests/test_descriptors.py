"""Tests for :mod:`p2pship.descriptors`."""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from p2pship import descriptors


class DescriptorTests(SynchronousTestCase):
    """The limit of open files of this process."""

    def setUp(self) -> None:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        self.hard = limits[1]

    def test_most(self) -> None:
        """The limit that counts is the soft one."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, self.hard))
        self.assertEqual(descriptors.most(), 300)

    def test_allow_more(self) -> None:
        """A low limit is raised, and a limit that is high enough left alone."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, self.hard))
        descriptors.allow_more()
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreater(raised[0], 300)
        self.assertEqual(raised[1], self.hard)
        descriptors.allow_more()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), raised)

    def test_not_allowed(self) -> None:
        """Where the system does not allow it, the limit stays, and nothing fails."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, self.hard))

        def refuse(*_arguments: object) -> None:
            raise ValueError("not allowed to raise maximum limit")

        self.patch(resource, "setrlimit", refuse)
        descriptors.allow_more()
        self.assertEqual(descriptors.most(), 300)
