"""A throw-away server of the sweep: its settings, its life, and whatever it writes anywhere."""

import contextlib
import glob
import os
import pwd
import re
import resource
import signal
import subprocess
import threading
import time

from session import SUCCESS, Failure, Session

HERE = os.path.dirname(os.path.abspath(__file__))
CLUSTER = os.path.join(HERE, "..", "cluster.sh")
PATIENCE = 120                          # seconds that anything may take

# Everything that makes a server talk, and that makes it write what it would rather keep in memory.
SETTINGS = {
    "wal_level": "logical",
    "wal_compression": "off",
    "wal_keep_size": "100GB",
    "archive_mode": "on",
    "archive_timeout": "0",
    "max_wal_senders": "4",
    "max_replication_slots": "4",
    "max_prepared_transactions": "20",
    "default_toast_compression": "lz4",
    "logging_collector": "on",
    "log_destination": "stderr,csvlog,jsonlog",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %e %b %u %d app=%a ",
    "log_statement": "all",
    "log_duration": "on",
    "log_min_duration_statement": "0",
    "log_min_messages": "debug1",
    "log_min_error_statement": "debug5",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_error_verbosity": "verbose",
    "log_lock_waits": "on",
    "log_temp_files": "0",
    "log_autovacuum_min_duration": "0",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_replication_commands": "on",
    "deadlock_timeout": "20ms",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_verbose": "on",
    "pg_stat_statements.max": "50000",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_utility": "on",
    "track_activity_query_size": "16kB",
    "restart_after_crash": "on",
    "work_mem": "64kB",
    "temp_buffers": "800kB",
    "logical_decoding_work_mem": "64kB",
    "autovacuum_naptime": "1s",
}

# For sessions that look at values, so that they write none anywhere themselves.
QUIET = ("SET work_mem = '1GB'; SET log_statement = none; SET log_min_duration_statement = -1; SET log_duration = off;"
         "SET auto_explain.log_min_duration = -1; SET log_min_messages = fatal")

FILE = re.compile(r"(?P<temp>t\d+_)?(?P<node>\d+)(?P<fork>_fsm|_vm|_init)?(\.\d+)?$")
RELATIONS = """
SELECT CASE WHEN c.relisshared THEN 0 ELSE d.oid END, pg_relation_filenode(c.oid),
    CASE WHEN c.relnamespace = 'pg_catalog'::regnamespace THEN 'catalogs'
        WHEN c.relkind = 't' OR n.nspname = 'pg_toast' THEN 'TOAST' WHEN c.relkind = 'i' THEN 'indexes'
        ELSE 'tables' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_database d
WHERE d.datname = current_database() AND pg_relation_filenode(c.oid) IS NOT NULL
"""
VIEWS = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND (n.nspname ~ '^paws_' OR c.relname IN ('pg_stats', 'pg_prepared_xacts',
    'pg_replication_slots', 'pg_stat_database', 'pg_stat_user_tables', 'pg_stat_progress_vacuum'))
"""


def wait_for(what, condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"waited in vain: {what}")
        time.sleep(0.02)


class Server:
    def __init__(self, folder, ours, database):
        self.folder = folder            # of everything: what the server writes is below, in "server"
        self.root = os.path.join(folder, "server")
        self.data = os.path.join(self.root, "data")
        self.ours = ours                # whether the extension is loaded
        self.database = database
        self.conninfo = None
        self.more_settings = {}
        self.relations = {}
        self.to_archive = None          # the last file of WAL that must be in the archive
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)

    # -- life -------------------------------------------------------------------------------------

    def settings(self):
        libraries = "pg_stat_statements,auto_explain" + (",paws_sync" if self.ours else "")
        archive = os.path.join(self.root, "archive")
        return {**SETTINGS, "shared_preload_libraries": libraries, "log_directory": os.path.join(self.root, "log"),
                "archive_command": f"mkdir -p {archive} && cp %p {archive}/%f", **self.more_settings}

    def up(self):
        """Starts it; made anew the first time, recovered if it crashed."""
        command = ["bash", CLUSTER, "up", "--dir", self.root, "--no-fsync", "--no-build"]
        if not self.ours:
            command.append("--no-database")
        for name, value in self.settings().items():
            command += ["-c", f"{name}={value}"]
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        if said.returncode != 0:
            raise Failure(f"the server did not start: {said.stderr}")
        parts = dict(word.split("=", 1) for word in said.stdout.strip().splitlines()[-1].split())
        parts["dbname"] = "postgres"
        if not self.conninfo and self.database != "paws":
            Session(self.render(parts)).connect().simple(f"CREATE DATABASE {self.database}")
        parts["dbname"] = self.database
        self.conninfo = self.render(parts)

    @staticmethod
    def render(parts):
        return " ".join(f"{name}={value}" for name, value in parts.items())

    def session(self, setup="", **more):
        return Session(f"{self.conninfo} {self.render(more)}", setup).connect()

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
            return int(file.readline())

    def is_gone(self, pid):
        """Whether a process is: where nobody collects orphans one that ended stays as a zombie."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def processes(self):
        """Ids of the server's processes: those whose current folder is its data directory."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.readlink(f"/proc/{entry}/cwd") == self.data and not self.is_gone(int(entry)):
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    def stop(self, with_signal=signal.SIGINT):
        """Ends it: cleanly by default, without a word with SIGKILL."""
        pid = self.postmaster()
        os.kill(pid, with_signal)
        wait_for("the server to end", lambda: self.is_gone(pid) and not self.processes())
        if os.path.exists(f"/proc/{pid}"):
            locks = glob.glob(os.path.join(self.root, ".s.PGSQL.*.lock"))
            for lock in [os.path.join(self.data, "postmaster.pid"), *locks]:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(lock)     # the zombie would be taken for a running server

    def limit_memory(self, pid, more):
        """Lets a process have so many bytes of address space more than it has. Only its own user may say that."""
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            bytes_now = int(file.read().split()[0]) * resource.getpagesize()
        command = ["prlimit", "--pid", str(pid), f"--as={bytes_now + more}"]
        if os.getuid() == 0:
            command = ["runuser", "-u", pwd.getpwuid(os.stat(self.data).st_uid).pw_name, "--", *command]
        subprocess.run(command, check=True, timeout=PATIENCE)

    def answers(self):
        """Whether it takes connections, as it does once it has recovered."""
        try:
            session = self.session()
        except ConnectionError:
            return False
        state = session.simple("SELECT 1")
        session.close()
        return state == SUCCESS

    # -- what it writes ---------------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def program(self, name, *arguments, **more):
        command = [os.path.join(os.environ["PG_BIN"], name), *arguments]
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE * 2, **more)
        if said.returncode != 0:
            raise Failure(f"{name}: {said.stderr.decode(errors='replace')[:2000]}")

    def copy_out(self):
        """Dumps, base backup and what logical decoding says."""
        self.program("pg_dump", "-d", self.conninfo, "-f", self.path("dump.sql"))
        self.program("pg_dump", "-d", self.conninfo, "-Fc", "-Z0", "-f", self.path("dump.custom"))
        session = self.session()
        end = session.one("SELECT pg_current_wal_flush_lsn()")
        self.program("pg_recvlogical", "-d", self.conninfo, "-S", "canary", "--start", "--no-loop", "-E", end,
                     "-s", "1", "-f", self.path("stream.txt"))
        self.program("pg_basebackup", "-d", self.conninfo, "-D", self.path("backup"), "-X", "stream", "-c", "fast")
        self.to_archive = session.one("SELECT pg_walfile_name(pg_switch_wal())")
        session.close()

    def note_views(self):
        """Appends what the views of the extension, of statistics and of statements show."""
        session = self.session(QUIET)
        with open(self.path("views.txt"), "a", encoding="utf-8") as file:
            for (view,) in session.rows(VIEWS):
                file.writelines(f"{view}: {row[0]}\n" for row in session.rows(f"SELECT v::text FROM {view} v"))
        with open(self.path("statements.txt"), "a", encoding="utf-8") as file:
            file.writelines(f"{row[0]}\n" for row in session.rows("SELECT query FROM pg_stat_statements"))
        for database, node, kind in session.rows(RELATIONS):
            self.relations[int(database), int(node)] = kind
        session.close()

    def place_in_data(self, name):
        """The place of a file of the data directory."""
        folder, _, base = name.rpartition("/")
        if name.startswith("pg_wal/"):
            return "WAL"
        if "pgss" in base or "pg_stat_statements" in base:
            return "pg_stat_statements"
        if folder in ("pg_stat", "pg_stat_tmp"):
            return "statistics files"
        if "pgsql_tmp" in name:
            return "temporary files"
        match = FILE.match(base) if folder == "global" or re.fullmatch(r"base/\d+", folder) else None
        if not match:
            return "other files"
        if match["temp"]:
            return "temporary files"
        if match["fork"]:
            return "free-space maps"
        database = 0 if folder == "global" else int(folder.split("/")[1])
        return self.relations.get((database, int(match["node"])), "tables")

    def files_of_data(self):
        return [(self.place_in_data(os.path.relpath(path, self.data)), path) for path in files_below(self.data)]

    def all_files(self):
        """Every file that the server or a program beside it wrote, with its place; once it has ended cleanly."""
        if not os.path.exists(os.path.join(self.root, "archive", self.to_archive)):
            raise Failure("the archive of WAL is not complete")
        found = self.files_of_data()
        logs = {".csv": "log (csv)", ".json": "log (json)"}
        found += [(logs.get(os.path.splitext(path)[1], "log (stderr)"), path)
                  for path in files_below(os.path.join(self.root, "log"))]
        for place, *parts in (("WAL archive", "server", "archive"), ("key files", "server", "keys"),
                              ("temporary files", "kept"), ("base backup", "backup"), ("dump", "dump.sql"),
                              ("dump", "dump.custom"), ("logical stream", "stream.txt"), ("activity", "activity.txt"),
                              ("pg_stat_statements", "statements.txt"), ("views", "views.txt")):
            path = self.path(*parts)
            found += [(place, file) for file in (files_below(path) if os.path.isdir(path) else [path])
                      if os.path.exists(file)]
        return found


def files_below(folder):
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names
            if os.path.isfile(os.path.join(at, name)) and not os.path.islink(os.path.join(at, name))]


class Watch(threading.Thread):
    """Looks at what does not last: every 50 ms at the activity view, and always at files of temporary data, which
    it keeps by a second name."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.kept = set()
        self.seen = set()
        self.samples = 0
        os.makedirs(server.path("kept"), exist_ok=True)

    def run(self):
        session, due = None, 0.0
        with open(self.server.path("activity.txt"), "a", encoding="utf-8") as file:
            while not self.over.wait(0.005):
                if time.monotonic() < due:
                    self.keep_spills()
                    continue
                due = time.monotonic() + 0.05
                self.keep_files()
                try:
                    session = session or self.server.session(QUIET)
                    self.look(session, file)
                except (ConnectionError, Failure):
                    session = None      # the server is down, or was

    def look(self, session, file):
        for (row,) in session.rows("SELECT concat_ws(' ', application_name, query) FROM pg_stat_activity"
                                   " WHERE pid <> pg_backend_pid()"):
            if row not in self.seen:
                self.seen.add(row)
                file.write(row + "\n")
        self.samples += 1

    def keep_files(self):
        """Links to every temporary file that is there now, those of temporary tables too."""
        self.keep_spills()
        with self.lock:
            for folder in scan(os.path.join(self.server.data, "base")):
                for entry in scan(folder.path) if folder.name.isdigit() else ():
                    if entry.name.startswith("t") and FILE.match(entry.name):
                        self.keep(entry.path)

    def keep_spills(self):
        with self.lock:
            for entry in scan(os.path.join(self.server.data, "base", "pgsql_tmp")):
                for part in scan(entry.path) if entry.is_dir() else (entry,):
                    self.keep(part.path)

    def keep(self, path):
        try:
            inode = os.stat(path).st_ino
            if inode not in self.kept:
                os.link(path, self.server.path("kept", f"{len(self.kept)}.{os.path.basename(path)}"))
                self.kept.add(inode)
        except OSError:
            pass                        # gone before we came

    def stop(self):
        self.over.set()
        self.join()


def scan(folder):
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
