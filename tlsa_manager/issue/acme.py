"""ACME (RFC 8555) on the `acme` package: Let's Encrypt and every other authority that speaks it."""

from __future__ import annotations

from tlsa_manager.option import Option

OPTIONS = (
    Option(
        "directory", "str", "the authority's directory", required=True, example="https://acme-v02.api.letsencrypt.org/directory",
    ),
    Option("staging", "str", "its directory for rehearsals (--dry-run); known for Let's Encrypt"),
    Option("agree-to-terms", "bool", "whether you agree to the authority's terms of service; it makes no account otherwise"),
    Option("contact", "list", "whom the authority may write to", example=("mailto:postmaster@example.org",)),
    Option("ca-bundle", "file", "certificates that vouch for the authority's own server, where the system's do not"),
    Option("eab-kid", "str", "key identifier of an account that exists at the authority already (external account binding)"),
    Option("eab-key-file", "file", "the key that goes with it, base64url as the authority gave it; readable by its owner only"),
    Option("profile", "str", "the kind of certificate, where the authority offers several; Let's Encrypt: tlsserver, shortlived"),
    Option("challenge", "str", "how a name is proven: dns-01 (through the lineage's DNS backend) or http-01", default="dns-01"),
    Option("webroot", "file", "http-01: the directory that a web server shows at http://HOST/"),
    Option("listen", "str", "http-01 without a web server: where to listen while it is proven, ADDRESS:PORT", example="[::]:80"),
    Option("timeout", "duration", "how long to wait for each answer of the authority", default="30s"),
)  # fmt: skip
