"""postfix explain: where a value comes from, and which way mail would go. No system runs, nothing is sent."""
import json

import pytest

pytestmark = pytest.mark.ours

MAIN = {
    "mydestination": "here.example",
    "local_recipient_maps": "inline:{ joe=x }",
    "virtual_alias_maps": "inline:{ { info@here.example = joe@here.example, jane@far.example } }",
    "sender_canonical_maps": "inline:{ { old@here.example = new@here.example } }",
    "transport_maps": "inline:{ { far.example = smtp:[mx.far.example]:2525 } }",
    "relay_domains": "partner.example",
    "relayhost": "[out.example]",
    "recipient_bcc_maps": "inline:{ { joe@here.example = archive@partner.example } }",
    "smtp_destination_concurrency_limit": "7",
    "smtpd_recipient_restrictions": "reject_rbl_client list.example, check_sender_access inline:{ { bad@x.example = "
                                    "REJECT no thanks } }",
    "own": "$myhostname",
    "smtpd_banner": "$own hello",
}


@pytest.fixture
def explain(make):
    instance = make(start=False, main=MAIN, services={"2525": "inet n - n - - smtpd\n  -o { smtpd_banner = $own there }\n"
                                                              "  -o smtpd_client_restrictions=permit_mynetworks,reject"})
    (instance.spool / "pid").mkdir()

    def run(*arguments, status=0):
        done = instance.postfix("explain", "--json", *arguments)
        assert done.returncode == status, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    run.instance = instance
    return run


def verdict(explained, port):
    return next(each for each in explained["acceptance"] if each["service"].split(":")[-1] == f"{port}/inet")


def test_parameter_of_main_cf(explain):
    found = explain("smtpd_banner")[0]
    assert (found["value"], found["text"], found["origin"]) == ("mx.test.example hello", "$own hello", "main.cf")
    line = explain.instance.etc.joinpath("main.cf").read_text().splitlines()[found["line"] - 1]
    assert line == "smtpd_banner = $own hello"
    assert [(each["name"], each["depth"]) for each in found["references"]] == [("own", 1), ("myhostname", 2)]
    assert [(each["service"], each["value"]) for each in found["services"]] == [("2525/inet", "mx.test.example there")]
    assert found["doc"] and found["read_by"] == "postscreen smtpd"


def test_defaults(explain):
    level, plain, suffixed = explain("smtpd_relay_before_recipient_restrictions", "queue_run_delay",
                                     "local_destination_rate_delay")
    assert level["from"] == "default, for compatibility_level = 3.6"
    assert (plain["from"], plain["value"]) == ("default", "300s")
    assert plain["type"].startswith("time, in s")
    assert suffixed["from"] == "not set; default_destination_rate_delay counts"


def test_unknown_parameter(explain):
    found = explain("mydestinaton", status=1)[0]
    assert (found["origin"], found["nearest"]) == ("unknown", "mydestination")


def test_rewriting_and_routes(explain):
    found = explain("-s", "old", "info@here.example", status=0)[0]
    assert found["rewritten_sender"] == "old@mx.test.example"
    assert [(each["by"], each["to"]) for each in found["rewritings"]] == [
        ("virtual_alias_maps", "joe@here.example, jane@far.example"), ("recipient_bcc_maps", "archive@partner.example")]
    joe, jane, archive = found["routes"]
    assert (joe["class"], joe["transport"]["value"], joe["nexthop"]["value"]) == (
        {"value": "local", "by": "mydestination has here.example"}, "local", "mx.test.example")
    assert jane["transport"] == {"value": "smtp", "by": "transport_maps: far.example gives smtp:[mx.far.example]:2525"}
    assert jane["nexthop"]["value"] == "[mx.far.example]:2525"
    limits = {each["name"]: each["value"] for each in jane["limits"]}
    assert limits["smtp_destination_concurrency_limit"] == "7"
    assert (archive["class"]["value"], archive["transport"]["value"]) == ("relay", "relay")
    assert archive["nexthop"]["value"] == "[out.example]"
    assert archive["nexthop"]["by"].startswith("relayhost = [out.example] (main.cf, line ")


def test_sender_is_rewritten(explain):
    assert explain("-s", "old@here.example", "-r", "joe@here.example")[0]["rewritten_sender"] == "new@here.example"


def test_who_accepts(explain):
    instance = explain.instance
    stranger = explain("x@foreign.example")[0]
    plain = verdict(stranger, instance.port)
    assert plain["outcome"] == "refuses" and "Relay access denied" in plain["text"]
    assert [(each["restriction"], each["verdict"]) for each in plain["steps"]] == [
        ("permit_mynetworks", "dunno"), ("reject_unauth_destination", "reject")]
    assert verdict(stranger, 2525)["steps"][-1]["restriction"] == "reject"

    trusted = verdict(explain("-c", "127.0.0.1", "x@foreign.example")[0], instance.port)
    assert trusted["outcome"] == "accepts"
    assert trusted["steps"][0]["verdict"] == "ok"
    assert ("reject_rbl_client", "skipped") in [(each["restriction"], each["verdict"]) for each in trusted["steps"]]

    by_sender = verdict(explain("-s", "bad@x.example", "joe@here.example")[0], instance.port)
    assert by_sender["outcome"] == "refuses" and "no thanks" in by_sender["text"]

    unknown = verdict(explain("nobody@here.example")[0], instance.port)
    assert unknown["outcome"] == "refuses" and "User unknown in local recipient table" in unknown["text"]


def test_nothing_is_logged_or_queued(explain):
    explain("x@foreign.example")
    assert explain.instance.log() == ""
    assert not list(explain.instance.spool.glob("*/*"))


def test_text_for_people(explain):
    shown = explain.instance.postfix("explain", "info@here.example").stdout.decode()
    assert "info@here.example -> joe@here.example, jane@far.example virtual_alias_maps" in shown
    assert shown.endswith("nothing was sent\n")
    shown = explain.instance.postfix("explain", "smtpd_banner").stdout.decode()
    assert shown.startswith("smtpd_banner = mx.test.example hello\n  from: ")


@pytest.mark.parametrize("arguments", [[], ["-c"], ["--nonsense", "x"], ["-c", "no-address", "a@b.example"]])
def test_wrong_usage(explain, arguments):
    done = explain.instance.postfix("explain", *arguments)
    assert done.returncode == 64 and b"fatal: " in done.stderr
