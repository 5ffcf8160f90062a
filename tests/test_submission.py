"""Local submission: sendmail while the system is up or down, and what lies in maildrop by mistake."""
import os

import pytest

from mta import IS_ROOT, eventually, mail_account


def test_submission_while_down(make):
    mta = make(start=False)
    mta.start()
    mta.stop()
    submitted = mta.sendmail("-f", "sender@box.example", "user@box.example", message="Subject: while down\n\nhello\n")
    assert submitted.returncode == 0, submitted.stderr
    assert len(os.listdir(mta.spool / "maildrop")) == 1
    mta.start()
    mta.await_mail("Subject: while down")
    assert eventually(lambda: os.listdir(mta.spool / "maildrop") == [])


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 5000, b"S\x0asender@x.yz", bytes(range(256)) * 20], ids=range(5))
def test_malformed_maildrop_file_blocks_nothing(mta, content):
    bad = mta.spool / "maildrop" / "0000000001"
    bad.write_bytes(content)
    bad.chmod(0o700)
    if IS_ROOT:
        os.chown(bad, mail_account().pw_uid, mail_account().pw_gid)
    assert mta.sendmail("-f", "sender@box.example", "user@box.example", message="Subject: behind a bad file\n\nhello\n").returncode == 0
    mta.run("postqueue", "-f")
    mta.await_mail("Subject: behind a bad file")
    assert eventually(lambda: "0000000001" not in os.listdir(mta.spool / "maildrop") or "0000000001" in mta.log()), mta.log()


def test_recipients_are_needed(mta):
    answer = mta.sendmail("-f", "sender@box.example")
    assert answer.returncode != 0 and b"Recipient addresses must be specified" in answer.stderr


def test_bs_speaks_smtp(mta):
    dialogue = "EHLO me\nMAIL FROM:<sender@box.example>\nRCPT TO:<user@box.example>\nDATA\nSubject: over bs\n\nx\n.\nQUIT\n"
    answer = mta.run("sendmail", "-bs", input=dialogue.replace("\n", "\r\n").encode())
    assert answer.stdout.decode().splitlines()[-1].startswith("221"), answer
    mta.await_mail("Subject: over bs")


def test_bv_reports(mta):
    assert mta.sendmail("-bv", "-f", "sender@box.example", "user@box.example", message="").returncode == 0
    assert "deliverable" in mta.await_mail("Mail Delivery Status Report", "sender")


def test_authorized_submit_users(make):
    mta = make(main={"authorized_submit_users": "!static:anyone"})
    refused = mta.run("sendmail", "-f", "sender@box.example", "user@box.example", input=b"Subject: x\n\nx\n")
    assert refused.returncode != 0 and b"is not allowed to submit mail" in refused.stderr


def test_unqualified_recipient_is_completed(make):
    mta = make(main={"myorigin": "box.example"})
    assert mta.sendmail("-f", "sender", "user", message="Subject: short names\n\nx\n").returncode == 0
    assert "Return-Path: <sender@box.example>" in mta.await_mail("Subject: short names")
