"""The mind of the other side: what a conforming sender does with the records, DNSSEC states and certificates that it meets.

    delivery.py   the values: what a sender does, record by record and address by address
    agility.py    which records count: usable ones (RFC 6698 §4.1), and the strongest digest only (RFC 7671 §9)
    match.py      whether a record matches a presented chain: all usages, with names, dates and signatures where they count
    weigh.py      the same for a whole set, remembered for a while and with an end: what costs time is bounded
    path.py       from the leaf to an anchor, through what is presented; issuing.py, names.py: what a certificate says
    route.py      which hosts and which TLSA base domains a sender comes to (RFC 7672 §2.2, RFC 7671 §7)
    told.py       what servers that differ tell senders, and by which base domain each of them goes
    judge.py      all of it together: the outcome for each service at each address, the worst client counts

Pure: it asks nobody, and knows no time but the one it is told.
"""
