"""Other people's programs read our log."""
import re
import shutil
import subprocess
import time

import pytest

from load import Load
from mta import PORTS, eventually


@pytest.mark.skipif(not shutil.which("pflogsumm"), reason="pflogsumm is not installed")
def test_pflogsumm_understands(make):
    mta = make(main={"mynetworks": "127.0.0.9/32", "transport_maps": f"inline:{{away.example=smtp:[127.0.0.1]:{PORTS.take()}}}",
                     "relay_domains": "away.example"})
    for _ in range(3):
        mta.send()
    mta.send("x@away.example")
    with mta.client() as client:
        client.hello()
        client.say("MAIL FROM:<a@else.example>")
        client.say("RCPT TO:<b@else.example>")
    mta.await_log("status=deferred")
    mta.await_log("NOQUEUE: reject")
    report = subprocess.run(["pflogsumm", str(mta.log_file)], capture_output=True, text=True, timeout=60).stdout
    totals = dict((name, int(count)) for count, name in re.findall(r"(?m)^ +(\d+)k? +([a-z][a-z ]*[a-z])(?: .*)?$", report))
    assert (totals["received"], totals["delivered"], totals["deferred"], totals["rejected"]) == (4, 3, 1, 1), report
    assert "sender@box.example" in report and "user@box.example" in report


FAIL2BAN = re.compile(r"NOQUEUE: reject: RCPT from \S+\[(?P<host>[\d.]+)\]: 554 5\.7\.1 .*: Relay access denied; from=<\S*> to=<\S*> proto=ESMTP helo=<\S*>$",
                      re.MULTILINE)


def test_reject_line_is_what_fail2ban_looks_for(make):
    mta = make(main={"mynetworks": "127.0.0.9/32"})
    with mta.client() as client:
        client.hello()
        client.say("MAIL FROM:<a@else.example>")
        client.say("RCPT TO:<b@else.example>")
    mta.await_log("NOQUEUE: reject")
    assert FAIL2BAN.search(mta.log()).group("host") == "127.0.0.1"


def test_every_line_has_the_form(mta):
    mta.send()
    mta.await_mail("Subject: test")
    mta.await_log("removed")
    form = re.compile(r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mx postfix/[\w-]+\[\d+\]: .+$")
    strange = [line for line in mta.log().splitlines() if not form.match(line)]
    assert strange == []


def test_lines_of_a_message_stand_in_order(make):
    """Several daemons write them, and the logger's queue is short: who reads the log relies on "removed" being the last."""
    mta = make()
    with Load(mta.port, "user@box.example", threads=16) as load:
        time.sleep(2)
    mta.await_queue(lambda queue: not queue, seconds=60)
    assert eventually(lambda: mta.log().count(": removed") >= len(load.accepted) > 100)
    stages = ("client=", "message-id=", "from=<", "to=<", "removed")
    line = re.compile(r"\]: (?P<id>[0-9A-Z]{8,}): (?P<stage>client=|message-id=|from=<|to=<|removed)")
    reached = {}
    for match in line.finditer(mta.log()):
        stage = stages.index(match["stage"])
        assert reached.get(match["id"], -1) <= stage, match["id"]
        reached[match["id"]] = stage
