// What Postfix 3.7's trivial-rewrite answers, case by case.
#include "mail/rewrite.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace facteur::mail {
namespace {

using Entries = std::map<std::string, std::string, std::less<>>;

KeyLookup table(Entries entries)
{
    return [entries = std::move(entries)](std::string_view key, KeyPart) -> LookupAnswer {
        const auto found = entries.find(key);
        if (found == entries.end())
            return std::nullopt;
        return found->second;
    };
}

DomainProbe members(std::set<std::string, std::less<>> names)
{
    return [names = std::move(names)](std::string_view name) -> std::expected<bool, LookupFailure> {
        return names.contains(name);
    };
}

const Entries kTransport = {
    {"tm.example", "smtp:[hop.tm]"},        {".tm.example", "relay:dot.tm"}, {"user@utm.example", "t1:u"},
    {"user+ext@utm.example", "t2:ue"},      {"utm.example", "t3:d"},         {"nohop.example", "nh:"},
    {"notrans.example", ":onlyhop"},        {"empty.example", ":"},          {"host.port.example", "smtp:[h]:2525"},
    {"err.example", "error:5.7.1 go away"}, {"tmlocal.example", "local:"},
};

ResolverSettings base()
{
    ResolverSettings s;
    s.rewrite = {.myorigin = "mx.test.example", .mydomain = "test.example"};
    s.local_transport = "local:mx.test.example";
    s.myhostname = "mx.test.example";
    s.recipient_delimiter = "+";
    s.is_local_domain = members({"mx.test.example", "localhost"});
    s.is_local_address = members({"127.0.0.1"});
    s.is_virtual_alias_domain = members({"va.example", "both.example"});
    s.is_virtual_mailbox_domain = members({"vm.example", "both.example"});
    s.is_relay_domain = members({"rel.example"});
    return s;
}

std::map<std::string, ResolverSettings, std::less<>> configurations()
{
    std::map<std::string, ResolverSettings, std::less<>> all;
    for (const char* name : {"plain", "tm", "tmstar", "rh", "sd", "nodeq", "null", "flags", "trans", "trans2"})
        all[name] = base();
    all["tm"].transport_maps = table(kTransport);
    Entries with_star = kTransport;
    with_star["*"] = "smtp:[star]";
    all["tmstar"].transport_maps = table(with_star);
    all["tmstar"].relayhost = "[rh]";
    all["rh"].relayhost = "[rh]:99";
    all["rh"].rewrite.append_dot_mydomain = true;
    all["sd"].relayhost = "rh0";
    all["sd"].sender_dependent_relayhost_maps = table({{"sd@s.example", "[sdr]"},
                                                       {"@sd.example", "[sdd]"},
                                                       {"<>", "[null]"},
                                                       {"@dunno.example", "DUNNO"},
                                                       {"@sdu.example", "[sdu]"}});
    all["sd"].sender_dependent_default_transport_maps =
        table({{"@sdt.example", "tsd:[hsd]"}, {"u@sdu.example", "tsdu:"}, {"<>", "nt:"}, {"@dunno.example", "DUNNO"}});
    all["nodeq"].resolve_dequoted_address = false;
    all["null"].resolve_null_domain = all["null"].resolve_numeric_domain = true;
    all["flags"].rewrite.allow_percent_hack = all["flags"].rewrite.swap_bangpath = false;
    all["flags"].rewrite.append_at_myorigin = false;
    all["flags"].resolve_numeric_domain = true;
    ResolverSettings& trans = all["trans"];
    trans.local_transport = "lt:lh";
    trans.virtual_transport = "vt:vh";
    trans.relay_transport = "rt:rh2";
    trans.default_transport = "dt:dh";
    trans.relayhost = "[rh]";
    ResolverSettings& trans2 = all["trans2"];
    trans2.local_transport = "lt";
    trans2.virtual_transport = "vt:";
    trans2.relay_transport = "rt";
    trans2.default_transport = "error:no mail";
    trans2.show_user_unknown_table_name = false;
    trans2.transport_maps =
        table({{"rel.example", ":xx"}, {"vm.example", ":xx"}, {"mx.test.example", ":xx"}, {"va.example", "smtp:xx"}});
    return all;
}

struct ResolveCase {
    std::string_view configuration;
    std::string_view sender;
    std::string_view address;
    std::string_view transport;
    std::string_view nexthop;
    std::string_view recipient;
    AddressClass address_class;
    bool routed;
    bool error;
};

// clang-format off
constexpr ResolveCase kCases[] = {
    {"plain", "", "", "local", "mx.test.example", "MAILER-DAEMON@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "bob", "local", "mx.test.example", "bob@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "bob@mx.test.example", "local", "mx.test.example", "bob@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "bob@localhost", "local", "mx.test.example", "bob@localhost", AddressClass::local, false, false},
    {"plain", "", "Bob@MX.Test.Example", "local", "mx.test.example", "Bob@MX.Test.Example", AddressClass::local, false, false},
    {"plain", "", "bob@other.example", "smtp", "other.example", "bob@other.example", AddressClass::other, false, false},
    {"plain", "", "bob@other.example.", "smtp", "other.example", "bob@other.example", AddressClass::other, false, false},
    {"plain", "", "bob@host", "smtp", "host", "bob@host", AddressClass::other, false, false},
    {"plain", "", "bob@[127.0.0.1]", "local", "mx.test.example", "bob@[127.0.0.1]", AddressClass::local, false, false},
    {"plain", "", "bob@[127.0.0.2]", "smtp", "[127.0.0.2]", "bob@[127.0.0.2]", AddressClass::other, false, false},
    {"plain", "", "bob@[1.2.3.4]", "smtp", "[1.2.3.4]", "bob@[1.2.3.4]", AddressClass::other, false, false},
    {"plain", "", "bob@[IPv6:::1]", "smtp", "[IPv6:::1]", "bob@[IPv6:::1]", AddressClass::other, false, false},
    {"plain", "", "bob@[ipv6:::1]", "smtp", "[ipv6:::1]", "bob@[ipv6:::1]", AddressClass::other, false, false},
    {"plain", "", "bob@[IPv6:2001:db8::1]", "smtp", "[IPv6:2001:db8::1]", "bob@[IPv6:2001:db8::1]", AddressClass::other, false, false},
    {"plain", "", "bob@127.0.0.1", "", "", "bob@127.0.0.1", AddressClass::other, false, true},
    {"plain", "", "bob@1.2.3.4", "", "", "bob@1.2.3.4", AddressClass::other, false, true},
    {"plain", "", "bob@", "", "", "bob@", AddressClass::other, false, true},
    {"plain", "", "@mx.test.example", "local", "mx.test.example", "MAILER-DAEMON@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "@other.example", "smtp", "other.example", "@other.example", AddressClass::other, false, false},
    {"plain", "", "@", "", "", "MAILER-DAEMON@", AddressClass::other, false, true},
    {"plain", "", "bob%x.y@mx.test.example", "smtp", "x.y", "bob@x.y", AddressClass::other, false, false},
    {"plain", "", "bob%x.y@other.example", "smtp", "other.example", "bob%x.y@other.example", AddressClass::other, true, false},
    {"plain", "", "bob%x@mx.test.example", "smtp", "x", "bob@x", AddressClass::other, false, false},
    {"plain", "", "x.y!bob@mx.test.example", "smtp", "x.y", "bob@x.y", AddressClass::other, false, false},
    {"plain", "", "x.y!bob@other.example", "smtp", "other.example", "x.y!bob@other.example", AddressClass::other, true, false},
    {"plain", "", "x!y!bob@mx.test.example", "smtp", "x", "y!bob@x", AddressClass::other, true, false},
    {"plain", "", "a@b.c@mx.test.example", "smtp", "b.c", "a@b.c", AddressClass::other, false, false},
    {"plain", "", "a@b.c@other.example", "smtp", "other.example", "a@b.c@other.example", AddressClass::other, true, false},
    {"plain", "", "\"a b\"@mx.test.example", "local", "mx.test.example", "\"a b\"@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "a%b@c.d@mx.test.example", "smtp", "c.d", "a%b@c.d", AddressClass::other, true, false},
    {"plain", "", "a%b%c@mx.test.example", "smtp", "c", "a%b@c", AddressClass::other, true, false},
    {"plain", "", "%a@mx.test.example", "smtp", "a", "@a", AddressClass::other, false, false},
    {"plain", "", "a%@mx.test.example", "", "", "a@", AddressClass::other, false, true},
    {"plain", "", "!a@mx.test.example", "", "", "a@", AddressClass::other, false, true},
    {"plain", "", "a!@mx.test.example", "smtp", "a", "@a", AddressClass::other, false, false},
    {"plain", "", "@mx.test.example:u@c.d", "smtp", "c.d", "@mx.test.example:u@c.d", AddressClass::other, true, false},
    {"plain", "", "@mx.test.example:u@mx.test.example", "local", "mx.test.example", "u@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "u@va.example", "error", "5.1.1 User unknown in virtual alias table", "u@va.example", AddressClass::virtual_alias, false, false},
    {"plain", "", "u@sub.va.example", "smtp", "sub.va.example", "u@sub.va.example", AddressClass::other, false, false},
    {"plain", "", "u@vm.example", "virtual", "vm.example", "u@vm.example", AddressClass::virtual_mailbox, false, false},
    {"plain", "", "u@rel.example", "relay", "rel.example", "u@rel.example", AddressClass::relay, false, false},
    {"plain", "", "u@sub.rel.example", "smtp", "sub.rel.example", "u@sub.rel.example", AddressClass::other, false, false},
    {"plain", "", "u@tm.example", "smtp", "tm.example", "u@tm.example", AddressClass::other, false, false},
    {"plain", "", "u@sub.tm.example", "smtp", "sub.tm.example", "u@sub.tm.example", AddressClass::other, false, false},
    {"plain", "", "u@a.sub.tm.example", "smtp", "a.sub.tm.example", "u@a.sub.tm.example", AddressClass::other, false, false},
    {"plain", "", "user@utm.example", "smtp", "utm.example", "user@utm.example", AddressClass::other, false, false},
    {"plain", "", "user+ext@utm.example", "smtp", "utm.example", "user+ext@utm.example", AddressClass::other, false, false},
    {"plain", "", "user+foo@utm.example", "smtp", "utm.example", "user+foo@utm.example", AddressClass::other, false, false},
    {"plain", "", "other@utm.example", "smtp", "utm.example", "other@utm.example", AddressClass::other, false, false},
    {"plain", "", "u@nohop.example", "smtp", "nohop.example", "u@nohop.example", AddressClass::other, false, false},
    {"plain", "", "u@notrans.example", "smtp", "notrans.example", "u@notrans.example", AddressClass::other, false, false},
    {"plain", "", "u@empty.example", "smtp", "empty.example", "u@empty.example", AddressClass::other, false, false},
    {"plain", "", "u@host.port.example", "smtp", "host.port.example", "u@host.port.example", AddressClass::other, false, false},
    {"plain", "", "u@err.example", "smtp", "err.example", "u@err.example", AddressClass::other, false, false},
    {"plain", "", "u@a..b", "", "", "u@a..b", AddressClass::other, false, true},
    {"plain", "", "u@.x", "", "", "u@.x", AddressClass::other, false, true},
    {"plain", "", "u@x.", "smtp", "x", "u@x", AddressClass::other, false, false},
    {"plain", "", "u@-x", "", "", "u@-x", AddressClass::other, false, true},
    {"plain", "", "u@x_y.z", "smtp", "x_y.z", "u@x_y.z", AddressClass::other, false, false},
    {"plain", "", "u@x y", "", "", "u@x y", AddressClass::other, false, true},
    {"plain", "", "u@\xc3\xa9.example", "smtp", "\xc3\xa9.example", "u@\xc3\xa9.example", AddressClass::other, false, false},
    {"plain", "", "u\xc3\xa9@x.y", "smtp", "x.y", "u\xc3\xa9@x.y", AddressClass::other, false, false},
    {"plain", "", "u@x.y!z", "", "", "u@x.y!z", AddressClass::other, false, true},
    {"plain", "", "u@x%y", "", "", "u@x%y", AddressClass::other, false, true},
    {"plain", "", "a!b", "smtp", "a", "b@a", AddressClass::other, false, false},
    {"plain", "", "a%b", "smtp", "b", "a@b", AddressClass::other, false, false},
    {"plain", "", "a.b.c!d%e@mx.test.example", "smtp", "a.b.c", "d%e@a.b.c", AddressClass::other, true, false},
    {"plain", "", "local@tmlocal.example", "smtp", "tmlocal.example", "local@tmlocal.example", AddressClass::other, false, false},
    {"plain", "", "u@rbracket]", "", "", "u@rbracket]", AddressClass::other, false, true},
    {"plain", "", "u@[bad", "", "", "u@[bad]", AddressClass::other, false, true},
    {"plain", "", "u@[999.1.1.1]", "", "", "u@[999.1.1.1]", AddressClass::other, false, true},
    {"plain", "", "u@[1.2.3]", "", "", "u@[1.2.3]", AddressClass::other, false, true},
    {"plain", "", "u@[IPv6:zz]", "", "", "u@[IPv6:zz]", AddressClass::other, false, true},
    {"plain", "", "u@999.1.1.1", "", "", "u@999.1.1.1", AddressClass::other, false, true},
    {"plain", "", "u@1.2", "", "", "u@1.2", AddressClass::other, false, true},
    {"plain", "", "u@1", "", "", "u@1", AddressClass::other, false, true},
    {"plain", "", "bob+ext@mx.test.example", "local", "mx.test.example", "bob+ext@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "\"\"@mx.test.example", "local", "mx.test.example", "\"\"@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "MAILER-DAEMON", "local", "mx.test.example", "MAILER-DAEMON@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "postmaster", "local", "mx.test.example", "postmaster@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "double-bounce", "local", "mx.test.example", "double-bounce@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "double-bounce@mx.test.example", "local", "mx.test.example", "double-bounce@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "u@both.example", "error", "5.1.1 User unknown in virtual alias table", "u@both.example", AddressClass::virtual_alias, false, false},
    {"plain", "", "u@x..", "", "", "u@x..", AddressClass::other, false, true},
    {"plain", "", "bob@mx.test.example@mx.test.example", "local", "mx.test.example", "bob@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "bob@mx.test.example%mx.test.example", "", "", "bob@mx.test.example%mx.test.example", AddressClass::other, false, true},
    {"plain", "", "bob%mx.test.example@mx.test.example", "local", "mx.test.example", "bob@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "bob%localhost%mx.test.example@localhost", "local", "mx.test.example", "bob@localhost", AddressClass::local, false, false},
    {"plain", "", "a%va.example@mx.test.example", "error", "5.1.1 User unknown in virtual alias table", "a@va.example", AddressClass::virtual_alias, false, false},
    {"plain", "", "a%b.c@va.example", "error", "5.1.1 User unknown in virtual alias table", "a%b.c@va.example", AddressClass::virtual_alias, true, false},
    {"plain", "", "a%b.c@rel.example", "relay", "rel.example", "a%b.c@rel.example", AddressClass::relay, true, false},
    {"plain", "", "a%b.c@vm.example", "virtual", "vm.example", "a%b.c@vm.example", AddressClass::virtual_mailbox, true, false},
    {"plain", "", "a!b@va.example", "error", "5.1.1 User unknown in virtual alias table", "a!b@va.example", AddressClass::virtual_alias, true, false},
    {"plain", "", "a@b@va.example", "error", "5.1.1 User unknown in virtual alias table", "a@b@va.example", AddressClass::virtual_alias, true, false},
    {"plain", "", "a@x.y%b@mx.test.example", "", "", "a@x.y%b", AddressClass::other, false, true},
    {"plain", "", "bob@MX.TEST.EXAMPLE.", "local", "mx.test.example", "bob@MX.TEST.EXAMPLE", AddressClass::local, false, false},
    {"plain", "", "/etc/passwd", "local", "mx.test.example", "/etc/passwd@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "|prog@mx.test.example", "local", "mx.test.example", "|prog@mx.test.example", AddressClass::local, false, false},
    {"plain", "", "-bob@x.y", "smtp", "x.y", "-bob@x.y", AddressClass::other, false, true},
    {"plain", "", "u@wild.other", "smtp", "wild.other", "u@wild.other", AddressClass::other, false, false},
    {"tm", "", "u@tm.example", "smtp", "[hop.tm]", "u@tm.example", AddressClass::other, false, false},
    {"tm", "", "u@sub.tm.example", "relay", "dot.tm", "u@sub.tm.example", AddressClass::other, false, false},
    {"tm", "", "u@a.sub.tm.example", "relay", "dot.tm", "u@a.sub.tm.example", AddressClass::other, false, false},
    {"tm", "", "user@utm.example", "t1", "u", "user@utm.example", AddressClass::other, false, false},
    {"tm", "", "user+ext@utm.example", "t2", "ue", "user+ext@utm.example", AddressClass::other, false, false},
    {"tm", "", "user+foo@utm.example", "t1", "u", "user+foo@utm.example", AddressClass::other, false, false},
    {"tm", "", "other@utm.example", "t3", "d", "other@utm.example", AddressClass::other, false, false},
    {"tm", "", "u@nohop.example", "nh", "nohop.example", "u@nohop.example", AddressClass::other, false, false},
    {"tm", "", "u@notrans.example", "smtp", "onlyhop", "u@notrans.example", AddressClass::other, false, false},
    {"tm", "", "u@host.port.example", "smtp", "[h]:2525", "u@host.port.example", AddressClass::other, false, false},
    {"tm", "", "u@err.example", "error", "5.7.1 go away", "u@err.example", AddressClass::other, false, false},
    {"tm", "", "local@tmlocal.example", "local", "tmlocal.example", "local@tmlocal.example", AddressClass::other, false, false},
    {"tmstar", "", "bob", "smtp", "[star]", "bob@mx.test.example", AddressClass::local, false, false},
    {"tmstar", "", "bob@other.example", "smtp", "[star]", "bob@other.example", AddressClass::other, false, false},
    {"tmstar", "", "bob@[127.0.0.1]", "smtp", "[star]", "bob@[127.0.0.1]", AddressClass::local, false, false},
    {"tmstar", "", "u@vm.example", "smtp", "[star]", "u@vm.example", AddressClass::virtual_mailbox, false, false},
    {"tmstar", "", "u@tm.example", "smtp", "[hop.tm]", "u@tm.example", AddressClass::other, false, false},
    {"tmstar", "", "u@sub.tm.example", "relay", "dot.tm", "u@sub.tm.example", AddressClass::other, false, false},
    {"tmstar", "", "u@a.sub.tm.example", "relay", "dot.tm", "u@a.sub.tm.example", AddressClass::other, false, false},
    {"tmstar", "", "user@utm.example", "t1", "u", "user@utm.example", AddressClass::other, false, false},
    {"tmstar", "", "user+ext@utm.example", "t2", "ue", "user+ext@utm.example", AddressClass::other, false, false},
    {"tmstar", "", "user+foo@utm.example", "t1", "u", "user+foo@utm.example", AddressClass::other, false, false},
    {"tmstar", "", "other@utm.example", "t3", "d", "other@utm.example", AddressClass::other, false, false},
    {"tmstar", "", "u@nohop.example", "nh", "nohop.example", "u@nohop.example", AddressClass::other, false, false},
    {"tmstar", "", "u@notrans.example", "smtp", "onlyhop", "u@notrans.example", AddressClass::other, false, false},
    {"tmstar", "", "u@empty.example", "smtp", "[rh]", "u@empty.example", AddressClass::other, false, false},
    {"tmstar", "", "u@host.port.example", "smtp", "[h]:2525", "u@host.port.example", AddressClass::other, false, false},
    {"tmstar", "", "u@err.example", "error", "5.7.1 go away", "u@err.example", AddressClass::other, false, false},
    {"tmstar", "", "local@tmlocal.example", "local", "tmlocal.example", "local@tmlocal.example", AddressClass::other, false, false},
    {"tmstar", "", "-bob@x.y", "smtp", "[star]", "-bob@x.y", AddressClass::other, false, true},
    {"rh", "", "bob@other.example", "smtp", "[rh]:99", "bob@other.example", AddressClass::other, false, false},
    {"rh", "", "bob@[1.2.3.4]", "smtp", "[rh]:99", "bob@[1.2.3.4]", AddressClass::other, false, false},
    {"rh", "", "@other.example", "smtp", "[rh]:99", "@other.example", AddressClass::other, false, false},
    {"rh", "", "bob%x@mx.test.example", "smtp", "[rh]:99", "bob@x.test.example", AddressClass::other, false, false},
    {"rh", "", "u@rel.example", "relay", "[rh]:99", "u@rel.example", AddressClass::relay, false, false},
    {"rh", "", "a!b", "smtp", "[rh]:99", "b@a.test.example", AddressClass::other, false, false},
    {"rh", "", "bob%localhost%mx.test.example@localhost", "smtp", "[rh]:99", "bob@localhost.test.example", AddressClass::other, false, false},
    {"rh", "", "-bob@x.y", "smtp", "[rh]:99", "-bob@x.y", AddressClass::other, false, true},
    {"sd", "", "bob@other.example", "nt", "[null]", "bob@other.example", AddressClass::other, false, false},
    {"sd", "joe@a.example", "bob@other.example", "smtp", "rh0", "bob@other.example", AddressClass::other, false, false},
    {"sd", "sd@s.example", "bob@other.example", "smtp", "[sdr]", "bob@other.example", AddressClass::other, false, false},
    {"sd", "x@sd.example", "bob@other.example", "smtp", "[sdd]", "bob@other.example", AddressClass::other, false, false},
    {"sd", "x@sdt.example", "bob@other.example", "tsd", "[hsd]", "bob@other.example", AddressClass::other, false, false},
    {"sd", "u+e@sdu.example", "bob@other.example", "tsdu", "[sdu]", "bob@other.example", AddressClass::other, false, false},
    {"sd", "x@dunno.example", "bob@other.example", "smtp", "rh0", "bob@other.example", AddressClass::other, false, false},
    {"sd", "", "bob%x.y@mx.test.example", "nt", "[null]", "bob@x.y", AddressClass::other, false, false},
    {"sd", "joe@a.example", "bob%x.y@mx.test.example", "smtp", "rh0", "bob@x.y", AddressClass::other, false, false},
    {"sd", "sd@s.example", "bob%x.y@mx.test.example", "smtp", "[sdr]", "bob@x.y", AddressClass::other, false, false},
    {"sd", "x@sd.example", "bob%x.y@mx.test.example", "smtp", "[sdd]", "bob@x.y", AddressClass::other, false, false},
    {"sd", "x@sdt.example", "bob%x.y@mx.test.example", "tsd", "[hsd]", "bob@x.y", AddressClass::other, false, false},
    {"sd", "u+e@sdu.example", "bob%x.y@mx.test.example", "tsdu", "[sdu]", "bob@x.y", AddressClass::other, false, false},
    {"sd", "x@dunno.example", "bob%x.y@mx.test.example", "smtp", "rh0", "bob@x.y", AddressClass::other, false, false},
    {"sd", "", "u@rel.example", "relay", "[null]", "u@rel.example", AddressClass::relay, false, false},
    {"sd", "joe@a.example", "u@rel.example", "relay", "rh0", "u@rel.example", AddressClass::relay, false, false},
    {"sd", "sd@s.example", "u@rel.example", "relay", "[sdr]", "u@rel.example", AddressClass::relay, false, false},
    {"sd", "x@sd.example", "u@rel.example", "relay", "[sdd]", "u@rel.example", AddressClass::relay, false, false},
    {"sd", "x@sdt.example", "u@rel.example", "relay", "rh0", "u@rel.example", AddressClass::relay, false, false},
    {"sd", "u+e@sdu.example", "u@rel.example", "relay", "[sdu]", "u@rel.example", AddressClass::relay, false, false},
    {"sd", "x@dunno.example", "u@rel.example", "relay", "rh0", "u@rel.example", AddressClass::relay, false, false},
    {"nodeq", "", "a@b.c@mx.test.example", "local", "mx.test.example", "a@b.c@mx.test.example", AddressClass::local, true, false},
    {"nodeq", "", "a%b@c.d@mx.test.example", "local", "mx.test.example", "a%b@c.d@mx.test.example", AddressClass::local, true, false},
    {"nodeq", "", "bob@mx.test.example@mx.test.example", "local", "mx.test.example", "bob@mx.test.example@mx.test.example", AddressClass::local, true, false},
    {"nodeq", "", "a@x.y%b@mx.test.example", "local", "mx.test.example", "a@x.y%b@mx.test.example", AddressClass::local, true, false},
    {"null", "", "bob@127.0.0.1", "local", "mx.test.example", "bob@[127.0.0.1]", AddressClass::local, false, false},
    {"null", "", "bob@1.2.3.4", "smtp", "[1.2.3.4]", "bob@[1.2.3.4]", AddressClass::other, false, false},
    {"null", "", "bob@", "local", "mx.test.example", "bob@mx.test.example", AddressClass::local, false, false},
    {"null", "", "@", "local", "mx.test.example", "MAILER-DAEMON@mx.test.example", AddressClass::local, false, false},
    {"null", "", "a%@mx.test.example", "local", "mx.test.example", "a@mx.test.example", AddressClass::local, false, false},
    {"null", "", "!a@mx.test.example", "local", "mx.test.example", "a@mx.test.example", AddressClass::local, false, false},
    {"flags", "", "bob@127.0.0.1", "local", "mx.test.example", "bob@[127.0.0.1]", AddressClass::local, false, false},
    {"flags", "", "bob@1.2.3.4", "smtp", "[1.2.3.4]", "bob@[1.2.3.4]", AddressClass::other, false, false},
    {"flags", "", "bob%x.y@mx.test.example", "local", "mx.test.example", "bob%x.y@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "bob%x@mx.test.example", "local", "mx.test.example", "bob%x@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "x.y!bob@mx.test.example", "local", "mx.test.example", "x.y!bob@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "x!y!bob@mx.test.example", "local", "mx.test.example", "x!y!bob@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "a%b%c@mx.test.example", "local", "mx.test.example", "a%b%c@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "%a@mx.test.example", "local", "mx.test.example", "%a@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "a%@mx.test.example", "local", "mx.test.example", "a%@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "!a@mx.test.example", "local", "mx.test.example", "!a@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "a!@mx.test.example", "local", "mx.test.example", "a!@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "a!b", "local", "mx.test.example", "a!b@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "a%b", "local", "mx.test.example", "a%b@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "a.b.c!d%e@mx.test.example", "local", "mx.test.example", "a.b.c!d%e@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "bob%mx.test.example@mx.test.example", "local", "mx.test.example", "bob%mx.test.example@mx.test.example", AddressClass::local, true, false},
    {"flags", "", "bob%localhost%mx.test.example@localhost", "local", "mx.test.example", "bob%localhost%mx.test.example@localhost", AddressClass::local, true, false},
    {"flags", "", "a%va.example@mx.test.example", "local", "mx.test.example", "a%va.example@mx.test.example", AddressClass::local, true, false},
    {"trans", "", "bob", "lt", "lh", "bob@mx.test.example", AddressClass::local, false, false},
    {"trans", "", "bob@mx.test.example", "lt", "lh", "bob@mx.test.example", AddressClass::local, false, false},
    {"trans", "", "bob@other.example", "dt", "dh", "bob@other.example", AddressClass::other, false, false},
    {"trans", "", "bob@[1.2.3.4]", "dt", "dh", "bob@[1.2.3.4]", AddressClass::other, false, false},
    {"trans", "", "@other.example", "dt", "dh", "@other.example", AddressClass::other, false, false},
    {"trans", "", "bob%x@mx.test.example", "dt", "dh", "bob@x", AddressClass::other, false, false},
    {"trans", "", "u@vm.example", "vt", "vh", "u@vm.example", AddressClass::virtual_mailbox, false, false},
    {"trans", "", "u@rel.example", "rt", "rh2", "u@rel.example", AddressClass::relay, false, false},
    {"trans", "", "a!b", "dt", "dh", "b@a", AddressClass::other, false, false},
    {"trans", "", "bob%localhost%mx.test.example@localhost", "lt", "lh", "bob@localhost", AddressClass::local, false, false},
    {"trans", "", "-bob@x.y", "dt", "dh", "-bob@x.y", AddressClass::other, false, true},
    {"trans2", "", "bob", "lt", "xx", "bob@mx.test.example", AddressClass::local, false, false},
    {"trans2", "", "bob@mx.test.example", "lt", "xx", "bob@mx.test.example", AddressClass::local, false, false},
    {"trans2", "", "bob@other.example", "error", "no mail", "bob@other.example", AddressClass::other, false, false},
    {"trans2", "", "bob@[1.2.3.4]", "error", "no mail", "bob@[1.2.3.4]", AddressClass::other, false, false},
    {"trans2", "", "@other.example", "error", "no mail", "@other.example", AddressClass::other, false, false},
    {"trans2", "", "bob%x@mx.test.example", "error", "no mail", "bob@x", AddressClass::other, false, false},
    {"trans2", "", "u@va.example", "error", "5.1.1 User unknown", "u@va.example", AddressClass::virtual_alias, false, false},
    {"trans2", "", "u@vm.example", "vt", "xx", "u@vm.example", AddressClass::virtual_mailbox, false, false},
    {"trans2", "", "u@rel.example", "rt", "xx", "u@rel.example", AddressClass::relay, false, false},
    {"trans2", "", "a!b", "error", "no mail", "b@a", AddressClass::other, false, false},
    {"trans2", "", "bob%localhost%mx.test.example@localhost", "lt", "localhost", "bob@localhost", AddressClass::local, false, false},
    {"trans2", "", "-bob@x.y", "error", "no mail", "-bob@x.y", AddressClass::other, false, true},
};
// clang-format on

TEST(Resolve, AsPostfixDoes)
{
    const auto all = configurations();
    for (const ResolveCase& test : kCases) {
        const auto got = resolve(test.sender, test.address, all.find(test.configuration)->second);
        ASSERT_TRUE(got);
        SCOPED_TRACE(fmt::format("{}: {} from {}", test.configuration, test.address, test.sender));
        EXPECT_EQ(got->transport, test.transport);
        EXPECT_EQ(got->nexthop, test.nexthop);
        EXPECT_EQ(got->recipient, test.recipient);
        EXPECT_EQ(got->address_class, test.address_class);
        EXPECT_EQ(got->routed, test.routed);
        EXPECT_EQ(got->error, test.error);
    }
}

TEST(Resolve, FailingTableIsNoAnswer)
{
    ResolverSettings s = base();
    s.transport_maps = [](std::string_view, KeyPart) -> LookupAnswer { return std::unexpected(LookupFailure{"down"}); };
    EXPECT_EQ(resolve("", "a@b.c", s).error().text, "down");
    s = base();
    s.is_relay_domain = [](std::string_view) -> std::expected<bool, LookupFailure> {
        return std::unexpected(LookupFailure{"gone"});
    };
    EXPECT_EQ(resolve("", "a@b.c", s).error().text, "gone");
    EXPECT_TRUE(resolve("", "bob", s));
}

TEST(Resolve, WarnsOfDomainsInTwoClasses)
{
    ResolverSettings s = base();
    std::vector<std::string> warnings;
    s.warn = [&](const std::string& text) { warnings.push_back(text); };
    s.is_virtual_alias_domain = members({"localhost", "both.example"});
    ASSERT_TRUE(resolve("", "a@localhost", s));
    ASSERT_TRUE(resolve("", "a@both.example", s));
    EXPECT_EQ(warnings,
              (std::vector<std::string>{
                  "do not list domain localhost in BOTH mydestination and virtual_alias_domains",
                  "do not list domain both.example in BOTH virtual_alias_domains and virtual_mailbox_domains"}));
}

TEST(Resolve, WholeAndPartialKeys)
{
    ResolverSettings s = base();
    std::vector<std::string> asked;
    s.transport_maps = [&](std::string_view key, KeyPart part) -> LookupAnswer {
        asked.push_back((part == KeyPart::whole ? "whole " : "part ") + std::string{key});
        return std::nullopt;
    };
    ASSERT_TRUE(resolve("", "U+x@A.B.c", s));
    EXPECT_EQ(asked, (std::vector<std::string>{"whole u+x@a.b.c", "part u@a.b.c", "part a.b.c", "part .b.c", "part .c",
                                               "part *"}));
    asked.clear();
    s.transport_maps_parent_plain = true;
    ASSERT_TRUE(resolve("", "u@[1.2.3.4]", s));
    ASSERT_TRUE(resolve("", "u@a.b", s));
    EXPECT_EQ(asked, (std::vector<std::string>{"whole u@[1.2.3.4]", "part [1.2.3.4]", "part *", "whole u@a.b",
                                               "part a.b", "part b", "part *"}));
}

} // namespace
} // namespace facteur::mail
