"""Tests of p2pship.lookup.mainline."""
