"""What can happen around a call: transactions that end badly, timeouts, locks, signals, crashes, memory that ends.

Each situation is entered by calls with values by parameter and as literals. What is done is told to the target by
target.record(call, way, kind, situation, state).
"""

import contextlib
import os
import signal
import time

import ways
from session import LOST, SUCCESS, Failure, Session
from server import wait_for

BATCH = 24                              # sessions at a time
KINDS = (ways.PARAMETER, ways.LITERAL)


def render(call, kind, form):
    """A statement around the arguments, and what is bound to it."""
    if kind == ways.PARAMETER:
        return form.format(ways.parameters(call)), call.given
    return form.replace("{}", ways.literals(call)), ()


def plain(call):
    return f"SELECT count(*) FROM {call.function.sql}({{}}) x"


def slow(call):
    return f"WITH c AS MATERIALIZED ({plain(call)}) SELECT count, pg_sleep(120) FROM c"


def execute(session, call, kind, form):
    sql, given = render(call, kind, form)
    return session.extended(sql, given) if given else session.simple(sql)


def both(target):
    """A new call of each function that takes any content, by parameter and as a literal."""
    for function in target.carrying:
        for kind in KINDS:
            yield target.carrying_call(function), kind


# -- one session, one after the other ---------------------------------------------------------------


def around(before, after, form=plain):
    """A situation made of statements before and after the call, in a session that survives."""
    def run(target, name, calls=None):
        for call, kind in calls or both(target):
            for sql in before:
                target.session.simple(sql)
            state = execute(target.session, call, kind, form(call))
            states = [target.session.simple(sql) for sql in after]
            target.record(call, kind, kind, name, state, states)
    return run


def two_phase(target, name):
    """PREPARE TRANSACTION is refused for what wrote through the extension, and works for the rest."""
    for call, kind in both(target):
        target.session.simple("BEGIN")
        state = execute(target.session, call, kind, plain(call))
        refused = target.session.simple("PREPARE TRANSACTION 'canary'")
        target.session.simple("ROLLBACK PREPARED 'canary'" if refused == SUCCESS else "ROLLBACK")
        target.record(call, kind, kind, name, state, [refused])


def locked(target, name):
    """All tables are locked by somebody else; the wait for them ends by a timeout."""
    calls = list(both(target))          # they need the tables
    with contextlib.closing(target.server.session()) as blocker:
        blocker.simple("BEGIN")
        if blocker.simple(f"LOCK TABLE {', '.join(target.tables())} IN ACCESS EXCLUSIVE MODE") != SUCCESS:
            raise Failure(f"locking: {blocker.message()}")
        around(["SET lock_timeout = '60ms'"], ["RESET lock_timeout"])(target, name, calls)
        blocker.simple("ROLLBACK")


def deadlock(target, name):
    """Two sessions wait for one another, each in a statement with the value; one is told of the other's."""
    with contextlib.closing(target.server.session()) as one, contextlib.closing(target.server.session()) as two:
        for call, kind in both(target):
            update = "UPDATE ways.locked SET n = n WHERE n = %d AND (" + plain(call) + ") >= 0"
            one.simple("BEGIN; UPDATE ways.locked SET n = n WHERE n = 1")
            two.simple("BEGIN; UPDATE ways.locked SET n = n WHERE n = 2")
            one.start(*render(call, kind, update % 2))
            waiting = f"SELECT EXISTS (SELECT FROM pg_locks WHERE pid = {one.pid} AND NOT granted)"
            wait_for("one session to wait", lambda: one.is_through() or target.session.one(waiting) == "t")
            state = execute(two, call, kind, update % 1)
            two.simple("ROLLBACK")
            first = one.finish()
            one.simple("ROLLBACK")
            target.record(call, kind, kind, name, first, [state])


def parallel(target, name):
    """A type's input fails in a parallel worker, which hands its error on."""
    target.session.simple("SET force_parallel_mode = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
                          "SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off")
    for kind in KINDS:
        for call in target.input_calls():
            form = f"SELECT count(*) FROM ways.many WHERE ({{}} || n)::{call.function.part_of.sql} IS NULL"
            sql, given = (form.format("$1::text"), call.given) if kind == ways.PARAMETER else \
                (form.replace("{}", ways.quote(call.given[0].text)), ())
            state = target.session.extended(sql, given) if given else target.session.simple(sql)
            target.record(call, kind, kind, name, state)
    target.session.simple("RESET ALL")


def statistics_reset(target, name):
    """The statistics of statements forget this one while it runs, so that it is noted as it was written."""
    for function in target.carrying:
        call = target.carrying_call(function)
        sql, _ = render(call, ways.LITERAL, plain(call))
        state = target.session.simple(f"SELECT pg_stat_statements_reset(), count FROM ({sql}) y")
        target.record(call, ways.LITERAL, ways.LITERAL, name, state)
        target.server.note_views()


def out_of_memory(target, name):
    """The server prints its memory contexts, by a way that no log hook sees; the beginnings of the texts of prepared
    statements are there. So this is for calls with a value at the beginning."""
    brief = sorted((f for f in target.carrying if f.arguments[0].type.carries), key=lambda f: len(f.sql))
    for function in brief[:target.few]:
        for kind in KINDS:
            call = target.carrying_call(function)
            with contextlib.closing(target.server.session()) as session:
                sql, given = render(call, kind, f"SELECT {call.function.sql}({{}})")
                if given:
                    session.keep_prepared("p", sql, given)
                else:
                    session.simple(f"PREPARE p AS {sql}")
                target.server.limit_memory(session.pid, 48 << 20)
                state = session.simple("SELECT length(repeat('x', 500000000))")
                if state != "53200":
                    raise Failure(f"memory did not end: {state}")
                target.record(call, kind, kind, name, state)


# -- many sessions at once --------------------------------------------------------------------------


def in_flight(target, name, action, setup=""):
    """Calls of many sessions sleep after their work was done, until the action ends them."""
    pending = list(both(target))
    for at in range(0, len(pending), BATCH):
        batch = [(call, kind, target.server.session(setup)) for call, kind in pending[at:at + BATCH]]
        for call, kind, session in batch:
            session.start(*render(call, kind, slow(call)))
        settle(target, [session.pid for *_, session in batch])
        action(target, batch)
        for call, kind, session in batch:
            target.record(call, kind, kind, name, session.finish(), long=True)
            session.close()
        target.reconnect()


def active(pids):
    return f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid IN ({', '.join(map(str, pids))})"


def settle(target, pids):
    """Until each of these sessions sleeps, waits for another one or is through; then until the monitor has looked."""
    busy = active(pids) + " AND wait_event IS DISTINCT FROM 'PgSleep' AND wait_event_type IS DISTINCT FROM 'Lock'"
    wait_for("sessions to sleep", lambda: target.session.one(busy) == "0")
    seen = target.watch.samples
    wait_for("the monitor", lambda: target.watch.samples >= seen + 2)


def cancel(target, batch):
    for *_, session in batch:
        target.session.one(f"SELECT pg_cancel_backend({session.pid})")


def terminate(target, batch):
    for *_, session in batch:
        target.session.one(f"SELECT pg_terminate_backend({session.pid})")


def wait_out(target, batch):
    pids = [session.pid for *_, session in batch]
    wait_for("timeouts", lambda: target.session.one(active(pids)) == "0")


def crash(target, batch):
    """One process is killed; the server takes all others down with it, and recovers."""
    os.kill(batch[0][2].pid, signal.SIGKILL)
    wait_for("all sessions to end", lambda: all(session.is_through() for *_, session in batch))
    wait_for("the server to be back", target.server.answers)


def client_gone(target, name):
    """The client closes its connection while its statement runs."""
    for call, kind in both(target):
        session = Session(target.server.conninfo).connect()
        session.start(*render(call, kind, slow(call).replace("pg_sleep(120)", "pg_sleep(0.05)")))
        session.close()
        target.record(call, kind, kind, name, LOST)
    time.sleep(0.1)


# Name, what to do, and the SQLSTATE that shows that it came to that: at least one call must have ended with it.
SITUATIONS = [
    ("rolled back", around(["BEGIN"], ["ROLLBACK"]), SUCCESS),
    ("savepoint rolled back", around(["BEGIN", "SAVEPOINT s"], ["ROLLBACK TO s", "COMMIT"]), SUCCESS),
    ("aborted by an error", around(["BEGIN"], ["SELECT 1/0", "SELECT 1", "ROLLBACK"]), "22012"),
    ("call in an aborted transaction", around(["BEGIN", "SELECT 1/0"], ["ROLLBACK"]), "25P02"),
    ("call in a read-only transaction", around(["BEGIN READ ONLY"], ["COMMIT"]), "25006"),
    ("serializable", around(["BEGIN ISOLATION LEVEL SERIALIZABLE"], ["COMMIT"]), SUCCESS),
    ("debug messages", around(["SET log_min_messages = debug5", "SET debug_print_parse = on",
                               "SET debug_print_rewritten = on", "SET debug_print_plan = on",
                               "SET log_executor_stats = on"], ["RESET ALL"]), SUCCESS),
    ("refused two-phase commit", two_phase, "0A000"),
    ("lock timeout", locked, "55P03"),
    ("deadlock", deadlock, "40P01"),
    ("parallel worker", parallel, "22P02"),
    ("statistics reset meanwhile", statistics_reset, SUCCESS),
    ("client gone", client_gone, LOST),
    ("statement timeout", lambda t, name: in_flight(t, name, wait_out, "SET statement_timeout = '500ms'"), "57014"),
    ("cancelled", lambda t, name: in_flight(t, name, cancel), "57014"),
    ("terminated", lambda t, name: in_flight(t, name, terminate), "57P01"),
    ("out of memory", out_of_memory, "53200"),
]
CRASH = ("crash", lambda target, name: in_flight(target, name, crash), LOST)
