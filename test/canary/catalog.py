"""What there is to call: the extension's functions, read from the catalog of a database that has it."""

FUNCTIONS = """
SELECT p.oid, n.nspname, p.proname, p.prokind, p.prorettype::regtype::text, p.provolatile,
    p.proargnames::text[], p.proargmodes::text[], coalesce(p.proallargtypes, p.proargtypes::oid[])::oid[], p.pronargs
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'paws_sync'
ORDER BY n.nspname, p.proname, p.oid
"""
TYPES = """
SELECT t.oid, format_type(t.oid, NULL), t.typname, t.typtype, t.typelem, t.typcategory,
    t.typinput::oid, t.typoutput::oid, t.typreceive::oid, t.typsend::oid,
    EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e' AND e.extname = 'paws_sync')
FROM pg_type t
"""
LABELS = "SELECT enumtypid, enumlabel FROM pg_enum ORDER BY enumtypid, enumsortorder"

TEXTS = ("text", "varchar", "bpchar", "name", "cstring", "citext")
JSONS = ("json", "jsonb")


class Type:
    """A type by its name as SQL has it; "carries" says whether values of any content fit into it."""

    def __init__(self, oid, sql, name, kind, category, ours):
        self.oid = oid
        self.sql = sql
        self.name = name
        self.kind = kind
        self.category = category
        self.ours = ours
        self.element = None
        self.labels = []

    @property
    def base(self):
        return self.element or self

    @property
    def is_text(self):
        return self.base.name in TEXTS

    @property
    def carries(self):
        return self.is_text or self.base.name in JSONS or self.base.name == "bytea"


class Argument:
    def __init__(self, name, kind, out):
        self.name = name
        self.type = kind
        self.out = out              # of a procedure: has a place in the call, and takes nothing

    def __repr__(self):
        return self.name


class Function:
    def __init__(self, oid, schema, name, kind, returns, volatility, arguments):
        self.oid = oid
        self.schema = schema
        self.name = name
        self.kind = kind
        self.returns = returns
        self.volatile = volatility == "v"
        self.arguments = arguments
        self.part_of = None         # the type whose input, output, receive or send function this is
        self.role = None
        self.carries = any(a.type.carries and not a.out for a in arguments)

    @property
    def sql(self):
        return f'"{self.schema}"."{self.name}"'

    @property
    def signature(self):
        return f"{self.schema}.{self.name}({', '.join(a.type.sql for a in self.arguments)})"

    @property
    def callable(self):
        """Whether SQL can call it: nothing in SQL is of type internal."""
        return all(a.type.name != "internal" for a in self.arguments) and self.kind in ("f", "p")


def read_types(connection):
    types = {}
    rows = connection.execute(TYPES).fetchall()
    for oid, sql, name, kind, _, category, *_, ours in rows:
        types[oid] = Type(oid, sql, name, kind, category, ours)
    for oid, _, _, _, element, category, *_ in rows:
        if element and category == "A":
            types[oid].element = types[element]
    for oid, label in connection.execute(LABELS).fetchall():
        types[oid].labels.append(label)
    roles = {}
    for oid, *_, typinput, typoutput, typreceive, typsend, ours in rows:
        if ours and not types[oid].element:
            roles.update({typinput: ("input", types[oid]), typoutput: ("output", types[oid]),
                          typreceive: ("receive", types[oid]), typsend: ("send", types[oid])})
    return types, roles


def read_functions(connection):
    """All functions of the extension, and the types by oid."""
    types, roles = read_types(connection)
    functions = []
    for oid, schema, name, kind, returns, volatility, names, modes, argument_types, inputs in \
            connection.execute(FUNCTIONS).fetchall():
        modes = modes or ["i"] * inputs
        names = names or [""] * len(modes)
        arguments = []
        for place, (mode, argument_name, argument_type) in enumerate(zip(modes, names, argument_types), 1):
            if mode in "ibv" or mode == "o" and kind == "p":
                arguments.append(Argument(argument_name or f"${place}", types[argument_type], mode == "o"))
        function = Function(oid, schema, name, kind, returns, volatility, arguments)
        function.role, function.part_of = roles.get(oid, (None, None))
        functions.append(function)
    return functions, types
