"""The life of an instance: postfix start, stop, status, reload, check, and what each says."""
import os
import re
import signal
import subprocess
import time

import pytest

from mta import IS_POSTFIX, IS_ROOT, PORTS, eventually, mail_account, port_answers


def test_start_status_stop(make):
    mta = make(start=False)
    assert mta.postfix("status").returncode != 0
    started = mta.postfix("start")
    assert started.returncode == 0, started.stderr
    assert port_answers(mta.port)  # start returns once the service listens
    assert mta.postfix("status").returncode == 0
    again = mta.postfix("start")
    assert again.returncode != 0 and "already running" in again.stderr.decode() + mta.log()
    assert mta.send().startswith("250")
    begun = time.monotonic()
    assert mta.stop().returncode == 0
    assert time.monotonic() - begun < 10
    assert eventually(lambda: mta.processes() == [], 5)
    assert not port_answers(mta.port)
    assert mta.stop().returncode != 0


def test_stop_loses_nothing(relaying):
    mta, server = relaying(delay=0.2)
    for number in range(20):
        assert mta.send("far@else.example", subject=f"n{number}").startswith("250")
    assert mta.stop().returncode == 0
    mta.start()
    assert eventually(lambda: len({re.search(r"Subject: (n\d+)", text).group(1) for _, _, text in server.messages}) == 20, 30)


def test_queue_directories_are_made(make):
    mta = make(start=False)
    assert mta.postfix("start").returncode == 0
    modes = {name: (mta.spool / name).stat().st_mode & 0o777 for name in ("incoming", "active", "deferred", "hold", "corrupt", "defer")}
    assert set(modes.values()) == {0o700}
    assert (mta.spool / "maildrop").stat().st_mode & 0o777 == 0o730
    assert (mta.spool / "public").stat().st_mode & 0o777 == 0o710


@pytest.mark.ours
def test_start_fg_logs_on_standard_output(make):
    mta = make(start=False, main={"maillog_file": "/dev/stdout", "maillog_file_prefixes": "/dev/stdout"})
    process = subprocess.Popen([mta.sbin / "postfix", "-c", mta.etc, "start-fg"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert eventually(lambda: port_answers(mta.port))
        mta.send()
        mta.await_mail("Subject: test")
        assert mta.postfix("status").returncode == 0
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=20)[0].decode()
    finally:
        process.kill()
    assert "daemon started" in output
    for program in ("smtpd", "cleanup", "qmgr", "virtual"):
        assert f"postfix/{program}[" in output
    assert "status=sent" in output
    assert eventually(lambda: mta.processes() == [], 5)


def test_a_log_file_outside_its_prefixes_is_refused(make):
    mta = make(start=False, main={"maillog_file": "@ROOT@/log", "maillog_file_prefixes": "/nowhere"})
    for command in ("check", "start", "start-fg"):
        refused = mta.postfix(command)
        assert refused.returncode == 1
        if not IS_POSTFIX:
            assert b"does not match any prefix in maillog_file_prefixes" in refused.stderr
    assert mta.processes() == [] and not mta.log_file.exists()


@pytest.mark.ours
def test_reload_refuses_a_log_file_outside_its_prefixes(mta):
    mta.settings["maillog_file_prefixes"] = "/nowhere"
    mta.write_configuration()
    os.kill(mta.master_pid(), signal.SIGHUP)
    mta.await_log("does not match any prefix in maillog_file_prefixes.* reload ignored")
    assert mta.send().startswith("250")


def test_reload_takes_new_settings(mta):
    mta.settings["smtpd_banner"] = "$myhostname ESMTP new banner"
    mta.write_configuration()
    assert mta.postfix("reload").returncode == 0

    def banner():
        with mta.client() as client:
            return "new banner" in client.reply()[0]

    assert eventually(banner, 10)


def test_reload_opens_and_closes_listeners(mta):
    extra = PORTS.take()
    mta.services[f"127.0.0.1:{extra}"] = "inet n - n - - smtpd"
    mta.write_configuration()
    assert mta.postfix("reload").returncode == 0
    assert eventually(lambda: port_answers(extra), 10)
    del mta.services[f"127.0.0.1:{extra}"]
    mta.write_configuration()
    assert mta.postfix("reload").returncode == 0
    assert eventually(lambda: not port_answers(extra), 10)
    assert eventually(lambda: port_answers(mta.port), 10)


def test_reload_keeps_sessions(mta):
    with mta.client() as client:
        client.hello()
        assert client.say("MAIL FROM:<sender@box.example>").startswith("250")
        assert mta.postfix("reload").returncode == 0
        time.sleep(1)
        assert client.say("RCPT TO:<user@box.example>").startswith("250")
        assert client.say("DATA").startswith("354")
        assert client.say("Subject: over a reload\r\n\r\nx\r\n.").startswith("250")
    mta.await_mail("Subject: over a reload")


@pytest.mark.ours
@pytest.mark.parametrize("setting, words", [
    ({"message_size_limit": "ten"}, "message_size_limit"),
    ({"smtpd_timeout": "5parsecs"}, "smtpd_timeout"),
    ({"myorigin": "$mydomain${"}, "myorigin"),
])
def test_inconsistent_configuration_does_not_start(make, setting, words):
    mta = make(start=False, main=setting)
    started = mta.postfix("start")
    time.sleep(0.5)
    said = started.stderr.decode() + mta.log()
    assert words in said
    assert "fatal" in said
    assert not port_answers(mta.port)


@pytest.mark.ours
def test_unreadable_configuration_does_not_start(make):
    mta = make(start=False)
    (mta.etc / "main.cf").unlink()
    started = mta.postfix("start")
    assert started.returncode != 0 and b"main.cf" in started.stderr


def test_broken_master_cf_does_not_start(make):
    mta = make(start=False)
    with open(mta.etc / "master.cf", "a") as file:
        file.write("broken unix n\n")
    started = mta.postfix("start")
    time.sleep(0.5)
    assert "master.cf" in started.stderr.decode() + mta.log()
    assert not port_answers(mta.port)


@pytest.mark.ours
def test_service_without_a_program_warns_once(make):
    mta = make(services={"strange": "unix - - n - - no-such-program"})
    mta.send()
    mta.await_mail("Subject: test")
    assert len(re.findall(r"warning: .*no-such-program", mta.log())) == 1


def test_program_that_keeps_dying_is_throttled(make):
    mta = make(start=False)
    bad = mta.root / "libexec"
    bad.mkdir()
    for file in os.listdir(mta.settings["daemon_directory"]):
        os.symlink(f"{mta.settings['daemon_directory']}/{file}", bad / file)
    (bad / "discard").unlink()
    (bad / "discard").write_text("#!/bin/sh\nexit 1\n")
    (bad / "discard").chmod(0o755)
    mta.settings |= {"daemon_directory": str(bad), "relay_domains": "away.example", "transport_maps": "inline:{away.example=discard:}"}
    mta.write_configuration()
    mta.start()
    mta.send("x@away.example")
    mta.await_log(r"warning: process .*/discard pid \d+ exit status 1")
    time.sleep(3)
    assert len(re.findall(r"pid \d+ exit status 1", mta.log())) <= 3
    assert mta.send(subject="others go on").startswith("250")
    mta.await_mail("Subject: others go on")


def test_backoff_bounds_the_wrong_way_round(relaying):
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, main={"minimal_backoff_time": "1000s", "maximal_backoff_time": "2s"})
    mta.send("far@else.example")
    mta.await_queue(lambda queue: queue and queue[0]["queue_name"] == "deferred")
    assert "killed by signal" not in mta.log()


def test_check_is_silent_when_all_is_well(mta):
    checked = mta.postfix("check")
    assert (checked.returncode, checked.stderr) == (0, b"")


def test_flush_tries_deferred_mail_now(relaying):
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, main={"minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s", "queue_run_delay": "1000s"})
    mta.send("far@else.example")
    mta.await_queue(lambda queue: queue and queue[0]["queue_name"] == "deferred")
    server.answers = {}
    assert mta.postfix("flush").returncode == 0
    assert server.wait(1) == 1


def test_a_session_outlives_the_loss_of_others(mta):
    with mta.client() as client:
        client.hello()
        for name in ("cleanup", "trivial-rewrite", "qmgr"):
            mta.kill(name)
        time.sleep(0.2)
        assert client.say("MAIL FROM:<sender@box.example>")[:1] in "24"
    assert eventually(lambda: mta.send(subject="after the loss").startswith("250"), 20, 0.5)
    mta.await_mail("Subject: after the loss")


@pytest.mark.skipif(not IS_ROOT, reason="only root has privileges to drop")
def test_daemons_run_as_the_mail_owner(mta):
    mta.send()
    mta.await_mail("Subject: test")
    owner = mail_account().pw_uid
    for pid in mta.processes():
        status = open(f"/proc/{pid}/status").read()
        real = int(re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE).group(1))
        name = re.search(r"^Name:\s+(\S+)", status, re.MULTILINE).group(1)
        assert real == owner or name in ("master", "virtual", "local"), name
