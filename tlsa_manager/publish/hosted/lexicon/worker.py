"""dns-lexicon at work: one question a line on the input, one answer a line on the output. Nothing else is printed or logged.

Of its interface only `Client`, `list_records`, `create_record` and `delete_record` with a content are used. It is told its zone
by `delegated` and `resolve_zone_name`, or else it would fetch the list of public suffixes from the Internet to guess it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tlsa_manager import clock, web
from tlsa_manager.publish.hosted import value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Found = list[dict[str, Any]]


class LiedError(Exception):
    """It did not say that it is done."""


def perform(asked: Mapping[str, Any], client: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
    """Do what is asked, and return the records that stand then, aliases among them; or what went wrong."""
    wrote = False
    try:
        with client(asked) as operations:
            standing = _listed(operations, asked)
            for content in asked.get("add", ()):
                if content not in {_spelled(asked, one) for one in standing}:
                    wrote = True
                    _sure(operations.create_record(asked["kind"], _name(asked), content), "create")
            for content in asked.get("remove", ()):
                if content in {one["content"] for one in standing}:
                    wrote = True
                    _sure(operations.delete_record(rtype=asked["kind"], name=_name(asked), content=content), "delete")
            return {"records": _listed(operations, asked) if wrote else standing}
    except Exception as error:  # noqa: BLE001  whatever it is: nobody else is here to tell it
        return {"error": {**told(error), "wrote": wrote}}


def told(error: Exception) -> dict[str, Any]:
    """Return what an exception means (`what`), in its own words (`said`), and until when to wait."""
    import requests
    from lexicon.exceptions import AuthenticationError

    response = getattr(error, "response", None)
    if response is not None:
        status, text = response.status_code, web.printable(response.text, 200)
        said = f"HTTP status {status}{': ' + text if text else ''}"
        until = web.retry_at(response.headers.get("Retry-After", ""), clock.now())
        if status == 429 or (status == 503 and until):
            return {"what": "later", "said": said, "until": until}
        what = "shut" if status in {401, 403} else "refused" if status < 500 else "failed"
        return {"what": what, "said": said}
    if isinstance(error, AuthenticationError):
        return {"what": "shut", "said": str(error)}
    if isinstance(error, requests.ConnectionError):
        return {"what": "failed" if web.was_sent(error) else "unreached", "said": web.distrusted(error) or web.reason(error)}
    return {"what": "failed", "said": f"{type(error).__name__}: {error}"}


def open_client(asked: Mapping[str, Any]) -> Any:
    """Return lexicon's client for one zone, having made sure that it will change that zone and no other."""
    from lexicon.client import Client
    from lexicon.config import ConfigResolver

    known = {"provider_name": asked["provider"], asked["provider"]: asked["options"], "ttl": asked.get("ttl", 0)}
    zone = {"domain": asked["zone"], "delegated": asked["zone"], "resolve_zone_name": True}
    config = ConfigResolver()  # type: ignore[no-untyped-call]
    found = Client(config.with_dict({**known, **zone}))
    if found.config.resolve("lexicon:domain") != asked["zone"]:
        raise LiedError(f"it would change zone {found.config.resolve('lexicon:domain')} instead of {asked['zone']}")
    return found


def main() -> None:
    """Answer until the input ends. What lexicon prints goes nowhere."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(perform(json.loads(line), open_client)) + "\n")
        answers.flush()


def _listed(operations: Any, asked: Mapping[str, Any]) -> Found:
    """Return the records of the kind and the aliases of the name, of which lexicon may list more than was asked for."""
    found = [*operations.list_records(asked["kind"], _name(asked)), *operations.list_records("CNAME", _name(asked))]
    shown = [{key: one[key] for key in ("type", "name", "content", "ttl")} for one in found]
    kinds = {asked["kind"], "CNAME"}
    return [one for one in shown if one["type"] in kinds and one["name"].rstrip(".").lower() == _name(asked)]


def _spelled(asked: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    return value_of(asked["kind"], one["content"]) if one["type"] == asked["kind"] else ""


def _name(asked: Mapping[str, Any]) -> str:
    return str(asked["name"]).rstrip(".")


def _sure(result: object, act: str) -> None:
    """Raise LiedError unless the result is True itself."""
    if result is not True:
        raise LiedError(f"it answered {result!r} to {act}, which is not True")


if __name__ == "__main__":
    main()
