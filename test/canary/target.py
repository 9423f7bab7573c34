"""The two servers that are swept: one with the extension, and the control, a stock server whose tables take the same
calls."""

import contextlib
import itertools
import random
import time
import uuid

import psycopg

import arguments
import catalog
import roundtrip
import situations
import ways
from server import Server, Watch
from session import SUCCESS, Failure
from values import Planted, Values

CALLS_OF_A_PERSON = 25
HUGE = {True: 500_000, False: 20_000}      # bytes of what is huge; the stock server writes it into every log


class Person:
    def __init__(self, subject, device, other_device, cursor, collections, claim=None):
        self.subject = subject
        self.device = device
        self.other_device = other_device
        self.cursor = cursor
        self.collections = collections
        self.claim = claim
        self.fences = []

    def collection(self):
        return next(self.collections)

    def jobs(self, count):
        """So many jobs that were just claimed, as text; their fences are asked for next."""
        claimed = [self.claim(self.subject) if self.claim else ("1", "1") for _ in range(count)]
        self.fences = [fence for _, fence in claimed]
        return ",".join(job for job, _ in claimed)

    def fences_of(self, count):
        """The fences of the jobs last asked for."""
        return ",".join((self.fences + ["1"] * count)[:count])


class Target:
    """A server being swept. What subclasses say is what differs between the extension and stock tables."""

    ours = None
    database = None

    def __init__(self, folder, seed, small):
        self.server = Server(folder, self.ours, self.database)
        self.values = Values(f"{seed} {self.database}")
        self.random = random.Random(f"{seed} {self.database} choices")
        self.small = small
        self.few = 1 if small else 3
        self.session = None
        self.watch = None
        self.functions = []
        self.types = {}
        self.planted = []
        self.succeeded = set()
        self.tried = set()
        self.current = None
        self.calls_left = 0
        self.clock = []                 # what was done until when

    def note(self, what):
        self.clock.append((what, time.monotonic()))

    def begin(self):
        self.note("")
        self.server.up()
        self.reconnect()
        self.prepare()
        self.watch = Watch(self.server)
        self.watch.start()
        self.reconnect()

    def reconnect(self):
        if self.session is not None:
            self.session.close()
        columns = [f"a{n}" for n in range(1, 17)]
        self.session = self.server.session(
            f"CREATE TEMP TABLE held ({', '.join(f'{c} text' for c in columns)});"
            f"ALTER TABLE held {', '.join(f'ALTER {c} SET STORAGE EXTERNAL' for c in columns)}")

    def must(self, sql):
        if self.session.simple(sql) != SUCCESS:
            raise Failure(f"{self.session.message()} in: {sql[:300]}")

    def prepare(self):
        """Everything that the sweep needs beside the functions themselves."""
        self.must("CREATE EXTENSION pg_stat_statements; CREATE SCHEMA ways; CREATE ROLE canary_role;"
                  "CREATE TABLE ways.locked AS SELECT generate_series(1, 2) AS n;"
                  "CREATE TABLE ways.many AS SELECT generate_series(1, 20000) AS n")
        self.must("SELECT pg_create_logical_replication_slot('canary', 'test_decoding')")
        self.prepare_functions()
        for function in self.called:
            if function.kind == "f" and function.returns not in ("trigger", "event_trigger"):
                self.must(ways.wrappers(function))

    @property
    def called(self):
        return [f for f in self.functions if f.callable]

    @property
    def carrying(self):
        """Functions into which any content can be put."""
        return [f for f in self.called if f.carries and f.kind == "f"]

    # -- calls ------------------------------------------------------------------------------------

    def person_for(self, function):
        """Somebody to call a function with; a new one where the call might have spent the last."""
        spends = function.volatile and function.name not in arguments.STEADY and \
            any(a.type.name in ("subject", "device") or a.name in ("subject", "device") for a in function.arguments)
        self.calls_left -= 1
        if spends or self.current is None or self.calls_left <= 0:
            self.current = self.new_person()
            self.calls_left = CALLS_OF_A_PERSON
        return self.current

    def calls(self, function):
        return arguments.calls(lambda: self.person_for(function), function, self.values, HUGE[self.ours])

    def right_call(self, function):
        return next(self.calls(function))

    def carrying_call(self, function):
        """A call with values in its arguments: the right one, or if that has none, one with any content."""
        return next(call for call in self.calls(function) if not call.beside and
                    call.variant in ("right", "any content"))

    def input_calls(self):
        for function in self.functions:
            if function.role == "input":
                call = self.right_call(function)
                value = self.values.new()
                call.given = [arguments.Given(value.text, value.text.encode(), [value])]
                yield call

    def record(self, call, way, kind, situation, state, states=(), long=False):
        """Notes what a call has planted; its state is the SQLSTATE that it ended with."""
        self.tried.add(call.function.signature)
        if state == SUCCESS:
            self.succeeded.add(call.function.signature)
        for argument, value in call.planted:
            if not self.arrived(call, way, kind, argument, state):
                continue
            planted = Planted(value, kind, way, situation, call.function.signature, argument, call.variant,
                              " ".join([state, *states]))
            planted.stored = bool(argument) and state == SUCCESS and situation == "committed"
            planted.large = call.variant.startswith("huge") and argument == call.argument and \
                all(a.type.base.name != "name" for a in call.function.arguments if a.name == argument)
            planted.long = long
            self.planted.append(planted)

    def arrived(self, call, way, kind, argument, state):
        """Whether a value counts as planted."""
        return True

    def use(self, way, call):
        if self.session.pg.transaction_status:      # left open by what went wrong
            self.session.simple("ROLLBACK")
        state = way.run(self.session, call)
        if self.session.pg.status:
            raise Failure(f"the connection was lost in way {way.name!r} of {call.function.signature}")
        self.record(call, way.name, way.kind, "committed", state)

    # -- the sweep --------------------------------------------------------------------------------

    def sweep(self, wanted):
        """Every call; each in every way, or, if small, each in one way and every way in turn."""
        turn = itertools.count()
        if self.small:
            for function in self.called:
                for call in self.calls(function):
                    choices = [way for way in ways.WAYS if way.accepts(call)]
                    self.use(choices[next(turn) % len(choices)], call)
        while not self.small:
            for way in ways.WAYS:
                for function in self.called:
                    for call in self.calls(function):
                        if way.accepts(call):
                            self.use(way, call)
            if len(self.planted) >= wanted:
                break
        self.receive()
        self.note("all functions")
        self.server.note_views()
        for name, situation, _ in situations.SITUATIONS:
            self.reconnect()
            situation(self, name)
            self.note(name)
        self.reconnect()
        self.own()

    def receive(self):
        """The functions that read the binary form of a type, which only the protocol calls."""
        for function in self.functions:
            if function.role != "receive":
                continue
            for right in (True, False):
                value = self.values.new()
                text = arguments.right_by_type(self.person_for(function), function.part_of, self.values).text
                given = arguments.Given(value.text, value.text.encode())
                if right:
                    given = arguments.Given(text)
                    given.binary = text and self.session.binary_of(text, function.part_of.sql)
                call = arguments.Call(function, [given], "right" if right else "of a wrong kind", "", value)
                beside = arguments.Given(value.text, value.text.encode())
                sql = f"SELECT $1::{function.part_of.sql}, $2::text"
                state = self.session.extended(sql, [given, beside], binary=True)
                self.record(call, "bound in binary", ways.PARAMETER, "committed", state)

    def crash(self):
        situations.CRASH[1](self, situations.CRASH[0])

    def leave_in_flight(self, name):
        """Statements that run when the whole server is killed."""
        open_sessions = []
        for call, kind in itertools.islice(situations.both(self), 3 * situations.BATCH):
            session = self.server.session()
            session.start(*situations.render(call, kind, situations.slow(call)))
            open_sessions.append(session)
            self.record(call, kind, kind, name, "57P02", long=True)
        situations.settle(self, [session.pid for session in open_sessions])
        return open_sessions

    def spill(self, what, form, given, values, kind, fetch="FETCH 1 FROM c"):
        """A query whose cursor is held open while its temporary files are looked at."""
        with contextlib.closing(self.server.session()) as session:
            session.simple("BEGIN")
            state = session.extended(f"DECLARE c CURSOR {form}", given)
            if state == SUCCESS:
                session.start(fetch)    # what does not fit into the socket's buffers is not sent until we read
                time.sleep(0.1)
                self.watch.keep_files()
                state = session.finish()
            self.watch.keep_files()
            session.simple("ROLLBACK")
        if state != SUCCESS:
            raise Failure(f"{what}: {session.message()}")
        for value in values:
            self.planted.append(Planted(value, kind, what, "committed", "", "", "right", state))


class Extension(Target):
    ours = True
    database = "paws"

    def prepare_functions(self):
        with psycopg.connect(self.server.conninfo) as connection:
            self.functions, self.types = catalog.read_functions(connection)
        if not self.functions:
            raise Failure("the extension has no functions")
        self.must("SELECT paws_sync.set_tier_policy('premium', compression => 'zstd')")
        self.collections = itertools.cycle(self.define_collections())
        for topic in ("canary_jobs", "canary_claimed", "canary_paused", "canary_dropped"):
            self.must(f"SELECT paws_sync.define_topic('{topic}', in_flight_per_flow => 0)")

    def claim(self, subject):
        """A job that was submitted with a key, so that its result is kept, and claimed."""
        self.session.rows("SELECT paws_sync.submit('canary_claimed', '', subject => $1::paws_sync.subject, key => $2)",
                          subject, str(uuid.uuid4()))
        return self.session.rows("SELECT job::text, fence::text FROM paws_sync.claim('{canary_claimed}')")[0]

    def define_collections(self):
        """A collection of each class, and one for each way of sealing, with compression where it may be."""
        names = []
        for (label,) in self.session.rows("SELECT unnest(enum_range(NULL::paws_sync.class))::text"):
            names.append(f"canary_{label}")
            self.session.rows("SELECT paws_sync.define_collection($1, $2::paws_sync.class)", names[-1], label)
        for sealing in ("standard", "aes", "layered", "client"):
            names.append(f"canary_sealed_{sealing}")
            state = self.session.simple(f"SELECT paws_sync.define_collection('{names[-1]}', 'standard', 'server_order',"
                                        f" '{sealing}', {sealing in ('standard', 'aes')})")
            if sealing == "aes" and state == "0A000":
                names.pop()             # this machine has no instructions for it
            elif state != SUCCESS:
                raise Failure(self.session.message())
        return names

    def tables(self):
        return [row[0] for row in self.session.rows(
            "SELECT c.oid::regclass::text FROM pg_class c"
            " JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'"
            " JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'paws_sync' WHERE c.relkind = 'r'")]

    def new_subject(self):
        subject = self.session.one("SELECT paws_sync.subject_for($1)", f"reference {self.random.getrandbits(128):x}")
        self.session.rows("SELECT paws_sync.set_entitlement($1::paws_sync.subject, 'premium')", subject)
        return subject

    def new_device(self, subject):
        return self.session.one("SELECT paws_sync.register_device($1::paws_sync.subject, 'ios')", subject)

    def new_person(self):
        subject = self.new_subject()
        device, other = self.new_device(subject), self.new_device(subject)
        operation = [f'[{{"op_id": "{uuid.uuid4()}", "doc_id": "{uuid.uuid4()}", "collection": "canary_safety",'
                     ' "base_revision": 0, "payload": ""}]']
        self.session.rows("SELECT paws_sync.push($1::paws_sync.device, $2::jsonb)", device, *operation)
        cursor = self.session.one('SELECT "cursor" FROM paws_sync.pull($1::paws_sync.device)', other)
        return Person(subject, device, other, cursor, self.collections, self.claim)

    def uncovered(self):
        """What the sweep has not reached, each with the reason."""
        planted = {(p.function, p.argument) for p in self.planted}
        for function in self.functions:
            if function.signature not in self.tried:
                yield f"{function.signature} was not called"
            elif function.returns in ("trigger", "event_trigger") or function.name in arguments.NEVER_RIGHT:
                continue
            elif function.signature not in self.succeeded:
                yield (f"no call of {function.signature} succeeded; say in RIGHT of test/canary/arguments.py what to"
                       " give it")
            for argument in function.arguments:
                if function.role == "receive" or argument.out:
                    continue
                if (function.signature, argument.name) not in planted:
                    yield f"no value was planted in {argument.name} of {function.signature}"
        ended = {(p.situation, state) for p in self.planted for state in p.state.split()}
        for name, _, state in [*situations.SITUATIONS, situations.CRASH]:
            if (name, state) not in ended:
                yield f"in situation {name!r} no call ended with {state}"
        used = {p.way for p in self.planted if self.small or p.state == SUCCESS}
        for way in ways.WAYS:
            if way.name not in used:
                yield f"nothing was planted by way of {way.name!r}"

    def own(self):
        roundtrip.run(self)


class Stock(Target):
    """The control. For each function of the extension one of the same arguments, which puts them into a table; what
    is of a type of the extension is text here."""

    ours = False
    database = "stock"

    def __init__(self, folder, seed, small, model):
        super().__init__(folder, seed, small)
        self.model, self.types = model
        self.by_name = {t.name: t for t in self.types.values() if not t.ours}

    def kind(self, kind):
        closed = kind.base.ours or kind.base.kind in "ed" or kind.base.name == "cstring"
        return self.by_name["_text" if kind.element else "text"] if closed else kind

    def prepare_functions(self):
        self.must("CREATE SCHEMA stock; CREATE TABLE stock.kept (id bigserial PRIMARY KEY, v text, b bytea);"
                  "ALTER TABLE stock.kept ALTER v SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;"
                  "CREATE INDEX ON stock.kept (left(v, 600))")
        for place, function in enumerate(f for f in self.model if f.callable):
            copies = [catalog.Argument(a.name, self.kind(a.type), False) for a in function.arguments if not a.out]
            copy = catalog.Function(0, "stock", f"{function.name}_{place}", "f", "bigint", "v", copies)
            copy.role, copy.part_of, copy.carries = function.role, self.by_name["uuid"], function.carries
            rows = ", ".join(f"(${n}::text, {f'${n}' if a.type.name == 'bytea' else 'NULL'}::bytea)"
                             for n, a in enumerate(copies, 1))
            insert = f"INSERT INTO stock.kept (v, b) VALUES {rows};" if copies else ""
            self.must(f"CREATE FUNCTION {copy.sql}({', '.join(a.type.sql for a in copies)}) RETURNS bigint"
                      f" LANGUAGE plpgsql AS $$ BEGIN {insert} RETURN 1; END $$")
            copy.oid = int(self.session.one("SELECT oid FROM pg_proc WHERE proname = $1", copy.name))
            self.functions.append(copy)

    def tables(self):
        return ["stock.kept"]

    def arrived(self, call, way, kind, argument, state):
        """In a transaction that has failed a stock server does not look at parameters. Of those that it cannot bind
        it quotes the one that is wrong, and not if that is in binary. Data of COPY is in the table or nowhere."""
        if way == "COPY FROM into a temporary table":
            return state == SUCCESS
        if kind != ways.PARAMETER:
            return True
        if way == kind or state[:2] not in ("22", "42", "54") and state != "08P01":
            return state != "25P02"
        return argument == call.argument and way not in (
            "bound in binary", "function call of the protocol", "client of another encoding")

    def new_person(self):
        names = [f"{kind}_{self.random.getrandbits(96):x}" for kind in ("sub", "dev", "dev", "cur")]
        return Person(*names, itertools.cycle(["mood", "plan"]))

    def own(self):
        planted = [self.values.new() for _ in range(20 if self.small else 100)]
        given = arguments.Given(arguments.array_text([v.text + "." * 4096 for v in planted]))
        form = "FOR SELECT v FROM unnest($1::text[]) v ORDER BY v"
        self.spill("sort above work_mem", form, [given], planted, ways.OWN)
