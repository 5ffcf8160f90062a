"""What leaves first, when, and what senders are told: classes, time windows, overtaking, VERP, notices."""
import datetime
import re

import pytest

from mta import PORTS
from smtp import Sink

SHORT = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s", "transport_retry_time": "1s"}
ONE_AT_A_TIME = {"smtp_destination_concurrency_limit": "1", "initial_destination_concurrency": "1"}


def subjects(server):
    with server.changed:
        return re.findall(r"(?m)^Subject: (\S+)", "\n".join(text for _, _, text in server.messages))


@pytest.mark.ours
def test_urgent_mail_passes_a_bulk_flood(relaying):
    mta, server = relaying(delay=0.2, main={
        **ONE_AT_A_TIME,
        "queue_priority_sender_maps": "inline:{ {news@box.example = bulk}, {alarm@box.example = high} }",
    })
    for number in range(15):
        mta.send("far@else.example", sender="news@box.example", subject=f"news{number}")
    mta.send("far@else.example", sender="alarm@box.example", subject="alarm")
    server.wait(16, 60)
    order = subjects(server)
    assert order.index("alarm") < 10, order
    assert sorted(order) == sorted([f"news{n}" for n in range(15)] + ["alarm"])


@pytest.mark.ours
def test_a_header_gives_mail_its_class(relaying):
    mta, server = relaying(delay=0.2, main={
        **ONE_AT_A_TIME,
        "queue_priority_header_maps": "regexp:{ {/^Subject: news/ bulk} {/^Subject: alarm/ high} {/^Subject: odd/ what} }",
    })
    for number in range(15):
        mta.send("far@else.example", subject=f"news{number}")
    mta.send("far@else.example", subject="odd")
    mta.send("far@else.example", subject="alarm")
    server.wait(17, 60)
    order = subjects(server)
    assert order.index("alarm") < 10 and order.index("odd") < 12, order
    assert 'mail priority "what" of a header: expected high, normal or bulk' in mta.log()


@pytest.mark.ours
def test_mail_waits_for_its_time_window(relaying):
    now = datetime.datetime.now()
    opens = (now + datetime.timedelta(hours=3)).strftime("%H:00")
    closes = (now + datetime.timedelta(hours=5)).strftime("%H:00")
    mta, server = relaying(main={"queue_priority_recipient_maps": f"inline:{{ {{bulk.example = bulk {opens}-{closes}}} }}"})
    mta.send("far@bulk.example", subject="later")
    mta.send("far@else.example", subject="now")
    server.wait(1)
    message = mta.await_queue(lambda queue: [m["queue_name"] for m in queue] == ["deferred"])[0]
    assert "time window" in message["recipients"][0]["delay_reason"]
    assert subjects(server) == ["now"]


def test_a_short_message_overtakes_a_long_one(relaying):
    mta, server = relaying(delay=0.1, main={
        **ONE_AT_A_TIME,
        "smtp_destination_recipient_limit": "1",
    }, services={"smtp": "unix - - n - 1 smtp"})
    mta.send([f"u{n}@list.example" for n in range(60)], subject="list")
    server.wait(2)
    mta.send("one@else.example", subject="short")
    server.wait(20, 60)
    assert "short" in subjects(server)[:20]


def test_each_recipient_sees_a_sender_of_their_own(relaying):
    mta, server = relaying()
    mta.sendmail("-XV", "-f", "owner@box.example", "joe@else.example", "ann@else.example")
    server.wait(2)
    with server.changed:
        senders = sorted(sender for sender, _, _ in server.messages)
    assert senders == ["owner+ann=else.example@box.example", "owner+joe=else.example@box.example"]


def test_undeliverable_mail_with_own_senders_is_returned_to_each(relaying):
    mta, server = relaying(answers={"RCPT": "550 5.1.1 nobody here"})
    mta.sendmail("-XV", "-f", "user@box.example", "joe@else.example")
    mta.await_log(r"sender non-delivery notification")
    mta.await_log(r"to=<user\+joe=else\.example@box\.example>")


def test_notices_can_be_shown_beside_their_message(make):
    mta = make(main={"enable_threaded_bounces": "yes", "default_transport": "error:5.1.2 no such place"})
    mta.sendmail("-f", "user@box.example", "joe@else.example", message="Message-Id: <this@box.example>\nSubject: x\n\nhello\n")
    notice = mta.await_mail("Undelivered Mail Returned to Sender")
    head = notice.split("\n\n")[0]
    assert "References: <this@box.example>" in head
    assert "In-Reply-To: <this@box.example>" in head


def test_the_end_of_a_delay_is_told(make, sink):
    port = PORTS.take()
    mta = make(main={"relayhost": f"[127.0.0.1]:{port}", "delay_warning_time": "1s", "confirm_delay_cleared": "yes", **SHORT})
    mta.sendmail("-f", "user@box.example", "joe@else.example")
    mta.await_mail("Delayed Mail")
    server = Sink(port)
    try:
        mta.await_mail("Successful Mail Delivery Report", seconds=40)
    finally:
        server.close()


def test_recipients_keep_their_own_reasons_in_the_listing(relaying):
    mta, server = relaying(answers={"RCPT": lambda line: "250 ok" if "good" in line else f"450 4.2.0 not now {re.search('u[0-9]', line)[0]}"})
    mta.send(["u1@else.example", "good@else.example", "u2@else.example"])
    message = mta.await_queue(lambda queue: [m["queue_name"] for m in queue] == ["deferred"] and queue[0]["recipients"][0].get("delay_reason"))[0]
    reasons = {r["address"]: r["delay_reason"] for r in message["recipients"]}
    assert set(reasons) == {"u1@else.example", "u2@else.example"}
    assert "not now u1" in reasons["u1@else.example"] and "not now u2" in reasons["u2@else.example"]
    mta.postfix("reload")
    again = mta.await_queue(lambda queue: len(queue) == 1 and len(queue[0]["recipients"]) == 2 and "not now" in queue[0]["recipients"][0].get("delay_reason", ""))[0]
    assert {r["address"]: r["delay_reason"] for r in again["recipients"]} == reasons


@pytest.mark.ours
def test_a_busy_server_keeps_its_mail_moving(relaying):
    """One refusal does not make the destination dead when failures must last for a while."""
    answered = []

    def greeting(line):
        answered.append(line)
        return "421 4.3.2 busy" if len(answered) <= 3 else "250 ok"

    mta, server = relaying(answers={"MAIL": greeting}, main={
        "default_destination_failure_window": "30s", **ONE_AT_A_TIME, **SHORT})
    for number in range(6):
        mta.send("far@else.example", subject=f"m{number}")
    server.wait(6, 40)
    assert "delivery temporarily suspended" not in mta.log()


@pytest.mark.ours
def test_retries_are_spread(make):
    spread = make(main={"relayhost": f"[127.0.0.1]:{PORTS.take()}", "deferred_retry_spread": "100"})
    for number in range(8):
        spread.send("far@else.example", subject=str(number))
    spread.await_queue(lambda queue: [m["queue_name"] for m in queue] == ["deferred"] * 8)
    times = {entry.stat().st_mtime for entry in spread.root.glob("spool/deferred/**/*") if entry.is_file()}
    assert len(times) > 2
