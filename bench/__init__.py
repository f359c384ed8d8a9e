"""Measurements, beside others in the same run where there are others: ``python -m bench``."""
