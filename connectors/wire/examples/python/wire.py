"""The wire contract of `connectors/wire/SPEC.md`: messages in, answers out. Nothing here knows how they travel.

`answer` takes a path, the headers and the body of a request, and gives a status, a media type and a body. `serve.py` and
`dial.py` bring the requests.
"""

import base64
import json
import math
import time
from dataclasses import dataclass

VERSION = 1
STATUSES = {"refused": 422, "unavailable": 503, "timed_out": 504, "unknown": 500, "malformed": 502, "unsupported": 501, "version": 426}


class Failure(Exception):
    """Why there is no answer. The detail is for operators, and never holds a value of a request or a record."""

    def __init__(self, failure: str, detail: str, **more):
        super().__init__(detail)
        self.message = {"failure": failure, "detail": detail, **more}
        self.status = STATUSES[failure]


@dataclass
class Call:
    """What goes with every message."""

    exchange: str
    deadline: float

    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


# --- legacy values as JSON, exactly


def to_json(value):
    if isinstance(value, float):
        special = {math.inf: "Infinity", -math.inf: "-Infinity"}
        return {"$float": "NaN" if math.isnan(value) else special.get(value) or repr(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        group = {name: to_json(member) for name, member in value.items()}
        return {"$group": group} if any(name.startswith("$") for name in group) else group
    return value


def from_json(value):
    match value:
        case {"$bytes": text}:
            return base64.b64decode(text, validate=True)
        case {"$float": text}:
            return float(text.replace("Infinity", "inf"))
        case {"$group": group}:
            return {name: from_json(member) for name, member in group.items()}
        case dict():
            return {name: from_json(member) for name, member in value.items()}
        case list():
            return [from_json(item) for item in value]
    return value


# --- the calls


class Connector:
    """Serves one registry with one entity: the messages, for a legacy system like `people.People`."""

    def __init__(self, instance: str, registry: str, entity: str, people, capabilities: dict):
        self.instance, self.registry, self.entity = instance, registry, entity
        self.people, self.capabilities = people, capabilities

    def answer(self, path: str, headers: dict, body: bytes) -> tuple[int, str | None, bytes]:
        try:
            answer = self.dispatch(path.strip("/"), headers, json.loads(body or b"{}"))
        except Failure as failure:
            return failure.status, "application/json", json.dumps(failure.message).encode()
        except (KeyError, TypeError, ValueError):
            message = {"failure": "unsupported", "detail": "the message is not of the contract's form"}
            return 501, "application/json", json.dumps(message).encode()
        if answer is None:
            return 204, None, b""
        if isinstance(answer, bytes):
            return 200, "application/octet-stream", answer
        return 200, "application/json", json.dumps(answer, ensure_ascii=False).encode()

    def dispatch(self, path: str, headers: dict, message: dict):
        if path == "describe":
            return self.describe(message)
        if path == "welcome":
            return {}
        if int(headers.get("rabita-wire", VERSION)) != VERSION:
            raise self.unspoken()
        registry, _, name = path.partition("/")
        if registry != self.registry:
            raise Failure("unsupported", "this registry is not served here")
        if "entity" in message and message["entity"] != self.entity:
            raise Failure("unsupported", "there is no such entity here")
        left = int(headers.get("rabita-deadline-ms", 30_000)) / 1000
        call = Call(headers.get("x-request-id", ""), time.monotonic() + left)
        calls = {
            "probe": self.probe, "read": self.read, "read_many": self.read_many, "search": self.search, "apply": self.apply,
            "act": self.act, "forgo": self.forgo, "changes": self.changes, "open_binary": self.open_binary,
        }
        if name not in calls:
            raise Failure("unsupported", "there is no such call here")
        return calls[name](message, call)

    def describe(self, message: dict) -> dict:
        if not message["wire"]["oldest"] <= VERSION <= message["wire"]["newest"]:
            raise self.unspoken()
        entity = {"entity": self.entity, "capabilities": self.capabilities}
        registries = [{"registry": self.registry, "entities": [entity]}]
        return {"wire": VERSION, "instance": self.instance, "software": "people.py 1.0", "registries": registries}

    def unspoken(self) -> Failure:
        spoken = {"oldest": VERSION, "newest": VERSION}
        return Failure("version", f"only version {VERSION} of the wire contract is spoken here", wire=spoken)

    def probe(self, _, call):
        self.people.probe(call)
        return {}

    def read(self, message, call):
        [row] = self.people.read_many([from_json(message["key"])], message["wanted"]["sources"], call)
        return {"row": to_json(row)}

    def read_many(self, message, call):
        return {"rows": to_json(self.people.read_many(from_json(message["keys"]), message["wanted"]["sources"], call))}

    def search(self, message, call):
        conditions = [condition | {"value": from_json(condition["value"])} for condition in message["conditions"]]
        wanted, limit = message["wanted"]["sources"], message["limit"]
        rows, following = self.people.search(conditions, wanted, limit, message.get("cursor"), call)
        return {"rows": to_json(rows), "next": following}

    def apply(self, message, call):
        key, values = from_json(message["key"]), from_json(message["values"])
        return {"applied": self.people.apply(message["change"], message["id"], key, values, expected(message), call)}

    def act(self, message, call):
        if message["action"] != "rename":
            raise Failure("unsupported", "there is no such action here")
        key, values = from_json(message["key"]), from_json(message["values"])
        applied, reply = self.people.rename(message["id"], key, values, expected(message), call)
        return {"applied": applied, "reply": to_json(reply)}

    def forgo(self, message, call):
        return {"was_applied": self.people.forgo(message["id"], call)}

    def changes(self, message, call):
        return to_json(self.people.changes(message.get("since"), message["wanted"]["sources"], message["limit"], call))

    def open_binary(self, message, call):
        if message["source"] != "photo":
            raise Failure("unsupported", "there is no such binary value")
        return self.people.photo(from_json(message["key"]), call)


def expected(message: dict) -> list:
    """The expected version, null included; empty where any will do."""
    return [from_json(message["expected_version"])] if "expected_version" in message else []
