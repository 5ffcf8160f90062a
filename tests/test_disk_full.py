"""A full disk: clients hear 4xx, what was accepted stays, and the service resumes when there is room."""
import os
import pathlib
import re
import subprocess
import tempfile
import time

import pytest

from mta import IS_ROOT, eventually


@pytest.fixture
def small_disk():  # named before `make`, so that the instance is stopped while its disk is there
    directory = tempfile.mkdtemp(prefix="facteur-disk-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m,mode=0755", "facteur-test", directory], capture_output=True)
    if mounted.returncode:
        os.rmdir(directory)
        pytest.skip("cannot mount a small file system")
    yield directory
    subprocess.run(["umount", "-l", directory], check=True)
    os.rmdir(directory)


def fill(directory):
    path = pathlib.Path(directory) / "filler"
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:
            pass
    return path


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_full_disk(small_disk, make):
    mta = make(root=small_disk, main={"queue_minfree": "0", "message_size_limit": "1000000"})
    assert mta.send(subject="before").startswith("250")
    mta.await_mail("Subject: before")
    filler = fill(small_disk)
    with mta.client() as client:
        client.hello()
        answers = [client.say("MAIL FROM:<sender@box.example>")]
        if answers[-1].startswith("250"):
            answers += [client.say("RCPT TO:<user@box.example>")]
        if answers[-1].startswith("250"):
            answers += [client.say("DATA")]
        if answers[-1].startswith("354"):
            answers += [client.say("Subject: on a full disk\r\n\r\n" + ("x" * 78 + "\r\n") * 3000 + ".")]
        assert re.match("4", answers[-1]), answers
    filler.unlink()
    assert eventually(lambda: mta.send(subject="after").startswith("250"), 20, 0.5), mta.log()[-3000:]
    mta.await_mail("Subject: after")
    assert not [mail for mail in mta.mailbox() if "on a full disk" in mail]


@pytest.mark.skipif(not IS_ROOT, reason="only root can mount a small file system")
def test_too_little_room_is_said_at_mail_from(small_disk, make):
    mta = make(root=small_disk, main={"queue_minfree": "200000000", "message_size_limit": "100000000"})
    with mta.client() as client:
        client.hello()
        assert client.say("MAIL FROM:<sender@box.example>").startswith("452 4.3.1 Insufficient system storage")


def test_unwritable_queue_directory(mta):
    """As root the daemons are the mail owner, to whom the mode matters too."""
    assert mta.send(subject="before").startswith("250")
    mta.await_mail("Subject: before")
    incoming = mta.spool / "incoming"
    mode, owner = incoming.stat().st_mode & 0o777, incoming.stat().st_uid
    incoming.chmod(0o500)
    time.sleep(1.2)  # cleanup looks once a second
    try:
        with mta.client() as client:
            client.hello()
            answers = [client.say(line) for line in ("MAIL FROM:<sender@box.example>", "RCPT TO:<user@box.example>", "DATA")]
            if answers[-1].startswith("354"):
                answers.append(client.say("Subject: nowhere\r\n\r\nx\r\n."))
            assert any(answer.startswith("4") for answer in answers) and not answers[-1].startswith("250"), answers
    finally:
        incoming.chmod(mode)
        assert incoming.stat().st_uid == owner
    assert eventually(lambda: mta.send(subject="after").startswith("250"), 20, 0.5), mta.log()[-3000:]
    mta.await_mail("Subject: after")
