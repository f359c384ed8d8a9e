"""The rendezvous server: keeps signed slots for whoever publishes there, and tells them to whoever asks or follows."""
