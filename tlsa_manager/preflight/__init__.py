"""Before a certificate is put into service: whether it could break any sender, and from when not.

clearance.py    the values: what is asked, what comes out of it
look.py         what stands in DNS, in the journal and on the wire
judgement.py    the verdict, by the rollover's own gate; pure
turn.py         whether the rollover would let a certificate in now
hindsight.py    what caches may hold from before anybody looked
record_file.py  records in a file, for CI and for tests
"""
