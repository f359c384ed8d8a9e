"""What is going on: pages and API."""
