"""Phones talk: SIP between a person's phones and their peers."""
