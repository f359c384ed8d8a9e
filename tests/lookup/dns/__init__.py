"""Tests of the lookup ``dns``."""
