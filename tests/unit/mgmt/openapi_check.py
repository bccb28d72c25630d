# SPDX-License-Identifier: BSD-2-Clause
"""Every answer of the API held against GET /v1/openapi.json: its status, its media type, its JSON, the code of a problem.

Who asks a node (api_node.Node, world.Weir) gives each answer to hold(). The validator knows what record/schema.c and
mgmt/api/openapi.c write of JSON Schema, and stops at a word that it does not know.
"""
from __future__ import annotations

import datetime
import json
import re
import typing
import urllib.parse

Schema = typing.Any
TYPES: dict[str, tuple[type, ...]] = {"object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
                                      "boolean": (bool,), "null": (type(None),)}
KNOWN = {"type", "enum", "const", "properties", "required", "additionalProperties", "items", "oneOf", "anyOf", "allOf", "$ref", "minimum", "maximum",
         "maxLength", "pattern", "maxItems", "minItems", "minLength", "format", "title", "examples",
         "default", "description"}


def is_type(name: str, value: object) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def is_time(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


class Description:
    def __init__(self, whole: typing.Any) -> None:
        self.whole = whole
        self.patterns = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + r"\Z"), path) for path in whole["paths"]]

    def resolve(self, schema: Schema) -> Schema:
        while isinstance(schema, dict) and "$ref" in schema:
            found = self.whole
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        return schema

    def faults(self, schema: Schema, value: typing.Any, at: str = "", closed: bool = False) -> list[str]:
        """What is wrong with a value. In a closed one there is no member that is not described."""
        schema = self.resolve(schema)
        if schema is False:
            return [f"{at} must not be there"]
        if unknown := {k for k in schema.keys() - KNOWN if not k.startswith("x-")}:
            raise AssertionError(f"the validator does not know {unknown}")
        types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
        if types and not any(is_type(t, value) for t in types):
            return [f"{at} is {str(value)[:80]!r}, not {types}"]
        found = []
        if "enum" in schema and value not in schema["enum"] or "const" in schema and value != schema["const"]:
            found.append(f"{at} is {str(value)[:80]!r}, none of {schema.get('enum', schema.get('const'))}")
        if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            found.append(f"{at} is {value}, not from {schema.get('minimum')} to {schema.get('maximum')}")
        if isinstance(value, str):
            found += self.text_faults(schema, value, at)
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                found.append(f"{at} has {len(value)} items")
            found += [f for i, one in enumerate(value) for f in self.faults(schema.get("items", {}), one, f"{at}[{i}]", closed)]
        if isinstance(value, dict):
            found += self.object_faults(schema, value, at, closed)
        for part in schema.get("allOf", []):
            found += self.faults(part, value, at)
        if "anyOf" in schema and all(self.faults(part, value, at) for part in schema["anyOf"]):
            found.append(f"{at} is {str(value)[:80]!r}, of no form: {self.faults(schema['anyOf'][0], value, at)}")
        fits = [part for part in schema.get("oneOf", []) if not self.faults(part, value, at)]
        if "oneOf" in schema and len(fits) != 1:
            found.append(f"{at} is of {len(fits)} forms, not one")
        return found

    def text_faults(self, schema: Schema, value: str, at: str) -> list[str]:
        found = []
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            found.append(f"{at} has {len(value)} characters")
        if "pattern" in schema and not re.search(re.sub(r"\$\Z", r"\\Z", schema["pattern"]), value):
            found.append(f"{at} is {value[:80]!r}, not like {schema['pattern']}")
        if schema.get("format") == "date-time" and not is_time(value):
            found.append(f"{at} is {value[:80]!r}, no time")
        return found

    def object_faults(self, schema: Schema, value: dict[str, typing.Any], at: str, closed: bool) -> list[str]:
        properties = schema.get("properties", {})
        found = [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
        if schema.get("additionalProperties") is False or closed and "properties" in schema:
            found += [f"{at}.{name} is not described" for name in value if name not in properties]
        return found + [f for name, one in value.items() if name in properties
                        for f in self.faults(properties[name], one, f"{at}.{name}", closed)]

    def find(self, target: str) -> str | None:
        path = urllib.parse.unquote(target.split("?")[0])
        return next((p for pattern, p in self.patterns if pattern.match(path)), None)

    def responses(self, method: str, target: str) -> dict[str, typing.Any]:
        """By status; what is no route, or no method of one, has answers of its own."""
        path = self.find(target)
        operation = self.whole["paths"].get(path, {}).get({"HEAD": "get"}.get(method, method.lower() if method.isupper() else ""))
        if operation:
            return operation["responses"]
        prefix = "nowhere-"
        return {name.removeprefix(prefix): r for name, r in self.whole["components"]["responses"].items() if name.startswith(prefix)}

    def answer_faults(self, method: str, target: str, status: int, media: str | None, raw: bytes) -> list[str]:
        said = self.responses(method, target)
        response = self.resolve(said.get(str(status), said.get("2XX") if 200 <= status < 300 else None))
        if response is None:
            return [f"status {status} is not described"]
        if method == "HEAD" or status == 304:
            return []
        content = response.get("content", {})
        kind = (media or "").split(";")[0]
        if kind not in content:
            return [f"the type {media} is not described"]
        if "json" not in kind:
            return []
        return self.faults(content[kind]["schema"], json.loads(raw), "answer", closed=200 <= status < 300)


description: Description | None = None
holds = True  # not where a test's fake processes say less than real ones, whose answers are passed on as they are


def learn(ask: typing.Callable[[], tuple[int, bytes]]) -> None:
    """Once: take the description from a node that answers."""
    global description
    if description is None:
        status, raw = ask()
        if status == 200:
            description = Description(json.loads(raw))


def hold(method: str, target: str, status: int, media: str | None, raw: bytes) -> None:
    """An answer that is not as described ends the test."""
    faults = description.answer_faults(method, target, status, media, raw) if description and holds else []
    if faults:
        raise AssertionError(f"{method} {target}: {status} is not as /v1/openapi.json describes it: {'; '.join(faults[:5])}: {raw[:300]!r}")
