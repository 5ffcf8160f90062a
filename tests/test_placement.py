"""Where daemons run on a machine with two processors. Source: docs/adr/0012-two-processors-two-sides.md."""
import contextlib
import os
import subprocess
import sys

import pytest

from mta import eventually

pytestmark = pytest.mark.ours

ALLOWED = sorted(os.sched_getaffinity(0))
if len(ALLOWED) < 2:
    pytest.skip("one processor", allow_module_level=True)
FIRST, SECOND = ALLOWED[:2]


@contextlib.contextmanager
def processors(*which):
    """What is started inside may use these."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, which)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def started_on(make, *which, **options):
    with processors(*which):
        mta = make(**options)
    mta.send()
    mta.await_mail("hello")
    return mta


def where(mta, program):
    """The processors of each process of the program and of each of its threads."""
    found = set()
    for process in mta.processes(program):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{process}/task"):
                found.add(tuple(sorted(os.sched_getaffinity(int(thread)))))
    return found


def test_mail_comes_in_on_one_and_leaves_on_the_other(make):
    mta = started_on(make, FIRST, SECOND)
    both = (FIRST, SECOND)
    for program in ("smtpd", "cleanup"):
        assert where(mta, program) <= {(FIRST,), both}, program
    for program in ("qmgr", "virtual", "postlogd"):
        assert where(mta, program) <= {(SECOND,), both}, program

    # A daemon that has just begun is in its place, however busy the machine.
    def fresh():
        mta.postfix("reload")
        with mta.client():
            return eventually(lambda: where(mta, "smtpd") == {(FIRST,)}, seconds=2, step=0.02)
    assert eventually(fresh)


def test_a_busy_processor_is_left(make):
    mta = started_on(make, FIRST, SECOND)
    with contextlib.ExitStack() as stack:
        for processor in (FIRST, SECOND):
            with processors(processor):
                hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(hog.wait)
            stack.callback(hog.kill)

        def left():
            mta.send()
            return all(where(mta, program) == {(FIRST, SECOND)} for program in ("cleanup", "qmgr"))
        assert eventually(left, step=0.2)


def test_no_place_when_turned_off_or_with_one_processor(make):
    mta = started_on(make, FIRST, SECOND, main={"service_placement": "no"})
    for program in ("smtpd", "cleanup", "qmgr"):
        assert where(mta, program) == {(FIRST, SECOND)}, program
    mta = started_on(make, SECOND)
    for program in ("smtpd", "cleanup", "qmgr"):
        assert where(mta, program) == {(SECOND,)}, program
