"""Let's Encrypt's issuers, as they were on a day: SHA-256 of their public keys, as a record `2 1 1` has it. For advice only.

From the certificates that letsencrypt.org publishes. Nothing is ever published, and no record found wrong, on this table's word
alone: it only says what a digest is of, and which issuers may sign the next certificate.
"""

from __future__ import annotations

from tlsa_manager.value import dataclass

AS_OF = "2026-07-08"


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer's key. `state`: active, backup (may begin at any time), retired, root; `kind`: of the keys that it signs for."""

    name: str
    state: str
    kind: str


ISSUERS = {
    "6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e": Issuer("YE1", "active", "ECDSA"),
    "b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376": Issuer("YE2", "active", "ECDSA"),
    "a698a20824be04e47a1a33c4fa488731be92011f23a31e900e2ca26c9c2acfce": Issuer("YE3", "backup", "ECDSA"),
    "2e8307068b6db620e4a39d068b5dee5d6ef5788cbb2c0b6d23ead84fcc17178c": Issuer("YR1", "active", "RSA"),
    "9d637b3d27a9e570d07607b9ccadb80a70915c7af72afce12841b1b1da825fd1": Issuer("YR2", "active", "RSA"),
    "51aaa87d984b559ac69e929f888a022d832e089ff4dba0a412b5101bca4bc799": Issuer("YR3", "backup", "RSA"),
    "b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc": Issuer("Root YE", "root", "ECDSA"),
    "7e4e8838a8add6295de7ae3b047d3aba3488ab95db0a0aa56d897a00d8618bcf": Issuer("Root YR", "root", "RSA"),
    "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3": Issuer("ISRG Root X1", "root", "RSA"),
    "762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332": Issuer("ISRG Root X2", "root", "ECDSA"),
    "3586d4ecf070578cbd27aedce20b964e48bc149faeb9dad72f46b857869172b8": Issuer("E5", "retired", "ECDSA"),
    "d016e1fe311948aca64f2de44ce86c9a51ca041df6103bb52a88eb3f761f57d7": Issuer("E6", "retired", "ECDSA"),
    "cbbc559b44d524d6a132bdac672744da3407f12aae5d5f722c5f6c7913871c75": Issuer("E7", "retired", "ECDSA"),
    "885bf0572252c6741dc9a52f5044487fef2a93b811cdedfad7624cc283b7cdd5": Issuer("E8", "retired", "ECDSA"),
    "f1440a9b76e1e41e53a4cb461329bf6337b419726be513e42e19f1c691c5d4b2": Issuer("E9", "retired", "ECDSA"),
    "2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba": Issuer("R10", "retired", "RSA"),
    "6ddac18698f7f1f7e1c69b9bce420d974ac6f94ca8b2c761701623f99c767dc7": Issuer("R11", "retired", "RSA"),
    "919c0df7a787b597ed056ace654b1de9c0387acf349f73734a4fd7b58cf612a4": Issuer("R12", "retired", "RSA"),
    "025490860b498ab73c6a12f27a49ad5fe230fafe3ac8f6112c9b7d0aad46941d": Issuer("R13", "retired", "RSA"),
    "f1647a5ee3efac54c892e930584fe47979b7acd1c76c1271bca1c5076d869888": Issuer("R14", "retired", "RSA"),
    "8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d": Issuer("R3", "retired", "RSA"),
    "60b87575447dcba2a36b7d11ac09fb24a9db406fee12d2cc90180517616e8a18": Issuer("X3", "retired", "RSA"),
}
PARENT = {"RSA": "Root YR", "ECDSA": "Root YE"}  # the root certificate that servers send along by default: a pin of it covers all


def missing(pinned: frozenset[str]) -> dict[str, str]:
    """Return the issuers (name: digest) that may sign the next certificate and that a set of digests leaves out.

    Only of the kinds of key that are pinned at all; a kind whose sent root is pinned is complete.
    """
    known = [ISSUERS[one] for one in pinned if one in ISSUERS]
    roots = {one.name for one in known if one.state == "root"}
    kinds = {one.kind for one in known if one.state != "root"} - {kind for kind, name in PARENT.items() if name in roots}
    return {
        one.name: digest
        for digest, one in ISSUERS.items()
        if one.state in {"active", "backup"} and one.kind in kinds and digest not in pinned
    }


def only_retired(pinned: frozenset[str]) -> bool:
    """Whether all of these digests are of issuers that sign nothing any more."""
    return bool(pinned) and all(one in ISSUERS and ISSUERS[one].state == "retired" for one in pinned)
