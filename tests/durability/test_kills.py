"""kill -9 of any daemon, at random moments, again and again under mixed load: the sum of the ledger comes out.

Duplicates are allowed where the outcome of a delivery was known to a process that died before it was on record:
an agent (smtp, virtual) between the delivery and the state byte, pickup between the acceptance and the removal of its
file, bounce between the notice and its log's end, and qmgr between an agent's report and its own record. master and
"everything" take all of those with them. Each such kill repeats at most what was under way in the process.
"""
import collections
import os
import random
import re
import time

import pytest

from ledger import SETTINGS, MixedLoad, Moody, settle
from mta import PORTS, eventually

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "30"))
EVERYTHING = "everything"
PROGRAMS = ["smtpd", "cleanup", "qmgr", "smtp", "virtual", "trivial-rewrite", "bounce", "pickup", "showq", "anvil", "postlogd",
            "error", "master", EVERYTHING]
MAY_REPEAT = {"smtp", "virtual", "qmgr", "pickup", "bounce", "master", EVERYTHING}
# Deliveries under way in one process, or reported to qmgr and not on record yet.
UNDER_WAY = 25


class Killer:
    """Kills what the seed says, and starts the system again when nothing else would."""

    def __init__(self, mta, seed):
        self.mta, self.rng = mta, random.Random(f"{seed} kills")
        self.kills, self.plan = collections.Counter(), []

    def round(self):
        time.sleep(0.1 + self.rng.random() * 0.5)
        program = self.next_program()
        self.kills[program] += 1
        if program == EVERYTHING:
            self.mta.kill_leftovers()
        elif program == "master":
            os.kill(self.mta.master_pid(), 9)
        elif self.rng.random() < 0.5:
            self.mta.kill(program)
        elif pids := self.mta.processes(program):
            try:
                os.kill(self.rng.choice(sorted(pids)), 9)
            except ProcessLookupError:
                pass
        if program in ("master", EVERYTHING):
            gone = eventually(lambda: self.mta.processes() == [], 20)
            assert gone, f"daemons outlive their master: {self.mta.processes()}"
            self.mta.start()

    def next_program(self):
        """The next one of a shuffled deck that runs now: some live but for moments."""
        running = {program for program in PROGRAMS if program in ("master", EVERYTHING) or self.mta.processes(program)}
        if not running & set(self.plan):
            self.plan += self.rng.sample(PROGRAMS, len(PROGRAMS))
            del self.plan[:-2 * len(PROGRAMS)]
        return self.plan.pop(next(place for place, program in enumerate(self.plan) if program in running))


def drain(mta, seconds=90):
    """Everything released and tried until the queue is empty; False when something stays."""
    def emptied():
        mta.run("postsuper", "-H", "ALL")
        mta.run("postqueue", "-f")
        return not mta.queue()

    return eventually(emptied, seconds, 0.7)


def files_below(directory):
    return [file for file in directory.rglob("*") if file.is_file()]


def unowned(mta):
    """What a stopped instance with an empty queue still has: nobody would ever come for it."""
    found = [str(file.relative_to(mta.spool)) for name in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt",
                                                           "bounce", "defer", "trace") for file in files_below(mta.spool / name)]
    for mark in (mta.spool / "journal").glob("*/checkpoint"):
        clean = int.from_bytes(mark.read_bytes()[32:36], "little")
        if not clean:
            found.append(f"{mark.parent.name} is not clean")
    return found


@pytest.mark.slow
def test_killed_again_and_again(make, seed, tell):
    server = Moody(PORTS.take())
    mta = make(main=SETTINGS | {"relayhost": f"[127.0.0.1]:{server.port}"})
    killer = Killer(mta, seed)
    again_with = f"DURABILITY_SEED={seed} DURABILITY_ROUNDS={ROUNDS}"
    tell(f"{again_with} repeats this run")
    with MixedLoad(mta, seed) as load:
        for number in range(ROUNDS):
            if number % 10 == 4:
                server.down()
            if number % 10 == 7:
                server.up()
            killer.round()
        if not server.is_listening():
            server.up()
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before + 20, 30), f"no service any more, {again_with}\n{mta.log()[-3000:]}"
    emptied = drain(mta)
    account = settle(mta, server, load)
    assert not account.lost, f"{len(account.lost)} of {len(load.accepted)} lost, {again_with}: {sorted(account.lost)[:5]}\n" \
                             f"{traces(mta, load, account.lost)}"
    assert emptied, f"stays in the queue, {again_with}: {mta.queue()[:3]}\n{mta.log()[-3000:]}"
    assert account.torn == [], again_with
    mta.stop()
    mta.start()
    mta.stop()
    assert unowned(mta) == [], f"nobody's, {again_with}\n{mta.log()[-3000:]}"
    repeats = sum(account.again.values())
    tell(f"{len(load.accepted)} accepted for delivery ({load.submitted} messages by sendmail), {account.bounced} bounced, "
         f"{len(load.deleted)} messages deleted ({account.returned} recipients had them all the same), 0 lost, {repeats} came twice, "
         f"{account.unanswered} arrived whose client had no answer")
    tell("killed: " + ", ".join(f"{program} {count}" for program, count in sorted(killer.kills.items())))
    allowed = UNDER_WAY * sum(count for program, count in killer.kills.items() if program in MAY_REPEAT)
    assert repeats <= allowed, f"{repeats} came twice, {again_with}: {account.again.most_common(5)}"
    assert len(killer.kills) >= min(len(PROGRAMS), ROUNDS) - 3, f"too few programs were killed: {killer.kills}"


def traces(mta, load, lost):
    """What the log says of the lost ones."""
    lines = []
    for _, serial in sorted(lost)[:5]:
        ids = {load.ids.get(serial)} | set(re.findall(rf"(\w+): from=<from\.{serial}@", mta.log())) - {None}
        lines += [f"{serial} {ids}"] + [line for line in mta.log().splitlines() if any(f" {each}: " in line for each in ids if each)]
    return "\n".join(lines[:80])
