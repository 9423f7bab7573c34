"""A connection at the level of the protocol: what is sent is exactly what is written here.

A statement's answer is its SQLSTATE, "00000" where it succeeded; errors are what most of the sweep is about.
"""

import ctypes
import ctypes.util

from psycopg import OperationalError, pq

SUCCESS = "00000"
LOST = "08006"
GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.EMPTY_QUERY)


class Failure(Exception):
    """The run itself cannot go on."""


class Session:
    def __init__(self, conninfo, setup=""):
        self.conninfo = conninfo
        self.setup = setup
        self.pg = None
        self.last = None
        self.converted = {}

    def connect(self):
        self.close()
        self.pg = pq.PGconn.connect(self.conninfo.encode())
        if self.pg.status != pq.ConnStatus.OK:
            raise ConnectionError(self.pg.error_message.decode(errors="replace"))
        self.pg.notice_handler = lambda result: None
        if self.setup and self.simple(self.setup) != SUCCESS:
            raise Failure(f"setting up a session: {self.message()}")
        return self

    def close(self):
        if self.pg is not None:
            self.pg.finish()
            self.pg = None

    @property
    def pid(self):
        return self.pg.backend_pid

    def message(self):
        return self.last.error_message.decode(errors="replace") if self.last else ""

    def state(self, result):
        """SQLSTATE of a result; what a COPY sends is read and thrown away."""
        self.last = result
        if result.status == pq.ExecStatus.COPY_OUT:
            while self.pg.get_copy_data(0)[0] > 0:
                pass
            while (more := self.pg.get_result()) is not None:
                self.last = result = more
        elif result.status == pq.ExecStatus.COPY_IN:
            return SUCCESS
        if result.status in GOOD:
            return SUCCESS
        code = result.error_field(pq.DiagnosticField.SQLSTATE)
        return code.decode() if code else LOST

    def simple(self, sql):
        """One message of the simple protocol; the whole text is a literal."""
        return self.state(self.pg.exec_(sql.encode()))

    def extended(self, sql, given=(), binary=False, types=None, name=None):
        """Parse, bind and execute. Given is a list of Given, sent as text, or as bytes if binary is true. With a
        name the statement is prepared, and executed twice."""
        values, formats = [], []
        for one in given:
            as_bytes = binary and one.text is not None
            values.append(None if one.text is None else one.binary if as_bytes else one.text.encode())
            formats.append(pq.Format.BINARY if as_bytes else pq.Format.TEXT)
        types = types or [0] * len(values)
        if name is None:
            return self.state(self.pg.exec_params(sql.encode(), values, types, formats))
        state = self.state(self.pg.prepare(name.encode(), sql.encode(), types))
        if state == SUCCESS:
            self.state(self.pg.exec_prepared(name.encode(), values, formats))
            state = self.state(self.pg.exec_prepared(name.encode(), values, formats))
            self.simple(f'DEALLOCATE "{name}"')
        return state

    def keep_prepared(self, name, sql, given):
        """Prepares a statement, executes it, and keeps it."""
        self.pg.prepare(name.encode(), sql.encode())
        values = [None if g.text is None else g.text.encode() for g in given]
        return self.state(self.pg.exec_prepared(name.encode(), values))

    def copy_in(self, sql, data):
        state = self.simple(sql)
        if state != SUCCESS:
            return state
        self.pg.put_copy_data(data)
        self.pg.put_copy_end()
        return self.state(self.pg.get_result())

    def rows(self, sql, *texts, binary=False):
        """Rows of a query that must succeed, with parameters; columns are texts, or bytes if binary is true."""
        result = self.pg.exec_params(sql.encode(), [None if t is None else t.encode() for t in texts], None, None,
                                     pq.Format.BINARY if binary else pq.Format.TEXT)
        if self.state(result) != SUCCESS:
            raise Failure(f"{self.message()} in: {sql[:200]}")
        cells = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
        return cells if binary else [[None if c is None else c.decode() for c in row] for row in cells]

    def one(self, sql, *texts):
        return self.rows(sql, *texts)[0][0]

    def binary_of(self, text, sql_type):
        """The binary form of a right value."""
        key = (text, sql_type)
        if key not in self.converted:
            try:
                self.converted[key] = self.rows(f"SELECT $1::{sql_type}", text, binary=True)[0][0]
            except Failure:
                self.converted[key] = text.encode()
        return self.converted[key]

    def fast_path(self, oid, given):
        """A function call of the protocol's own kind, its arguments in binary form."""
        blocks = (Block * max(1, len(given)))()
        for block, one in zip(blocks, given):
            block.length = -1 if one.text is None else len(one.binary)
            block.data = one.binary
        room, length = ctypes.create_string_buffer(1 << 16), ctypes.c_int()
        libpq = library()
        result = libpq.PQfn(self.pg.pgconn_ptr, oid, room, ctypes.byref(length), 0, blocks, len(given))
        status, code = libpq.PQresultStatus(result), libpq.PQresultErrorField(result, ord("C"))
        libpq.PQclear(result)
        return SUCCESS if status in GOOD else code.decode() if code else LOST

    def start(self, sql, given=()):
        """Sends a statement and does not wait; without parameters it goes by the simple protocol."""
        if given:
            self.pg.send_query_params(sql.encode(), [None if g.text is None else g.text.encode() for g in given])
        else:
            self.pg.send_query(sql.encode())
        while self.pg.flush() == 1:
            pass

    def is_through(self):
        """Whether what was started has ended, or the connection has."""
        try:
            self.pg.consume_input()
        except OperationalError:
            return True
        return not self.pg.is_busy()

    def finish(self):
        """The SQLSTATE of what was started, once it is over: of the first error, if there was one."""
        states = []
        while (result := self.pg.get_result()) is not None:
            states.append(self.state(result))
        return next((state for state in states if state != SUCCESS), SUCCESS if states else LOST)


class Block(ctypes.Structure):
    """PQArgBlock of libpq."""
    _fields_ = [("length", ctypes.c_int), ("isint", ctypes.c_int), ("data", ctypes.c_char_p)]


def library():
    """libpq, for the one call that psycopg does not have."""
    if not hasattr(library, "loaded"):
        libpq = library.loaded = ctypes.CDLL(ctypes.util.find_library("pq"))
        libpq.PQfn.restype = ctypes.c_void_p
        libpq.PQfn.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int,
                               ctypes.c_void_p, ctypes.c_int]
        libpq.PQresultStatus.argtypes = [ctypes.c_void_p]
        libpq.PQresultErrorField.restype = ctypes.c_char_p
        libpq.PQresultErrorField.argtypes = [ctypes.c_void_p, ctypes.c_int]
        libpq.PQclear.argtypes = [ctypes.c_void_p]
    return library.loaded
