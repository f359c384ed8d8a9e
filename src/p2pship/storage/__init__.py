"""What survives a restart: files and the database."""
