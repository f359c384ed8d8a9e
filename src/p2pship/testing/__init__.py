"""What tests, demo and benchmarks share: phones, memory bearers, whole nodes."""
