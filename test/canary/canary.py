#!/usr/bin/env python3
"""Proves that no plaintext leaks: values are planted through every function of the extension, in every way, and then
looked for in everything that a server writes. The same on a stock server must find nearly all (the control).

Exit status 0: nothing leaked but what is on the list of what is left; 1: something did, a function was not reached,
or the control found too little; 2: the run itself failed.
"""

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback

import report
from search import Search
from session import Failure
from target import Extension, Stock


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", required=True, help="an empty folder for everything that is made")
    parser.add_argument("--scanner", required=True, help="the program made from scan.c")
    parser.add_argument("--output", required=True, help="the file for all figures and hits, as JSON")
    parser.add_argument("--small", action="store_true", help="each call in one way, not in all")
    parser.add_argument("--values", type=int, default=10_000, help="values to plant at least, unless small")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting of the server")
    parser.add_argument("--seed", default="paws", help="the same seed plants the same values")
    return parser.parse_args()


def sweep(target, options):
    """All of it, on one server: plant, crash, plant, kill, search, recover, stop, search."""
    server = target.server
    search = Search(options.scanner, server.folder)
    target.sweep(options.values)
    server.note_views()
    target.crash()
    target.note("crash of a process")
    target.must("ANALYZE")
    target.must("VACUUM")
    server.note_views()
    server.copy_out()
    target.note("dump, backup, stream")
    left = target.leave_in_flight("whole server killed")
    server.stop(signal.SIGKILL)
    search.test(target.values.all, server.folder)
    hits = list(search.run(server.files_of_data()))
    target.note("search after the crash")
    for session in left:
        session.close()
    server.up()
    target.reconnect()
    target.must("CHECKPOINT")
    server.note_views()
    target.watch.stop()
    target.session.close()
    server.stop()
    target.note("recovery and stop")
    search.learn(target.values.all)
    hits += search.run(server.all_files())
    target.note("search")
    return report.Result(target, hits, search.bytes_read)


def run_stock(options, models, results):
    """The control, in a process of its own; its calls are made from the model, the functions of the extension."""
    try:
        target = Stock(os.path.join(options.folder, "stock"), options.seed, options.small, models.get())
        target.begin()
        results.put(sweep(target, options))
    except Exception as error:
        traceback.print_exc()
        results.put(Failure(f"the control: {error!r}"))


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    context = multiprocessing.get_context("fork")
    models, results = context.Queue(), context.Queue()
    stock = context.Process(target=run_stock, daemon=True, args=(options, models, results))
    stock.start()                       # before this process has threads
    target = Extension(os.path.join(options.folder, "ours"), options.seed, options.small)
    target.server.more_settings.update(line.split("=", 1) for line in options.set)
    target.begin()
    models.put((target.functions, target.types))
    ours, control = sweep(target, options), results.get()
    stock.join()
    if isinstance(control, Failure):
        raise control
    verdict = report.Verdict(ours, control, list(target.uncovered()))
    os.makedirs(os.path.dirname(options.output), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump(verdict.data(), file, ensure_ascii=False, indent=1)
    verdict.show(time.monotonic() - began)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"canary: the run failed: {failure}", file=sys.stderr)
        sys.exit(2)
