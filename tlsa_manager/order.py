"""An order at a certificate authority (RFC 8555 §7.1.3), and what proves that a name is ours while it goes on."""

from __future__ import annotations

from tlsa_manager.value import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """A certificate that was asked for. `url` empty: the question was about to be sent, and nobody knows whether it was.

    `directory`: of the authority (RFC 8555 §7.1.1); `key`: id of the key or generation that the certificate is for; `at`: when it
    was asked for, `expires`: until when its names may be proven, seconds since 1970; 0 = the authority does not say.
    """

    directory: str
    names: tuple[str, ...]
    key: str
    profile: str = ""
    url: str = ""
    at: float = 0.0
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Token:
    """A TXT record that we put into DNS for dns-01 (RFC 8555 §8.4) and shall remove. `target`: absolute, after aliases."""

    target: str
    zone: str
    value: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a certificate is to be renewed, seconds since 1970, and why then. `ask_again`: when the authority is asked again."""

    generation: str
    at: float
    why: str
    ask_again: float = 0.0
