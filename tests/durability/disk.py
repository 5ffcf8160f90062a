"""What a power failure leaves, made from the log of power_log.cc: the directory trees possible after any prefix of it.

What was flushed is there. Of the rest, any part: nothing, all of it, or a part drawn by a seed. The model is that of a
file system which orders changes of names as a journal does, and nothing else:
- fsync of a file makes its data, its mode and the names it has durable; fdatasync only its data;
- fsync of a directory makes its names durable; syncfs everything;
- names that are durable bring all earlier changes of the same directories with them;
- of unflushed data of a file that grew, the beginning may be there, to a page, or its size alone; of data written in
  place any page may be.
"""
import dataclasses
import mmap
import os
import pathlib
import stat
import struct

CREATE, MKDIR, LINK, RENAME, UNLINK, RMDIR, WRITE, ZEROS, TRUNCATE, MODE, TIME, FLUSH_BEGIN, FLUSH_END, UNKNOWN = range(1, 15)
NAMES = (CREATE, MKDIR, LINK, RENAME, UNLINK, RMDIR)
DATA = (WRITE, ZEROS, TRUNCATE)
WHOLE_FILE, FILE_SYSTEM = 2, 3
HEADER = struct.Struct("<IIQQQQQQIIII")
FIRST, CAPACITY, PAGE = 4096, 2 << 30, 4096
NEVER = 1 << 62


class Log:
    """The file that all processes write to, and the clock of the recording."""

    def __init__(self, path):
        with open(path, "wb") as file:
            os.truncate(file.fileno(), CAPACITY)
        os.chmod(path, 0o666)
        self.path = path
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), CAPACITY)

    def now(self):
        """The end of the last record: what happened after it stands before a later value."""
        return struct.unpack_from("<Q", self.map, 0)[0] or FIRST

    def records(self):
        at, end = FIRST, self.now()
        while at < end:
            (size, kind, inode, directory, other, offset, length, when, uid, gid, name, other_name) = HEADER.unpack_from(self.map, at)
            names = at + HEADER.size
            data = names + name + other_name
            yield Record(at, at + size, kind, inode, directory, other, offset, length, when, uid, gid,
                         self.map[names:names + name].decode(), self.map[names + name:data].decode(),
                         self.map[data:data + length] if kind == WRITE else b"")
            at += size


@dataclasses.dataclass
class Record:
    at: int
    end: int
    kind: int
    inode: int
    directory: int
    other: int
    offset: int
    length: int
    when: int
    uid: int
    gid: int
    name: str
    other_name: str
    data: bytes


class Node:
    """A file or a directory of the tree as it was when the recording began."""

    def __init__(self, uid, gid, mode, is_directory, content=b"", time=0):
        self.uid, self.gid, self.mode, self.is_directory, self.content, self.time = uid, gid, mode, is_directory, content, time
        self.pages = {}  # of content that is mostly zeros


@dataclasses.dataclass
class Change:
    kind: int
    end: int
    node: Node
    when: int
    directory: Node = None
    name: str = ""
    other: Node = None
    other_name: str = ""
    offset: int = 0
    length: int = 0
    data: bytes = b""
    durable: int = NEVER  # from this place of the log on

    def directories(self):
        return {id(each) for each in (self.directory, self.other, self.node if self.kind in (MKDIR, RMDIR) else None) if each}


class Disk:
    def __init__(self, tops):
        """tops: directories; taken as they are now, and as durable."""
        self.tops, self.by_inode, self.start, self.changes, self.unknown = [], {}, [], [], []
        for top in tops:
            self.tops.append((str(top), self.take(pathlib.Path(top))))

    def take(self, path):
        status = path.lstat()
        node = Node(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), path.is_dir(), time=int(status.st_mtime))
        self.by_inode[status.st_ino] = node
        if node.is_directory:
            for each in path.iterdir():
                if each.is_dir() or stat.S_ISREG(each.lstat().st_mode):
                    self.start.append((node, each.name, self.take(each)))
        else:
            node.content = path.read_bytes()
        return node

    def read(self, log):
        """Turns the records into changes of what we know, each with the moment from which on it is durable."""
        for record in log.records():
            if record.kind == FLUSH_END:
                self.flush(record)
            elif record.kind == UNKNOWN and record.inode in self.by_inode:
                self.unknown.append(record)
            elif record.kind != FLUSH_BEGIN:
                self.change(record)
        return self

    def change(self, record):
        directory, other = self.by_inode.get(record.directory), self.by_inode.get(record.other)
        if record.kind in (CREATE, MKDIR):
            if not directory:
                self.by_inode.pop(record.inode, None)
                return
            self.by_inode[record.inode] = Node(record.uid, record.gid, record.length, record.kind == MKDIR, time=record.when // 10 ** 9)
        node = self.by_inode.get(record.inode)
        if not node or (record.kind in NAMES and not directory) or (record.kind == RENAME and not other):
            return
        self.changes.append(Change(record.kind, record.end, node, record.when, directory if record.kind in NAMES else None, record.name,
                                   other if record.kind == RENAME else None, record.other_name, record.offset, record.length,
                                   record.data))

    def flush(self, record):
        if record.length == FILE_SYSTEM:
            covered = [change for change in self.changes if change.end <= record.offset]
        else:
            node = self.by_inode.get(record.inode)
            if not node:
                return
            covered = [change for change in self.changes if change.end <= record.offset and change.durable == NEVER
                       and self.covers(record, node, change)]
        for change in self.with_earlier_names(covered):
            change.durable = min(change.durable, record.end)

    @staticmethod
    def covers(record, node, change):
        if node.is_directory:
            return change.kind in NAMES and id(node) in change.directories()
        return change.node is node and (change.kind in DATA or record.length == WHOLE_FILE)

    def with_earlier_names(self, covered):
        """And every change of names that stands before one of them in the same directory."""
        wanted = {id(change) for change in covered}
        touched = set()
        for change in reversed(self.changes):
            if change.kind not in NAMES:
                continue
            if id(change) in wanted or change.directories() & touched:
                touched |= change.directories()
                if id(change) not in wanted:
                    covered.append(change)
                    wanted.add(id(change))
        return covered

    # --- what is left ---
    def after_failure(self, cut, fate, rng):
        """The tree when the power fails at `cut`. fate: "none", "all" or "some" of what was not flushed is there."""
        tree = Tree(self.start)
        blocked, data = set(), {}
        share = rng.choice((0.2, 0.5, 0.8))
        for change in self.changes:
            if change.end > cut:
                break
            durable = change.durable <= cut
            if change.kind in NAMES:
                there = durable or (fate != "none" and not change.directories() & blocked and (fate == "all" or rng.random() < share))
                if there:
                    tree.rename(change)
                else:
                    blocked |= change.directories()
            elif change.kind in DATA:
                data.setdefault(id(change.node), (change.node, []))[1].append((change, durable))
            elif durable or fate == "all" or (fate == "some" and rng.random() < share):
                tree.attribute(change)
        for node, writes in data.values():
            tree.contents[id(node)] = content_after(node, writes, fate, rng)
        return tree


def content_after(node, writes, fate, rng):
    """What the file holds: durable writes, and of the others what the fate says."""
    content = Content(node.content)
    growth = rng.choice(("kept", "kept", "lost", "zeros"))
    stopped = False
    for change, durable in writes:
        if durable or fate == "all":
            content.apply(change, change.length)
        elif fate == "none":
            continue
        elif change.kind == TRUNCATE:
            if rng.random() < 0.5:
                content.apply(change, change.length)
        elif change.offset + change.length <= content.size:  # in place: any page of it
            for page in range(change.offset // PAGE, (change.offset + change.length - 1) // PAGE + 1):
                if rng.random() < 0.5:
                    content.apply_page(change, page)
        elif growth == "zeros":
            content.size = max(content.size, change.offset + change.length)
        elif growth == "kept" and not stopped and change.offset <= content.size:
            length = change.length
            if rng.random() < 0.3:
                last = rng.randrange(change.offset // PAGE, (change.offset + change.length) // PAGE + 1) * PAGE
                length, stopped = max(0, last - change.offset), True
            content.apply(change, length)
    return content


class Content:
    """Bytes with holes: segments of the journal are large and nearly empty."""

    def __init__(self, start):
        self.size, self.parts = len(start), [(0, start)] if start else []

    def apply(self, change, length):
        if change.kind == TRUNCATE:
            if change.length < self.size:
                self.parts = [(at, data[:change.length - at]) for at, data in self.parts if at < change.length]
            self.size = change.length
        elif length > 0:
            if change.kind == WRITE:
                self.parts.append((change.offset, change.data[:length]))
            elif change.offset < self.size:
                self.parts.append((change.offset, bytes(min(length, self.size - change.offset))))
            self.size = max(self.size, change.offset + length)

    def apply_page(self, change, page):
        begin, end = max(change.offset, page * PAGE), min(change.offset + change.length, (page + 1) * PAGE)
        data = change.data[begin - change.offset:end - change.offset] if change.kind == WRITE else bytes(end - begin)
        self.parts.append((begin, data))

    def bytes(self):
        out = bytearray(self.size)
        for at, data in self.parts:
            out[at:at + len(data)] = data
        return bytes(out[:self.size])

    def write(self, path):
        with open(path, "wb") as file:
            for at, data in self.parts:
                file.seek(at)
                file.write(data)
            file.truncate(self.size)


class Tree:
    """Names, modes and contents at one moment."""

    def __init__(self, start):
        self.names, self.contents, self.modes, self.times = {}, {}, {}, {}
        for directory, name, node in start:
            self.names.setdefault(id(directory), {})[name] = node

    def rename(self, change):
        here = self.names.setdefault(id(change.directory), {})
        if change.kind in (CREATE, MKDIR, LINK):
            here[change.name] = change.node
        else:
            here.pop(change.name, None)
        if change.kind == RENAME:
            self.names.setdefault(id(change.other), {})[change.other_name] = change.node

    def attribute(self, change):
        (self.modes if change.kind == MODE else self.times)[id(change.node)] = change.length

    def listing(self, tops):
        """Everything that two trees have to share to be the same."""
        out = []

        def walk(node, path):
            for name, each in sorted(self.names.get(id(node), {}).items()):
                content = self.contents.get(id(each))
                parts = tuple(content.parts) if content else (each.content,)
                out.append((f"{path}/{name}", self.modes.get(id(each)), None if each.is_directory else hash((content.size if content else 0, parts))))
                if each.is_directory:
                    walk(each, f"{path}/{name}")

        for top, node in tops:
            walk(node, top)
        return tuple(out)

    def differences(self, tops):
        """Paths that are not as the directories have them now: a change that went past the log. For the tree of all changes."""
        found = []

        def compare(node, path):
            names = {name: each for name, each in self.names.get(id(node), {}).items()}
            for name in os.listdir(path):
                place, known = f"{path}/{name}", names.pop(name, None)
                if os.path.isdir(place):
                    compare(known, place) if known else found.append(place)
                elif os.path.isfile(place):
                    content = known and self.contents.get(id(known), Content(known.content))
                    if not content or content.bytes() != pathlib.Path(place).read_bytes():
                        found.append(place)
            found.extend(f"{path}/{name}" for name in names)

        for top, node in tops:
            compare(node, top)
        return found

    def make(self, tops, places):
        """Writes it below other directories, which are empty."""
        for (_, node), place in zip(tops, places):
            self.make_below(node, place)

    def make_below(self, directory, place):
        for name, node in self.names.get(id(directory), {}).items():
            path = f"{place}/{name}"
            if node.is_directory:
                os.mkdir(path)
                self.make_below(node, path)
            else:
                self.contents.get(id(node), Content(node.content)).write(path)
            mode = self.modes.get(id(node), node.mode)
            time = self.times.get(id(node), node.time)
            os.chmod(path, mode)
            os.chown(path, node.uid, node.gid)
            os.utime(path, (time, time))
