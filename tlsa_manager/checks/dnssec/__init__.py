"""DNSSEC and name servers: what breaks the chain of trust, or the way to an answer."""
