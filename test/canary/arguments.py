"""What functions are called with: for each argument values that are right, NULL, empty, huge, and of a wrong kind.

Nothing here knows a function by heart: a new one is called by the types and names of its arguments. Where that does
not make a call that succeeds, say in RIGHT what to give an argument, or in NEVER_RIGHT why it cannot be.
"""

import base64
import json
import struct
import uuid

CONVERT = object()                      # the binary form is asked of the server


class Given:
    """What one argument is given: as text (None is NULL), as bytes in the binary protocol, and the planted values."""

    __slots__ = ("text", "binary", "values")

    def __init__(self, text, binary=CONVERT, values=()):
        self.text = text
        self.binary = None if text is None else binary
        self.values = list(values)


class Call:
    """One call of a function: what each argument is given, and what is odd about it."""

    def __init__(self, function, given, variant, argument=None, beside=None):
        self.function = function
        self.given = given
        self.variant = variant
        self.argument = argument
        self.beside = beside            # a value that no argument takes: it stands beside the call

    @property
    def right(self):
        return self.variant == "right"

    @property
    def planted(self):
        """Pairs of argument name and value."""
        pairs = [(a.name, v) for a, g in zip(self.function.arguments, self.given) for v in g.values]
        return pairs + ([("", self.beside)] if self.beside else [])


# What a right call gives, by function and argument or by the name of the argument alone: a text, or a function of
# the person and the source of values that returns a text, None or Given.
RIGHT = {
    "platform": "ios",
    "on_conflict": "server_order",
    "class": "standard",
    "tier": "premium",
    "level": "standard",
    "target_ms": "5000",
    "until": "infinity",
    "role": "canary_role",
    "profile": "auditor",
    "sealing": "standard",
    "compressible": "false",
    "source": "self_report",
    "severity": "low",
    "signal": lambda person, _: str(uuid.uuid4()),
    "region": "us",
    "channel": "call",
    "contact": "5550100",
    "what": "epochs",
    ("set_resource", "name"): "canary_line",
    ("drop_resource", "name"): "canary_line",
    "deleted": None,
    "max_changes": "100",
    "max_bytes": "1048576",
    "timeout": "1 ms",
    "cursor": lambda person, _: person.cursor,
    "to_device": lambda person, _: person.other_device,
    "operations": lambda person, values: operations(person, values),
    "op_ids": lambda person, _: "{%s,%s}" % (uuid.uuid4(), uuid.uuid4()),
    "doc_ids": lambda person, _: "{%s,%s}" % (uuid.uuid4(), uuid.uuid4()),
    "collections": lambda person, _: "{%s,%s}" % (person.collection(), person.collection()),
    "base_revisions": "{0,0}",
    "payloads": lambda person, values: byte_arrays([values.new(), values.new()]),
    ("define_collection", "name"): "canary_standard",
    "topic": "canary_jobs",
    "topics": "{canary_jobs,canary_paused}",
    "job": lambda person, _: person.jobs(1),
    "fence": lambda person, _: person.fences_of(1),
    "jobs": lambda person, _: "{%s}" % person.jobs(2),
    "fences": lambda person, _: "{%s}" % person.fences_of(2),
    "subjects": lambda person, _: "{%s,%s}" % (person.subject, person.subject),
    "lease": "1 s",
    "dead_letters_kept": "2 hours",
    "expires_at": "2199-01-01 00:00:00+00",
    ("submit_many", "not_before"): "{-infinity,2099-01-01}",
    ("submit_many", "expires_at"): "{infinity,2199-01-01}",
    ("define_topic", "name"): "canary_topic",
    ("drop_topic", "name"): "canary_dropped",
    ("pause_topic", "name"): "canary_paused",
    ("resume_topic", "name"): "canary_paused",
    ("pause_level", "level"): "reduced",    # nobody here is served at it
    ("resume_level", "level"): "reduced",
    ("set_policy", "tier"): "basic",
    ("set_tier_policy", "tier"): "grace_period",
}
RIGHT.update({("set_tier_policy", name): None for name in (
    "ops_per_second", "ops_burst", "bytes_per_second", "bytes_burst", "max_payload", "max_devices", "offline_hours",
    "pull_bytes_per_second", "pull_bytes_burst", "features")})

# By the name of a type, where the name of the argument says nothing.
RIGHT_TYPE = {
    "subject": lambda person, _: person.subject,
    "device": lambda person, _: person.device,
    "cursor": lambda person, _: person.cursor,
    "context": None,                    # nothing mints one yet
    "code_name": "canary_standard",
    "level": "standard",
    "bool": "true",
    "int2": "1",
    "int4": "1",
    "int8": "1",
    "numeric": "1",
    "float8": "1",
    "interval": "1 ms",
    "timestamptz": "2099-01-01 00:00:00+00",
    "uuid": lambda person, _: str(uuid.uuid4()),
    "oid": "1",
    "regprocedure": "now()",
}

# Functions of which no call can succeed here, and why. Trigger functions need no entry.
NEVER_RIGHT = {}

# Functions that leave their subject and device as they were, or nearly: several calls share a person.
STEADY = ("push", "push_many", "pull", "pull_wait", "receipts", "ack", "devices", "sync_status", "check_subject",
          "set_entitlement", "register_device")


def array_text(items):
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"


def array_binary(element_oid, items):
    parts = [struct.pack(">iiIii", 1, 0, element_oid, len(items), 1)]
    for item in items:
        parts += [struct.pack(">i", len(item)), item]
    return b"".join(parts)


def carried(kind, values, fill="", count=1):
    """A right value of a type into which any content fits, with the planted value at its beginning."""
    planted = [values.new() for _ in range(count if kind.element else 1)]
    texts = [value.text + fill for value in planted]
    name = kind.base.name
    if name in ("json", "jsonb"):
        texts = [json.dumps({"note": text}, ensure_ascii=False) for text in texts]
    raw = [(b"\x01" if name == "jsonb" else b"") + text.encode() for text in texts]
    if name == "bytea":
        texts = ["\\x" + data.hex() for data in raw]
    if kind.element:
        return Given(array_text(texts), array_binary(kind.element.oid, raw), planted)
    return Given(texts[0], raw[0], planted)


def byte_arrays(planted, fill=""):
    raw = [(value.text + fill).encode() for value in planted]
    return Given(array_text(["\\x" + data.hex() for data in raw]), array_binary(17, raw), planted)


def json_given(text, planted):
    return Given(text, b"\x01" + text.encode(), planted)


def operation(person, payload, **more):
    fields = {"op_id": str(uuid.uuid4()), "doc_id": str(uuid.uuid4()), "collection": person.collection(),
              "base_revision": 0, "payload": payload}
    return {name: value for name, value in {**fields, **more}.items() if value is not None}


def payload_of(value, before=0, fill=""):
    return base64.b64encode(b"~" * before + (value.text + fill).encode()).decode()


def operations(person, values, fill=""):
    """Three operations whose payloads stand at the three alignments of base64."""
    planted = [values.new() for _ in range(3)]
    items = [operation(person, payload_of(value, before, fill)) for before, value in enumerate(planted)]
    return json_given(json.dumps(items), planted)


def odd_operations(person, values):
    """Operations with a value in every place where one can be."""
    def one(make):
        value = values.new()
        return json_given(json.dumps([make(value)], ensure_ascii=False), [value])

    yield "payload as text", one(lambda v: operation(person, v.text))
    yield "payload cut off", one(lambda v: operation(person, payload_of(v)[:-1] + "!"))
    yield "unknown key", one(lambda v: operation(person, "", **{v.text: 1}))
    yield "unknown key's value", one(lambda v: operation(person, "", note=v.text))
    for key in ("op_id", "doc_id", "collection", "base_revision", "client_time", "deleted"):
        yield f"{key} of a wrong kind", one(lambda v, key=key: operation(person, "", **{key: v.text}))
    yield "payload of a wrong kind", one(lambda v: operation(person, {"a": [v.text]}))
    yield "too large", one(lambda v: operation(person, payload_of(v, fill="." * (2 << 20))))
    yield "an item that is no object", one(lambda v: v.text)
    value = values.new()
    yield "no array", json_given(json.dumps({"a": value.text}, ensure_ascii=False), [value])


def odd_json(values):
    """JSON that is well-formed or not, with a value in it."""
    for label, shape in (("a string", '"{}"'), ("a key", '{{"{}": 1}}'), ("an array", '[["{}"]]'),
                         ("malformed", '{{"a": {}'), ("a bad escape", '"{} \\u00zz"')):
        value = values.new()
        inner = json.dumps(value.text, ensure_ascii=False)[1:-1]
        yield label, json_given(shape.format(inner), [value])


def right(person, function, argument, values):
    """What a call that should succeed gives this argument."""
    for key in ((function.name, argument.name), argument.name):
        if key in RIGHT:
            break
    else:
        if argument.type.carries:
            return carried(argument.type, values, count=2)
        if argument.type.name == "cstring" or function.role == "input":
            return carried(argument.type, values)
        return right_by_type(person, argument.type, values)
    wanted = RIGHT[key]
    wanted = wanted(person, values) if callable(wanted) else wanted
    return wanted if isinstance(wanted, Given) else Given(wanted)


def right_by_type(person, kind, values):
    base = kind.base
    wanted = RIGHT_TYPE[base.name] if base.name in RIGHT_TYPE else base.labels[0] if base.labels else None
    wanted = wanted(person, values) if callable(wanted) else wanted
    if kind.element and wanted is not None:
        wanted = array_text([wanted])
    return Given(wanted)


def odd(person, argument, values, huge):
    """Pairs of variant and what the argument is given, for every way in which it can be odd."""
    kind = argument.type
    fill = "." * huge
    yield "NULL", Given(None)
    yield "empty", Given("{}" if kind.element else "[]" if kind.base.name in ("json", "jsonb") else "",
                         CONVERT if kind.element or kind.base.name in ("json", "jsonb") else b"")
    if kind.carries:
        yield "any content", carried(kind, values, count=3)
        yield "huge", carried(kind, values, fill)
    if kind.base.name in ("json", "jsonb"):
        yield from odd_json(values)
        if argument.name == "operations":
            yield from odd_operations(person, values)
            yield "huge", operations(person, values, fill)
    elif not kind.carries or kind.element or kind.name == "bytea":
        before = "\\x" if kind.name == "bytea" else ""
        for variant, after in (("of a wrong kind", ""), ("huge, of a wrong kind", fill)):
            value = values.new()
            yield variant, Given(before + value.text + after, (value.text + after).encode(), [value])
    if kind.element and not kind.carries:
        value = values.new()
        binary = array_binary(25, [value.text.encode()])
        yield "an element of a wrong kind", Given(array_text([value.text]), binary, [value])
    if kind.base.category == "N":
        value = values.digits()
        text = array_text([value.text]) if kind.element else value.text
        yield "out of range", Given(text, value.text.encode(), [value])


def calls(person, function, values, huge):
    """Every call of a function: the right one, and for each argument those in which it is odd."""
    def complete(replaced=None, odd_given=None):
        given = [odd_given if a is replaced else Given(None) if a.out else right(person(), function, a, values)
                 for a in function.arguments]
        beside = None if any(g.values for g in given) else values.new()
        return given, beside

    given, beside = complete()
    yield Call(function, given, "right", None, beside)
    for argument in function.arguments:
        if argument.out:
            continue
        for variant, odd_given in odd(person(), argument, values, huge):
            given, beside = complete(argument, odd_given)
            yield Call(function, given, variant, argument.name, beside)
