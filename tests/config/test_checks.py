"""postfix check and start: what is wrong is said before it bites, with file and line; an open relay does not start."""
import os
import time

import pytest

pytestmark = pytest.mark.ours


def check(instance):
    done = instance.postfix("check")
    return done.returncode, instance.log()


def warned(make, *words, main=None, services=None, files=None):
    mta = make(start=False, main=main, services=services, files=files)
    status, log = check(mta)
    assert status == 0
    for each in words:
        assert mta.filled(each) in log, log
    return mta


def test_missing_table(make):
    warned(make, "etc/main.cf, line ", "virtual_alias_maps = hash:@ROOT@/aliases: open database @ROOT@/aliases.lmdb: No such file "
           "or directory; postmap hash:@ROOT@/aliases makes it", main={"virtual_alias_maps": "hash:@ROOT@/aliases"})


def test_missing_table_in_a_restriction_and_in_master_cf(make):
    warned(make, "smtpd_client_restrictions = texthash:@ROOT@/none: ", "etc/master.cf, line ",
           main={"smtpd_client_restrictions": "check_client_access texthash:@ROOT@/none"},
           services={"127.0.0.1:2": "inet n - n - - smtpd -o smtpd_sender_restrictions=hash:@ROOT@/other"})


def test_table_type_that_is_not_there(make):
    warned(make, "table type nisplus is not available", main={"virtual_alias_maps": "nisplus:mail_aliases"})


def test_table_older_than_its_source(make):
    mta = make(start=False, main={"virtual_alias_maps": "hash:@ROOT@/aliases"}, files={"aliases": "a@b.example c\n"})
    assert mta.run("postmap", f"hash:{mta.root}/aliases").returncode == 0
    old = time.time() - 10000
    os.utime(mta.root / "aliases.lmdb", (old, old))
    os.utime(mta.root / "aliases", (old + 1000, old + 1000))
    status, log = check(mta)
    assert status == 0
    assert f"warning: database {mta.root}/aliases.lmdb is older than source file {mta.root}/aliases" in log


def test_transport_that_is_not_in_master_cf(make):
    warned(make, 'transport_maps = texthash:@ROOT@/transport: entry "b.example nosuch:here": master.cf has no service '
           "nosuch/unix", main={"transport_maps": "texthash:@ROOT@/transport"},
           files={"transport": "a.example smtp:[127.0.0.1]\nb.example nosuch:here\n"})
    warned(make, "default_transport = absent: master.cf has no service absent/unix", main={"default_transport": "absent"})
    warned(make, "content_filter = scan:[127.0.0.1]:10024: master.cf has no service scan/unix",
           main={"content_filter": "scan:[127.0.0.1]:10024"})


def test_restriction_that_never_matches(make):
    warned(make, "restriction `reject_unlisted_recipient' after `permit' is ignored", "etc/main.cf, line ",
           main={"smtpd_recipient_restrictions": "permit, reject_unlisted_recipient"})


def test_misspelt_names(make):
    warned(make, "unknown parameter: mydestinaton=x (is it mydestination?)",
           'unknown smtpd restriction: "permit_mynetwork" (is it permit_mynetworks?)',
           main={"mydestinaton": "x", "smtpd_helo_restrictions": "permit_mynetwork"})


def test_host_that_nobody_knows(make):
    warned(make, "mynetworks = 127.0.0.0/8 no-such-host.invalid: host no-such-host.invalid",
           main={"mynetworks": "127.0.0.0/8 no-such-host.invalid"})


OPEN = {"inet_interfaces": "all", "smtpd_relay_restrictions": "permit"}


@pytest.mark.parametrize("verb", ["start", "check"])
def test_open_relay_is_refused(make, verb):
    mta = make(start=False, main=OPEN, services={"2525": "inet n - n - - smtpd"})
    assert mta.postfix(verb).returncode == 1
    assert "open relay: service 2525/inet: smtpd_relay_restrictions = permit: " in mta.log()
    assert "etc/main.cf, line " in mta.log()
    assert mta.postfix("status").returncode == 1


def test_open_relay_that_is_wanted(make):
    mta = make(start=False, main=OPEN | {"allow_open_relay": "yes"}, services={"2525": "inet n - n - - smtpd"})
    assert check(mta)[0] == 0
