"""What is left: the places where values are found all the same, why, and what an operator does about it. README has
the same list. Whatever is found and is not on it is a leak."""

import ways


class Residue:
    def __init__(self, title, place, kinds, paths, why, remedy):
        self.title = title
        self.place = place
        self.kinds = kinds
        self.paths = paths              # ways or situations, or None for all
        self.why = why
        self.remedy = remedy

    def covers(self, planted, place):
        return place == self.place and planted.kind in self.kinds and \
            (self.paths is None or planted.way in self.paths or planted.situation in self.paths)


RESIDUE = [
    Residue("Statements that are running", "activity", [ways.LITERAL], None,
            "The server shows the text of each statement in pg_stat_activity before any of our code runs, and until the"
            " session's next one.",
            "Bind values; set track_activities to off, or give nobody pg_read_all_stats."),
    Residue("Statistics of statements", "pg_stat_statements", [ways.LITERAL],
            ("DO", "COPY TO", "EXPLAIN ANALYZE", "PREPARE", "EXECUTE of a prepared statement", "DECLARE CURSOR",
             "comment", "statistics reset meanwhile"),
            "pg_stat_statements takes constants out of plain statements alone: utility commands, comments, and"
            " statements whose entry is lost while they run keep their text, in memory and in its files.",
            "Bind values; set pg_stat_statements.track_utility to off, or do without the library."),
    Residue("Memory runs out", "log (stderr)", [ways.LITERAL], ("out of memory",),
            "The server writes its memory contexts to stderr by itself, with the first 100 bytes of the texts of"
            " prepared statements.",
            "Bind values; keep the memory of the machine above what connections may take."),
    Residue("Answers of utility commands", "temporary files", [ways.LITERAL],
            ("EXPLAIN ANALYZE", "EXECUTE of a prepared statement", "PREPARE", "DECLARE CURSOR"),
            "EXPLAIN, EXECUTE and FETCH gather their answer before they send it, above work_mem in a file; the plan that"
            " EXPLAIN shows has the constants of the statement in it.",
            "Bind values; do without EXPLAIN where there are people's data."),
    Residue("The caller's own temporary data", "temporary files", [ways.OWN, ways.STREAM], None,
            "What a statement of the caller's sorts, hashes, keeps in a temporary table or WITH HOLD, or fetches with"
            " FETCH, goes to files as it is once it is above work_mem or temp_buffers; until the end of the statement,"
            " session or, after a crash, the next start.",
            "Hand payloads to the functions and take them from pull as they are; keep max_bytes below work_mem; put"
            " temporary files on an encrypted disk (temp_tablespaces)."),
]
