"""An order goes on where it stood, whenever the process ended; a new one is made only where the old one leads to nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from issue.asked import CrashError, LabProver, Notes, wish
from issue.gate import Reply, as_json, problem
from tlsa_manager import clock, keys
from tlsa_manager.errors import IssueError, IssueTemporary, PublishTemporary
from tlsa_manager.issue import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.hierarchy import DnsLab

    from issue.conftest import Opens
    from issue.gate import Gate


class End:
    """Ends the process at some point of an order: `at` is a method of the diary or the prover, or a path at the authority."""

    def __init__(self, at: str) -> None:
        self.at = at

    def run(self, attempt: Callable[[Notes, LabProver], bytes], diary: Notes, prover: LabProver, gate: Gate) -> None:
        """Make one attempt, and let it end there."""
        if self.at.startswith("/"):  # the answer never comes: what the authority did, nobody knows
            real = gate.reply

            def ends(method: str, path: str, host: str, body: bytes, kind: str) -> object:
                reply = real(method, path, host, body, kind)
                if self.at in path:
                    raise ConnectionResetError
                return reply

            gate.reply = ends  # type: ignore[method-assign,assignment]
            prover.fail["take_away"] = CrashError()  # who is dead takes nothing away: the authority may still be looking
            with pytest.raises((CrashError, IssueTemporary)):  # the latter where proofs stay by themselves
                attempt(diary, prover)
            gate.reply = real  # type: ignore[method-assign]
            prover.fail.clear()
            return
        if self.at in {"show", "take_away"}:
            prover.fail[self.at] = CrashError()
        else:
            diary.stop = self.at
        with pytest.raises(CrashError):
            attempt(diary, prover)
        diary.stop = ""


ENDS = {
    "ordering": "nothing was asked yet",
    "/order-plz": "asked, and no answer came: it is found in the account's list",
    "ordered": "pending, nothing shown",
    "show": "pending, being shown",
    "/chalZ/": "answered",
    "/finalize-order/": "processing or valid",
    "/certZ/": "valid, not downloaded",
    "take_away": "valid, downloaded, not stored",
}


@pytest.mark.parametrize("at", ENDS)
def test_after_a_crash(at: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Wherever the process ended, the next run gets the certificate for the same key from one and the same order."""
    host, key = dns_lab.fresh_name(), keys.generate()
    wanted, diary, prover = wish(host, key=key), Notes(), LabProver(dns_lab)
    End(at).run(lambda notes, hands: issuer().obtain(wanted, None, notes, hands), diary, prover, gate)
    chain = issuer().obtain(wanted, diary.former, diary, prover)
    assert keys.load_pair(chain, key).names == (host,)
    assert gate.count("/order-plz") == 1, ENDS[at]
    assert prover.shown == {}
    assert "ended" not in diary.words


@pytest.mark.parametrize("at", ["/dir", "/nonce-plz", "/my-order/", "/authZ/", "/chalZ/"])
def test_proofs_stay_while_the_order_needs_them(at: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Where an authority fails before the names are proven, the records stay, and the next attempt goes on with both."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes()
    prover = LabProver(dns_lab, fail={"show": PublishTemporary("not everywhere yet")})
    with pytest.raises(PublishTemporary, match="not everywhere yet"):
        issuer().obtain(wanted, None, diary, prover)
    gate.always[at] = problem("serverInternal", status=500)
    with pytest.raises(IssueTemporary):
        issuer().obtain(wanted, diary.former, diary, prover)
    assert prover.taken == 0
    assert prover.shown
    gate.always.clear()
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert (prover.taken, gate.count("/order-plz")) == (1, 1)
    assert all(one == prover.rounds[0] for one in prover.rounds), "the same token"


def test_proofs_go_when_the_names_are_proven(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """However long the certificate takes then."""
    wanted, diary, prover = wish(dns_lab.fresh_name()), Notes(), LabProver(dns_lab)
    gate.instead["/finalize-order/"].append(problem("serverInternal", status=500))
    with pytest.raises(IssueTemporary):
        issuer().obtain(wanted, None, diary, prover)
    assert (prover.taken, prover.shown) == (1, {})
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert (len(prover.rounds), gate.count("/order-plz")) == (1, 1)


def test_proofs_go_with_an_order_that_is_written_off(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Also where the authority then puts off the next one."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes()
    prover = LabProver(dns_lab, fail={"show": PublishTemporary("not everywhere yet")})
    with pytest.raises(PublishTemporary):
        issuer().obtain(wanted, None, diary, prover)
    former = diary.former
    assert former is not None
    assert former.expires > clock.now()
    gate.instead["/my-order/"].append(problem("malformed", "no such order", 404))
    gate.instead["/order-plz"].append(problem("rateLimited", status=429))
    with pytest.raises(IssueTemporary):
        issuer().obtain(wanted, former, diary, prover)
    assert (prover.taken, prover.shown) == (1, {})


def test_valid_is_only_downloaded(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Of an order that is valid already the certificate is fetched once more, and it is the same one."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes()
    first = issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    gate.asked.clear()
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab)) == first
    assert not any(gate.count(piece) for piece in ("/order-plz", "/chalZ/", "/finalize-order/"))


@pytest.mark.parametrize(
    "change",
    [{"names": ("else.example",)}, {"key": "key-2"}, {"profile": "shortlived"}, {"directory": "https://else.example/dir"}],
    ids=lambda change: next(iter(change)),
)
def test_another_certificate_is_wanted(change: dict[str, object], dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An order for other names, another key, profile or authority is not gone on with, and it is said so."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes(stop="ordered")
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    former, later = diary.former, Notes()
    assert former is not None
    issuer().obtain(wanted, replace(former, **change), later, LabProver(dns_lab))  # type: ignore[arg-type]  by name
    assert later.words == ["ended", "ordering", "ordered"]
    assert gate.count("/order-plz") == 2


def test_gone(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An order that the authority does not have any more is written off, and a new one made."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes(stop="ordered")
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    diary.stop = ""
    gate.instead["/my-order/"].append(problem("malformed", "no such order", 404))
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert diary.words == ["ordering", "ordered", "ended", "ordering", "ordered"]
    assert "does not know the order" in diary.entries[2][1][1]  # type: ignore[index]  a pair


@pytest.mark.parametrize("path", ["/my-order/", "/authZ/", "/certZ/"])
def test_nonsense(path: str, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A former order whose answers are no ACME is not asked for ever: it is written off, and a new one made, once an attempt."""
    wanted, diary, prover = wish(dns_lab.fresh_name()), Notes(), LabProver(dns_lab)
    End("/authZ/" if path == "/authZ/" else "/finalize-order/").run(
        lambda notes, hands: issuer().obtain(wanted, None, notes, hands), diary, prover, gate
    )
    gate.always[path] = Reply(200, b"<html>oops</html>")
    for attempt in (1, 2):
        with pytest.raises(IssueTemporary, match="no ACME"):
            issuer().obtain(wanted, diary.former, diary, prover)
        assert gate.count("/order-plz") == 1 + attempt
    ended = [what[1] for word, what in diary.entries if word == "ended" and isinstance(what, tuple)]
    assert ["no ACME" in reason for reason in ended] == [True, True]
    gate.always.clear()
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert prover.shown == {}


ODD = (Reply(200, b"<html>"), Reply(200, b"[]"), Reply(500), as_json({"status": "exotic"}))


@pytest.mark.parametrize("path", ["/my-account/", "/list-orderz/", "/my-order/"])
@pytest.mark.parametrize("reply", ODD, ids=range(len(ODD)))
def test_nonsense_for_a_lost_order(path: str, reply: Reply, dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """It cannot be found then, so a new one is made."""
    wanted, diary, prover = wish(dns_lab.fresh_name()), Notes(), LabProver(dns_lab)
    End("/order-plz").run(lambda notes, hands: issuer().obtain(wanted, None, notes, hands), diary, prover, gate)
    gate.instead[path].append(reply)
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert (gate.instead[path], gate.count("/order-plz")) == ([], 2)


def test_expired(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An order whose time is over is not tried any more."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes(stop="ordered")
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    diary.stop = ""
    past = {"status": "pending", "expires": "2020-01-01T00:00:00Z", "finalize": gate.url, "authorizations": []}
    gate.instead["/my-order/"].append(as_json(past))
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert "has expired" in diary.entries[2][1][1]  # type: ignore[index]  a pair


def test_failed_before(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An order that failed while nobody looked is written off with the authority's reason."""
    wanted, prover = wish(dns_lab.fresh_name()), LabProver(dns_lab, wrong=True)
    diary = Notes()
    with pytest.raises(IssueError):
        issuer().obtain(wanted, None, diary, prover)
    order = diary.entries[1][1]
    later = Notes()
    assert issuer().obtain(wanted, order, later, LabProver(dns_lab))  # type: ignore[arg-type]  an order
    assert later.words == ["ended", "ordering", "ordered"]
    assert "has failed" in later.entries[0][1][1]  # type: ignore[index]  a pair


def test_used_for_another_key(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Where the order's certificate turns out to be for another key, it is written off and a new one asked for."""
    host, key = dns_lab.fresh_name(), keys.generate()
    diary = Notes()
    issuer().obtain(wish(host), None, diary, LabProver(dns_lab))
    chain = issuer().obtain(wish(host, key=key), diary.former, diary, LabProver(dns_lab))
    assert keys.load_pair(chain, key)
    assert diary.words == ["ordering", "ordered", "ended", "ordering", "ordered"]
    assert gate.count("/order-plz") == 2


def test_lost_orders_of_others(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """After a crash around newOrder the list of orders is read page by page; other names and finished orders are left alone."""
    for _ in range(4):  # Pebble tells of three orders a page
        issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), LabProver(dns_lab))
    wanted, lost, prover = wish(dns_lab.fresh_name()), Notes(stop="ordering"), LabProver(dns_lab)
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, lost, prover)
    lost.stop = ""
    assert issuer().obtain(wanted, lost.former, lost, prover)
    assert lost.words == ["ordering", "ordering", "ordered"]
    assert gate.count("/list-orderz/") == 2


def test_no_list_of_orders(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """An authority that does not list orders, as Let's Encrypt, is asked for a new one."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes(stop="ordering")
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    diary.stop = ""
    gate.change["/my-account/"] = lambda account: {name: value for name, value in account.items() if name != "orders"}
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert diary.words == ["ordering", "ordering", "ordered"]


def test_looked_at_meanwhile(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A proof answered before a crash may be taken between our look and our answer: Pebble's refusal then is none."""
    wanted, diary, prover = wish(dns_lab.fresh_name()), Notes(), LabProver(dns_lab)
    real, stale = gate.reply, {}

    def keeps(method: str, path: str, host: str, body: bytes, kind: str) -> Reply:
        reply = real(method, path, host, body, kind)
        stale.setdefault(path.split("/")[1], reply)
        return reply

    gate.reply = keeps  # type: ignore[method-assign]
    End("/finalize-order/").run(lambda notes, hands: issuer().obtain(wanted, None, notes, hands), diary, prover, gate)
    gate.reply = real  # type: ignore[method-assign]
    for path, first in {"/my-order/": stale["order-plz"], "/authZ/": stale["authZ"]}.items():
        gate.instead[path].append(Reply(200, first.body))  # both pending, as they were
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert gate.count("/chalZ/") == 2
    assert gate.count("/order-plz") == 1


def test_answered_before(dns_lab: DnsLab, issuer: Opens, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A challenge that the authority is working on is not answered again, only waited for (RFC 8555 §7.1.6)."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.5)

    def working(authorization: dict[str, list[dict[str, object]]]) -> dict[str, list[dict[str, object]]]:
        return authorization | {"challenges": [one | {"status": "processing"} for one in authorization["challenges"]]}

    gate.change["/authZ/"] = working  # type: ignore[assignment]
    prover = LabProver(dns_lab)
    with pytest.raises(IssueTemporary, match="takes long"):
        issuer().obtain(wish(dns_lab.fresh_name()), None, Notes(), prover)
    assert gate.count("/chalZ/") == 0
    assert len(prover.rounds) == 1


def test_answer_refused(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """That an answer is refused for any other reason is told, and costs no order."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes()
    gate.instead["/chalZ/"].append(problem("malformed", "not like this", 400))
    with pytest.raises(IssueError, match="not like this"):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert gate.count("/order-plz") == 1


def test_not_to_be_proven_any_more(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Where an authorization of the old order has ended by itself, a new order is made at once."""
    host = dns_lab.fresh_name()
    wanted, diary = wish(host), Notes(stop="ordered")
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    diary.stop = ""
    gate.instead["/authZ/"].append(as_json({"status": "deactivated", "identifier": {"type": "dns", "value": host}}))
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert diary.words == ["ordering", "ordered", "ended", "ordering", "ordered"]


def test_a_firewall_between(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """A refusal that is not the authority's own says nothing about the order: it is kept."""
    wanted, diary = wish(dns_lab.fresh_name()), Notes(stop="ordered")
    with pytest.raises(CrashError):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    diary.stop = ""
    gate.instead["/my-order/"].append(Reply(403, b"<html>blocked</html>"))
    with pytest.raises(IssueError, match="HTTP status 403"):
        issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert gate.count("/order-plz") == 1


def test_slow_authority(dns_lab: DnsLab, issuer: Opens, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience ends, the order stays, and the next run goes on with it; Retry-After says when."""
    monkeypatch.setattr(waiting, "PATIENCE", 1.0)
    wanted, diary = wish(dns_lab.fresh_name()), Notes()

    def processing(order: dict[str, object]) -> dict[str, object]:
        return order | {"status": "processing"}

    gate.change["/my-order/"] = gate.change["/finalize-order/"] = processing
    with pytest.raises(IssueTemporary, match="takes long"):
        issuer().obtain(wanted, None, diary, LabProver(dns_lab))
    assert "ended" not in diary.words
    content = processing({"finalize": gate.url, "authorizations": []})
    gate.instead["/my-order/"].append(as_json(content, Retry_After="3600"))
    with pytest.raises(IssueTemporary, match="takes long") as error:
        issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert error.value.until > clock.now() + 3000
    gate.change.clear()
    assert issuer().obtain(wanted, diary.former, diary, LabProver(dns_lab))
    assert gate.count("/order-plz") == 1


def test_proven_names_are_not_proven_again(dns_lab: DnsLab, issuer: Opens, gate: Gate) -> None:
    """Authorizations that are valid already are left alone: nothing is put into DNS for them."""
    wanted, diary, prover = wish(dns_lab.fresh_name()), Notes(), LabProver(dns_lab)
    End("/finalize-order/").run(lambda notes, hands: issuer().obtain(wanted, None, notes, hands), diary, prover, gate)
    shown = len(prover.rounds)
    assert issuer().obtain(wanted, diary.former, diary, prover)
    assert len(prover.rounds) == shown
