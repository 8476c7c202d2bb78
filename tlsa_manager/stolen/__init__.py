"""Stolen: somebody else has a key. What stands in the way of replacing it, what is to be done besides, what remains."""
