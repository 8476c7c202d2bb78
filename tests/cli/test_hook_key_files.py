"""`hook certbot --before`, `hook acme.sh --before`, `hook dehydrated`: who is given our key or a request, and who is not."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pki
import pytest

from tlsa_manager import keys
from tlsa_manager.handover.keyslot import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from program import Say

HOST = "mx.example.org"
OTHER = "www.example.org"
_LINEAGE = """
[lineage."{name}"]
services = [{{ at = "{host}:25", connect = ["127.0.0.1:1"] }}]
dns = "hand"
consumers = ["{consumer}"]
"""
_CONSUMER = """
[consumer.{name}]
type = "command"
file = "{directory}/{name}.pem"
reload = ["/bin/true"]
"""


def configure(directory: Path, *lineages: tuple[str, str], more: str = "") -> None:
    """Write a configuration with these lineages (name, host); `more` belongs to the last."""
    text = f'[defaults]\ndirectory = "{directory}/data"\nresolver = ["127.0.0.1#1"]\n[dns.hand]\nbackend = "manual"\n'
    for number, _ in enumerate(lineages):
        text += _CONSUMER.format(name=f"mail{number}", directory=directory)
    for number, (name, host) in enumerate(lineages):
        text += _LINEAGE.format(name=name, host=host, consumer=f"mail{number}")
    (directory / "config.toml").write_text(text + more)


@pytest.fixture
def letsencrypt(tmp_path: Path) -> Path:
    """A directory of certbot, empty, and one lineage of ours."""
    configure(tmp_path, (HOST, HOST))
    (tmp_path / "letsencrypt" / "renewal").mkdir(parents=True)
    return tmp_path / "letsencrypt"


def certificate(place: Path, name: str, *hosts: str, params: str = "reuse_key = True\nkey_type = ecdsa\n") -> Path:
    """Have certbot keep a certificate; return its key file in archive/."""
    archive, live = place / "archive" / name, place / "live" / name
    for directory in (archive, live):
        directory.mkdir(parents=True)
    chain, key = pki.pair(*(hosts or (name,)))
    end = chain.index(b"-----END CERTIFICATE-----\n") + 26
    contents = {"cert": chain[:end], "chain": chain[end:], "fullchain": chain, "privkey": key}
    lines = ["version = 5.8.0", f"archive_dir = {archive}"]
    for kind, content in contents.items():
        (archive / f"{kind}1.pem").write_bytes(content)
        (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}1.pem")
        lines.append(f"{kind} = {live / kind}.pem")
    (place / "renewal" / f"{name}.conf").write_text(
        "\n".join([*lines, "", "[renewalparams]", params, "[[webroot_map]]", "a = b"])
    )
    return archive / "privkey1.pem"


def test_only_certificates_of_ours_get_our_key(say: Say, letsencrypt: Path) -> None:
    """The pre-hook of all certificates leaves those of other software alone, and the post-hook puts back what it lent."""
    ours, theirs = certificate(letsencrypt, HOST), certificate(letsencrypt, OTHER)
    former, web = ours.read_bytes(), theirs.read_bytes()
    ending = say("hook", "certbot", "--before", "--config-dir", letsencrypt)
    assert ending.code == 0, ending.err
    assert ours.read_bytes() == say("next-key", HOST, "--key", "-").out.encode() != former
    assert theirs.read_bytes() == web
    assert "PRIVATE" not in ending.out + ending.err
    assert say("hook", "certbot", "--after", "--config-dir", letsencrypt).code == 0
    assert ours.read_bytes() == former
    assert not list(letsencrypt.rglob(f"*{KEPT}"))


def test_after_needs_no_configuration(say: Say, letsencrypt: Path) -> None:
    """Whatever became of ours, certbot gets its own key back."""
    ours = certificate(letsencrypt, HOST)
    former = ours.read_bytes()
    say("hook", "certbot", "--before", "--config-dir", letsencrypt)
    (letsencrypt.parent / "config.toml").write_text("not toml")
    ending = say("hook", "certbot", "--after", "--config-dir", letsencrypt)
    assert (ending.code, ours.read_bytes()) == (0, former)


def test_one_that_cannot_be_served_bars_no_other(say: Say, letsencrypt: Path) -> None:
    """It is told, the exit code says so, and the rest goes on: certbot does in any case."""
    (letsencrypt / "renewal" / "broken.conf").write_text("[[[\n")
    certificate(letsencrypt, "a.example.net", HOST, params="key_type = ecdsa\n")
    ours = certificate(letsencrypt, HOST)
    former = ours.read_bytes()
    ending = say("hook", "certbot", "--before", "--config-dir", letsencrypt)
    assert ending.code == 1
    assert "broken.conf is not what certbot writes there" in ending.err
    assert "--cert-name a.example.net --reuse-key" in ending.err
    assert ours.read_bytes() != former


def test_odd_files_of_certbot_keep_no_key_of_ours_there(say: Say, letsencrypt: Path) -> None:
    """Links that lead in a circle, a name with a zero in it: told, and the others get their own keys back."""
    ours = certificate(letsencrypt, HOST)
    former = ours.read_bytes()
    assert say("hook", "certbot", "--before", "--config-dir", letsencrypt).code == 0
    (letsencrypt / "loop").symlink_to("loop")
    for name, file in (("aloop", f"{letsencrypt}/loop/p"), ("anul", "/a\0b"), ("zloop", f"{letsencrypt}/loop/p")):
        (letsencrypt / "renewal" / f"{name}.conf").write_text(f"privkey = {file}\ncert = {file}\nfullchain = x\n")
    ending = say("hook", "certbot", "--after", "--config-dir", letsencrypt)
    assert (ending.code, ours.read_bytes()) == (1, former)
    for name in ("aloop", "anul", "zloop"):
        assert f"{name}.conf is not what certbot writes there" in ending.err


def test_a_copy_of_our_key_that_a_kill_left_goes(say: Say, letsencrypt: Path) -> None:
    """Of an earlier number, too, though nothing is kept beside it."""
    ours = certificate(letsencrypt, HOST)
    for number in (1, 0):
        ours.with_name(f".privkey{number}.pem.new").write_bytes(b"a copy")
    assert say("hook", "certbot", "--after", "--config-dir", letsencrypt).code == 0
    assert not list(ours.parent.glob(".*"))


def test_a_key_that_everybody_may_read_is_told(say: Say, letsencrypt: Path) -> None:
    """Ours takes its place with a narrower mode."""
    ours = certificate(letsencrypt, HOST)
    ours.chmod(0o644)
    ending = say("hook", "certbot", "--before", "--config-dir", letsencrypt)
    assert f"{ours} had mode 0644, too wide for a private key; ours has 0640" in ending.out
    assert ours.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("words", [("--cert-name", "elsewhere"), ("--lineage", HOST, "--cert-name", "elsewhere")])
def test_before_the_first_issue_there_is_nothing_to_do(say: Say, letsencrypt: Path, words: tuple[str, ...]) -> None:
    """A pre-hook given at the first `certonly` finds no certificate of that name."""
    certificate(letsencrypt, HOST)
    ending = say("hook", "certbot", "--before", "--config-dir", letsencrypt, *words)
    assert (ending.code, ending.out) == (0, "")


def test_a_lineage_without_next_keys_is_passed_over(say: Say, letsencrypt: Path) -> None:
    """next-key = false is the operator's word."""
    configure(letsencrypt.parent, (HOST, HOST), more="next-key = false\n")
    ours = certificate(letsencrypt, HOST)
    former = ours.read_bytes()
    ending = say("hook", "certbot", "--before", "--config-dir", letsencrypt)
    assert (ending.code, ending.out, ours.read_bytes()) == (0, "", former)


def test_two_lineages_for_a_host_are_told_apart_by_name(say: Say, letsencrypt: Path) -> None:
    """By certbot's name, or by the words of the hook; else it is said that nobody knows."""
    configure(letsencrypt.parent, ("rsa", HOST), ("ec", HOST))
    certificate(letsencrypt, HOST)
    ending = say("hook", "certbot", "--before", "--config-dir", letsencrypt)
    assert ending.code == 1
    assert "could belong to any of the lineages rsa, ec" in ending.err
    told = say("hook", "certbot", "--before", "--config-dir", letsencrypt, "--lineage", "ec", "--cert-name", HOST)
    assert told.code == 0, told.err
    assert told.out.startswith("ec: key ")


def test_before_and_after_exclude_each_other(say: Say, letsencrypt: Path) -> None:
    """As does everything that makes no sense."""
    for client in ("certbot", "acme.sh"):
        assert say("hook", client, "--before", "--after").code == 2
    for when in ("--before", "--after"):
        ending = say("hook", "certbot", when, "--config-dir", letsencrypt / "elsewhere")
        assert ending.code == 2
        assert "give certbot's own --config-dir" in ending.err


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a domain of acme.sh, in which its hooks run, with a certificate."""
    configure(tmp_path, (HOST, HOST))
    place = tmp_path / "acme.sh" / f"{HOST}_ecc"
    place.mkdir(parents=True)
    (place / f"{HOST}.conf").write_text(f"Le_Domain='{HOST}'\nLe_Keylength='ec-256'\n")
    chain, key = pki.pair(HOST)
    (place / f"{HOST}.cer").write_bytes(chain)
    (place / f"{HOST}.key").write_bytes(key)
    monkeypatch.chdir(place)
    return place


def test_acme_sh_gets_our_key_and_its_own_back(say: Say, domain: Path) -> None:
    """Twice before without an after, as when it was killed, and then a failure."""
    key = domain / f"{HOST}.key"
    former = key.read_bytes()
    for _ in range(2):
        assert say("hook", "acme.sh", "--before").code == 0
        assert key.read_bytes() == say("next-key", HOST, "--key", "-").out.encode() != former
    assert say("hook", "acme.sh", "--after").code == 0
    assert key.read_bytes() == former


def test_acme_sh_that_makes_new_keys_does_not_order(say: Say, domain: Path) -> None:
    """A failing --pre-hook keeps acme.sh from ordering; the hint says which line is to go."""
    settings = domain / f"{HOST}.conf"
    settings.write_text(settings.read_text() + "Le_ForceNewDomainKey='1'\n")
    ending = say("hook", "acme.sh", "--before")
    assert ending.code == 1
    assert f"remove the line Le_ForceNewDomainKey from {settings}" in ending.err
    assert not list(domain.glob(f"*{KEPT}"))


def test_the_first_certificate_of_acme_sh_is_for_its_own_key(say: Say, domain: Path) -> None:
    """It insists on making one."""
    for file in (f"{HOST}.key", f"{HOST}.cer"):
        (domain / file).unlink()
    ending = say("hook", "acme.sh", "--before")
    assert (ending.code, ending.out) == (0, "")


def test_acme_sh_hooks_elsewhere_are_wrong_usage(say: Say, domain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No directory of a domain; no environment."""
    monkeypatch.chdir(domain.parent)
    assert say("hook", "acme.sh", "--before").code == 2
    ending = say("hook", "acme.sh")
    assert ending.code == 2
    assert "CERT_FULLCHAIN_PATH and CERT_KEY_PATH are not set" in ending.err


@pytest.mark.parametrize("when", ["--before", "--after"])
def test_acme_sh_hooks_in_a_directory_that_is_gone(say: Say, domain: Path, when: str) -> None:
    """It is no full disk."""
    shutil.rmtree(domain)
    ending = say("hook", "acme.sh", when)
    assert ending.code == 2
    assert "is not there any more" in ending.err
    assert "df -h" not in ending.err


def test_acme_sh_hands_over(say: Say, domain: Path) -> None:
    """As its --reloadcmd is called."""
    told = {"CERT_FULLCHAIN_PATH": str(domain / f"{HOST}.cer"), "CERT_KEY_PATH": str(domain / f"{HOST}.key"), "Le_Domain": HOST}
    ending = say("hook", "acme.sh", **told)
    assert ending.code == 0, ending.err
    assert "safely kept" in ending.out


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """The directory of a certificate of dehydrated, still empty."""
    configure(tmp_path, (HOST, HOST))
    (tmp_path / "certs" / HOST).mkdir(parents=True)
    return tmp_path / "certs" / HOST


def test_a_request_names_what_dehydrated_asks_for(say: Say, certs: Path) -> None:
    """In its order, for our key; twice it is for the same."""
    from cryptography import x509

    wanted = (HOST, "*.example.net", "smtp.example.org")
    ending = say("hook", "dehydrated", "--", "generate_csr", HOST, certs, " ".join(wanted) + " ")
    assert ending.code == 0, ending.err
    request = x509.load_pem_x509_csr(ending.out.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert tuple(names) == wanted
    key = keys.public_half(say("next-key", HOST, "--key", "-").out.encode(), "")
    assert keys.read_any(ending.out.encode()).spki == keys.read_any(say("next-key", HOST, "--request", "-").out.encode()).spki
    assert key.kind == "ECDSA"


@pytest.mark.parametrize(
    ("names", "more", "error"),
    [
        (OTHER, "", ""),  # a web server's
        (HOST, "next-key = false\n", ""),
        ("smtp.example.org", "", f"without {HOST}"),  # by the name of the directory it is ours
    ],
)
def test_no_request_where_there_shall_be_none(say: Say, certs: Path, names: str, more: str, error: str) -> None:
    """Nothing on stdout and exit code 0: then dehydrated makes a key itself, and goes on with its other certificates."""
    configure(certs.parents[1], (HOST, HOST), more=more)
    directory = certs if names != OTHER else certs.with_name(OTHER)
    ending = say("hook", "dehydrated", "--", "generate_csr", names, directory, f"{names} ")
    assert (ending.code, ending.out) == (0, "")
    assert error in ending.err


def test_what_dehydrated_says_beside_is_ignored(say: Say, certs: Path) -> None:
    """Operations of newer versions, and words like options; no configuration is read for them."""
    (certs.parents[1] / "config.toml").unlink()
    for words in (("startup_hook",), ("deploy_challenge", HOST, "-token", "--value"), ("this_hookscript_is_broken__",)):
        ending = say("hook", "dehydrated", "--", *words)
        assert (ending.code, ending.out, ending.err) == (0, "", "")


def test_a_certificate_for_our_key_gets_its_key_beside_it(say: Say, certs: Path) -> None:
    """The link of dehydrated led to the key of an earlier certificate; what else reads its files finds a pair."""
    (certs / "privkey-1.pem").write_bytes(pki.pair(HOST)[1])
    (certs / "privkey.pem").symlink_to("privkey-1.pem")
    key = keys._open_key(say("next-key", HOST, "--key", "-").out.encode())
    (certs / "fullchain.pem").write_bytes(pki.authority().chain(HOST, key=key))
    words = (HOST, *(certs / one for one in ("privkey.pem", "cert.pem", "fullchain.pem", "chain.pem")), "1762500000")
    ending = say("hook", "dehydrated", "--", "deploy_cert", *words)
    assert ending.code == 0, ending.err
    assert "safely kept" in ending.out
    assert (certs / "privkey.pem").readlink().name == "privkey-1762500000.pem"
    assert (certs / "privkey.pem").stat().st_mode & 0o777 == 0o600
    keys.load_pair((certs / "fullchain.pem").read_bytes(), (certs / "privkey.pem").read_bytes())


def test_hostile_words_of_dehydrated(say: Say, certs: Path) -> None:
    """A timestamp that is a path makes no file, a pipe for a key holds nobody up, too few words are wrong usage."""
    key = keys._open_key(say("next-key", HOST, "--key", "-").out.encode())
    (certs / "fullchain.pem").write_bytes(pki.authority().chain(HOST, key=key))
    os.mkfifo(certs / "privkey.pem")
    words = (HOST, *(certs / one for one in ("privkey.pem", "cert.pem", "fullchain.pem", "chain.pem")), "1/../../../../evil")
    ending = say("hook", "dehydrated", "--", "deploy_cert", *words)
    assert ending.code == 0, ending.err
    assert {one.name for one in certs.iterdir()} == {"fullchain.pem", "privkey.pem"}
    assert say("hook", "dehydrated", "--", "deploy_cert", HOST).code == 2
    assert say("hook", "dehydrated", "--", "generate_csr", HOST, certs, f"{HOST} ümläut\n$(x)").code == 1
