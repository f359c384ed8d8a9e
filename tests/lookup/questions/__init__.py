"""Tests of p2pship.lookup.questions."""
