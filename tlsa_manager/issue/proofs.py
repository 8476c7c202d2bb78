"""Proving to an authority that names are ours (RFC 8555 §7.5 and §8), all names of an order together."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tlsa_manager.errors import IssueError
from tlsa_manager.issue.refusal import AGAIN, STAYS, Problem, SpentError, garbage, is_later, printable, problem, refused
from tlsa_manager.issue.waiting import patience, wait
from tlsa_manager.issue.wire import secure
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from josepy.jwk import JWKEC

    from tlsa_manager.issue import Diary, Prover
    from tlsa_manager.issue.authority import Authority
    from tlsa_manager.issue.responder import Listener, Webroot

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")  # RFC 8555 §8.3: base64url and nothing else; it becomes a file name
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove a name."""

    kind: str
    url: str
    token: str
    status: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """Whether a name is proven, and how it may be. `problem`: why not."""

    url: str
    name: str
    status: str
    challenges: tuple[Challenge, ...]
    problem: Problem
    ask_at: float


def prove(
    authority: Authority,
    urls: Sequence[str],
    web: Webroot | Listener | None,
    prover: Prover,
    diary: Diary,
    *,
    names: Sequence[str],
) -> None:
    """Prove the names of an order that are not proven yet: in DNS, or over HTTP where `web` is given.

    `names`: those that were asked for; nothing is shown for others. Raises IssueTemporary, IssueError, and as the prover does.
    """
    open_ones = [one for one in (_look(authority, url) for url in urls) if one.status != "valid"]
    bases = {name.removeprefix("*.") for name in names}
    for one in open_ones:
        if one.name not in bases:
            raise garbage(one.url, f"it wants {one.name} proven, which nobody asked for")
        if one.status != "pending":
            raise SpentError(f"{authority.host} does not let {one.name} be proven any more: it is {one.status}; {STAYS}", AGAIN)
    chosen = [_choose(authority, one, "http-01" if web else "dns-01") for one in open_ones]
    if not chosen:
        return
    answers = {challenge.token: key_authorization(authority.key, challenge.token) for challenge in chosen}
    proven = sorted({one.name for one in open_ones})
    if web is not None:
        diary.told(f"showing {authority.host} over HTTP that {', '.join(proven)} is ours")
        with web.show(answers):
            _answer(authority, open_ones, chosen)
        return
    diary.told(f"putting TXT records into DNS that show {authority.host} that {', '.join(proven)} is ours")
    records: dict[str, tuple[str, ...]] = {}
    for one, challenge in zip(open_ones, chosen, strict=True):
        owner = f"_acme-challenge.{one.name}."
        records[owner] = (*records.get(owner, ()), encoded(sha256(answers[challenge.token].encode()).digest()))
    prover.show(records)
    _answer(authority, open_ones, chosen)


def key_authorization(key: JWKEC | None, token: str) -> str:
    """Return the answer to a token (§8.1)."""
    if key is None:
        raise ValueError("nobody opened an account")
    return f"{token}.{encoded(key.thumbprint())}"


def encoded(data: bytes) -> str:
    """Return octets as base64url without padding (RFC 8555 §6.1)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _answer(authority: Authority, open_ones: Sequence[Authorization], chosen: Sequence[Challenge]) -> None:
    """Say that the answers are there to be looked at, and wait until they were."""
    for one, challenge in zip(open_ones, chosen, strict=True):
        if challenge.status != "pending":
            continue  # it was said before a crash
        answer = authority.send(challenge.url, {})
        if not answer.ok and (is_later(answer) or _look(authority, one.url).status == "pending"):
            raise refused(answer, f"to look at the proof for {one.name}")  # else what was said before has just had its effect
    deadline = patience()  # for all of them: the authority looks at all at once
    for one in open_ones:

        def look(url: str = one.url) -> tuple[Authorization, bool, float]:
            seen = _look(authority, url)
            return seen, seen.status != "pending", seen.ask_at

        seen = wait(look, f"the look of {authority.host} at the proof for {one.name}", deadline)
        if seen.status != "valid":
            raise _failed(authority, seen)


def _failed(authority: Authority, one: Authorization) -> IssueError:
    return IssueError(f"{authority.host} did not take the proof for {one.name}: {one.problem}; {STAYS}", one.problem.hint)


def _choose(authority: Authority, one: Authorization, kind: str) -> Challenge:
    for challenge in one.challenges:
        if challenge.kind == kind:
            return challenge
    offered = ", ".join(sorted(challenge.kind for challenge in one.challenges)) or "nothing"
    msg = f"{authority.host} does not let {one.name} be proven by {kind}, but by: {offered}; {STAYS}"
    raise IssueError(msg, "set `challenge` in the [issuer] section, or ask another authority")


def _look(authority: Authority, url: str) -> Authorization:
    answer = authority.ask(url, "to show how a name may be proven")
    content = answer.content
    identifier = content.get("identifier")
    name = identifier.get("value") if isinstance(identifier, dict) else None
    if not isinstance(name, str) or _NAME.fullmatch(name.lower()) is None:
        raise garbage(url, "an authorization for no host name")
    given = content.get("challenges")
    listed = given if isinstance(given, list) else []
    offered = [one for one in listed if isinstance(one, dict) and isinstance(one.get("type"), str)][:20]
    why = next((problem(one["error"]) for one in offered if "error" in one), Problem())
    challenges = tuple(_challenge(one, url) for one in offered if one.get("type") in {"dns-01", "http-01"})
    status = printable(content.get("status"), 20)
    return Authorization(url, name.lower().removeprefix("*."), status, challenges, why, answer.retry_at)


def _challenge(content: dict[str, Any], url: str) -> Challenge:
    token = content.get("token")
    if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
        raise garbage(url, "a token that is not base64url")
    return Challenge(content["type"], secure(content.get("url"), url, "challenge"), token, printable(content.get("status"), 20))
