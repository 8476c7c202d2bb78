"""A world of its own on loopback, and the whole program at work in it.

    world.py       the servers together, in one thread: start, stop, what each of them has at this moment
    zone.py        a zone that signs itself;  nameserver.py answers from one;  update.py changes one (RFC 2136)
    resolver.py    a small caching, validating resolver;  listening.py: UDP and TCP
    mailserver.py  receives mail over STARTTLS;  sender.py: sends mail as DANE demands, ten times a second
    installation.py  the files of tlsa_manager in that world: configuration, TSIG key
    play.py        the rollover, through the program's own code, and the same renewal done naively;  story.py: what to show of it

The servers are small, but what goes between them is real: DNS messages, signatures, TLS handshakes, mails.
"""
