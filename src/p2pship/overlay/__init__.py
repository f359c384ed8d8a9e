"""One authenticated pipe per peer."""
