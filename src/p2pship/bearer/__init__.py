"""How bytes get there: authenticated links between two devices."""
