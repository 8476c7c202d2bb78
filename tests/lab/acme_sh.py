"""acme.sh where it is to be had (on PATH, or ACME_SH), else a double that orders from Pebble and calls hooks as the script does.

No Debian package has acme.sh. The double follows the script of version 3.1.5: what is called when, in which directory, with which
environment, and what becomes of the key of a domain.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from lab.zones import PRIMARY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.hierarchy import DnsLab
    from lab.pebble import Pebble

HOOKS = ("pre", "post", "reload", "renew")


def script() -> str:
    """Return the real acme.sh, if there is one."""
    return os.environ.get("ACME_SH") or shutil.which("acme.sh") or ""


class RealAcmeSh:
    """The script itself."""

    def __init__(self, directory: Path, pebble: Pebble, dns_lab: DnsLab) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self._common = ("--home", str(directory), "--config-home", str(directory), "--ca-bundle", str(pebble.ca_file))
        self._server = ("--server", pebble.directory_url)
        self._key = dns_lab.tsig_key_file

    def issue(self, name: str, env: Mapping[str, str], *, request: Path | None = None, **hooks: str) -> None:
        """Get a first certificate, for a request if one is given, with hooks by the names of HOOKS."""
        options = {"pre": "--pre-hook", "post": "--post-hook", "reload": "--reloadcmd", "renew": "--renew-hook"}
        given = [word for hook, command in hooks.items() for word in (options[hook], command)]
        self._run("--register-account", "-m", "hostmaster@a.example", env=env)
        what = ("--sign-csr", "--csr", str(request)) if request else ("--issue", "-d", name, "--keylength", "ec-256")
        self._run(*what, "--dns", "dns_nsupdate", "--dnssleep", "1", *given, env=env)

    def renew(self, name: str, env: Mapping[str, str], *, proves: bool = True) -> int:
        """Renew and return the exit code. `proves`: else it cannot put its challenge into DNS."""
        return self._run("--renew", "-d", name, "--ecc", "--force", env=env, proves=proves, fails=not proves)

    def domain(self, name: str) -> Path:
        """Return the directory of a domain."""
        return self.directory / f"{name}_ecc"

    def _run(self, *words: str, env: Mapping[str, str], proves: bool = True, fails: bool = False) -> int:
        server = PRIMARY if proves else "127.53.1.250"  # where nobody answers
        dns = {"NSUPDATE_SERVER": server, "NSUPDATE_KEY": str(self._key)}
        done = subprocess.run(
            [script(), *words, *self._common, *self._server],
            env={**os.environ, **env, **dns}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"acme.sh {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.returncode


class DoubleOfAcmeSh:
    """What stands in for it: one ECDSA certificate, keys used again, hooks called as `issue` and `_installcert` do."""

    def __init__(self, directory: Path, pebble: Pebble, dns_lab: DnsLab) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self._pebble, self._dns_lab = pebble, dns_lab
        self._hooks: dict[str, str] = {}

    def issue(self, name: str, env: Mapping[str, str], *, request: Path | None = None, **hooks: str) -> None:
        """Get a first certificate, for a request if one is given, with hooks by the names of HOOKS."""
        self._hooks = hooks
        self.domain(name).mkdir()
        (self.domain(name) / f"{name}.conf").write_text(f"Le_Domain='{name}'\nLe_Keylength='ec-256'\n")
        if request:
            shutil.copy(request, self.domain(name) / f"{name}.csr")
        assert self._issue(name, env, proves=True, renews=False) == 0

    def renew(self, name: str, env: Mapping[str, str], *, proves: bool = True) -> int:
        """Renew and return the exit code. `proves`: else the authority finds no proof."""
        code = self._issue(name, env, proves=proves, renews=True)
        assert (code == 0) == proves
        return code

    def domain(self, name: str) -> Path:
        """Return the directory of a domain."""
        return self.directory / f"{name}_ecc"

    def _issue(self, name: str, env: Mapping[str, str], *, proves: bool, renews: bool) -> int:
        place = self.domain(name)
        told = {**env, "Le_Domain": name, "Le_Alt": "no"}
        if not self._hook("pre", place, told):
            self._hook("post", place, env)
            return 1
        key, request = place / f"{name}.key", place / f"{name}.csr"
        if key.exists() or not request.exists():  # else the request that is there is signed as it is
            if not key.exists():
                subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
            key.chmod(0o600)
            words = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", str(request))
            subprocess.run(["openssl", "req", "-new", "-key", str(key), *words], check=True)
        chain = self._order(place, name, proves=proves)
        if not chain:
            self._hook("post", place, env)
            return 1
        end = chain.index("-----END CERTIFICATE-----\n") + len("-----END CERTIFICATE-----\n")
        for file, content in ((f"{name}.cer", chain[:end]), ("fullchain.cer", chain), ("ca.cer", chain[end:])):
            (place / file).write_text(content)
        files = (f"{name}.cer", key.name, "ca.cer", "fullchain.cer")
        paths = dict(zip(("CERT_PATH", "CERT_KEY_PATH", "CA_CERT_PATH", "CERT_FULLCHAIN_PATH"), files, strict=True))
        told = {**env, "Le_Domain": name, **{variable: str(place / file) for variable, file in paths.items()}}
        done = self._hook("reload", place, told) and self._hook("post", place, told)
        return 0 if done and (not renews or self._hook("renew", place, told)) else 1

    def _hook(self, which: str, place: Path, env: Mapping[str, str]) -> bool:
        if which not in self._hooks:
            return True
        done = subprocess.run(
            ["sh", "-c", self._hooks[which]], cwd=place, env={**os.environ, **env}, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode == 0

    def _order(self, place: Path, name: str, *, proves: bool) -> str:
        """Have a certificate issued for the request that lies there; empty when the authority refuses."""
        import josepy
        from acme import challenges, client, errors, messages
        from cryptography.hazmat.primitives.asymmetric import ec

        request = place / f"{name}.csr"
        account = josepy.JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
        net = client.ClientNetwork(account, alg=josepy.ES256, verify_ssl=str(self._pebble.ca_file))
        authority = client.ClientV2(client.ClientV2.get_directory(self._pebble.directory_url, net), net)
        authority.new_account(messages.NewRegistration.from_data(email="hostmaster@a.example", terms_of_service_agreed=True))
        order = authority.new_order(request.read_bytes())
        proof = next(one for one in order.authorizations[0].body.challenges if isinstance(one.chall, challenges.DNS01))
        response, value = proof.response_and_validation(account)
        record = f'_acme-challenge.{name}. 1 TXT "{value}"'
        if proves:
            self._dns_lab.update(f"update add {record}")
        try:
            authority.answer_challenge(proof, response)
            return str(authority.poll_and_finalize(order).fullchain_pem)
        except errors.ValidationError:
            return ""
        finally:
            self._dns_lab.update(f"update delete {record}")
