"""The main job, once through every door."""
import re

from mta import eventually


def test_smtp_to_maildir(mta):
    answer = mta.send(subject="through smtp")
    assert re.fullmatch(r"250 2\.0\.0 Ok: queued as [0-9A-Za-z]+", answer)
    mail = mta.await_mail("Subject: through smtp")
    queue_id = answer.split()[-1]
    assert mail.startswith("Return-Path: <sender@box.example>\n")
    assert "Delivered-To: user@box.example\n" in mail
    assert re.search(r"Received: from client\.test\.example \(.*\[127\.0\.0\.1\]\)\n\tby mx\.test\.example \(\w+\) with ESMTP id " + queue_id, mail)
    assert mail.endswith("\n\nhello\n")
    mta.await_log(f"{queue_id}: removed")
    assert mta.queue() == []


def test_log_tells_the_story(mta):
    queue_id = mta.send().split()[-1]
    mta.await_log(f"{queue_id}: removed")
    story = re.findall(rf"postfix/([\w-]+)\[\d+\]: {queue_id}: ([a-z-]+)", mta.log())
    assert story == [("smtpd", "client"), ("cleanup", "message-id"), ("qmgr", "from"), ("virtual", "to"), ("qmgr", "removed")]
    mta.await_log(r"smtpd\[\d+\]: disconnect from .*\[127\.0\.0\.1\] ehlo=1 mail=1 rcpt=1 data=1")
    assert re.search(rf"{queue_id}: to=<user@box.example>, relay=virtual, delay=[\d.]+, delays=[\d./]+, dsn=2.0.0, status=sent \(delivered to maildir\)",
                     mta.log())


def test_smtp_to_smtp(relaying):
    mta, server = relaying()
    message = "line\r\n.dot\r\n..dots\r\n"
    assert mta.send("far@else.example", body=message).startswith("250")
    assert server.wait(1) == 1
    sender, recipients, text = server.messages[0]
    assert (sender, recipients) == ("sender@box.example", ["far@else.example"])
    assert text.endswith("\r\n\r\n" + message)


def test_several_recipients_share_one_transaction(relaying):
    mta, server = relaying()
    assert mta.send([f"r{n}@else.example" for n in range(20)]).startswith("250")
    assert server.wait(1) == 1
    assert sorted(server.messages[0][1]) == sorted(f"r{n}@else.example" for n in range(20))


def test_sendmail(mta):
    assert mta.sendmail("-f", "sender@box.example", "user@box.example", message="Subject: by sendmail\n\n.dot\n").returncode == 0
    mail = mta.await_mail("Subject: by sendmail")
    assert "Message-Id: <" in mail or "Message-ID: <" in mail
    assert "\nDate: " in mail and "\nFrom: " in mail


def test_sendmail_takes_recipients_from_headers(mta):
    message = "To: user@box.example\nBcc: other@box.example\nSubject: from headers\n\nhello\n"
    assert mta.sendmail("-t", "-i", "-f", "sender@box.example", message=message).returncode == 0
    assert "Bcc" not in mta.await_mail("Subject: from headers")
    mta.await_mail("Subject: from headers", "other")


def test_refusal_becomes_a_notice(relaying):
    mta, _ = relaying(answers={"RCPT TO:<nobody@": "550 5.1.1 no such user"})
    assert mta.send("nobody@else.example", subject="to nobody").startswith("250")
    notice = mta.await_mail("Undelivered Mail Returned to Sender", "sender")
    assert "Return-Path: <>" in notice
    assert "Status: 5.1.1" in notice and "Final-Recipient: rfc822; nobody@else.example" in notice
    assert "550 5.1.1 no such user" in notice and "Subject: to nobody" in notice


def test_deferral_then_success(relaying):
    mta, server = relaying(answers={"RCPT TO:<later@": "451 4.3.0 busy"})
    assert mta.send("later@else.example").startswith("250")
    mta.await_queue(lambda queue: queue and queue[0]["recipients"][0].get("delay_reason"))
    server.answers = {}
    assert server.wait(1) == 1
    mta.await_queue(lambda queue: not queue)


def test_relay_is_closed_to_strangers(make):
    mta = make(main={"mynetworks": "127.0.0.9/32"})
    with mta.client() as client:
        client.hello()
        assert client.say("MAIL FROM:<a@else.example>").startswith("250")
        assert client.say("RCPT TO:<b@else.example>").startswith("554 5.7.1 <b@else.example>: Relay access denied")
        assert client.say("RCPT TO:<user@box.example>").startswith("250")
        assert client.say("RCPT TO:<nosuch@box.example>").startswith("550 5.1.1 <nosuch@box.example>: Recipient address rejected: User unknown")


def test_many_messages_on_many_connections(relaying):
    mta, server = relaying()
    for number in range(10):
        with mta.client() as client:
            assert client.send_message("sender@box.example", ["far@else.example"], f"Subject: {number}.0\r\n\r\nx\r\n").startswith("250")
            for again in range(1, 10):
                for line in ("MAIL FROM:<sender@box.example>", "RCPT TO:<far@else.example>", "DATA"):
                    client.say(line)
                assert client.say(f"Subject: {number}.{again}\r\n\r\nx\r\n.").startswith("250")
    assert server.wait(100) == 100
    subjects = {re.search(r"Subject: (\S+)", text).group(1) for _, _, text in server.messages}
    assert len(subjects) == 100
    assert eventually(lambda: mta.queue() == [])
