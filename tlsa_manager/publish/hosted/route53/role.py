"""Keys that the instance itself is given: its role, from the metadata service, version 2 only.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html#instance-metadata-security-credentials
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from tlsa_manager import clock
from tlsa_manager.publish.hosted.api import Api
from tlsa_manager.publish.hosted.route53.signature import Keys

if TYPE_CHECKING:
    from tlsa_manager.web import Answer

METADATA = "http://169.254.169.254"
_SECONDS = "60"  # how long the token is good by which one asks
_PATIENCE = 3.0  # seconds: it is a neighbour
_RENEW = 300.0  # seconds before the end; new ones are there at least five minutes before
_ROLES = "/latest/meta-data/iam/security-credentials/"
_ACCESS = (
    "does this instance have a role (instance profile), and is the metadata service on, with a hop limit of 2 inside a container?"
    " Otherwise give access-key-id and secret-access-key"
)


class Role:
    """The role of the instance that this runs on. `metadata`: URL of the metadata service."""

    def __init__(self, metadata: str) -> None:
        """Ask nothing yet."""
        self._api = Api("the EC2 metadata service", metadata, _PATIENCE, access=_ACCESS, direct=True)
        self._keys: Keys | None = None

    def keys(self) -> Keys:
        """Return keys that are good for a while. Raises PublishError, LookupError or ValueError for what is no answer."""
        if self._keys is None or self._keys.until - _RENEW < clock.now():
            token = self._ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _SECONDS})
            headers = {"X-aws-ec2-metadata-token": token.body.decode().strip()}
            role = self._ask("GET", _ROLES, headers).body.decode().split()[0]
            found = self._api.parsed(self._ask("GET", _ROLES + quote(role), headers))
            until = datetime.fromisoformat(found["Expiration"]).timestamp()
            self._keys = Keys(found["AccessKeyId"], found["SecretAccessKey"], found["Token"], until)
        return self._keys

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        answer = self._api.ask(method, path, headers=headers)
        if not answer.ok:
            raise self._api.refused(answer, "to tell the keys of this instance's role", _ACCESS)
        return answer
