"""The power fails at any step of what becomes of a message: accepted, deferred, delivered, held, requeued, deleted, bounced.

A short life of an instance is recorded, every change of a file and every flush of all its programs (power_log.cc). For a
cut after any record a tree is made that has what was flushed before the cut and none, all or some of the rest (disk.py),
and the system is started on it: each recipient whose message was acknowledged before the cut has it at the server, in
the mailbox or as a notice, or it was deleted; nothing comes that nobody sent; everything that comes is whole.

Twice may come what was delivered within the flush interval of qmgr's journal before the cut, and by design no more:
the same holds for a deletion that is forgotten. A mailbox may keep the beginning of a message whose delivery was under
way; the whole one comes besides.
"""
import contextlib
import dataclasses
import os
import random
import shutil
import threading
import time

import pytest

import disk
from ledger import ADDRESS, SETTINGS, MixedLoad, Moody, address, content, read_mailbox, sender_of
from mta import IS_POSTFIX, PORTS, TOP, Instance, eventually

LIBRARY = TOP / "build/release/lib/power_log.so"
FATES = ("none", "all", "some")
CUTS = os.environ.get("DURABILITY_CUTS", "60")
# qmgr flushes its records 0.2 s after the first one, on a machine that may be busy.
MAY_BE_FORGOTTEN = 2_000_000_000
ACTORS = 2

pytestmark = [pytest.mark.slow, pytest.mark.ours, pytest.mark.skipif(IS_POSTFIX, reason="about Facteur alone"),
              pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY.name} is not built")]


@dataclasses.dataclass(frozen=True)
class Moment:
    place: int  # in the log
    when: int  # monotonic ns


class History:
    """Who was told what, and when."""

    def __init__(self, log):
        self.log = log
        self.begun, self.accepted, self.relayed = {}, {}, {}  # (kind, serial) -> Moment
        self.deletion_begun, self.deleted = {}, {}  # serial -> Moment

    def now(self):
        return Moment(self.log.now(), time.monotonic_ns())

    def send(self, mta, kinds, serial, size=1000):
        self.begun.update({(kind, serial): self.now() for kind in kinds})
        with mta.client() as client:
            answer = client.send_message(sender_of(serial), [address(kind, serial) for kind in kinds], content(serial, size))
        if answer.startswith("250"):
            self.accepted.update({(kind, serial): self.now() for kind in kinds})
        return answer.startswith("250")

    def submit(self, mta, kinds, serial):
        self.begun.update({(kind, serial): self.now() for kind in kinds})
        done = mta.sendmail("-f", sender_of(serial), *(address(kind, serial) for kind in kinds), message=content(serial, 1000, "\n"))
        if done.returncode == 0:
            self.accepted.update({(kind, serial): self.now() for kind in kinds})

    def delete(self, mta, serial, queue_id):
        self.deletion_begun[serial] = self.now()
        if b'"deleted": 1' in mta.run("postsuper", "--json", "-d", queue_id).stdout:
            self.deleted[serial] = self.now()


class Switched(Moody):
    """Takes what it refuses for now as soon as it is told to."""

    def __init__(self, port, takes_busy=True, **options):
        self.takes_busy = takes_busy
        super().__init__(port, **options)

    def mood(self, line):
        if ADDRESS.search(line)[1] == "never":
            return "550 5.1.1 no such user"
        return None if self.takes_busy else "451 4.3.0 busy"


class Recorder(Switched):
    """Notes when each message reached it, before it answers."""

    def __init__(self, port, history):
        self.history = history
        super().__init__(port, takes_busy=False)

    def keep(self, sender, recipients, text):
        for recipient in recipients:
            if found := ADDRESS.match(recipient):
                self.history.relayed.setdefault(found.groups(), self.history.now())
        super().keep(sender, recipients, text)


@contextlib.contextmanager
def recording(make, log, directory, monkeypatch, **main):
    """An instance whose programs all write to the log."""
    commands = directory / "sbin"
    commands.mkdir()
    for program in (TOP / "build/stage/sbin").iterdir():
        (commands / program.name).symlink_to(program)
    # A program with a group of its own is deaf to what is preloaded: here it comes without.
    (commands / "postdrop").unlink()
    shutil.copy(TOP / "build/stage/sbin/postdrop", commands / "postdrop")
    history = History(log)
    server = Recorder(PORTS.take(), history)
    mta = make(start=False, main=SETTINGS | main | {
        "relayhost": f"[127.0.0.1]:{server.port}", "command_directory": str(commands),
        "import_environment": f"MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_PRELOAD={LIBRARY} POWER_LOG={log.path}"})
    mta.sbin = commands
    mta.start()  # once without, so that all directories are there
    mta.stop()
    start = disk.Disk([mta.spool, mta.mail])
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARY))
    monkeypatch.setenv("POWER_LOG", str(log.path))
    mta.start()
    yield mta, server, history, start
    monkeypatch.delenv("LD_PRELOAD")
    server.close()


def by_serial(mta, *serials):
    """The queue ids of messages that are deferred."""
    def found():
        listed = {message["sender"]: message for message in mta.queue()}
        there = [listed.get(sender_of(serial)) for serial in serials]
        return all(each and each["queue_name"] == "deferred" for each in there) and [each["queue_id"] for each in there]

    ids = eventually(found, 15)
    assert ids, f"{mta.queue()}\n{mta.log()[-3000:]}"
    return ids


def live(mta, server, history):
    """One of everything."""
    assert history.send(mta, ["ok"], "0-1")
    assert history.send(mta, ["box"], "0-2")
    assert history.send(mta, ["never"], "0-3")
    history.submit(mta, ["ok"], "0-4")
    for serial, kinds, size in (("1-1", ["busy"], 1000), ("1-2", ["busy"], 1000), ("1-3", ["busy"], 300_000), ("1-4", ["busy"], 1000),
                                ("1-5", ["ok", "busy"], 1000), ("1-6", ["busy"], 1_200_000)):
        assert history.send(mta, kinds, serial, size)
    ids = by_serial(mta, "1-1", "1-2", "1-3", "1-4", "1-5", "1-6")
    mta.run("postsuper", "-h", ids[1])
    mta.run("postsuper", "-r", ids[2])
    history.delete(mta, "1-4", ids[3])
    history.send(mta, ["ok", "box", "never"], "2-1", 8000)
    eventually(lambda: len(server.messages) >= 4, 10)
    by_serial(mta, "1-1", "1-3", "1-5", "1-6")
    server.takes_busy = True
    mta.run("postsuper", "-H", ids[1])
    mta.run("postqueue", "-f")
    assert history.send(mta, ["box"], "3-1")
    assert eventually(lambda: mta.queue() == [], 20), mta.queue()
    time.sleep(0.5)  # the journal's flush of what was delivered last


class Actor:
    """An instance that is started on one tree after the other."""

    def __init__(self, make):
        self.server = Switched(PORTS.take())
        self.mta = make(start=False, main=SETTINGS | {"relayhost": f"[127.0.0.1]:{self.server.port}"})

    def start(self):
        """On another port when someone took ours while it was free."""
        for _ in range(3):
            try:
                return self.mta.start()
            except AssertionError:
                if "Address already in use" not in self.mta.log():
                    raise
            line = self.mta.services.pop(f"127.0.0.1:{self.mta.port}")
            self.mta.port = PORTS.take()
            self.mta.services[f"127.0.0.1:{self.mta.port}"] = line
            self.mta.write_configuration()
            self.mta.log_file.unlink(missing_ok=True)
        return self.mta.start()

    def try_tree(self, tree, tops):
        self.mta.kill_leftovers()
        assert eventually(lambda: self.mta.processes() == [], 10)
        self.server.messages.clear()
        for place in (self.mta.spool, self.mta.mail):
            for each in place.iterdir():
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        self.mta.log_file.unlink(missing_ok=True)
        tree.make(tops, [self.mta.spool, self.mta.mail])
        before = read_mailbox(self.mta)
        self.start()

        def emptied():
            self.mta.run("postsuper", "-H", "ALL")
            self.mta.run("postqueue", "-f")
            return not self.mta.queue()

        assert eventually(emptied, 20, 0.15), f"stays: {self.mta.queue()}\n{self.mta.log()[-3000:]}"
        return self.server.arrived(), before, read_mailbox(self.mta)


class Verdict:
    def __init__(self):
        self.trees = self.repeats = self.forgotten = self.unfinished = self.worst = 0
        self.faults = []


def judge(history, cut, arrived, mailbox_before, mailbox, server, verdict):
    """What was owed at the cut, and what came after it. The mailbox is on the disk that failed: it may have had some before."""
    def before(moments):
        return {key: moment for key, moment in moments.items() if moment.place <= cut.end}

    came = set(arrived) | set(mailbox.arrived) | set(mailbox.bounced)
    relayed, deleting = before(history.relayed), before(history.deletion_begun)
    lost = {key for key in before(history.accepted) if key not in came and key not in relayed and key[1] not in deleting}
    strange = {key for key in came if key not in before(history.begun)}
    again = [(key, cut.when - relayed[key].when) for key in arrived if key in relayed]
    # A notice for the sender is a message of its own, which nobody deleted.
    returned = set(arrived) - set(relayed) | set(mailbox.arrived) - set(mailbox_before.arrived)
    back = [(key, cut.when - moment.when) for serial, moment in before(history.deleted).items() for key in returned if key[1] == serial]
    late = [each for each in again + back if each[1] > MAY_BE_FORGOTTEN]
    twice = sum(count - 1 for count in (arrived + mailbox.arrived + mailbox.bounced).values())
    verdict.trees += 1
    verdict.repeats += len(again) + twice
    verdict.forgotten += len(back)
    verdict.unfinished += len(mailbox.torn)
    verdict.worst = max([verdict.worst, *(age for _, age in again + back)])
    for what, found in (("lost", lost), ("from nowhere", strange), ("again too late", late), ("torn", server.torn)):
        if found:
            verdict.faults.append(f"{what}: {sorted(map(str, found))}")
    server.torn.clear()


def kind_of(cut):
    return ("create", "mkdir", "link", "rename", "unlink", "rmdir", "write", "zeros", "truncate", "mode", "time", "flush begun",
            "flush ended", "unknown")[cut.kind - 1] + f" {cut.name} {cut.other_name}"


def try_cuts(make, start, history, chosen, seed):
    """Every chosen (record, fate), by a few instances side by side."""
    verdict, todo, lock, seen = Verdict(), list(reversed(chosen)), threading.Lock(), set()

    def work(actor):
        while True:
            with lock:
                if not todo or len(verdict.faults) >= 5:
                    return
                cut, fate = todo.pop()
                tree = start.after_failure(cut.end, fate, random.Random(f"{seed} {cut.at} {fate}"))
                key = hash((tree.listing(start.tops), len([1 for moment in history.accepted.values() if moment.place <= cut.end])))
                if key in seen:
                    continue
                seen.add(key)
            before = len(verdict.faults)
            try:
                outcome = actor.try_tree(tree, start.tops)
                with lock:
                    judge(history, cut, *outcome, actor.server, verdict)
            except AssertionError as error:
                verdict.faults.append(str(error)[:3000])
            for number in range(before, len(verdict.faults)):
                verdict.faults[number] += f"\n  after record {cut.at} ({kind_of(cut)}), {fate} of the rest\n{actor.mta.log()[-2000:]}"

    threads = [threading.Thread(target=work, args=(Actor(make),)) for _ in range(ACTORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdict


def sample(cuts, rng, count):
    """Spread over the whole time, each with one fate."""
    if count == "all":
        return [(cut, fate) for cut in cuts for fate in FATES]
    number = min(int(count), len(cuts))
    return [(cuts[int((place + rng.random()) * len(cuts) / number)], FATES[place % 3]) for place in range(number)]


@pytest.fixture
def quick_log(tmp_path):
    """Where memory serves as a disk the log costs no time."""
    path = f"/dev/shm/facteur-power-{os.getpid()}" if os.path.isdir("/dev/shm") else str(tmp_path / "power-log")
    yield disk.Log(path)
    os.unlink(path)


def report(tell, verdict, again_with, steps, tried):
    tell(f"{again_with}: {steps} steps, {tried} failures tried, {verdict.trees} different trees, {verdict.repeats} came twice, "
         f"{verdict.forgotten} deletions forgotten, both at most {verdict.worst / 1e9:.2f} s before the failure, "
         f"{verdict.unfinished} unfinished copies in a mailbox")
    assert not verdict.faults, again_with + "\n" + "\n\n".join(verdict.faults)


def steps_of(start, log):
    start.read(log)
    assert start.unknown == [], "a change that the model does not know"
    assert start.after_failure(log.now(), "all", random).differences(start.tops) == [], "a change that the log does not know"
    return [record for record in log.records() if record.inode in start.by_inode]


def test_power_failure_at_any_step(make, quick_log, tmp_path, monkeypatch, seed, tell):
    tmp_path.chmod(0o755)
    with recording(make, quick_log, tmp_path, monkeypatch) as (mta, server, history, start):
        live(mta, server, history)
        mta.kill_leftovers()
        cuts = steps_of(start, quick_log)
    chosen = sample(cuts, random.Random(f"{seed} cuts"), CUTS)
    verdict = try_cuts(make, start, history, chosen, seed)
    report(tell, verdict, f"DURABILITY_SEED={seed} DURABILITY_CUTS={CUTS}", len(cuts), len(chosen))
    assert loses_without_flushes(make, start, history, cuts, seed), "mail survives without any flush: the test shows nothing"


def loses_without_flushes(make, start, history, cuts, seed):
    """The same machinery with a disk that never flushed anything."""
    for change in start.changes:
        change.durable = disk.NEVER
    accepted = history.accepted["busy", "1-6"].place
    cut = next(record for record in cuts if record.end >= accepted)
    return any("lost: " in fault for fault in try_cuts(make, start, history, [(cut, "none")], seed).faults)


class TimedLoad(MixedLoad):
    """Notes in the history when what was begun and answered."""

    def __init__(self, mta, seed, history, **options):
        self.history = history
        super().__init__(mta, seed, **options)

    def draw(self, rng, worker, number):
        kinds, serial, size = super().draw(rng, worker, number)
        self.history.begun.update({(kind, serial): self.history.now() for kind in kinds})
        return kinds, serial, size

    def note(self, kinds, serial):
        super().note(kinds, serial)
        self.history.accepted.update({(kind, serial): self.history.now() for kind in kinds})

    def delete(self, serial, queue_id):
        self.history.delete(self.mta, serial, queue_id)


def test_power_failure_under_load(make, quick_log, tmp_path, monkeypatch, seed, tell):
    tmp_path.chmod(0o755)
    with recording(make, quick_log, tmp_path, monkeypatch) as (mta, server, history, start):
        with TimedLoad(mta, seed, history, clients=3) as load:
            time.sleep(3)
            server.takes_busy = True
            time.sleep(1)
        assert load.refused + load.broken == 0 and len(history.accepted) > 50
        mta.kill_leftovers()
        cuts = steps_of(start, quick_log)
    rng = random.Random(f"{seed} cuts under load")
    chosen = [(rng.choice(cuts), rng.choice(FATES)) for _ in range(300 if CUTS == "all" else 1 + int(CUTS) // 8)]
    verdict = try_cuts(make, start, history, chosen, seed)
    report(tell, verdict, f"DURABILITY_SEED={seed} DURABILITY_CUTS={CUTS}", len(cuts), len(chosen))
