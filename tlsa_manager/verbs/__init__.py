"""Verbs: what the house is asked to do, one idea a file. `wiring` puts them together; none of them opens anything by itself."""
