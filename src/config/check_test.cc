#include "config/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace facteur::config {
namespace {

constexpr std::string_view kMaster =
    "local unix - n n - - local\nvirtual unix - n n - - virtual\nsmtp unix - - n - - smtp\n"
    "relay unix - - n - - smtp\nsmtp inet n - n - - smtpd\n";

// The texts of what check() finds; the directory's name is left out.
std::vector<std::string> problems(std::string_view main, std::string_view master = kMaster)
{
    char name[] = "/tmp/check_test.XXXXXX";
    const std::filesystem::path directory = ::mkdtemp(name);
    std::ofstream(directory / "main.cf") << "myhostname = mx.example.org\ncompatibility_level = 3.6\n" << main;
    std::ofstream(directory / "master.cf") << master;
    std::vector<std::string> out;
    if (const auto config = Config::load(directory); !config)
        out.push_back(config.error().message());
    else
        for (const auto& problem : check(*config))
            out.push_back(problem.message());
    for (auto& text : out)
        if (text.starts_with(directory.string()))
            text.erase(0, directory.string().size() + 1);
    std::filesystem::remove_all(directory);
    return out;
}

using Texts = std::vector<std::string>;

TEST(Check, SaysNothingOfADefaultSystem)
{
    EXPECT_EQ(problems(""), Texts{});
}

// Whether the configuration is refused as an open relay.
bool refused(std::string_view main, std::string_view master = kMaster)
{
    const auto found = problems(main, master);
    return std::ranges::any_of(found, [](const auto& text) { return text.find("open relay") != text.npos; });
}

TEST(Check, FindsOpenRelays)
{
    EXPECT_EQ(problems("mynetworks = 127.0.0.0/8 0.0.0.0/0\n"),
              Texts{"main.cf, line 3: open relay: service smtp/inet: mynetworks = 127.0.0.0/8 0.0.0.0/0: 0.0.0.0/0 "
                    "contains every client; list only networks of your own, or set allow_open_relay = yes if this is "
                    "wanted"});
    EXPECT_TRUE(refused("mynetworks = [::]/0\n"));
    EXPECT_TRUE(refused("mynetworks = static:all\n"));
    EXPECT_FALSE(refused("mynetworks = !0.0.0.0/0\n"));
    EXPECT_FALSE(refused("mynetworks = 0.0.0.0/0\nsmtpd_relay_restrictions = reject_unauth_destination\n"));
    EXPECT_FALSE(refused("mynetworks = 0.0.0.0/0\nallow_open_relay = yes\n"));
    EXPECT_TRUE(refused("smtpd_relay_restrictions = permit_mynetworks\n"));
    EXPECT_TRUE(refused("smtpd_relay_restrictions = permit, reject_unauth_destination\n"));
    EXPECT_TRUE(refused("smtpd_relay_restrictions = warn_if_reject reject_unauth_destination\n"));
    EXPECT_FALSE(refused("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, "
                         "reject_unauth_destination\n"));
    EXPECT_FALSE(refused("smtpd_relay_restrictions =\nsmtpd_client_restrictions = permit_mynetworks, reject\n"));
    EXPECT_FALSE(refused("smtpd_restriction_classes = ours\nours = permit_mynetworks, reject_unauth_destination\n"
                         "smtpd_relay_restrictions = ours\n"));
    EXPECT_FALSE(refused("smtpd_relay_restrictions =\ninet_interfaces = loopback-only\n"));
}

TEST(Check, FindsTheServiceThatIsAnOpenRelay)
{
    const std::string base(kMaster);
    EXPECT_TRUE(refused("", base + "2525 inet n - n - - smtpd -o smtpd_relay_restrictions=permit\n"));
    EXPECT_FALSE(refused("", base + "127.0.0.1:10025 inet n - n - - smtpd -o smtpd_relay_restrictions=permit\n"));
    EXPECT_FALSE(refused("smtpd_relay_restrictions =\n",
                         "smtp unix - - n - - smtp\nrelay unix - - n - - smtp\n"
                         "local unix - n n - - local\nvirtual unix - n n - - virtual\n"));
}

TEST(Check, OnlyAnOpenRelayIsRefused)
{
    char name[] = "/tmp/check_test.XXXXXX";
    const std::filesystem::path directory = ::mkdtemp(name);
    std::ofstream(directory / "main.cf") << "myhostname = -a\nsmtpd_relay_restrictions =\n";
    std::ofstream(directory / "master.cf") << kMaster;
    const auto config = Config::load(directory);
    ASSERT_TRUE(config);
    const auto found = check(*config);
    EXPECT_EQ(std::ranges::count(found, Gravity::refused, &Problem::gravity), 1);
    EXPECT_GT(found.size(), 1U);
    std::filesystem::remove_all(directory);
}

TEST(Check, FindsRestrictionsThatNeverMatch)
{
    struct Case {
        std::string_view main;
        std::string_view text;
    };
    for (const auto& each : std::to_array<Case>({
             {"smtpd_recipient_restrictions = permit, reject_unauth_destination\n",
              "restriction `reject_unauth_destination' after `permit' is ignored"},
             {"smtpd_sender_restrictions = reject permit\n", "restriction `permit' after `reject' is ignored"},
             {"smtpd_client_restrictions = defer hash:/x\n", "restriction `hash:/x' after `defer' is ignored"},
             {"smtpd_client_restrictions = reject_unknown_clinet\n",
              "unknown smtpd restriction: \"reject_unknown_clinet\" (is it reject_unknown_client?)"},
             {"smtpd_client_restrictions = greylist_or_so\n", "a class must be in smtpd_restriction_classes"},
             {"smtpd_restriction_classes = one\n", "class one has no definition; add a line \"one = ...\""},
             {"smtpd_restriction_classes = one\none = reject, permit\n",
              "one = reject, permit: restriction `permit' after `reject' is ignored"},
             {"smtpd_helo_restrictions = check_helo_access\n", "check_helo_access requires an argument"},
             {"smtpd_delay_reject = no\nsmtpd_client_restrictions = check_recipient_access static:OK\n",
              "check_recipient_access never matches here"},
         })) {
        const auto found = problems(each.main);
        ASSERT_EQ(found.size(), 1U) << each.main;
        EXPECT_NE(found[0].find(each.text), std::string::npos) << found[0];
        EXPECT_TRUE(found[0].starts_with("main.cf, line ")) << found[0];
    }
    const auto found = problems("", std::string(kMaster) + "sub inet n - n - - smtpd\n"
                                                           "  -o smtpd_client_restrictions=reject,permit\n");
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].starts_with("master.cf, line 6: service sub/inet: ")) << found[0];
}

TEST(Check, FindsNetworksThatAreNone)
{
    const auto one = [](std::string_view networks) {
        const auto found = problems("mynetworks = " + std::string(networks) + "\n");
        return found.empty() ? std::string() : found[0];
    };
    EXPECT_NE(one("127.0.0.1 /no/such/file").find("open /no/such/file: No such file or directory"), std::string::npos);
    EXPECT_NE(one("300.0.0.1").find("300.0.0.1"), std::string::npos);
    EXPECT_NE(one("no-such-host.invalid").find("host no-such-host.invalid"), std::string::npos);
    EXPECT_EQ(one("127.0.0.0/8 [::1]/128 .example.org localhost hash:/some/table"), "");
}

TEST(Check, FindsWhatNeverExpands)
{
    EXPECT_EQ(problems("a = $b\nb = $a\nmyorigin = x.example\n").size(), 2U);
    EXPECT_EQ(problems("own = ${myhostname\nmyorigin = ${own?x}\n"),
              Texts{"main.cf, line 3: parameter own: truncated macro reference: \"${myhostname\""});
    EXPECT_EQ(problems("virtual_alias_maps = inline:{a=b\n"),
              Texts{"main.cf, line 3: virtual_alias_maps = inline:{a=b: unbalanced {}"});
}

TEST(Check, TakesManyUnknownNamesInItsStride)
{
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += fmt::format("own_name_{} = {}\n", i, i);
    const auto found = problems(text);
    ASSERT_EQ(found.size(), 101U);
    EXPECT_TRUE(found.back().ends_with("900 more unknown parameters")) << found.back();
}

TEST(Check, FindsMissingServices)
{
    EXPECT_EQ(problems("relay_transport = lmtp:unix:private/x\n"),
              Texts{"main.cf, line 3: relay_transport = lmtp:unix:private/x: master.cf has no service lmtp/unix"});
    EXPECT_EQ(problems("default_transport = smtp:[mx.example.net]\n"), Texts{});
    EXPECT_EQ(
        problems("content_filter = amavis:[127.0.0.1]:10024\n"),
        Texts{"main.cf, line 3: content_filter = amavis:[127.0.0.1]:10024: master.cf has no service amavis/unix"});
    EXPECT_EQ(problems("", std::string(kMaster) + "sub inet n - n - - smtpd -o content_filter=scan:here\n"),
              Texts{"master.cf, line 6: service sub/inet: content_filter = scan:here: master.cf has no service "
                    "scan/unix"});
    EXPECT_EQ(problems("relayhost = relay:[mx.example.net]:587\n"),
              Texts{"main.cf, line 3: relayhost = relay:[mx.example.net]:587: a transport has no place here; write "
                    "[mx.example.net]:587 and, if need be, default_transport = relay"});
    EXPECT_EQ(problems("relayhost = mx.example.net:587\n"), Texts{});
}

TEST(Check, FindsWrongNamesAndValues)
{
    EXPECT_EQ(problems("mydestinaton = x\n"),
              Texts{"main.cf, line 3: unknown parameter: mydestinaton=x (is it mydestination?)"});
    EXPECT_EQ(problems("myhostname = -a_b\nmydomain = example.org\n"),
              Texts{"main.cf, line 3: parameter myhostname: bad parameter value: -a_b"});
    EXPECT_EQ(problems("mynetworks = 192.0.2.1/24\n").size(), 1U);
    EXPECT_EQ(problems("", std::string(kMaster) + "sub inet n - n - - smtpd -o smtpd_timeout=x\n"),
              Texts{"master.cf, line 6: service sub/inet: parameter smtpd_timeout: bad time value or unit: x"});
    EXPECT_EQ(problems("", std::string(kMaster) + "sub inet n - n - - smtpd -o smtpd_timout=1s\n"),
              Texts{"master.cf, line 6: service sub/inet: unknown parameter: smtpd_timout=1s (is it smtpd_timeout?)"});
}

TEST(CheckLogFile, LiesBelowAListedPrefix)
{
    struct Case {
        std::string_view file;
        std::string_view prefixes;
        bool allowed;
    };
    for (const auto& each : std::to_array<Case>({
             {"", "/nowhere", true},
             {"/var/log/mail.log", "/var, /dev/stdout", true},
             {"/dev/stdout", "/var, /dev/stdout", true},
             {"/variant/mail.log", "/var, /dev/stdout", false},
             {"/etc/passwd", "/var, /dev/stdout", false},
             {"/tmp/x/maillog", "/tmp/x/ /var", true},
             {"/any/file", "/", true},
         })) {
        const auto config =
            Config::from_text(fmt::format("maillog_file = {}\nmaillog_file_prefixes = {}\n", each.file, each.prefixes));
        ASSERT_TRUE(config);
        EXPECT_EQ(!check_log_file(*config), each.allowed) << each.file;
    }
}

} // namespace
} // namespace facteur::config
