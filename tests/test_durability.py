"""kill -9 of any daemon under load: the service recovers, nothing that was accepted is lost, little comes twice."""
import time

import pytest

from load import Load, serials
from mta import eventually

# What an agent may deliver again: the messages whose outcome it had not reported when it died.
IN_FLIGHT = 25
KILLS = 4


def arrived(server):
    with server.changed:
        return serials(text for _, _, text in server.messages)


def assert_all_arrived(mta, server, load, duplicates):
    assert load.accepted, "nothing was accepted at all"
    missing = eventually(lambda: not (load.accepted - set(arrived(server))), 60, 0.3)
    lost = load.accepted - set(arrived(server))
    assert missing, f"{len(lost)} of {len(load.accepted)} lost: {sorted(lost)[:5]}; queue: {mta.queue()[:3]}\n{mta.log()[-3000:]}"
    again = sum(count - 1 for serial, count in arrived(server).items())
    assert again <= duplicates, f"{again} came twice"


@pytest.mark.slow
@pytest.mark.parametrize("program", ["smtpd", "cleanup", "qmgr", "smtp", "trivial-rewrite", "bounce", "anvil", "postlogd"])
def test_killed_under_load(relaying, program):
    mta, server = relaying()
    with Load(mta.port, "far@else.example") as load:
        time.sleep(1)
        for _ in range(KILLS):
            mta.kill(program)
            time.sleep(1.5)
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before, 15), f"no service after the loss of {program}\n{mta.log()[-3000:]}"
    may_repeat = program in ("smtp", "qmgr")
    assert_all_arrived(mta, server, load, KILLS * IN_FLIGHT * may_repeat)


@pytest.mark.slow
def test_master_killed_under_load(relaying):
    mta, server = relaying()
    with Load(mta.port, "far@else.example") as load:
        for _ in range(2):
            time.sleep(1.5)
            mta.kill("master")
            assert eventually(lambda: mta.processes() == [], 15), "daemons outlive their master"
            mta.start()
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before, 15)
    assert_all_arrived(mta, server, load, 2 * IN_FLIGHT)


@pytest.mark.slow
def test_everything_killed_at_once(relaying):
    mta, server = relaying()
    with Load(mta.port, "far@else.example") as load:
        for _ in range(2):
            time.sleep(1.5)
            mta.kill_leftovers()
            assert eventually(lambda: mta.processes() == [], 15)
            mta.start()
        before = len(load.accepted)
        assert eventually(lambda: len(load.accepted) > before, 15)
    assert_all_arrived(mta, server, load, 2 * IN_FLIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("program", ["virtual", "qmgr"])
def test_maildir_delivery_killed_under_load(make, program):
    mta = make(main={"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s", "transport_retry_time": "1s"})
    with Load(mta.port, "user@box.example") as load:
        time.sleep(1)
        for _ in range(KILLS):
            mta.kill(program)
            time.sleep(1.5)
    complete = eventually(lambda: not (load.accepted - set(serials(mta.mailbox()))), 60, 0.3)
    assert complete, f"{len(load.accepted - set(serials(mta.mailbox())))} of {len(load.accepted)} lost\n{mta.log()[-3000:]}"
    assert sum(serials(mta.mailbox()).values()) - len(serials(mta.mailbox())) <= KILLS * IN_FLIGHT


@pytest.mark.slow
def test_reload_under_load_drops_no_session(relaying):
    mta, server = relaying()
    with Load(mta.port, "far@else.example") as load:
        for _ in range(5):
            time.sleep(0.7)
            assert mta.postfix("reload").returncode == 0
        time.sleep(1)
    assert (load.refused, load.broken) == (0, 0), mta.log()[-3000:]
    assert_all_arrived(mta, server, load, 0)
