#include "config/check.h"

#include <gtest/gtest.h>

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

TEST(Check, FindsOpenRelays)
{
    EXPECT_EQ(problems("mynetworks = 127.0.0.0/8 0.0.0.0/0\n"),
              Texts{"main.cf, line 3: open relay: mynetworks contains 0.0.0.0/0, so that every client may relay"});
    EXPECT_EQ(problems("mynetworks = [::]/0\n").size(), 1U);
    EXPECT_EQ(problems("smtpd_relay_restrictions = permit_mynetworks\n").size(), 1U);
    EXPECT_EQ(problems("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, "
                       "reject_unauth_destination\n"),
              Texts{});
}

TEST(Check, FindsMissingServices)
{
    EXPECT_EQ(problems("relay_transport = lmtp:unix:private/x\n"),
              Texts{"main.cf, line 3: relay_transport = lmtp:unix:private/x: master.cf has no service lmtp/unix"});
    EXPECT_EQ(problems("default_transport = smtp:[mx.example.net]\n"), Texts{});
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
