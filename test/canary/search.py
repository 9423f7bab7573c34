"""Searches files for everything that was planted, in every form."""

import os
import random
import struct
import subprocess

from session import Failure
from values import forms_of

SELF_TEST = 40


class Hit:
    """One place of one value: the kind of place, the form, and where exactly."""

    __slots__ = ("value", "form", "place", "path", "offset")

    def __init__(self, value, form, place, path, offset):
        self.value = value
        self.form = form
        self.place = place
        self.path = path
        self.offset = offset


class Search:
    def __init__(self, scanner, folder):
        self.scanner = scanner
        self.needles = os.path.join(folder, "needles")
        self.meaning = []
        self.bytes_read = 0

    def learn(self, values):
        """Writes the file of what is searched for."""
        self.meaning = []
        with open(self.needles, "wb") as file:
            for value in values:
                for form, data in forms_of(value.unique):
                    file.write(struct.pack("<IH", len(self.meaning), len(data)) + data)
                    self.meaning.append((value, form, data))

    def run(self, files):
        """Hits in pairs of place and path; one for each file, value and form."""
        self.bytes_read += sum(os.path.getsize(path) for _, path in files if os.path.exists(path))
        names = b"".join(os.fsencode(path) + b"\0" for _, path in files)
        said = subprocess.run([self.scanner, self.needles], input=names, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if said.returncode != 0:
            raise Failure(f"searching: {said.stderr.decode(errors='replace')}")
        for line in said.stdout.split(b"\n")[:-1]:
            file, needle, offset = map(int, line.split())
            value, form, _ = self.meaning[needle]
            place, path = files[file]
            yield Hit(value, form, place, path, offset)

    def test(self, values, folder):
        """That every form is found wherever it stands in a file, across the borders of what is read at once as well,
        and nothing in noise."""
        self.learn(values)
        noise = random.Random(1)
        path = os.path.join(folder, "self-test")
        wanted = {n for n, (value, _, _) in enumerate(self.meaning) if value in values[:SELF_TEST]}
        border = 8 << 20
        data = bytearray(noise.randbytes(border + (1 << 20)))
        at = border - sum(len(self.meaning[n][2]) for n in wanted) // 2
        for n in sorted(wanted):
            data[at:at + len(self.meaning[n][2])] = self.meaning[n][2]
            at += len(self.meaning[n][2])
        with open(path, "wb") as file:
            file.write(data)
        found = {(hit.value, hit.form) for hit in self.run([("noise", path)])}
        os.unlink(path)
        if found != {self.meaning[n][:2] for n in wanted}:
            raise Failure("the search does not find what is there")
