"""Which certificate files a Postfix is configured to present, as `postconf` tells it: values, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsa_manager.deploy import beside, process
from tlsa_manager.deploy.acme import is_acme
from tlsa_manager.deploy.postfix import snimaps
from tlsa_manager.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

CHAINS = "smtpd_tls_chain_files"  # Postfix 3.4 and later: key first, then the chain; wins over all others
LEGACY = (
    "smtpd_tls_cert_file", "smtpd_tls_key_file", "smtpd_tls_eccert_file", "smtpd_tls_eckey_file",
    "smtpd_tls_dcert_file", "smtpd_tls_dkey_file",
)  # fmt: skip
SNI = "tls_server_sni_maps"
PROXIED = "tlsproxy_tls_chain_files"  # Postfix 3.4 and later: of whoever postscreen talks to; as CHAINS unless it is set


@dataclass(frozen=True, slots=True)
class Configuration:
    """The parameters of main.cf, expanded, and for each service of master.cf (`smtps/inet`) those it overrides."""

    directory: Path
    parameters: Mapping[str, str]
    overrides: Mapping[str, Mapping[str, str]]

    def chain_files(self) -> tuple[str, ...]:
        """Return the combined files of main.cf."""
        return snimaps.words(self.parameters.get(CHAINS, ""))

    def legacy_files(self) -> tuple[str, ...]:
        """Return the files that the older parameters name."""
        return tuple(dict.fromkeys(self.parameters[one] for one in LEGACY if _set(self.parameters.get(one, ""))))

    def proxied_files(self) -> tuple[str, ...]:
        """Return the combined files that postscreen's tlsproxy has for itself; none where it has those of main.cf."""
        files = snimaps.words(self.parameters.get(PROXIED, ""))
        return files if files != self.chain_files() else ()


def read(directory: Path, timeout: float) -> Configuration:
    """Ask postconf. Raises DeployError."""
    main = process.run(("postconf", "-c", str(directory), "-x", CHAINS, PROXIED, *LEGACY, SNI), timeout)
    parameters = {name: value for name, value in _lines(main) if "/" not in name}
    overrides: dict[str, dict[str, str]] = {}
    for name, value in _lines(process.run(("postconf", "-c", str(directory), "-Px"), timeout)):
        service, _, parameter = name.rpartition("/")
        if parameter in {CHAINS, SNI, *LEGACY}:
            overrides.setdefault(service, {})[parameter] = value
    return Configuration(directory, parameters, overrides)


def reads(configuration: Configuration, path: Path) -> bool:
    """Whether some service of this Postfix presents what stands at `path`."""
    return (
        _among(configuration.chain_files(), path)
        or (not configuration.chain_files() and _among(configuration.legacy_files(), path))
        or _among(configuration.proxied_files(), path)
        or any(_among(snimaps.words(values.get(CHAINS, "")), path) for values in configuration.overrides.values())
        or any(snimaps.mentions(table, path) for table in _maps(configuration))
    )


def copies(configuration: Configuration, path: Path) -> tuple[str, ...]:
    """Return the indexed SNI maps, `hash:/etc/postfix/sni`, that hold a copy of the file; postmap -F must make it anew."""
    return snimaps.copies(_maps(configuration), path)


def problems(configuration: Configuration, path: Path) -> Iterator[str]:
    """Say what stands in the way of a swap by replacing this file: sentences, each with what to do."""
    chains, legacy = configuration.chain_files(), configuration.legacy_files()
    remedy = _remedy(configuration, path)
    if not reads(configuration, path):
        yield f"Postfix does not read {path}, so a new certificate there would never be presented; to have it read: {remedy}"
    elif _is_absent(path):
        yield f"Postfix is configured to read {path}, which does not exist: it cannot offer TLS until a certificate is installed"
    if chains and legacy:
        yield (
            f"main.cf sets {CHAINS}, so Postfix ignores {', '.join(legacy)} of the older parameters; "
            f"take them out: {_without_legacy(configuration)}"
        )
    if not chains and _among(legacy, path):
        yield (
            f"Postfix reads {path} through the older parameters, opening it twice, so for a moment of a swap key and certificate "
            f"may not fit; better: {remedy}"
        )
    yield from from_acme(configuration, path)
    yield from _overridden(configuration, path)
    yield from _proxied(configuration, path)
    yield from _same_kind(chains, path)


def from_acme(configuration: Configuration, path: Path) -> Iterator[str]:
    """Fault F-HOOK: a file that an ACME client writes is the new key the moment it is renewed, published or not."""
    named = {*configuration.chain_files(), *(() if configuration.chain_files() else configuration.legacy_files()), str(path)}
    named |= {*configuration.proxied_files()}
    for values in configuration.overrides.values():
        named |= {word for name, value in values.items() if name != SNI and _set(value) for word in snimaps.words(value)}
    if theirs := sorted(file for file in named if is_acme(file)):
        yield (
            f"Postfix reads {', '.join(theirs)}, which an ACME client replaces at each renewal: any restart would then present a "
            f"key that is not in DNS; use a file of this program: {_remedy(configuration, path)}"
        )


def _remedy(configuration: Configuration, path: Path) -> str:
    """Return commands that have Postfix read the file, without a moment in which it has no certificate.

    A file that is not there yet is made first, from what Postfix presents now: so the change is none to senders.
    """
    chains, legacy, present = configuration.chain_files(), configuration.legacy_files(), _in_use(configuration)
    kept = beside.kept(chains, path, present if _is_absent(path) else ())
    commands = [*_copy(present, path)] if _is_absent(path) and (chains or legacy) else []
    commands += [f"postconf -c {configuration.directory} -e '{CHAINS} = {', '.join([*kept, str(path)])}'"]
    commands += [_without_legacy(configuration)] if legacy else []
    return " && ".join([*commands, f"postfix -c {configuration.directory} reload"])


def _in_use(configuration: Configuration) -> tuple[str, ...]:
    """Return the files whose content, one after the other, is key and chain in use; empty where that is more than one pair."""
    chains = configuration.chain_files()
    if chains:
        return chains if len(chains) == 1 or all(is_acme(one) for one in chains) else ()
    value = configuration.parameters.get
    names = dict.fromkeys(value(one, "") for one in ("smtpd_tls_key_file", "smtpd_tls_cert_file"))
    pair = tuple(one for one in names if _set(one))
    return pair if set(pair) == set(configuration.legacy_files()) else ()


def _copy(present: tuple[str, ...], path: Path) -> Iterator[str]:
    """Return the commands that make the file from those in use; where they are not clear, capitals that no file is called."""
    if _is_absent(path.parent):
        yield f"install -d -m 700 {path.parent}"
    yield f"(umask 077; cat {' '.join(present) or 'KEY-IN-USE CHAIN-IN-USE'} > {path})"


def _without_legacy(configuration: Configuration) -> str:
    named = " ".join(one for one in LEGACY if _set(configuration.parameters.get(one, "")))
    return f"postconf -c {configuration.directory} -X {named}"


def _overridden(configuration: Configuration, path: Path) -> Iterator[str]:
    """Name the services that do not get the new certificate, because their -o in master.cf leads elsewhere."""
    for service, values in configuration.overrides.items():
        own = snimaps.words(values.get(CHAINS, "")) or tuple(values[one] for one in LEGACY if one in values and _set(values[one]))
        effective = bool(values.get(CHAINS)) or not configuration.chain_files()
        if own and effective and _among(configuration.chain_files(), path) and not _among(own, path):
            yield (
                f"the service {service} has certificate files of its own in master.cf ({', '.join(own)}), so it does not present "
                f"{path}; take the override out if the service belongs to this lineage"
            )


def _proxied(configuration: Configuration, path: Path) -> Iterator[str]:
    """A sender that postscreen keeps waiting is spoken to by tlsproxy, from its first greeting to its first mail."""
    own = configuration.proxied_files()
    if own and _among(configuration.chain_files(), path) and not _among(own, path):
        yield (
            f"postscreen's tlsproxy has certificate files of its own ({', '.join(own)}), so it does not present {path} to "
            f"senders that postscreen tests first; take them out: postconf -c {configuration.directory} -X {PROXIED}"
        )


def _same_kind(chains: tuple[str, ...], path: Path) -> Iterator[str]:
    """Postfix holds one key of each algorithm: of two, one is never presented."""
    for other in beside.rivals(chains, path) if _among(chains, path) else ():
        mine = beside.kind(other)
        yield f"{CHAINS} names two files with {mine} keys, {path} and {other}; Postfix presents one: name one of each kind"


def _among(files: Iterable[str], path: Path) -> bool:
    return any(beside.same(one, path) for one in files)


def _maps(configuration: Configuration) -> tuple[str, ...]:
    """All SNI maps, of main.cf and of the overrides."""
    everywhere = (configuration.parameters, *configuration.overrides.values())
    return tuple(dict.fromkeys(table for values in everywhere for table in snimaps.tables(values.get(SNI, ""))))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name.strip(), value.strip()


def _is_absent(path: Path) -> bool:
    """Whether nothing stands there; what may not be looked at is not nothing."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _set(value: str) -> bool:
    return value not in {"", "none"}
