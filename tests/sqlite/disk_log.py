"""What a power cut leaves of the files whose changes disk_log.c has logged.

Sure is what a sync asked for that was answered: a file's content by a sync of the file, its name, and that another one
is gone, by a sync of the directory. Of the rest each cut leaves nothing, all, or a part by chance: of a write some of
its sectors, of a directory's changes the first few.
"""

import os
import shutil
import struct
import subprocess

HEADER = struct.Struct("=IIIIQQ")
SECTOR = 512
DIRECTORY = object()


def build(directory):
    """Compiles the library to preload, and returns its path."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "disk_log.c")
    library = os.path.join(directory, "disk_log.so")
    subprocess.run(
        [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True
    )
    return library


def environment(library, log, of):
    return {**os.environ, "LD_PRELOAD": library, "DISK_LOG": log, "DISK_LOG_OF": of}


def note(log, text):
    """Adds a line of the process's own, such as what it was told is written."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    data = text.encode()
    os.write(file, HEADER.pack(ord("n"), os.getpid(), 0, 0, 0, len(data)) + data)
    os.close(file)


def read(log):
    """The log's records: kind, process, path, offset and data. The last one may be cut off, by a kill."""
    with open(log, "rb") as file:
        everything = file.read()
    place, records = 0, []
    while place + HEADER.size <= len(everything):
        kind, process, path_length, _, offset, length = HEADER.unpack_from(everything, place)
        place += HEADER.size
        if place + path_length + length > len(everything):
            break
        path = everything[place : place + path_length].decode()
        data = everything[place + path_length : place + path_length + length]
        place += path_length + length
        records.append((chr(kind), process, path, offset, data))
    return records


class File:
    """The content that is surely on the disk, and the changes that may be."""

    def __init__(self):
        self.content, self.pending, self.applied = bytearray(), [], 0

    def sync(self, until):
        while self.applied < until:
            change(self.content, *self.pending.pop(0))
            self.applied += 1

    def after_cut(self, luck, chance):
        content = bytearray(self.content)
        for offset, data in self.pending:
            if luck == "all" or (luck == "some" and data is None and chance.random() < 0.5):
                change(content, offset, data)
            elif luck == "some" and data is not None:
                for start in range(0, len(data), SECTOR):
                    if chance.random() < 0.5:
                        change(content, offset + start, data[start : start + SECTOR])
        return content


def change(content, offset, data):
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    else:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data


class Disk:
    """The state of the disk as the log goes on. With `names_at_once` a directory needs no sync."""

    def __init__(self, names_at_once=False):
        self.names_at_once = names_at_once
        self.live, self.durable, self.pending, self.syncing = {}, {}, {}, {}

    def do(self, kind, process, path, offset, data):
        if kind == "c":
            self.name(path, {path: File()})
        elif kind == "m":
            self.name(path, {path: DIRECTORY})
        elif kind == "u":
            self.name(path, {path: None})
        elif kind == "r":
            self.name(path, {path: None, data.decode(): self.live[path]})
        elif kind in "wt":
            if isinstance(self.live.get(path), File):
                self.live[path].pending.append((offset, data if kind == "w" else None))
        elif kind == "s":
            file = self.live.get(path)
            until = file.applied + len(file.pending) if isinstance(file, File) else len(self.pending.get(path, []))
            self.syncing[process, path] = (file, until)
        elif kind == "S":
            file, until = self.syncing.pop((process, path))
            if isinstance(file, File):
                file.sync(until)
            else:
                for names in self.pending.get(path, [])[:until]:
                    put(self.durable, names)
                del self.pending.get(path, [])[:until]

    def name(self, path, names):
        put(self.live, names)
        if self.names_at_once:
            put(self.durable, names)
        else:
            self.pending.setdefault(os.path.dirname(path), []).append(names)

    def cut(self, base, luck, chance):
        """Makes of the directory `base` what is left of it. At its own path: journals name files by their paths."""
        names = dict(self.durable)
        for pending in self.pending.values():
            count = {"none": 0, "all": len(pending), "some": chance.randint(0, len(pending))}[luck]
            for change_of_names in pending[:count]:
                put(names, change_of_names)
        shutil.rmtree(base, ignore_errors=True)
        os.mkdir(base)
        # A directory comes before what is in it.
        for path, file in sorted(names.items()):
            if file is DIRECTORY:
                os.mkdir(path)
            elif os.path.isdir(os.path.dirname(path)) and not path.endswith("-shm"):
                with open(path, "wb") as left:
                    left.write(file.after_cut(luck, chance))


def put(names, changes):
    for path, file in changes.items():
        if file is None:
            names.pop(path, None)
        else:
            names[path] = file
