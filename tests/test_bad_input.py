"""What the network may send. The server answers as RFC 5321 and Postfix have it, and goes on serving."""
import re
import time

import pytest

from mta import eventually

DIALOGUES = {
    "unknown command": [("FOO", "500 5.5.2 Error: command not recognized")],
    "empty line": [("", "500 5.5.2 Error: bad syntax")],
    "mail before helo arguments": [("MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>")],
    "mail without brackets part": [("MAIL FROM:<a b@c>", "501 5.1.7 Bad sender address syntax")],
    "unclosed bracket": [("MAIL FROM:<a@b", "501 5.1.7 Bad sender address syntax")],
    "unknown parameter": [("MAIL FROM:<a@box.example> FOO=bar", "555 5.5.4 Unsupported option: FOO=bar")],
    "bad size": [("MAIL FROM:<a@box.example> SIZE=x", "501 5.5.4 Bad message size syntax")],
    "huge size": [("MAIL FROM:<a@box.example> SIZE=99999999999", "552 5.3.4 Message size exceeds fixed limit")],
    "negative size": [("MAIL FROM:<a@box.example> SIZE=-1", "501 5.5.4 Bad message size syntax")],
    "rcpt first": [("RCPT TO:<user@box.example>", "503 5.5.1 Error: need MAIL command")],
    "data first": [("DATA", "503 5.5.1 Error: need RCPT command")],
    "nested mail": [("MAIL FROM:<a@box.example>", "250"), ("MAIL FROM:<b@box.example>", "503 5.5.1 Error: nested MAIL command")],
    "data without recipients": [("MAIL FROM:<a@box.example>", "250"), ("DATA", "554 5.5.1 Error: no valid recipients")],
    "bdat nonsense": [("MAIL FROM:<a@box.example>", "250"), ("RCPT TO:<user@box.example>", "250"), ("BDAT x", "521 5.5.4 Syntax: BDAT count [LAST]")],
    "bdat negative": [("MAIL FROM:<a@box.example>", "250"), ("RCPT TO:<user@box.example>", "250"), ("BDAT -1 LAST", "521 5.5.4 Syntax: BDAT count [LAST]")],
    "bdat enormous": [("MAIL FROM:<a@box.example>", "250"), ("RCPT TO:<user@box.example>", "250"), ("BDAT 99999999999999999999 LAST", "521 5.5.4 Syntax: BDAT count [LAST]")],
    "nul in a command": [(b"MAIL FROM:<a\0b@box.example>", "501 5.1.7 Bad sender address syntax")],
    "bytes that are no text": [(bytes(range(128, 200)), "5")],
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_dialogue(shared, name):
    with shared.client() as client:
        client.hello()
        for line, expected in DIALOGUES[name]:
            answer = client.say(line)
            assert answer.startswith(expected), (line, answer)
        # Where the next command begins is not known after a bad BDAT: 521 ends the session.
        assert client.say("RSET")[:3] == ("" if answer.startswith("521") else "250")
    assert_serving(shared)


@pytest.fixture(scope="module")
def shared():
    from mta import Instance
    with Instance(main={"message_size_limit": "1000000", "smtpd_error_sleep_time": "0", "smtpd_timeout": "4s",
                        "smtpd_hard_error_limit": "10"}) as instance:
        yield instance


def assert_serving(mta):
    assert mta.send().startswith("250")


def test_over_long_command_line(shared):
    with shared.client() as client:
        client.hello()
        client.send(b"NOOP " + b"x" * 100_000 + b"\r\n")
        assert client.reply()[-1][:1] in "25"
    assert_serving(shared)


def test_line_without_end(shared):
    with shared.client() as client:
        client.hello()
        try:
            for _ in range(300):
                client.send(b"x" * 65536)
        except OSError:
            pass  # hung up on, as well
    assert_serving(shared)


def test_too_many_errors_end_the_session(shared):
    with shared.client() as client:
        client.hello()
        for _ in range(10):
            assert client.say("FOO").startswith("500")
        assert client.reply() == ["421 4.7.0 mx.test.example Error: too many errors"]
        assert client.reply() == []


@pytest.mark.parametrize("leave_after", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "half a message"])
def test_early_disconnect(shared, leave_after):
    before = len(shared.mailbox("other"))
    with shared.client() as client:
        if leave_after != "connect":
            client.hello()
        steps = {"MAIL": "MAIL FROM:<sender@box.example>", "RCPT": "RCPT TO:<other@box.example>", "DATA": "DATA"}
        for step, line in steps.items():
            if leave_after in ("connect", "EHLO"):
                break
            client.say(line)
            if leave_after == step:
                break
        if leave_after == "half a message":
            client.send("Subject: half\r\n\r\nthe end is missing\r\n")
    assert_serving(shared)
    shared.await_log(r"lost connection after " + {"connect": "CONNECT", "half a message": "DATA"}.get(leave_after, leave_after))
    assert len(shared.mailbox("other")) == before


def test_slow_client_is_timed_out_alone(shared):
    with shared.client() as slow:
        slow.hello()
        slow.send("MAIL FR")
        assert_serving(shared)
        start = time.monotonic()
        answer = (slow.reply() or [""])[-1]
        assert answer == "" or answer.startswith("421 4.4.2 mx.test.example Error: timeout exceeded")
        assert time.monotonic() - start < 10


def test_many_idle_clients(shared):
    clients = [shared.client(timeout=20) for _ in range(40)]
    try:
        for client in clients:
            assert client.reply()[-1].startswith("220")
        assert_serving(shared)
    finally:
        for client in clients:
            client.close()


def test_message_over_the_limit(shared):
    answer = shared.send(body=("x" * 78 + "\r\n") * 20_000)
    assert answer.startswith("552 5.3.4 Error: message file too big"), answer
    assert_serving(shared)


def test_nul_and_eight_bit_content_survive(shared):
    with shared.client() as client:
        client.hello()
        for line in ("MAIL FROM:<sender@box.example> BODY=8BITMIME", "RCPT TO:<user@box.example>", "DATA"):
            client.say(line)
        client.send(b"Subject: octets\r\n\r\n" + bytes(range(1, 10)) + b"\xff\xfe\x80 caf\xe9\r\n.\r\n")
        assert client.reply()[-1].startswith("250")
    assert "octets" in shared.await_mail("Subject: octets")


def test_message_of_one_endless_line(shared):
    answer = shared.send(subject="long line", body="z" * 500_000)
    assert answer.startswith("250")
    mail = shared.await_mail("Subject: long line")
    assert mail.count("z") >= 500_000


@pytest.mark.ours
def test_bare_line_feed_cannot_smuggle(make):
    mta = make(main={"smtpd_forbid_bare_newline": "normalize", "mynetworks": "127.0.0.9/32"})
    with mta.client() as client:
        client.hello()
        for line in ("MAIL FROM:<sender@box.example>", "RCPT TO:<user@box.example>", "DATA"):
            client.say(line)
        client.send(b"Subject: smuggle\r\n\r\nx\n.\r\nMAIL FROM:<evil@box.example>\r\nRCPT TO:<other@box.example>\r\nDATA\r\n"
                    b"Subject: smuggled\r\n\r\ny\r\n.\r\n")
        assert client.reply()[-1].startswith("250")
        client.say("QUIT")
    mta.await_mail("Subject: smuggle")
    time.sleep(0.5)
    assert not [mail for mail in mta.mailbox("other") if mail.count("Subject:") == 1 and "smuggled" in mail]


def test_http_is_refused(shared):
    with shared.client() as client:
        client.reply()
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        answers = [client.reply()]
        assert re.match(r"(221|500|502|421)", (answers[0] or ["221"])[-1])
    assert_serving(shared)


def test_sessions_under_stress_are_cut_short(make):
    """The session that takes the last place, and those after it, get the values for stress; others keep theirs."""
    mta = make(main={"smtpd_timeout": "${stress?{1}:{300}}s", "default_process_limit": "10"})
    clients = []
    try:
        for _ in range(10):
            client = mta.client()
            client.hello()
            clients.append(client)
        assert eventually(lambda: "timeout after EHLO" in mta.log(), 15), mta.log()[-2000:]
        assert mta.log().count("timeout after EHLO") < 10
    finally:
        for client in clients:
            client.close()
