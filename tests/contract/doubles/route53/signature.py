"""What Amazon does with a signature: computes it anew from what came and the secret it knows, by its own documents.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from contract.doubles.double import Request

_FORM = re.compile(
    r"AWS4-HMAC-SHA256 "
    r"Credential=(?P<id>[A-Z0-9]{16,128})/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW = 300  # seconds


def fault(request: Request, secrets: dict[str, str], token: str, now: datetime) -> tuple[str, str] | None:
    """Return code and message of the refusal that a request deserves, or None. `token`: that the session must have."""
    found = _FORM.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return "IncompleteSignature", "Authorization header requires 'Credential' parameter."
    if found["id"] not in secrets:
        return "InvalidClientTokenId", "The security token included in the request is invalid."
    if request.headers.get("x-amz-security-token", "") != token:
        return "InvalidClientTokenId", "The security token included in the request is invalid."
    stamp = request.headers.get("x-amz-date", "")
    asked = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs((asked - now).total_seconds()) > _SKEW:
        return "SignatureDoesNotMatch", f"Signature expired: {stamp} is now earlier than {now:%Y%m%dT%H%M%SZ} (... - 5 min.)"
    names = found["headers"].split(";")
    if names != sorted(names) or "host" not in names or {one for one in request.headers if one.startswith("x-amz-")} - set(names):
        return "IncompleteSignature", "the signed headers"
    if (found["day"], found["region"], found["service"]) != (stamp[:8], "us-east-1", "route53"):
        return "SignatureDoesNotMatch", "Credential should be scoped to a valid region, not another."
    if not hmac.compare_digest(_signature(request, names, secrets[found["id"]], stamp), found["signature"]):
        return "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
    return None


def _signature(request: Request, names: list[str], secret: str, stamp: str) -> str:
    query = "&".join(f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in sorted(request.query.items()))
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    body = hashlib.sha256(request.body).hexdigest()
    form = f"{request.method}\n{request.path}\n{query}\n{headers}\n{';'.join(names)}\n{body}"
    scope = f"{stamp[:8]}/us-east-1/route53/aws4_request"
    digest = hashlib.sha256(form.encode()).hexdigest()
    key = b"AWS4" + secret.encode()
    for part in (stamp[:8], "us-east-1", "route53", "aws4_request", f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
