"""What else rides on an identity."""
