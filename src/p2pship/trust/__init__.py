"""Whom the node believes, and whom it knows."""
