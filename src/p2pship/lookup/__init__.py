"""Where are they: finding and publishing sealed records."""
