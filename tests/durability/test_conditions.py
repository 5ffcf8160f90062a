"""What a machine may do to a running system: its clock jumps, its disk turns read-only, is full, has no inode left."""
import os
import pathlib
import struct
import subprocess
import tempfile
import time

import pytest

from load import Load, serials
from mta import IS_ROOT, TOP, eventually

CLOCK = TOP / "build/release/lib/clock_shift.so"
DAY = 86400
NEEDS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root can mount a file system")


def arrived(server):
    with server.changed:
        return serials(text for _, _, text in server.messages)


def assert_all_arrive(mta, server, accepted, seconds=60):
    """Once each, and nothing stays."""
    def complete():
        mta.run("postqueue", "-f")
        return not accepted - set(arrived(server)) and not mta.queue()

    assert eventually(complete, seconds, 0.5), f"{len(accepted - set(arrived(server)))} of {len(accepted)} lost: " \
                                               f"{sorted(accepted - set(arrived(server)))[:5]}; queue: {mta.queue()[:3]}\n{mta.log()[-3000:]}"
    return sum(arrived(server).values()) - len(arrived(server))


# --- the clock ---
class Shift:
    """How far the instance's wall clock is from ours."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(4096))

    def set(self, seconds):
        with open(self.path, "r+b") as file:
            file.write(struct.pack("<q", seconds))


@pytest.fixture
def shift(tmp_path, monkeypatch):
    """The clock of all programs that are started from now on, and of the daemons with its `main`."""
    tmp_path.chmod(0o755)
    shift = Shift(tmp_path / "shift")
    monkeypatch.setenv("LD_PRELOAD", str(CLOCK))
    monkeypatch.setenv("CLOCK_SHIFT", str(shift.path))
    shift.main = {"import_environment": "MAIL_CONFIG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME "
                                        f"LD_PRELOAD={CLOCK} CLOCK_SHIFT={shift.path}"}
    return shift


@pytest.mark.skipif(not CLOCK.exists(), reason=f"{CLOCK.name} is not built")
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_clock_jumps(relaying, shift, jump):
    """Deferred mail is tried again soon, new mail is taken and delivered; and once more when the clock is set right."""
    busy = {"RCPT": "451 4.3.0 busy"}
    mta, server = relaying(answers=busy, main=shift.main)

    def subjects():
        with server.changed:
            return sorted(text.partition("Subject: ")[2].split("\r\n")[0] for _, _, text in server.messages)

    expected = []
    for name, offset in (("jumped", jump), ("right again", 0)):
        server.answers = busy
        assert mta.send("far@else.example", subject=f"before it {name}").startswith("250")
        mta.await_queue(lambda queue: queue and all(m["queue_name"] == "deferred" for m in queue))
        shift.set(offset)
        assert mta.send("far@else.example", subject=f"after it {name}").startswith("250")
        mta.send("user@box.example", subject=f"local after it {name}")
        mta.await_mail(f"Subject: local after it {name}")
        server.answers = {}
        expected = sorted([*expected, f"before it {name}", f"after it {name}"])
        assert eventually(lambda: subjects() == expected, 20), f"{subjects()}, {mta.queue()}\n{mta.log()[-3000:]}"
    assert "returned to sender" not in mta.log()


@pytest.mark.skipif(not CLOCK.exists(), reason=f"{CLOCK.name} is not built")
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_clock_is_another_one_after_a_crash(relaying, shift, jump):
    """As on a machine whose clock is wrong until it is asked for the time."""
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, main=shift.main)
    with Load(mta.port, "far@else.example", threads=4) as load:
        time.sleep(1)
        mta.kill_leftovers()
        assert eventually(lambda: mta.processes() == [])
        shift.set(jump)
        mta.start()
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before, 15)
    server.answers = {}
    assert_all_arrive(mta, server, load.accepted)


# --- the disk ---
@pytest.fixture
def small_disk():  # named before `make`, so that the instance is stopped while its disk is there
    mounted = []

    def build(*options):
        directory = tempfile.mkdtemp(prefix="facteur-disk-")
        done = subprocess.run(["mount", *options, directory], capture_output=True)
        if done.returncode:
            os.rmdir(directory)
            pytest.skip(f"cannot mount a small file system: {done.stderr.decode()}")
        mounted.append(directory)
        return directory

    yield build
    for directory in mounted:
        subprocess.run(["umount", "-l", directory], check=True)
        os.rmdir(directory)


@NEEDS_ROOT
@pytest.mark.slow
def test_no_inode_left_under_load(small_disk, relaying):
    """The queue itself uses up the inodes; when it has drained there is room again."""
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"},
                           root=small_disk("-t", "tmpfs", "-o", "size=300m,nr_inodes=500,mode=0755", "facteur-test"))
    with Load(mta.port, "far@else.example", threads=4) as load:
        assert eventually(lambda: load.refused + load.broken > 20, 30), f"{len(load.accepted)} accepted without end"
        assert load.refused > 0, "nobody heard a 4xx"
        time.sleep(1)
        server.answers = {}
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before + 20, 30), f"no service any more\n{mta.log()[-3000:]}"
    assert_all_arrive(mta, server, load.accepted)


@NEEDS_ROOT
@pytest.mark.slow
def test_full_disk_under_load(small_disk, relaying):
    root = small_disk("-t", "tmpfs", "-o", "size=120m,mode=0755", "facteur-test")
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, root=root, main={"queue_minfree": "0", "message_size_limit": "1000000"})
    with Load(mta.port, "far@else.example", threads=4) as load:
        assert eventually(lambda: len(load.accepted) > 50, 15)
        filler = pathlib.Path(root) / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(65536)):
                    pass
            except OSError:
                pass
        assert eventually(lambda: load.refused > 20, 20), f"{len(load.accepted)} accepted on a full disk"
        time.sleep(1)
        filler.unlink()
        server.answers = {}
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before + 20, 40), f"no service any more\n{mta.log()[-3000:]}"
    assert_all_arrive(mta, server, load.accepted)


@pytest.fixture
def loop_disk(tmp_path):
    """An ext4 of its own, which turns read-only at its first error: (directory, device)."""
    image, directory = tmp_path / "image", tempfile.mkdtemp(prefix="facteur-disk-")
    with open(image, "wb") as file:
        file.truncate(300 << 20)
    device = ""
    try:
        if subprocess.run(["mkfs.ext4", "-q", "-F", image], capture_output=True).returncode:
            pytest.skip("cannot make a file system")
        attached = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True)
        device = attached.stdout.strip()
        if attached.returncode or subprocess.run(["mount", "-o", "errors=remount-ro", device, directory], capture_output=True).returncode:
            pytest.skip("cannot mount a file system of its own")
        yield directory, device
    finally:
        subprocess.run(["umount", "-l", directory], capture_output=True)
        if device:
            subprocess.run(["losetup", "-d", device], capture_output=True)
        os.rmdir(directory)


@NEEDS_ROOT
@pytest.mark.slow
def test_disk_turns_read_only_under_load(loop_disk, relaying):
    """As the kernel does when the device fails: what was accepted is there when the disk is mended."""
    directory, device = loop_disk
    trigger = pathlib.Path("/sys/fs/ext4") / pathlib.Path(device).name / "trigger_fs_error"
    if not trigger.exists():
        pytest.skip("this kernel does not let a file system fail")
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, root=directory)
    with Load(mta.port, "far@else.example", threads=4) as load:
        assert eventually(lambda: len(load.accepted) > 100, 30)
        trigger.write_text("1")
        assert eventually(lambda: load.refused + load.broken > 20, 30), "accepted on a read-only disk"
        after = len(load.accepted)
        time.sleep(2)
        assert len(load.accepted) == after, "accepted on a read-only disk"
    mta.kill_leftovers()
    assert eventually(lambda: mta.processes() == [])
    subprocess.run(["umount", directory], check=True)
    # A process that another test starts in this moment may still hold the mount in its own name space.
    assert eventually(lambda: subprocess.run(["e2fsck", "-f", "-y", device], capture_output=True).returncode in (0, 1), 30)
    subprocess.run(["mount", device, directory], check=True)
    server.answers = {}
    mta.start()
    assert_all_arrive(mta, server, load.accepted)
    assert mta.send("far@else.example", subject="after").startswith("250")
