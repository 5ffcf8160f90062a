"""postqueue, postsuper, postcat and qshape on real messages, running system or not."""
import json
import re

import pytest

from load import Load
from mta import PORTS, eventually


@pytest.fixture
def stuck(make):
    """An instance with two deferred messages: nothing listens where they should go."""
    mta = make(main={"relayhost": f"[127.0.0.1]:{PORTS.take()}", "fast_flush_domains": "one.example"})
    mta.send("a@one.example", subject="first")
    mta.send(["b@two.example", "c@two.example"], subject="second")
    mta.await_queue(lambda queue: [m["queue_name"] for m in queue] == ["deferred"] * 2 and all(
        r.get("delay_reason") for m in queue for r in m["recipients"]))
    return mta


def ids(mta):
    """Queue ids by the first recipient's domain."""
    return {message["recipients"][0]["address"].split("@")[1]: message["queue_id"] for message in mta.queue()}


def said(result):
    return result.stderr.decode()


def test_traditional_listing(stuck):
    text = stuck.run("postqueue", "-p").stdout.decode()
    lines = text.splitlines()
    assert lines[0] == "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
    assert re.search(r"(?m)^[0-9A-F]{10,12} +\d+ \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d  sender@box\.example$", text)
    assert re.search(r"(?m)^ *\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused\)$", text)
    assert "\n" + " " * 41 + "b@two.example\n" + " " * 41 + "c@two.example\n" in text
    assert lines[-1] == "-- 0 Kbytes in 2 Requests."
    assert stuck.run("mailq").stdout.decode() == text


def test_listing_without_the_system(stuck):
    running = {m["queue_id"]: m for m in stuck.queue()}
    stuck.stop()
    listed = stuck.run("postqueue", "-j")
    assert "Mail system is down -- accessing queue directly" in said(listed)
    assert {m["queue_id"]: m for m in map(json.loads, listed.stdout.splitlines())} == running


def test_hold_and_release(stuck):
    queue_id = ids(stuck)["one.example"]
    assert said(stuck.run("postsuper", "-h", queue_id)) == f"postsuper: {queue_id}: placed on hold\npostsuper: Placed on hold: 1 message\n"
    stuck.await_queue(lambda queue: {m["queue_id"]: m["queue_name"] for m in queue}[queue_id] == "hold")
    held = [m for m in stuck.queue() if m["queue_id"] == queue_id][0]
    assert "Connection refused" in held["recipients"][0]["delay_reason"]
    assert re.search(rf"(?m)^{queue_id}!", stuck.run("postqueue", "-p").stdout.decode())
    assert said(stuck.run("postsuper", "-H", queue_id)).endswith("postsuper: Released from hold: 1 message\n")
    stuck.await_queue(lambda queue: {m["queue_id"]: m["queue_name"] for m in queue}[queue_id] != "hold")


def test_delete(stuck):
    queue_id = ids(stuck)["one.example"]
    assert said(stuck.run("postsuper", "-d", queue_id)) == f"postsuper: {queue_id}: removed\npostsuper: Deleted: 1 message\n"
    stuck.await_queue(lambda queue: len(queue) == 1)
    assert said(stuck.run("postsuper", "-d", "ALL")) == "postsuper: Deleted: 1 message\n"
    stuck.await_queue(lambda queue: queue == [])
    assert stuck.run("postqueue", "-p").stdout == b"Mail queue is empty\n"
    assert [file for file in (stuck.spool / "defer").rglob("*") if file.is_file()] == []


def test_delete_many(stuck):
    """They leave the queue at once; their files and logs go soon after, and what is no message stays."""
    for number in range(150):
        stuck.send(f"u{number}@one.example")
    stuck.await_queue(lambda queue: len(queue) == 152 and {m["queue_name"] for m in queue} == {"deferred"})
    held = ids(stuck)["two.example"]
    stuck.run("postsuper", "-h", held)
    odd = next((stuck.spool / "deferred").iterdir()) / "notes.txt"
    odd.write_text("mine")
    assert said(stuck.run("postsuper", "-d", "ALL", "deferred", "active", "incoming")) == "postsuper: Deleted: 151 messages\n"
    assert [m["queue_id"] for m in stuck.queue()] == [held]
    assert [file for file in (stuck.spool / "deferred").rglob("*") if file.is_file()] == [odd]
    assert eventually(lambda: list((stuck.spool / "journal/trash").iterdir()) == []), stuck.log()[-2000:]
    assert [file.name for file in (stuck.spool / "defer").rglob("*") if file.is_file()] in ([], [held])
    assert stuck.send("a@one.example").startswith("250")
    stuck.await_queue(lambda queue: sorted(m["queue_name"] for m in queue) == ["deferred", "hold"])


def test_delete_while_down(stuck):
    stuck.stop()
    assert said(stuck.run("postsuper", "-d", "ALL")) == "postsuper: Deleted: 2 messages\n"
    stuck.start()
    assert stuck.queue() == []


def test_expire_returns_the_message(stuck):
    queue_id = ids(stuck)["one.example"]
    assert said(stuck.run("postsuper", "-f", queue_id)).startswith(f"postsuper: {queue_id}: expired\n")
    stuck.run("postqueue", "-i", queue_id)
    assert "Subject: first" in stuck.await_mail("Undelivered Mail Returned to Sender", "sender")


def test_requeue_keeps_the_message(stuck):
    assert said(stuck.run("postsuper", "-r", "ALL")) == "postsuper: Requeued: 2 messages\n"
    stuck.await_queue(lambda queue: len(queue) == 2 and {m["queue_name"] for m in queue} == {"deferred"})


def test_an_administrator_deletes_a_file(stuck):
    queue_id = ids(stuck)["one.example"]
    for file in (stuck.spool / "deferred").rglob(queue_id):
        file.unlink()
    stuck.run("postqueue", "-f")
    assert eventually(lambda: queue_id not in ids(stuck).values(), 20, 0.5)
    assert stuck.send().startswith("250")
    stuck.await_mail("Subject: test")


def test_postcat(stuck):
    queue_id = ids(stuck)["two.example"]
    text = stuck.run("postcat", "-q", queue_id).stdout.decode()
    assert re.match(rf"\*\*\* ENVELOPE RECORDS deferred/\w/{queue_id} \*\*\*\nmessage_size: ", text)
    assert "\nsender: sender@box.example\n" in text and "\nrecipient: b@two.example\n" in text
    assert text.endswith(f"/{queue_id} ***\n")
    body = stuck.run("postcat", "-bq", queue_id).stdout.decode()
    assert body == "\nhello\n"
    assert stuck.run("postcat", "-hq", queue_id).stdout.decode().startswith("Received: from client.test.example")
    assert b"No such file" in stuck.run("postcat", "-q", "ABCDEF0123").stderr


def test_qshape(stuck):
    table = stuck.run("qshape", "deferred").stdout.decode().splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["TOTAL", "3"], ["two.example", "2"], ["one.example", "1"]]
    senders = stuck.run("qshape", "-s", "deferred").stdout.decode().splitlines()
    assert [line.split()[:2] for line in senders[1:]] == [["TOTAL", "2"], ["box.example", "2"]]


def test_flush_by_site_and_id(relaying):
    slow = {"minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s", "queue_run_delay": "1000s", "transport_retry_time": "1s",
            "fast_flush_domains": "one.example"}
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, main=slow)
    mta.send("a@one.example")
    mta.send("b@two.example")
    mta.await_queue(lambda queue: [m["queue_name"] for m in queue] == ["deferred"] * 2)
    server.answers = {}
    refused = mta.run("postqueue", "-s", "two.example")
    assert (refused.returncode, said(refused)) == (69, 'postqueue: fatal: Flush service is not configured for destination "two.example"\n')
    assert mta.run("postqueue", "-s", "one.example").returncode == 0
    assert server.wait(1) == 1 and server.messages[0][1] == ["a@one.example"]
    assert mta.run("postqueue", "-i", ids(mta)["two.example"]).returncode == 0
    assert server.wait(2) == 2


@pytest.mark.parametrize("deeds", ["r", "hr"])
def test_an_active_message_that_is_requeued_survives_a_crash(relaying, deeds):
    """The agent does not find its file where it was: that is no delivery, so nothing may remember it as one."""
    mta, server = relaying(delay=1.0, main={"initial_destination_concurrency": "1", "default_destination_concurrency_limit": "1",
                                            "queue_run_delay": "300s"})
    for subject in ("first", "second", "third"):
        assert mta.send("far@else.example", subject=subject).startswith("250")
    waiting = mta.await_queue(lambda queue: len(queue) >= 2 and all(m["queue_name"] == "active" for m in queue))[-1]["queue_id"]
    for deed in deeds:
        assert mta.run("postsuper", f"-{deed}", waiting).returncode == 0

    def arrived():
        with server.changed:
            return sorted(re.search(r"Subject: (\w+)", text)[1] for _, _, text in server.messages)

    eventually(lambda: len(arrived()) == 3, 4)
    mta.kill_leftovers()
    assert eventually(lambda: mta.processes() == [])
    mta.start()
    assert eventually(lambda: arrived() == ["first", "second", "third"], 15), f"{arrived()}\n{mta.log()[-3000:]}"


def test_a_flush_while_the_queue_is_read(relaying):
    """Messages change their directory while the queue manager still reads them, and the listing too: none is left out."""
    mta, server = relaying(answers={"RCPT": "451 4.3.0 busy"}, main={"minimal_backoff_time": "1000s"})
    with Load(mta.port, "far@else.example") as load:
        assert eventually(lambda: len(load.accepted) >= 6000, 60)
    mta.kill_leftovers()
    assert eventually(lambda: mta.processes() == [])
    server.answers = {}
    server.delay = 60.0
    for _ in range(3):
        mta.start()
        mta.run("postqueue", "-f")
        for _ in range(5):
            assert len({message["queue_id"] for message in mta.queue()}) >= len(load.accepted)
        mta.kill_leftovers()
        assert eventually(lambda: mta.processes() == [])
