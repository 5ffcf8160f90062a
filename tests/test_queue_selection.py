"""--where, --dry-run, --json, standing rules and --explain on real messages."""
import json
import re
import time

import pytest

from mta import PORTS, eventually


@pytest.fixture
def stuck(make):
    """Four messages: three deferred by a dead relay, one of them through another transport, and one on hold."""
    dead = f"[127.0.0.1]:{PORTS.take()}"
    mta = make(main={"relayhost": dead, "transport_maps": f"inline:{{{{ slow.example=other:{dead} }}}}",
                     "smtpd_recipient_restrictions": "check_sender_access inline:{ { held@box.example=HOLD } }, permit_mynetworks, reject"},
               services={"other": "unix - - n - - smtp"})
    mta.send("a@one.example", subject="first")
    mta.send(["b@two.example", "c@two.example"], sender="news@box.example", body="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 200)
    mta.send("d@slow.example", sender="")
    mta.send("e@one.example", sender="held@box.example")
    mta.await_queue(lambda queue: sorted(m["queue_name"] for m in queue) == ["deferred"] * 3 + ["hold"] and all(
        r.get("delay_reason") for m in queue for r in m["recipients"] if m["queue_name"] == "deferred"), 6)
    return mta


def first(message):
    return message["recipients"][0]["address"][0]


def listed(mta, where):
    result = mta.run("postqueue", "-j", "--where", where)
    assert result.returncode == 0, result.stderr
    return "".join(sorted(first(json.loads(line)) for line in result.stdout.splitlines()))


def ids(mta):
    return {first(message): message["queue_id"] for message in mta.queue()}


def said(result):
    return result.stderr.decode()


SELECTIONS = [
    ("recipient ~ @one\\.example$", "ae"), ("domain = two.example", "b"), ("sender = <>", "d"), ("sender ~ ^(news|held)@", "be"),
    ("size > 10k", "b"), ("size <= 10k and not queue = hold", "ad"), ("age > 1h", ""), ("age < 1h", "abde"), ("queue = hold", "e"),
    ("reason ~ refused", "abd"), ("reason = ''", "e"), ("transport = smtp", "ab" + "e"), ("transport = other", "d"),
    ("client = 127.0.0.1", "abde"), ("sasl_user != ''", ""), ("message_id ~ .", "abde"), ("recipients = 2", "b"),
    ("(queue = hold or sender = '') and age < 1d", "de"),
]


def test_listings_choose(stuck):
    relay = [("transport = relay", "abe") if where == "transport = smtp" else (where, found) for where, found in SELECTIONS]
    by_name = {name: listed(stuck, f"transport = {name}") for name in ("smtp", "relay")}
    for where, found in relay if by_name["relay"] else SELECTIONS:
        assert listed(stuck, where) == found, where


def test_the_traditional_listing_chooses_too(stuck):
    text = stuck.run("postqueue", "-p", "--where", "domain = two.example").stdout.decode()
    assert "a@one.example" not in text and text.count("@two.example") == 2 and text.endswith("-- 14 Kbytes in 1 Request.\n"), text
    assert stuck.run("postqueue", "--where", "sender = nobody@x").stdout == b"No such message\n"
    assert stuck.run("mailq", "--where", "domain = two.example").stdout.decode() == text


def test_an_error_points_at_its_place(stuck):
    for command in (["postqueue", "-p"], ["postsuper", "-d"]):
        wrong = stuck.run(*command, "--where", "age > 2d and recipent = x")
        assert wrong.returncode != 0 and wrong.stdout == b""
        assert re.search(r"(?m)^  age > 2d and recipent = x\n {15}\^$", said(wrong)), said(wrong)
    assert len(stuck.queue()) == 4


def test_without_the_system(stuck):
    running = {where: listed(stuck, where) for where, _ in SELECTIONS if "transport" not in where}
    stuck.stop()
    assert {where: listed(stuck, where) for where in running} == running
    unknown = stuck.run("postqueue", "-p", "--where", "transport = smtp")
    assert "4 messages not shown" in said(unknown) and unknown.stdout == b"No such message\n"


def test_rehearsal_changes_nothing(stuck):
    known, before = ids(stuck), stuck.queue()
    rehearsal = stuck.run("postsuper", "-d", "--where", "domain = one.example", "--dry-run")
    assert sorted(rehearsal.stdout.decode().split()) == sorted([known["a"], known["e"]])
    assert said(rehearsal) == "postsuper: Would delete: 2 messages\n"
    for options, count in ((["-h", "ALL"], 3), (["-H", "ALL"], 1), (["-e", "ALL"], 4), (["-r", "ALL"], 4), (["-d", known["a"]], 1),
                           (["-h", "--where", "size > 10k"], 1)):
        rehearsal = stuck.run("postsuper", "--dry-run", "--json", *options)
        *deeds, total = map(json.loads, rehearsal.stdout.splitlines())
        assert len(deeds) == count and total["dry_run"] is True and count in total.values(), rehearsal
    assert stuck.queue() == before


def test_operations_choose(stuck):
    known = ids(stuck)
    assert said(stuck.run("postsuper", "-h", "--where", "reason ~ refused and size < 10k and sender != <>")) == (
        "postsuper: selected messages: reason ~ refused and size < 10k and sender != <>\npostsuper: Placed on hold: 1 message\n")
    stuck.await_queue(lambda queue: {first(m): m["queue_name"] for m in queue} == {"a": "hold", "b": "deferred", "d": "deferred", "e": "hold"})
    assert said(stuck.run("postsuper", "-d", "ALL", "--where", "sender = held@box.example", "hold")).endswith("Deleted: 1 message\n")
    assert "Deleted: 1 message" in said(stuck.run("postsuper", "--where", "transport = other", "-d", "ALL"))
    some = stuck.run("postsuper", "-d", "-", "--where", "size > 10k", input="\n".join(known.values()).encode())
    assert said(some).endswith("Deleted: 1 message\n"), said(some)
    stuck.await_queue(lambda queue: [first(m) for m in queue] == ["a"])


def test_what_does_not_go_together(stuck):
    for options in (["--where", "age > 1d"], ["-d", "--dry-run"], ["--rule-add", "size > 1"], ["--rule-list", "-d", "ALL"], ["--for", "1h"]):
        refused = stuck.run("postsuper", *options)
        assert refused.returncode == 1 and "fatal: " in said(refused), options
    assert stuck.run("postqueue", "-f", "--where", "age > 1d").returncode == 69
    assert len(stuck.queue()) == 4


def test_standing_rules(mta):
    def rules():
        return [json.loads(line) for line in mta.run("postsuper", "--rule-list", "--json").stdout.splitlines()]

    added = mta.run("postsuper", "--rule-add", "sasl_user = joe and size > 10k", "--action", "hold", "--for", "2h")
    assert added.returncode == 0 and re.match(r"postsuper: rule 1: hold until .*: sasl_user = joe", said(added))
    assert mta.run("postsuper", "--rule-add", "domain = .bad.example", "--action", "delete", "--for", "1d").returncode == 0
    assert [(r["rule"], r["action"], r["where"]) for r in rules()] == [(1, "hold", "sasl_user = joe and size > 10k"),
                                                                    (2, "delete", "domain = .bad.example")]
    assert 7000 < rules()[0]["expires"] - time.time() <= 7200
    assert re.match(r"1 +hold +until \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}  sasl_user = joe", mta.run("postsuper", "--rule-list").stdout.decode())
    assert mta.run("postsuper", "--rule-remove", "1").returncode == 0
    assert [r["rule"] for r in rules()] == [2]
    assert (mta.run("postsuper", "--rule-remove", "1").returncode, len(rules())) == (1, 1)
    assert "^" in said(mta.run("postsuper", "--rule-add", "age > 2d", "--action", "hold", "--for", "1h"))
    assert mta.run("postsuper", "--rule-add", "size > 1", "--action", "burn", "--for", "1h").returncode == 1
    assert mta.run("postsuper", "--rule-add", "size > 1", "--action", "hold", "--for", "soon").returncode == 1
    file = mta.root / "data/standing_rules"
    assert file.stat().st_mode & 0o777 == 0o600 and len(rules()) == 1


def test_explain(stuck):
    known = ids(stuck)
    text = stuck.run("postqueue", "--explain", known["a"]).stdout.decode()
    assert text.startswith(f"Message {known['a']} is in the deferred queue: "), text
    for line in (r"  from +\S+\[127\.0\.0\.1\], E?SMTP, helo ", r"  sender +sender@box\.example$", r"  recipient +a@one\.example$",
                 r" +last attempt: 4\.4\.1 .*refused", r"  destination (smtp|relay):\[127\.0\.0\.1\]:\d+$", r" +0 of \d+ deliveries at once \(at most 20\), 0 in line$",
                 r"  waits +the last attempt failed", r"  next try +.*\(in ", r"  given up +.*\(in (5d|4d 23h)\)"):
        assert re.search("(?m)^" + line, text), (line, text)
    told = json.loads(stuck.run("postqueue", "--explain", known["a"], "--json").stdout)
    assert told["source"] == "queue_manager" and told["destinations"][0]["in_use"] is True and told["next_try"] > time.time()
    assert told["recipients"][0]["status"] == "4.4.1" and told["client_address"] == "127.0.0.1"
    held = stuck.run("postqueue", "--explain", known["e"]).stdout.decode()
    assert "on hold until the administrator releases it" in held and "next try" not in held
    missing = stuck.run("postqueue", "--explain", "ABCDEF0123")
    assert missing.returncode == 69 and "no such message" in said(missing)
    assert stuck.run("postqueue", "--explain", "../x").returncode == 69


def test_explain_without_the_system(stuck):
    known = ids(stuck)
    stuck.stop()
    told = json.loads(stuck.run("postqueue", "--explain", known["b"], "--json").stdout)
    assert told["source"] == "files" and [r["address"] for r in told["recipients"]] == ["b@two.example", "c@two.example"]
    assert "refused" in told["recipients"][0]["delay_reason"] and told["destinations"] == []
    assert "the files alone" in stuck.run("postqueue", "--explain", known["b"]).stdout.decode()


def test_what_a_plain_reader_tries(stuck):
    listing = stuck.run("postqueue", "-e")
    assert listing.returncode == 0 and listing.stdout == stuck.run("postqueue", "-p").stdout and "listing the queue" in said(listing)
    bounces = stuck.run("postsuper", "-d", "ALL", "bounce")
    assert bounces.returncode == 0 and said(bounces).startswith("postsuper: Deleted: 0 messages\npostsuper: note: bounce has logs")
    damaged = stuck.spool / "corrupt" / "ABCDEF0123"
    damaged.write_text("x")
    damaged.chmod(0o700)
    assert said(stuck.run("postsuper", "-d", "ALL", "corrupt")) == "postsuper: Deleted: 1 message\n"
    assert not damaged.exists()
    refused = stuck.run("postsuper", "-h", "ALL", "corrupt")
    assert refused.returncode == 1 and "invalid directory name: corrupt" in said(refused)
    assert eventually(lambda: len(stuck.queue()) == 4)
