"""postfix reload: says what changed and who takes it; a configuration that is wrong leaves the running one alone."""
import pytest

from mta import eventually

pytestmark = pytest.mark.ours


def reload(instance):
    done = instance.postfix("reload")
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def test_what_changed(make):
    mta = make()
    assert reload(mta)[:2] == (0, [])
    mta.settings["smtpd_recipient_limit"] = "5"
    mta.services["discard"] = "unix - - n - 3 discard"
    mta.services["scan"] = "unix - - n - 10 smtp"
    mta.services["lmtp"] = None
    mta.write_configuration()
    status, lines, _ = reload(mta)
    assert status == 0
    assert f'parameter smtpd_recipient_limit: "1000" -> "5"; taken by 127.0.0.1:{mta.port}/inet' in lines
    assert "service discard/unix: maxproc: - -> 3" in lines
    assert "service scan/unix: added" in lines
    mta.await_log(r"postfix/master\[\d+\]: reload: service scan/unix: added")
    assert "reload -- version" in mta.log()


@pytest.mark.parametrize("main, words", [
    ({"smtpd_timeout": "soon"}, "parameter smtpd_timeout: bad time value or unit: soon"),
    ({"smtpd_banner": "${myhostname"}, "truncated macro reference"),
    ({"relayhost": "$a", "a": "$b", "b": "$a"}, "unreasonable macro call nesting"),
    ({"inet_interfaces": "all", "mynetworks": "0.0.0.0/0"}, "open relay: service "),
])
def test_bad_configuration_changes_nothing(make, main, words):
    mta = make()
    mta.settings |= {"smtpd_recipient_limit": "5"} | main
    if "mynetworks" in main:
        mta.services["2525"] = "inet n - n - - smtpd"
    mta.write_configuration()
    status, lines, errors = reload(mta)
    assert (status, lines) == (1, [])
    assert words in errors and "main.cf, line " in errors
    assert "the previous configuration stays in use" in errors
    mta.await_log("reload ignored, the previous configuration stays in use")
    assert eventually(lambda: mta.send()), "mail still flows"


def test_bad_master_cf_changes_nothing(make):
    mta = make()
    (mta.etc / "master.cf").write_text("smtp inet n - n - many smtpd\n")
    status, _, errors = reload(mta)
    assert status == 1
    assert 'master.cf, line 1: field "process_limit": bad value: "many"' in errors
    assert mta.send()


def test_bad_setting_of_a_service_changes_nothing(make):
    mta = make()
    mta.services["discard"] = "unix - - n - 3 discard -o max_idle=never"
    mta.write_configuration()
    status, _, errors = reload(mta)
    assert status == 1
    assert "master.cf, line " in errors
    assert "service discard/unix: parameter max_idle: bad time value or unit: never" in errors


def test_an_edit_counts_when_it_is_reloaded(make):
    mta = make(main={"max_idle": "1s"})

    def greeting():
        with mta.client() as client:
            return client.reply()[0]

    assert greeting().startswith("220 mx.test.example")
    mta.settings["smtpd_banner"] = "$myhostname edited"
    mta.write_configuration()
    assert eventually(lambda: not mta.processes("smtpd"))
    assert "edited" not in greeting()
    assert reload(mta)[0] == 0
    assert eventually(lambda: "edited" in greeting())


def test_without_a_running_system(make):
    mta = make(start=False)
    assert reload(mta)[0] == 1
    mta.settings["smtpd_timeout"] = "soon"
    mta.write_configuration()
    status, _, errors = reload(mta)
    assert status == 1 and "bad time value" in errors
