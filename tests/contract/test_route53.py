"""What only Route 53 has: signatures, XML, octal names, private zones, routing policies, and keys that an instance is given."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from contract.doubles.double import Double, Reply, Request
from contract.doubles.route53 import KEY_ID, SECRET, Route53Stand, forms
from contract.doubles.route53.forms import Hosted
from contract.stand import refusal
from tlsa_manager import clock
from tlsa_manager.errors import ConfigError, Conflict, PublishError, PublishTemporary
from tlsa_manager.publish import Change, Text, open_backend
from tlsa_manager.publish.hosted.route53.documents import parse
from tlsa_manager.publish.hosted.route53.documents import refusal as said
from tlsa_manager.publish.hosted.route53.role import Role
from tlsa_manager.publish.hosted.route53.signature import Keys, canonical, sign
from tlsa_manager.tlsa import Tlsa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlsa_manager.publish import Backend

NAME = "_25._tcp.mx.pub.example."
NOW, NEXT = (Tlsa.parse(f"3 1 1 {digit * 64}") for digit in "ab")
ADD = Change(NAME, "", frozenset({NEXT}), frozenset(), None, 3600)
SUITE = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
WHEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Route53Stand]:
    """Return an account of its own; whatever it was not asked as documented fails the test."""
    with Route53Stand(tmp_path / "stand", lambda name: name) as one:
        yield one
        assert one.complaints() == []


# --- the signature: Amazon's own test suite (aws-signing-test-suite/v4 in github.com/awslabs/aws-c-auth, and the older one) ----


@pytest.mark.parametrize(
    ("method", "path", "body", "token", "signature"),
    [
        ("GET", "/", "", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", "", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/", "", TOKEN, "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
        ("GET", "/?Param2=value2&Param1=value1", "", "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        (
            "GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "", "",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        ("GET", "/?\u1234=bar", "", "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        ("GET", f"/{UNRESERVED}", "", "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        ("GET", f"/?{UNRESERVED}={UNRESERVED}", "", "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        ("POST", "/", "Param1=value1", "", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ],
)  # fmt: skip
def test_signatures_that_amazon_published(method: str, path: str, body: str, token: str, signature: str) -> None:
    """Each request of Amazon's test suite gets the signature that the suite says."""
    request = requests.Request(method, f"https://example.amazonaws.com{path}", headers=FORM if body else {}, data=body).prepare()
    signed = sign(request, Keys(SUITE.id, SUITE.secret, token), "us-east-1", "service", WHEN)
    authorization = str(signed.headers["Authorization"])
    assert authorization.endswith(f"Signature={signature}")
    assert "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " in authorization


def test_a_path_that_needs_quotes_is_quoted_twice() -> None:
    """What is quoted once on the way is quoted once more where it is signed (get-space of the suite)."""
    headers = {"date": "Mon, 09 Sep 2011 23:36:00 GMT", "host": "host.foo.com"}
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    expected = f"GET\n/%2520/foo\n\ndate:{headers['date']}\nhost:host.foo.com\n\ndate;host\n{empty}"
    assert canonical("GET", "http://host.foo.com/%20/foo", headers, b"") == expected


def test_blanks_of_a_header_are_signed_as_one() -> None:
    """Blanks around a value and between its words do not count (get-header-value-trim of the suite)."""
    whole = canonical("GET", "https://example.amazonaws.com/", {"my-header1": " value1", "my-header2": ' "a   b   c"'}, b"")
    assert '\nmy-header1:value1\nmy-header2:"a b c"\n\nmy-header1;my-header2\n' in whole


def test_keys_show_nothing() -> None:
    """The keys themselves are in no representation."""
    assert SECRET not in repr(Keys(KEY_ID, SECRET, "token-of-a-session"))
    assert "token-of-a-session" not in repr(Keys(KEY_ID, SECRET, "token-of-a-session"))


# --- finding the zone -----------------------------------------------------------------------------------------------------


def test_a_private_zone_is_not_ours(account: Route53Stand) -> None:
    """Of a private and a public zone of one name the public one is changed; of private ones alone none."""
    account.backend().change(ADD)
    assert account.stands(NAME)[0] == {str(NEXT)}
    account.server.zones = (Hosted("Z0PRIVATE0000", "pub.example.", private=True),)
    assert "no zone of this account" in (account.backend().read(NAME).reason or "")


def test_two_public_zones_of_one_name(account: Route53Stand, caplog: pytest.LogCaptureFixture) -> None:
    """Which one the world sees is not guessed; zone-id says it."""
    account.server.zones = (*account.server.zones, Hosted("Z9SECOND00000", "pub.example."))
    error = refusal(account, ADD, caplog)
    assert "2 public hosted zones" in error.message
    assert "Z1D633PJN98FT9, Z9SECOND00000" in error.hint
    account.backend(**{"zone-id": "/hostedzone/Z1D633PJN98FT9"}).change(ADD)
    assert account.stands(NAME)[0] == {str(NEXT)}


def test_zone_id(account: Route53Stand, caplog: pytest.LogCaptureFixture) -> None:
    """A zone given by id is not looked for; what lies elsewhere is not changed, and one that is private or unknown neither."""
    assert account.backend(**{"zone-id": "Z1D633PJN98FT9"}).change(ADD).state == "done"
    assert not [one for one in account.server.requests if "byname" in one.path]
    other = account.backend(**{"zone-id": "Z3OTHER0000000"})
    assert "no zone of this account" in refusal(account, ADD, caplog, other).message
    private = account.backend(**{"zone-id": "Z0PRIVATE0000"})
    assert "no zone of this account" in refusal(account, ADD, caplog, private).message
    unknown = account.backend(**{"zone-id": "Z404"})
    assert "NoSuchHostedZone" in refusal(account, ADD, caplog, unknown).message


# --- reading --------------------------------------------------------------------------------------------------------------


def test_names_beside_it_are_not_taken_for_it(account: Route53Stand) -> None:
    """The list goes on after a name, in an order of its own and with octal escapes; none of that is ours."""
    for near in (
        "*.pub.example.",
        "_25._tcp.mx-2.pub.example.",
        "a._25._tcp.mx.pub.example.",
        "mx.pub.example.",
        "zz.pub.example.",
    ):
        account.put(near, 300, f"3 1 1 {'f' * 64}")
    assert account.backend().read(NAME).records == frozenset()
    account.put(NAME, 300, str(NOW))
    assert account.backend().read(NAME).records == frozenset({NOW})


def test_a_name_with_more_sets_than_one_page(account: Route53Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes on later pages is read, too, and an alias there is seen."""
    monkeypatch.setattr("tlsa_manager.publish.hosted.route53._ITEMS", "1")
    for kind in ("AAAA", "CAA", "MX"):
        account.put(NAME, 300, "whatever", kind=kind)
    account.put(NAME, 300, str(NOW))
    assert account.backend().read(NAME).records == frozenset({NOW})
    assert len([one for one in account.server.requests if one.path.endswith("/rrset")]) == 4


def test_a_set_that_points_elsewhere(account: Route53Stand, caplog: pytest.LogCaptureFixture) -> None:
    """An alias record of Route 53 is an alias; one of another type does not matter."""
    account.put(NAME, 0, "tlsa.pub.example.", kind="ALIAS A")
    assert account.backend().read(NAME).records == frozenset()
    account.put(NAME, 0, "tlsa.pub.example.", kind="ALIAS TLSA")
    assert "leads to tlsa.pub.example." in refusal(account, ADD, caplog).message


def test_a_routing_policy(account: Route53Stand, caplog: pytest.LogCaptureFixture) -> None:
    """Sets of which each sender sees another one are not touched."""
    account.put(NAME, 300, str(NOW))
    account.server.policies[NAME, "TLSA"] = "<SetIdentifier>eu</SetIdentifier><Weight>10</Weight>"
    error = refusal(account, ADD, caplog)
    assert "routing policy" in error.message
    assert "one simple TLSA record set" in error.hint
    assert account.writes() == 0


def test_octal_texts(account: Route53Stand) -> None:
    """A foreign text with octal escapes goes back as it was."""
    name = "_acme-challenge.mx.pub.example."
    account.put(name, 300, r'"caf\303\251"', kind="TXT")
    account.backend().text(Text(name, "", "value-of-a-proof", present=True))
    assert account.spelled(name, "TXT") == [r'"caf\303\251"', '"value-of-a-proof"']


@pytest.mark.parametrize("body", [b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', b"<a>", b"\xff\xfe<\x00a\x00>\x00", b""])
def test_what_is_no_answer(body: bytes) -> None:
    """A document type, what is no XML and what is not UTF-8 is refused before it is read."""
    with pytest.raises(ValueError, match=r"."):
        parse(body)
    assert said(body) == ("", "")


# --- writing --------------------------------------------------------------------------------------------------------------


def test_a_set_is_compared_with_its_ttl(
    account: Route53Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who changes only the TTL meanwhile is a conflict, too."""
    account.put(NAME, 300, str(NOW))
    monkeypatch.setattr(account.server, "meddle", lambda name: account.put(name, 301, str(NOW)))
    with account.trouble("conflict", NAME):
        assert isinstance(refusal(account, ADD, caplog), Conflict)
    assert account.stands(NAME) == ({str(NOW)}, 301)


def test_a_batch_that_is_wrong_is_no_conflict(
    account: Route53Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is refused although nobody has changed anything will be refused again: that is told, in the provider's words."""
    monkeypatch.setattr(
        account.server, "_change", lambda *_: _answer("InvalidChangeBatch", "[Invalid Resource Record: FATAL problem]")
    )
    error = refusal(account, ADD, caplog)
    assert not isinstance(error, PublishTemporary)
    assert "FATAL problem" in error.message


def test_a_change_before_it_is_not_complete(account: Route53Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Route 53 is busy with the change before, it is asked again a moment later."""
    busy = [_answer("PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request.")]
    change = account.server._change
    monkeypatch.setattr(account.server, "_change", lambda *words: busy.pop() if busy else change(*words))
    assert account.backend().change(ADD).state == "done"
    assert account.stands(NAME)[0] == {str(NEXT)}


def test_a_change_of_long_ago(account: Route53Stand) -> None:
    """A change that is not known any more is in force."""
    backend = account.backend()
    assert backend.settled("COLD")  # type: ignore[attr-defined]


def test_a_proof_is_waited_for(account: Route53Stand) -> None:
    """An authority asks any server: a text is done when it is on all of them."""
    account.backend().text(Text("_acme-challenge.mx.pub.example.", "", "value-of-a-proof", present=True))
    assert list(account.server.asked.values()) == [2]


# --- who asks -------------------------------------------------------------------------------------------------------------


def test_a_wrong_clock(account: Route53Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A signature of another time is refused; how wrong the clock is, is told."""
    right = clock.now
    monkeypatch.setattr(clock, "now", lambda: right() - 1000)
    error = refusal(account, ADD, caplog)
    assert "Signature expired" in error.message
    assert "the clock of this host is 1000 seconds behind" in error.hint or "999 seconds behind" in error.hint


def test_session_token(account: Route53Stand) -> None:
    """Keys for a while come with a token, which is signed."""
    account.server.token = "token-of-a-session"
    path = account._file("token", "token-of-a-session")
    assert account.backend(**{"session-token-file": path}).change(ADD).state == "done"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"access-key-id": KEY_ID, "instance-role": True}, "instance-role too"),
        ({}, "missing"),
        ({"access-key-id": KEY_ID}, "missing"),
    ],
)
def test_one_way_to_say_who_asks(options: dict[str, object], words: str) -> None:
    """Keys or the role of the instance; neither and both are mistakes of the configuration."""
    with pytest.raises(ConfigError, match=words):
        open_backend("aws", "route53", options)


class Metadata(Double):
    """The metadata service of an instance, version 2."""

    def __init__(self) -> None:
        super().__init__()
        self.until = datetime.now(UTC) + timedelta(hours=6)

    def answer(self, request: Request) -> Reply:
        """Play it (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html)."""
        roles = "/latest/meta-data/iam/security-credentials/"
        if request.path == "/latest/api/token":
            if request.method != "PUT" or not 1 <= int(request.headers["x-aws-ec2-metadata-token-ttl-seconds"]) <= 21600:
                return self.complain(request, "a token is PUT with the seconds it is to live")
            return Reply(200, body=b"AQAEAtoken==")
        if request.method != "GET" or request.headers.get("x-aws-ec2-metadata-token") != "AQAEAtoken==":
            return Reply(401, body=b"")
        if request.path == roles:
            return Reply(200, body=b"tlsa-role")
        if request.path != f"{roles}tlsa-role":
            return self.complain(request, "no such path")
        until = self.until.strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = {"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Token": "role-token", "Expiration": until}
        return Reply(200, {"Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC", **keys})


def _of_instance(account: Route53Stand, metadata: Metadata) -> Backend:
    account.server.token = "role-token"
    options = {"instance-role": True, "metadata": metadata.url, "api": account.server.url}
    return open_backend("aws", "route53", options)


def test_role_of_the_instance(account: Route53Stand) -> None:
    """The keys of the role are got once and used while they are good; near their end new ones are got."""
    with Metadata() as metadata:
        backend = _of_instance(account, metadata)
        backend.change(ADD)
        assert account.stands(NAME)[0] == {str(NEXT)}
        assert len(metadata.requests) == 3
        metadata.until = datetime.now(UTC) + timedelta(minutes=2)
        fresh = _of_instance(account, metadata)
        fresh.read(NAME)
        assert len(metadata.requests) > 6
        assert metadata.complaints == []


def test_a_proxy_is_not_asked_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata service is asked directly: a proxy has a role of its own, or would read ours."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Metadata() as metadata:
        assert Role(metadata.url).keys().token == "role-token"


def test_no_role(account: Route53Stand) -> None:
    """An instance without a role is told how to have one."""

    class Bare(Metadata):
        def answer(self, request: Request) -> Reply:
            return super().answer(request) if request.method == "PUT" else Reply(404, body=b"")

    with Bare() as metadata, pytest.raises(PublishError) as caught:
        _of_instance(account, metadata).change(ADD)
    assert "instance profile" in caught.value.hint
    assert account.asked() == 0


def _answer(code: str, message: str) -> Reply:
    return Reply(400, body=forms.error(code, message))


def test_the_documented_policy_is_what_is_asked_for(account: Route53Stand) -> None:
    """The policy of the page allows each operation that is used with zone-id, and no other one."""
    page = (Path(__file__).parents[2] / "docs/backends/route53.md").read_text()
    policy = json.loads(page[page.index("    {\n") : page.index("\n    }\n") + 6])
    actions = [one["Action"] for one in policy["Statement"]]
    allowed = {one for action in actions for one in ([action] if isinstance(action, str) else action)}
    backend = account.backend(**{"zone-id": "Z1D633PJN98FT9"})
    backend.settled(backend.change(ADD).number)  # type: ignore[attr-defined]
    names = {"POST rrset": "ChangeResourceRecordSets", "GET rrset": "ListResourceRecordSets"}
    names |= {"GET hostedzone": "GetHostedZone", "GET change": "GetChange"}
    asked = [(one.method, [part for part in one.path.split("/") if part.islower()][-1]) for one in account.server.requests]
    assert {f"route53:{names[f'{method} {what}']}" for method, what in asked} == allowed
    assert policy["Statement"][0]["Condition"]["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsRecordTypes"] == [
        "TLSA"
    ]
