"""The ways in which a call reaches the server.

Each is of a kind: what it hands over goes by parameter, stands as a literal in the text of a statement, or comes by
way of a temporary table of the caller's, which COPY or INSERT has filled (stream). The fourth kind, own, is what the
caller's own SQL does with what it holds or was handed: sort it, say.
"""

from arguments import CONVERT, Given
from session import SUCCESS

PARAMETER, LITERAL, STREAM, OWN = "parameter", "literal", "stream", "own"

# How values of a script are encoded by a client that does not speak UTF-8: the server's name, and Python's.
ENCODINGS = {"Latin": ("LATIN1", "latin-1"), "Cyrillic": ("WIN1251", "cp1251"), "Greek": ("WIN1253", "cp1253"),
             "Arabic": ("WIN1256", "cp1256"), "Hebrew": ("WIN1255", "cp1255"), "Thai": ("WIN874", "cp874"),
             "Hangul": ("UHC", "cp949"), "Kana": ("SJIS", "cp932"), "Han": ("GBK", "gbk")}


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def literals(call, **more):
    return ", ".join(("NULL" if g.text is None else quote(g.text)) + f"::{a.type.sql}"
                     for a, g in zip(call.function.arguments, call.given))


def parameters(call, through_text=False):
    """The arguments as $1, $2 …; through_text makes the cast happen in the statement, not when values are bound."""
    parts = []
    for place, argument in enumerate(call.function.arguments, 1):
        if not through_text:
            parts.append(f"${place}::{argument.type.sql}")
        elif argument.type.name == "cstring":
            parts.append(f"textout(${place}::text)")
        else:
            parts.append(f"${place}::text::{argument.type.sql}")
    return ", ".join(parts)


def statement(call, inside, beside, columns="x.*"):
    """The call; beside is an expression that holds the value which no argument takes, if there is one."""
    if call.function.kind == "p":
        return f"CALL {call.function.sql}({inside})"
    where = f" WHERE {beside} IS NOT NULL" if beside else ""
    return f"SELECT {columns} FROM {call.function.sql}({inside}) x{where}"


def by_parameter(call, **how):
    """A statement and what is bound to it; the value beside the call is the last parameter."""
    given = list(call.given)
    beside = ""
    if call.beside and call.function.kind == "f":
        given.append(Given(call.beside.text, call.beside.text.encode(), [call.beside]))
        beside = f"${len(given)}::text"
    return statement(call, parameters(call, **how), beside), given


def by_literal(call, columns="x.*"):
    beside = f"{quote(call.beside.text)}::text" if call.beside else ""
    return statement(call, literals(call), beside, columns)


def with_binary(session, call):
    """Asks the server for the binary forms that we do not know, once for each value."""
    for argument, given in zip(call.function.arguments, call.given):
        if given.binary is CONVERT:
            given.binary = session.binary_of(given.text, argument.type.sql)
    return call


# -- by parameter -----------------------------------------------------------------------------------


def bound(session, call):
    return session.extended(*by_parameter(call))


def bound_as_text(session, call):
    return session.extended(*by_parameter(call, through_text=True))


def bound_binary(session, call):
    return session.extended(*by_parameter(with_binary(session, call)), binary=True)


def prepared(session, call):
    return session.extended(*by_parameter(call), name="prepared")


def cursor(session, call):
    sql, given = by_parameter(call)
    session.simple("BEGIN")
    state = session.extended(f"DECLARE canary CURSOR FOR {sql}", given)
    state = session.simple("FETCH ALL FROM canary") if state == SUCCESS else state
    session.simple("COMMIT")
    return state


def fast_path(session, call):
    return session.fast_path(call.function.oid, with_binary(session, call).given)


def wrapped(session, call):
    return session.extended(f"SELECT ways.static_{call.function.oid}({wrapper_parameters(call)})", call.given)


def wrapped_using(session, call):
    return session.extended(f"SELECT ways.using_{call.function.oid}({wrapper_parameters(call)})", call.given)


def wrapped_telling(session, call):
    return session.extended(f"SELECT ways.telling_{call.function.oid}({wrapper_parameters(call, True)})", call.given)


def other_encoding(session, call):
    """A client of another encoding. Where the encoding lacks something, bytes that are no UTF-8."""
    sql, given = by_parameter(call)
    scripts = {value.script for _, value in call.planted if not value.unique.isascii()} or {"Latin"}
    server, python = ENCODINGS.get(scripts.pop(), ("UTF8", "utf-8"))
    try:
        values = [None if g.text is None else g.text.encode(python) for g in given]
    except UnicodeEncodeError:
        server, values = "UTF8", [None if g.text is None else g.text.encode() + b"\xff" for g in given]
    session.simple(f"SET client_encoding = {quote(server)}")
    state = session.state(session.pg.exec_params(sql.encode(), values))
    session.simple("SET client_encoding = 'UTF8'")
    return state


# -- as a literal -----------------------------------------------------------------------------------


def simple(session, call):
    return session.simple(by_literal(call))


def simple_with_others(session, call):
    return session.simple(f"SELECT 1; {by_literal(call)}; SELECT 2")


def literal_in_extended(session, call):
    return session.extended(by_literal(call))


def do_block(session, call):
    sql = by_literal(call, "count(*)")
    return session.simple(f"DO $canary$ BEGIN {'' if sql.startswith('CALL') else 'PERFORM * FROM ('}{sql}"
                          f"{'' if sql.startswith('CALL') else ') y'}; END $canary$")


def sql_prepare(session, call):
    sql, given = by_parameter(call)
    texts = ", ".join("NULL" if g.text is None else quote(g.text) for g in given)
    session.simple("DEALLOCATE ALL")
    state = session.simple(f"PREPARE canary AS {sql}")
    return session.simple(f"EXECUTE canary ({texts})" if given else "EXECUTE canary") if state == SUCCESS else state


def prepare_literal(session, call):
    session.simple("DEALLOCATE ALL")
    state = session.simple(f"PREPARE canary AS {by_literal(call)}")
    return session.simple("EXECUTE canary") if state == SUCCESS else state


def declared(session, call):
    state = session.simple(f"BEGIN; DECLARE canary CURSOR FOR {by_literal(call)}; FETCH ALL FROM canary; COMMIT")
    session.simple("ROLLBACK")
    return state


def copied_out(session, call):
    return session.simple(f"COPY ({by_literal(call)}) TO STDOUT")


def explained(session, call):
    return session.simple(f"EXPLAIN (ANALYZE, VERBOSE) {by_literal(call)}")


def commented(session, call):
    text = " ".join(value.text for _, value in call.planted).replace("/*", "").replace("*/", "")
    return session.simple(f"SELECT 1 /* {text} */, count(*) FROM ({by_literal(call)}) y")


def dynamic(session, call):
    return session.extended(f"SELECT ways.dynamic_{call.function.oid}({wrapper_parameters(call, True)})", call.given)


# -- as a stream ------------------------------------------------------------------------------------


def from_table(call):
    parts = [f"textout(t.a{n})" if a.type.name == "cstring" else f"t.a{n}::{a.type.sql}"
             for n, a in enumerate(call.function.arguments, 1)]
    return f"SELECT x.* FROM held t, LATERAL {call.function.sql}({', '.join(parts)}) x"


def held_columns(call):
    return ", ".join(f"a{n}" for n in range(1, len(call.given) + 1))


def copied_in(session, call):
    line = "\t".join("\\N" if g.text is None else g.text.replace("\\", "\\\\").replace("\t", "\\t")
                     .replace("\n", "\\n").replace("\r", "\\r") for g in call.given)
    session.simple("TRUNCATE held")
    session.copy_in(f"COPY held ({held_columns(call)}) FROM STDIN", (line + "\n").encode())
    return session.simple(from_table(call))


def held_in_table(session, call):
    places = ", ".join(f"${n}::text" for n in range(1, len(call.given) + 1))
    session.simple("TRUNCATE held")
    session.extended(f"INSERT INTO held ({held_columns(call)}) VALUES ({places})", call.given)
    return session.simple(from_table(call))


class Way:
    def __init__(self, name, kind, run, accepts=lambda call: True):
        self.name = name
        self.kind = kind
        self.run = run
        self.accepts = accepts


def is_function(call):
    return call.function.kind == "f"


def is_wrapped(call):
    return is_function(call) and not call.beside


def has_arguments(call):
    return is_wrapped(call) and call.function.arguments


WAYS = [
    Way("bound", PARAMETER, bound),
    Way("bound as text", PARAMETER, bound_as_text),
    Way("bound in binary", PARAMETER, bound_binary),
    Way("prepared statement", PARAMETER, prepared),
    Way("cursor", PARAMETER, cursor, is_function),
    Way("function call of the protocol", PARAMETER, fast_path, is_wrapped),
    Way("PL/pgSQL", PARAMETER, wrapped, is_wrapped),
    Way("PL/pgSQL, EXECUTE USING", PARAMETER, wrapped_using, is_wrapped),
    Way("PL/pgSQL that raises it", PARAMETER, wrapped_telling, is_wrapped),
    Way("client of another encoding", PARAMETER, other_encoding),
    Way("statement", LITERAL, simple),
    Way("one of several statements", LITERAL, simple_with_others),
    Way("statement, extended protocol", LITERAL, literal_in_extended),
    Way("DO", LITERAL, do_block),
    Way("EXECUTE of a prepared statement", LITERAL, sql_prepare),
    Way("PREPARE", LITERAL, prepare_literal, is_function),
    Way("DECLARE CURSOR", LITERAL, declared, is_function),
    Way("COPY TO", LITERAL, copied_out, is_function),
    Way("EXPLAIN ANALYZE", LITERAL, explained, is_function),
    Way("comment", LITERAL, commented, is_function),
    Way("PL/pgSQL, EXECUTE of a text", LITERAL, dynamic, is_wrapped),
    Way("COPY FROM into a temporary table", STREAM, copied_in, has_arguments),
    Way("INSERT into a temporary table", STREAM, held_in_table, has_arguments),
]


def wrapper_type(argument):
    """PL/pgSQL takes no pseudo-types."""
    return "text" if argument.type.name == "cstring" else argument.type.sql


def wrapper_parameters(call, as_text=False):
    return ", ".join(f"${n}::{'text' if as_text else wrapper_type(a)}"
                     for n, a in enumerate(call.function.arguments, 1))


def wrappers(function):
    """Functions of PL/pgSQL around a function: one that calls it as it is, one by EXECUTE; and two that take texts,
    one that puts them into a statement, one that tells everything in messages."""
    arguments = list(enumerate(function.arguments, 1))
    typed = f"({', '.join(wrapper_type(a) for _, a in arguments)}) RETURNS void LANGUAGE plpgsql AS $canary$"
    texts = f"({', '.join('text' for _ in arguments)}) RETURNS void LANGUAGE plpgsql AS $canary$"
    inside = ", ".join(f"textout(${n})" if a.type.name == "cstring" else f"${n}" for n, a in arguments)
    cast = ", ".join(f"textout(${n})" if a.type.name == "cstring" else f"${n}::{a.type.sql}" for n, a in arguments)
    using = (" USING " + ", ".join(f"${n}" for n, _ in arguments)) if arguments else ""
    formats = ", ".join(f"%L::{a.type.sql}" for _, a in arguments)
    given = "".join(f", ${n}" for n, _ in arguments)
    told = " || ' ' || ".join(["''"] + [f"coalesce(${n}, '')" for n, _ in arguments])
    count = f"count(*) FROM {function.sql}"
    return f"""
CREATE FUNCTION ways.static_{function.oid}{typed} BEGIN PERFORM {count}({inside}) x; END $canary$;
CREATE FUNCTION ways.using_{function.oid}{typed} BEGIN EXECUTE 'SELECT {count}({inside}) x'{using}; END $canary$;
CREATE FUNCTION ways.dynamic_{function.oid}{texts}
BEGIN EXECUTE format('SELECT {count}({formats}) x'{given}); END $canary$;
CREATE FUNCTION ways.telling_{function.oid}{texts}
DECLARE detail text; hint text; context text;
BEGIN
    RAISE LOG 'called with %', {told};
    PERFORM {count}({cast}) x;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RAISE WARNING '%', SQLERRM USING DETAIL = detail || ' ', HINT = {told} || hint, ERRCODE = SQLSTATE;
    RAISE EXCEPTION '% %', SQLERRM, context;
END $canary$;
"""
