"""Records themselves, and the keys they stand for."""
