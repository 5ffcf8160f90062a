"""When the smtp client keeps a connection for the next message. Source: CONNECTION_CACHE_README."""
import time

from mta import eventually

ONE_AT_A_TIME = {"smtp_destination_concurrency_limit": "1", "initial_destination_concurrency": "1"}
LONE = ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


def send_apart(mta, server, count):
    """So far apart that no message finds the connection of the one before."""
    for number in range(1, count + 1):
        mta.send("far@else.example")
        server.wait(number)
        time.sleep(3)


def ended(server, sessions):
    return eventually(lambda: len(server.sessions) == sessions and all(verbs[-1] == "QUIT" for verbs in server.sessions))


def test_a_lone_message_leaves_no_connection_behind(relaying):
    mta, server = relaying()
    send_apart(mta, server, 2)
    assert server.sessions == [LONE, LONE]


def test_mail_that_follows_closely_shares_connections(relaying):
    mta, server = relaying(delay=0.1, main=ONE_AT_A_TIME)
    for _ in range(12):
        mta.send("far@else.example")
    assert server.wait(12) == 12
    assert ended(server, len(server.sessions))
    assert len(server.sessions) <= 4, server.sessions
    assert "conn_use=" in mta.log()


def test_nothing_is_kept_when_it_is_turned_off(relaying):
    mta, server = relaying(delay=0.1, main=ONE_AT_A_TIME | {"smtp_connection_cache_on_demand": "no"})
    for _ in range(5):
        mta.send("far@else.example")
    assert server.wait(5) == 5
    assert ended(server, 5)
    assert server.sessions == [LONE] * 5


def test_listed_destinations_are_always_kept(make, sink):
    server = sink()
    relay = f"[127.0.0.1]:{server.port}"
    mta = make(main={"relayhost": relay, "smtp_connection_cache_destinations": relay})
    mta.send("far@else.example")
    assert server.wait(1) == 1
    mta.send("far@else.example")
    assert server.wait(2) == 2
    assert ended(server, 1)
    verbs = [verb for verb in server.sessions[0] if verb != "RSET"]
    assert verbs == ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA", "QUIT"]
