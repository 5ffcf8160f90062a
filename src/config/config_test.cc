#include "config/computed.h"
#include "config/config.h"
#include "config/suffixes.h"
#include "config/values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace facteur::config {
namespace {

Config from(std::string_view text, Overrides overrides = {})
{
    auto config = Config::from_text(text, std::move(overrides));
    if (!config)
        throw std::runtime_error(config.error().message());
    return std::move(*config);
}

TEST(Parameters, AreSortedAndFindable)
{
    const auto all = all_parameters();
    EXPECT_GT(all.size(), 900U);
    EXPECT_TRUE(std::ranges::is_sorted(all, {}, &ParameterBase::name));
    EXPECT_EQ(find_parameter("2bounce_notice_recipient"), &params::n2bounce_notice_recipient);
    EXPECT_EQ(find_parameter("nosuch"), nullptr);
}

TEST(Parameters, EveryDefaultIsAValidValue)
{
    const auto config = from("");
    for (const auto* parameter : all_parameters()) {
        const auto value = config.value(parameter->name);
        ASSERT_EQ(value.has_value(), parameter->status != Status::obsolete) << parameter->name;
        if (!value)
            continue;
        EXPECT_EQ(check_value(parameter->name, *value, *parameter), "");
    }
}

TEST(Parameters, EachSaysWhatItIsAndWhoReadsIt)
{
    for (const auto* parameter : all_parameters()) {
        EXPECT_NE(parameter->doc, "") << parameter->name;
        if (parameter->status != Status::obsolete) {
            EXPECT_NE(parameter->read_by, "") << parameter->name;
        }
    }
}

TEST(Config, ReadsTypes)
{
    const auto config = from("myhostname = mail.example.org\n"
                             "message_size_limit=20480000\n"
                             "biff = no\n"
                             "smtpd_timeout = 5m\n"
                             "bounce_queue_lifetime = 3\n"
                             "mydestination = $myhostname,\n"
                             "  # a comment within\n"
                             "\n"
                             "   localhost.$mydomain\n");
    EXPECT_EQ(config.get(params::myhostname), "mail.example.org");
    EXPECT_EQ(config.get(params::mydomain), "example.org");
    EXPECT_EQ(config.get(params::message_size_limit), 20480000);
    EXPECT_FALSE(config.get(params::biff));
    EXPECT_EQ(config.get(params::smtpd_timeout), std::chrono::minutes(5));
    EXPECT_EQ(config.get(params::bounce_queue_lifetime), std::chrono::hours(72));
    EXPECT_EQ(config.get(params::mydestination), "mail.example.org,   localhost.example.org");
    EXPECT_EQ(config.get(params::mail_name), "Facteur");
    EXPECT_EQ(config.get(params::smtpd_hard_error_limit), 20);
    EXPECT_EQ(config.explicit_text("biff"), "no");
    EXPECT_EQ(config.explicit_text("mydomain"), std::nullopt);
    EXPECT_EQ(config.value("nosuch"), std::nullopt);
}

TEST(Config, LaterDuplicatesAndOverridesWin)
{
    const auto config = from("biff = yes\nbiff = no\nmaximal_backoff_time = 1h\n", {{"maximal_backoff_time", "2h"}});
    EXPECT_FALSE(config.get(params::biff));
    EXPECT_EQ(config.get(params::maximal_backoff_time), std::chrono::hours(2));
    const auto more = config.with({{"biff", "yes"}, {"stress", "yes"}});
    ASSERT_TRUE(more);
    EXPECT_TRUE(more->get(params::biff));
    EXPECT_EQ(more->get(params::smtpd_hard_error_limit), 1);
    EXPECT_FALSE(config.with({{"biff", "perhaps"}}));
}

TEST(Config, ServiceSuffixes)
{
    const auto config = from("smtp_destination_concurrency_limit = 7\ndefault_destination_concurrency_limit=9\n"
                             "slow_destination_rate_delay = 2m\nmaildrop_time_limit=10\n");
    const auto& limit = params::default_destination_concurrency_limit;
    EXPECT_EQ(config.get_for("smtp", "_destination_concurrency_limit", limit), 7);
    EXPECT_EQ(config.get_for("relay", "_destination_concurrency_limit", limit), 9);
    EXPECT_EQ(config.get_for("local", "_destination_concurrency_limit", limit), 2); // a default of its own
    EXPECT_EQ(config.get_for("slow", "_destination_rate_delay", params::default_destination_rate_delay),
              std::chrono::minutes(2));
    EXPECT_EQ(config.get_for("maildrop", "_time_limit", params::command_time_limit), std::chrono::seconds(10));
    EXPECT_EQ(config.get_for("smtp", "_destination_concurrency_positive_feedback",
                             params::default_destination_concurrency_positive_feedback),
              "1");
    EXPECT_EQ(config.value("relay_destination_concurrency_limit"), "9");
    for (const auto& warning : config.warnings())
        EXPECT_EQ(warning.text.find("unknown"), std::string::npos) << warning.text;
    EXPECT_EQ(find_suffix("smtp_destination_recipient_limit")->suffix, "_destination_recipient_limit");
    EXPECT_EQ(find_suffix("default_destination_recipient_limit"), nullptr);
}

TEST(Config, CompatibilityLevels)
{
    EXPECT_TRUE(from("").get(params::append_dot_mydomain));
    EXPECT_FALSE(from("compatibility_level = 2").get(params::append_dot_mydomain));
    EXPECT_TRUE(from("compatibility_level = 3.6").get(params::smtpd_relay_before_recipient_restrictions));
    EXPECT_FALSE(from("compatibility_level = 3.5").get(params::smtpd_relay_before_recipient_restrictions));
}

TEST(Config, RawParametersKeepTheirDollars)
{
    const auto config = from("mailbox_command = /usr/bin/procmail -a \"$EXTENSION\" ${unclosed\n");
    EXPECT_EQ(config.get(params::mailbox_command), "/usr/bin/procmail -a \"$EXTENSION\" ${unclosed");
}

struct BadConfig {
    std::string text;
    std::string message;
};

TEST(Config, SaysWhatIsWrongAndWhere)
{
    const BadConfig cases[] = {
        {"a = b\nfoo bar\n", "main.cf, line 2: missing '=' after attribute name: \"foo bar\""},
        {"= bar\n", "main.cf, line 1: missing attribute name: \"= bar\""},
        {"hash_queue_depth = 10x", "main.cf, line 1: bad numerical configuration: hash_queue_depth = 10x"},
        {"hash_queue_depth =", "main.cf, line 1: bad numerical configuration: hash_queue_depth = "},
        {"hash_queue_depth = 0", "main.cf, line 1: invalid hash_queue_depth parameter value 0 < 1"},
        {"message_size_limit=99999999999999999999",
         "main.cf, line 1: bad numerical configuration: message_size_limit = 99999999999999999999"},
        {"\nsoft_bounce = maybe", "main.cf, line 2: bad boolean configuration: soft_bounce = maybe"},
        {"ipc_timeout = 10z", "main.cf, line 1: parameter ipc_timeout: bad time value or unit: 10z"},
        {"ipc_timeout = 10 s", "main.cf, line 1: parameter ipc_timeout: bad time value or unit: 10 s"},
        {"ipc_timeout = 99999999d", "main.cf, line 1: parameter ipc_timeout: bad time value or unit: 99999999d"},
        {"ipc_timeout = 0s", "main.cf, line 1: invalid ipc_timeout: 0 (min 1)"},
        {"myhostname =", "main.cf, line 1: bad string length 0 < 1: myhostname = "},
        {"mydomain = $mydomain", "main.cf, line 1: parameter mydomain: unreasonable macro call nesting: \"mydomain\""},
        {"smtpd_banner = ${foo", "main.cf, line 1: parameter smtpd_banner: truncated macro reference: \"${foo\""},
        {"compatibility_level = 3.x", "main.cf, line 1: malformed compatibility level syntax: \"3.x\""},
        {"mynetworks_style = bad", "main.cf, line 1: unknown mynetworks mask style value \"bad\" in \"bad\""},
        {"inet_protocols = bad", "main.cf, line 1: unknown inet_protocols value \"bad\" in \"bad\""},
        {std::string("a = b\nbiff = y\0s\n", 17), "main.cf, line 2: null byte in configuration file"},
        {"x_destination_rate_delay = 5y",
         "main.cf, line 1: parameter x_destination_rate_delay: bad time value or unit: 5y"},
    };
    for (const auto& each : cases) {
        const auto config = Config::from_text(each.text);
        ASSERT_FALSE(config) << each.text;
        EXPECT_EQ(config.error().message(), each.message);
    }
    EXPECT_EQ(Config::load("/nonexistent").error().message(), "open /nonexistent/main.cf: No such file or directory");
}

TEST(Config, WarnsOfUnknownNames)
{
    const auto config = from("mydestinaton = a\nmine = b\nrelayhost = $mine\nfallback_relay = x\n");
    ASSERT_EQ(config.warnings().size(), 2U);
    EXPECT_EQ(config.warnings()[0].message(), "main.cf, line 4: parameter fallback_relay is no longer used");
    EXPECT_EQ(config.warnings()[1].message(),
              "main.cf, line 1: unknown parameter: mydestinaton=a (is it mydestination?)");
}

TEST(Config, LoadsALongFileInMilliseconds)
{
    char directory[] = "/tmp/config_test.XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    const std::string path = std::string(directory) + "/main.cf";
    {
        std::ofstream out(path);
        for (int i = 0; i < 1000; ++i)
            out << "name" << i << " = value $myhostname " << i << "\n";
    }
    const auto start = std::chrono::steady_clock::now();
    const auto config = Config::load(directory);
    const auto elapsed = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(config);
    EXPECT_EQ(config->value("config_directory"), directory);
    EXPECT_LT(elapsed, std::chrono::milliseconds(100)); // generous: sanitizers and a loaded machine
    ::unlink(path.c_str());
    ::rmdir(directory);
}

TEST(Config, Directory)
{
    ::setenv("MAIL_CONFIG", "/from/environment", 1);
    EXPECT_EQ(configuration_directory("/given"), "/given");
    EXPECT_EQ(configuration_directory(std::nullopt), "/from/environment");
    ::unsetenv("MAIL_CONFIG");
    EXPECT_EQ(configuration_directory(std::nullopt), "/etc/postfix");
}

TEST(Computed, NamesAndNetworks)
{
    EXPECT_EQ(domain_of_host("mail.example.org"), "example.org");
    EXPECT_EQ(domain_of_host("example.org"), "localdomain");
    EXPECT_EQ(domain_of_host("mail"), "localdomain");
    EXPECT_NE(machine_hostname("example.org").find('.'), std::string::npos);
    EXPECT_EQ(trusted_networks({"host", "127.0.0.1", "ipv4"}), "127.0.0.1/32");
    EXPECT_EQ(trusted_networks({"subnet", "127.0.0.1", "ipv4"}), "127.0.0.0/8");
    EXPECT_EQ(trusted_networks({"host", "", "all"}), "");
}

TEST(Config, AnOriginThatIsAPathStandsForTheFilesFirstLine)
{
    const std::string file = ::testing::TempDir() + "mailname";
    std::ofstream(file) << "example.org \nignored\n";
    const auto config = Config::from_text("myorigin = " + file + "\nvirtual_alias_domains = a.$myorigin\n");
    ASSERT_TRUE(config);
    EXPECT_EQ(config->get(params::myorigin), "example.org");
    EXPECT_EQ(config->get(params::virtual_alias_domains), "a.example.org");
    EXPECT_FALSE(Config::from_text("myorigin = /no/such/file\n"));
}

// Of a feature that is not there, only what asks for it is worth a warning.
TEST(Config, SettingsWithoutEffectAreSaid)
{
    struct Case {
        std::string_view setting;
        std::size_t warnings;
    };
    for (const auto& each : std::to_array<Case>({
             {"biff = yes", 1},
             {"biff = no", 0},
             {"qmgr_daemon_timeout = 300s", 1},
             {"in_flow_delay = 0s", 0},
             {"fork_attempts = 3", 1},
             {"berkeley_db_read_buffer_size = 131072", 1},
             {"pickle_recipient_refill_delay = 3s", 1},
             {"smtp_destination_recipient_limit = 3", 0},
             {"fallback_relay = x", 1},
         })) {
        const auto config = Config::from_text(std::string(each.setting) + "\n");
        ASSERT_TRUE(config) << each.setting;
        EXPECT_EQ(config->warnings().size(), each.warnings) << each.setting;
    }
}

} // namespace
} // namespace facteur::config
