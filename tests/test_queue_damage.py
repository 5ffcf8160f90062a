"""Files of the queue lost, damaged, doubled, renamed or in odd modes; a power failure; no inodes left; a clock that jumped."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from load import Load, serials
from mta import IS_ROOT, PORTS, eventually

QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s", "transport_retry_time": "1s"}


@pytest.fixture
def stuck(make):
    """A stopped instance with three deferred messages whose transport was put off, by the local part of the recipient."""
    mta = make(main=QUICK | {"relayhost": f"[127.0.0.1]:{PORTS.take()}", "defer_transports": "smtp relay"})
    for name in "abc":
        mta.send(f"{name}@else.example", subject=f"message {name}")
    listed = mta.await_queue(lambda queue: len(queue) == 3 and {m["queue_name"] for m in queue} == {"deferred"})
    mta.ids = {m["recipients"][0]["address"][0]: m["queue_id"] for m in listed}
    mta.stop()
    return mta


def file_of(mta, name, queue="deferred"):
    found = [file for file in (mta.spool / queue).rglob(mta.ids[name]) if file.is_file()]
    return found[0] if found else None


def restart_delivering(mta, sink):
    """Starts it again with a server that takes everything; names of the messages that arrived, sorted."""
    server = sink()
    mta.settings |= {"relayhost": f"[127.0.0.1]:{server.port}", "defer_transports": ""}
    mta.write_configuration()
    mta.start()
    mta.run("postqueue", "-f")
    return server


def arrived(server):
    with server.changed:
        return sorted(re.search(r"Subject: message (\w)", str(text))[1] for _, _, text in server.messages)


def test_damaged_and_missing_files(stuck, sink):
    damaged = file_of(stuck, "a")
    damaged.write_bytes(b"\0" + damaged.read_bytes()[1:])
    file_of(stuck, "b").unlink()
    server = restart_delivering(stuck, sink)
    assert eventually(lambda: arrived(server) == ["c"])
    assert eventually(lambda: (stuck.spool / "corrupt" / stuck.ids["a"]).exists()), stuck.log()[-2000:]
    assert stuck.ids["a"] in stuck.log()
    assert eventually(lambda: stuck.queue() == [])
    assert stuck.send().startswith("250")


def test_truncated_file(stuck, sink):
    short = file_of(stuck, "a")
    os.truncate(short, short.stat().st_size - 1)
    os.truncate(file_of(stuck, "b"), 0)
    server = restart_delivering(stuck, sink)
    assert eventually(lambda: arrived(server) == ["c"])
    assert eventually(lambda: sorted(os.listdir(stuck.spool / "corrupt")) == sorted([stuck.ids["a"], stuck.ids["b"]]))


def test_files_in_two_queues(stuck, sink):
    """A copy by hand: the message arrives, at most once a copy, and nothing stays behind."""
    for name, queue in (("a", "active"), ("b", "incoming"), ("c", "hold")):
        source = file_of(stuck, name)
        shutil.copy2(source, stuck.spool / queue / source.name)
        os.chown(stuck.spool / queue / source.name, source.stat().st_uid, source.stat().st_gid)
    server = restart_delivering(stuck, sink)
    assert eventually(lambda: set(arrived(server)) >= {"a", "b"})
    stuck.run("postsuper", "-H", "ALL")
    assert eventually(lambda: set(arrived(server)) == {"a", "b", "c"}), stuck.log()[-2000:]
    assert eventually(lambda: stuck.queue() == [])
    assert len(arrived(server)) <= 6


def test_renamed_and_misplaced_files(stuck, sink):
    renamed = file_of(stuck, "a")
    renamed.rename(renamed.parent.parent / "FEDCBA98765")
    misplaced = file_of(stuck, "b")
    misplaced.rename(stuck.spool / "deferred" / misplaced.name)
    odd = file_of(stuck, "c")
    odd.rename(odd.parent / "not-an-id")
    repaired = stuck.run("postsuper", "-s").stderr.decode()
    assert f"renamed file deferred/{misplaced.name} as deferred/{misplaced.name[0]}/{misplaced.name}" in repaired, repaired
    assert "bogus file name: " in repaired and "not-an-id" in repaired
    assert "renamed file deferred/FEDCBA98765 as deferred/F/FEDCBA98765" in repaired, repaired
    server = restart_delivering(stuck, sink)
    assert eventually(lambda: arrived(server) == ["a", "b"])


def test_unfinished_mode(stuck, sink):
    """Without its execute bit a file counts as being written: it waits until the bit is back."""
    file = file_of(stuck, "a")
    file.chmod(0o600)
    server = restart_delivering(stuck, sink)
    assert eventually(lambda: arrived(server) == ["b", "c"])
    file.chmod(0o700)
    stuck.run("postqueue", "-f")
    stuck.run("postkick", "public", "qmgr", "D")
    assert eventually(lambda: arrived(server) == ["a", "b", "c"]), stuck.log()[-2000:]


def test_clock_set_back(stuck, sink):
    """Times of the files lie ahead: nothing is lost, and a flush delivers now."""
    ahead = time.time() + 30 * 86400
    for name in "abc":
        os.utime(file_of(stuck, name), (ahead, ahead))
    server = restart_delivering(stuck, sink)
    assert eventually(lambda: arrived(server) == ["a", "b", "c"])


def durable_since(spool):
    """Wall-clock time before which cleanup relies on the files: no journal that is in use has an older record."""
    times = []
    for mark in (spool / "journal").glob("cleanup.*/checkpoint"):
        monotonic, clean = int.from_bytes(mark.read_bytes()[24:32], "little", signed=True), mark.read_bytes()[32]
        if not clean:
            times.append(time.time() - (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - monotonic) / 1e9)
    return min(times, default=time.time())


def arrival_of(file):
    """When the message came, from the header of its file; 0 when it has none yet."""
    return int.from_bytes(file.read_bytes()[32:40], "little", signed=True)


def lose_unflushed(spool, rng):
    """What a power failure may do to files that no flush reached: they are gone, empty, short, or still there."""
    since, touched = durable_since(spool), 0
    for queue in ("incoming", "active", "deferred"):
        for file in [file for file in (spool / queue).rglob("*") if file.is_file()]:
            if arrival_of(file) <= since:
                continue
            fate = rng.choice(("gone", "empty", "short", "there"))
            if fate == "gone":
                file.unlink()
            elif fate != "there":
                os.truncate(file, 0 if fate == "empty" else rng.randrange(file.stat().st_size + 1))
            touched += fate != "there"
    return touched


@pytest.mark.slow
def test_power_failures_under_load(relaying):
    rng = random.Random(4)
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"})
    hurt = 0
    with Load(mta.port, "far@else.example", pause=0.02) as load:
        # Files tell their arrival in whole seconds, so a round may find none of which it is sure that no flush met it.
        for number in range(12):
            if number >= 4 and hurt > 0:
                break
            time.sleep(2.2 + rng.random())
            mta.kill_leftovers()
            assert eventually(lambda: mta.processes() == [], 15)
            hurt += lose_unflushed(mta.spool, rng)
            mta.start()
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before, 15)
    assert hurt > 0, "no file was hurt: the test shows nothing"
    server.answers = {}

    def missing():
        with server.changed:
            return load.accepted - set(serials(text for _, _, text in server.messages))

    def complete():
        mta.run("postqueue", "-f")
        return not missing()

    assert eventually(complete, 60, 0.5), f"{len(missing())} of {len(load.accepted)} lost: {sorted(missing())[:5]}; queue: {mta.queue()[:3]}"


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_no_inodes_left(make):
    directory = tempfile.mkdtemp(prefix="facteur-inodes-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,nr_inodes=400,mode=0755", "facteur-test", directory], capture_output=True).returncode:
        os.rmdir(directory)
        pytest.skip("cannot mount a small file system")
    try:
        mta = make(root=directory)
        assert mta.send(subject="before").startswith("250")
        mta.await_mail("Subject: before")
        filler = pathlib.Path(directory) / "filler"
        filler.mkdir()
        try:
            for number in range(1000):
                (filler / str(number)).touch()
        except OSError:
            pass
        time.sleep(1.2)  # cleanup looks once a second
        with mta.client() as client:
            client.hello()
            answers = [client.say(line) for line in ("MAIL FROM:<sender@box.example>", "RCPT TO:<user@box.example>")]
            if all(answer.startswith("2") for answer in answers):
                answers.append(client.say("DATA"))
            if answers[-1].startswith("354"):
                answers.append(client.say("Subject: without an inode\r\n\r\nx\r\n."))
            assert answers[-1].startswith("4"), answers
        shutil.rmtree(filler)
        assert eventually(lambda: mta.send(subject="after").startswith("250"), 20, 0.5), mta.log()[-3000:]
        mta.await_mail("Subject: after")
        assert not [mail for mail in mta.mailbox() if "without an inode" in mail]
        mta.stop()
    finally:
        subprocess.run(["umount", "-l", directory], check=True)
        os.rmdir(directory)
