"""Certificates asked for and got: Pebble where it can, a double where it cannot (RFC 8555, RFC 9773)."""
