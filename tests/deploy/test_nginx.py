"""nginx, the real one: what its configuration says by includes, inheritance and several algorithms, and what it cannot say."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from lab.daemon import until
from lab.handshake import presented

from deploy.readers import KINDS, pair, told, written
from tlsa_manager.deploy.nginx import configuration
from tlsa_manager.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KIND = KINDS["nginx"]


@pytest.fixture
def server(place: Path, address: Callable[[], str]) -> Iterator[Any]:
    """Make an nginx that is not started."""
    made = KIND.make(place, address())
    yield made
    made.stop()


def test_what_is_inherited_and_included_is_read_as_nginx_reads_it(server: Any, place: Path) -> None:
    """The pair of `http` holds for its servers; a server's own does not mix with it; quotes, comments, wildcards are nginx's."""
    ours, other = place / "tls" / "mx.pem", written(place / "other.pem", pair("shop.example").combined)
    one = KIND.consumer(server, ours)
    one.install(pair().combined)
    sites = place / "nginx" / "sites"
    sites.mkdir()
    (sites / "b.conf").write_text(f"server {{ listen *:444 ssl; ssl_certificate '{other}'; ssl_certificate_key \"{other}\"; }}\n")
    (sites / ".hidden.conf").write_text(f"server {{ ssl_certificate {ours}; ssl_certificate_key {other}; }}\n")
    inherited = f'ssl_certificate "{ours}"; # "no {{ block\nssl_certificate_key ../tls/mx.pem;\n'
    plain = 'server { listen *:443 ssl; server_name mx.example "~^(a|b){2}$"; location ~ ^/(a|b)$ { return 204; } }'
    server.configure(f"{inherited}{plain}\ninclude sites/*.conf;")
    one.check()
    view = one.look()
    assert (view.configured, view.problems) == (True, ())
    said = subprocess.run(["nginx", "-T", "-c", str(server.config)], capture_output=True, text=True, check=True).stdout
    files = set(re.findall(r"^# configuration file (.+):$", said, re.MULTILINE))
    assert {one.place.rpartition(":")[0] for one in configuration.walk(configuration.read(server.config))} == files
    server.configure(f"{inherited}include sites/*.conf;")
    assert told(one, "does not read").startswith(f"nginx does not read {ours} (but {other})"), "nobody inherits it"


def test_files_that_include_each_other_come_to_an_end(place: Path) -> None:
    """An nginx would not start with that; looking at it ends."""
    for name, other in (("a", "b"), ("b", "a")):
        (place / f"{name}.conf").write_text(f"include *.conf; include {other}.conf; user {name};\n")
    assert [one.words for one in configuration.read(place / "a.conf")] == [("b",), ("b",), ("a",)]


def test_pairs_of_several_algorithms_are_told_apart(server: Any, place: Path) -> None:
    """The first certificate goes with the first key and the second with the second; swapped, one half would be ours."""
    rsa = written(place / "rsa.pem", pair().combined)
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair(algorithm="ECDSA").combined)
    chains = f"server {{ listen *:443 ssl; ssl_certificate {rsa}; ssl_certificate {one.path};"
    server.configure(f"{chains} ssl_certificate_key {rsa}; ssl_certificate_key {one.path}; }}")
    one.check()
    assert (one.look().configured, one.look().problems) == (True, ())
    server.configure(f"{chains} ssl_certificate_key {one.path}; ssl_certificate_key {rsa}; }}")
    assert one.look().configured is False
    assert len([problem for problem in one.look().problems if "would not belong together" in problem]) == 2


def test_a_name_that_is_made_at_each_handshake_cannot_be_told(server: Any, place: Path) -> None:
    """A variable may be our file or not: that is said, and nothing is forbidden."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    names = f"{place}/tls/$ssl_server_name.pem"
    server.configure(f"server {{ listen *:443 ssl; ssl_certificate {names}; ssl_certificate_key {names}; }}")
    one.check()
    assert one.look().configured is None
    assert "of a variable" in told(one, "cannot be told")


def test_the_mail_proxy_and_streams_count(server: Any, place: Path) -> None:
    """In front of mail it is `mail { server { ... } }`, and TLS of any kind is `stream`."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    forms = ("mail { %s server { listen 25; starttls on; } }", "mail { ssl on; server { listen 465; %s } }")
    for form in (*forms, "stream { %s server { listen 465 ssl; } }", "stream { upstream ssl { server 1.2.3.4:25; } %s }"):
        server.configure("")
        text = server.config.read_text()
        inside = f"ssl_certificate {one.path}; ssl_certificate_key {one.path};"
        server.config.write_text(f"{text}\n{form % inside}\n")
        assert one.look().configured is (" listen " in form), form


def test_only_servers_that_are_spoken_to_with_tls_count(server: Any, place: Path) -> None:
    """A server of an upstream and one without TLS present nothing of what http has; one that shares a port with TLS does."""
    other = written(place / "other.pem", pair("shop.example").combined)
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install((ours := pair()).combined)
    http = f"ssl_certificate {one.path}; ssl_certificate_key {one.path}; upstream backend {{ server 127.0.0.1:9; }}"
    inherits_not = f"ssl_certificate {other}; ssl_certificate_key {other};"
    tls = f"server {{ listen *:443 ssl; server_name a.example; {inherits_not} }}"
    server.configure(f"{http}\n{tls}\nserver {{ listen *:444; }}\nserver {{ }}")
    one.check()
    assert one.look().configured is False
    assert told(one, "does not read").startswith(f"nginx does not read {one.path} (but {other})")
    server.configure(f"{http}\n{tls}\nserver {{ listen *:443; server_name mx.example; }}")
    one.check()
    assert (one.look().configured, one.look().problems) == (True, ())
    server.start()
    assert presented(server.address, 443, sni="mx.example") == ours.chain.fingerprint
    for read in ("server { ssl on; listen 445; }", "server { listen 0.0.0.0:80 ssl; } server { }", "server { listen 443 quic; }"):
        server.configure(f"{http}\n{read}")
        assert one.look().configured is True, read
    server.configure(f"{http}\nserver {{ listen [::1]:443 ssl; {inherits_not} }} server {{ listen [::1]; }}")
    assert one.look().configured is False


@pytest.mark.usefixtures("as_root")
def test_an_nginx_that_is_not_root_needs_to_read_the_file(server: Any, place: Path) -> None:
    """As in a container: its user cannot read the file, which is told with the command; obeyed, the swap comes through."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install(pair().combined)
    os.chown(one.path, 0, 65534)
    one.path.chmod(0o640)
    os.chown(place / "nginx", 65534, 65534)
    server.configure(f"server {{ listen *:443 ssl; ssl_certificate {one.path}; ssl_certificate_key {one.path}; }}")
    net = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=+net_bind_service",
        "--ambient-caps=+net_bind_service",
    ]
    server.daemon.argv = [*net, *server.daemon.argv]
    server.start()
    assert one.look().problems == ()
    one.path.chmod(0o600)
    problem = told(one, f"nginx's user nobody cannot read {one.path}")
    with pytest.raises(DeployError, match="user nobody cannot read") as caught:
        one.check()
    assert caught.value.hint == problem.partition("; ")[2]
    KIND.consumer(server, one.path, mode="0640").check()
    subprocess.run(["sh", "-c", problem.partition("; ")[2]], check=True)
    assert one.look().problems == ()
    one.install((new := pair()).combined)
    one.reload()
    until(lambda: presented(server.address, 443) == new.chain.fingerprint, "the new certificate")


def test_a_reload_that_nginx_refuses_is_an_error(server: Any, place: Path) -> None:
    """With a file that is gone it goes on as it is, and says so."""
    one = KIND.consumer(server, place / "tls" / "mx.pem")
    one.install((old := pair()).combined)
    server.configure(KIND.tls(str(one.path), str(one.path)))
    server.start()
    one.path.unlink()
    with pytest.raises(DeployError, match="cannot load certificate"):
        one.reload()
    with pytest.raises(DeployError, match="cannot load certificate"):
        one.check()
    assert one.look().configured, "it can be told although nginx -T would not say a word"
    assert presented(server.address, 443) == old.chain.fingerprint
