"""What a daemon that faces strangers may no longer do, as the kernel says it."""
import pathlib

import pytest


def filters_of(status_file):
    """How many seccomp filters a process or thread has; None where the kernel does not say."""
    for line in pathlib.Path(status_file).read_text().splitlines():
        if line.startswith("Seccomp_filters:"):
            return int(line.split()[1])
    return None


OWN = filters_of("/proc/self/status")  # a container may give everything one
pytestmark = [pytest.mark.ours, pytest.mark.skipif(OWN is None, reason="this kernel does not say who has a filter")]


def filters(mta, program):
    """The numbers of filters that a program's threads have."""
    pids = mta.processes(program)
    assert pids, f"no {program} runs"
    return {filters_of(thread / "status") for pid in pids for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def test_daemons_that_face_strangers_have_a_filter(relaying):
    mta, server = relaying()
    assert mta.send().startswith("250")
    mta.await_mail("Subject: test")
    assert mta.send("far@else.example").startswith("250")
    mta.await_log(r"postfix/smtp\[\d+\].*status=sent")
    for program in ("smtpd", "cleanup", "smtp"):
        assert filters(mta, program) == {OWN + 1}
    assert filters(mta, "qmgr") == {OWN}
    assert "system calls are not restricted" not in mta.log()


def test_the_filter_can_be_left_out(make):
    mta = make(main={"syscall_filter": "no"})
    assert mta.send().startswith("250")
    mta.await_mail("Subject: test")
    assert filters(mta, "smtpd") == {OWN}
