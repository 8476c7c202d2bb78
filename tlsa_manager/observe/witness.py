"""The configured resolver as a second witness, and what its word is worth.

Whether it validates is found out, not believed. No single sign is enough, so three are looked for:

1. *It refuses what is bogus.* A name that is known to be bogus (on the Internet dnssec-failed.org, kept broken for this purpose)
   is asked for with and without checking (CD). SERVFAIL with checking and an answer without is the proof of validation; an
   answer with checking is the proof of none. Where the name does not exist (a private root) or nobody answers, it proves nothing.
2. *It vouches for what is secure.* With DO and without AD in the query, the root's SOA must come with AD. Our queries never
   carry AD, so a forwarder that copies the bit from the query is found out here.
3. *It does not vouch for what cannot be secure.* A server that sets AD always is caught by asking for something of class CH,
   which no validator can ever have validated, and by records of owners whose zone our own chain of trust has proven to be
   insecure. (Only by records: a denial may be cached from before the zone was delegated.)

1 decides where it speaks, except that AD in class CH is a lie in any case. Else 2 together with 3 is taken as validating, 2
missing as not validating; AD where 3 forbids it means that the resolver lies, whatever else it says. If there is no answer to
judge by, nothing is known, and nothing rests on its word. AD is read only after the rcode: some resolvers set it on SERVFAIL.

A resolver that serves the zone itself (one BIND for both) answers from it with AA and never AD, as nobody validates himself
(RFC 4035 §3.1.6). Of such names it is no witness, however well it validates others.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import dns.flags
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from tlsa_manager.observe import records
from tlsa_manager.observe.ask import Place, Question, Reply
from tlsa_manager.observe.message import NEGATIVE, told
from tlsa_manager.security import Security
from tlsa_manager.snapshot import Witness
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType

    from tlsa_manager.observe.ask import Asker
    from tlsa_manager.tlsa import RRset as Records

_A, _SOA, _TXT, _TLSA = (dns.rdatatype.from_text(t) for t in ("A", "SOA", "TXT", "TLSA"))
VERSION = Question(dns.name.from_text("version.bind."), _TXT, rdclass=dns.rdataclass.CH)
ROOT = Question(dns.name.root, _SOA, recurse=True)


@dataclass(frozen=True, slots=True)
class Examination:
    """What the resolver answered to the questions whose right answers are known."""

    checked: Reply
    unchecked: Reply
    root: Reply
    version: Reply
    ttl: float = 60.0

    @property
    def proven(self) -> bool:
        """Whether it refused what is known to be bogus."""
        return self._known_bogus and _rcode(self.checked) == dns.rcode.SERVFAIL and not _vouches(self.version)

    @property
    def validates(self) -> bool | None:
        """The verdict as far as these questions go."""
        if self.proven:
            return True
        if _vouches(self.version) or (self._known_bogus and _rcode(self.checked) in NEGATIVE):
            return False
        if _rcode(self.root) != dns.rcode.NOERROR:
            return None
        if not _vouches(self.root):
            return False
        return True if self.version.message is not None else None

    @property
    def lies(self) -> bool:
        """Whether it vouched for what nobody can have validated."""
        return _vouches(self.version) or (self._known_bogus and _vouches(self.checked))

    @property
    def _known_bogus(self) -> bool:
        message = self.unchecked.message
        return message is not None and message.rcode() == dns.rcode.NOERROR and bool(message.answer)


async def examine(asker: Asker, resolver: Place, bogus: Name) -> Examination:
    """Ask the resolver the questions whose right answers are known, side by side."""
    questions = (Question(bogus, _A, recurse=True), Question(bogus, _A, recurse=True, unchecked=True), ROOT, VERSION)
    checked, unchecked, root, version = await asyncio.gather(*(asker.ask(resolver, question) for question in questions))
    return Examination(checked, unchecked, root, version)


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the resolver answered for an owner, and without checking where it failed with checking."""

    checked: Reply
    unchecked: Reply | None = None

    @property
    def vouches(self) -> bool:
        """Whether it says AD to records."""
        return _vouches(self.checked) and self.checked.message is not None and bool(_records(self.checked.message))


async def testify(asker: Asker, resolver: Place, name: Name, rdtype: RdataType) -> Testimony:
    """Ask the resolver for records."""
    checked = await asker.ask(resolver, Question(name, rdtype, recurse=True))
    if _rcode(checked) != dns.rcode.SERVFAIL:
        return Testimony(checked)
    return Testimony(checked, await asker.ask(resolver, Question(name, rdtype, recurse=True, unchecked=True)))


def judge(resolver: Place, validates: bool | None, testimony: Testimony, *, lies: bool = False) -> Witness:  # noqa: FBT001
    """Weigh a testimony. `validates`: True, False, or None for nobody knows; `lies`: as in Witness."""
    return replace(_judge(resolver, validates, testimony), lies=lies)


def _judge(resolver: Place, validates: bool | None, testimony: Testimony) -> Witness:  # noqa: FBT001  three states, not a switch
    message = testimony.checked.message
    if message is None:
        return Witness(str(resolver), validates, reason=f"{resolver} {testimony.checked.fault}")
    rcode = message.rcode()
    if _its_own(message):
        reason = f"{resolver} serves the zone itself, and a server does not validate its own zones"
        return Witness(str(resolver), validates=False, records=_records(message), reason=reason, serves=True)
    if rcode in NEGATIVE:
        return Witness(str(resolver), validates, _security(validates, message), _records(message), doubt(resolver, validates))
    reason = f"{resolver} answered {dns.rcode.to_text(rcode)}{told(message)}"
    if validates and testimony.unchecked is not None and _rcode(testimony.unchecked) in NEGATIVE:
        return Witness(str(resolver), validates, Security.BOGUS, reason=reason + ", and answers when told not to check")
    return Witness(str(resolver), validates, reason=reason)


def _its_own(message: Message) -> bool:
    """Whether it answered from a zone that it serves, instead of looking the answer up."""
    return message.rcode() in NEGATIVE and bool(message.flags & dns.flags.AA) and not message.flags & dns.flags.AD


def _security(validates: bool | None, message: Message) -> Security:  # noqa: FBT001  three states, not a switch
    if not validates:
        return Security.INDETERMINATE
    return Security.SECURE if message.flags & dns.flags.AD else Security.INSECURE


def doubt(resolver: Place, validates: bool | None) -> str:  # noqa: FBT001  three states, not a switch
    """Say why the word of the resolver is worth nothing, or nothing."""
    if validates is None:
        return f"it could not be found out whether {resolver} validates"
    return "" if validates else f"{resolver} does not validate, or claims to without doing it"


def _records(message: Message) -> Records:
    return records.tlsa(next((rrset for rrset in message.answer if rrset.rdtype == _TLSA), None))


def _rcode(reply: Reply) -> dns.rcode.Rcode | None:
    return reply.message.rcode() if reply.message is not None else None


def _vouches(reply: Reply) -> bool:
    return reply.message is not None and reply.message.rcode() in NEGATIVE and bool(reply.message.flags & dns.flags.AD)
