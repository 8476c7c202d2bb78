"""A virtual world: authoritative servers, caches, mail servers and a clock, under faults; and an oracle that watches it.

The engine, the rules and the veto run in it unchanged, for years if need be, without a network. The oracle imports nothing of
`tlsa_manager.rollover`: it has its own opinion.
"""
