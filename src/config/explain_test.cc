#include "config/explain.h"

#include <gtest/gtest.h>

namespace facteur::config {
namespace {

constexpr std::string_view kMain = "compatibility_level = 3.6\n"
                                   "myhostname = mx.example.org\n"
                                   "banner_host = $myhostname\n"
                                   "smtpd_banner = $banner_host says ${own?{$$hello}}\n"
                                   "own = yes\n";
constexpr std::string_view kMaster = "smtp inet n - n - - smtpd\n"
                                     "# a comment\n"
                                     "submission inet n - n - - smtpd\n"
                                     "  -o smtpd_banner=other -o message_size_limit=5\n"
                                     "25025 inet n - n - - smtpd -o banner_host=third\n"
                                     "fast unix - - n - - smtp -o smtp_helo_name=x\n";

ParameterExplanation explain(std::string_view name)
{
    const auto config = Config::from_text(kMain);
    const auto services = parse_master_cf(kMaster, *config);
    EXPECT_TRUE(services);
    return explain_parameter(*config, *services, name);
}

TEST(Explain, ValueSetInMainCf)
{
    const auto found = explain("smtpd_banner");
    EXPECT_EQ(found.origin, Origin::main_cf);
    EXPECT_EQ(found.line, 4);
    EXPECT_EQ(found.value, "mx.example.org says $hello");
    ASSERT_EQ(found.references.size(), 3U);
    EXPECT_EQ(found.references[0].name, "banner_host");
    EXPECT_EQ(found.references[0].depth, 1);
    EXPECT_EQ(found.references[1].name, "myhostname");
    EXPECT_EQ(found.references[1].depth, 2);
    EXPECT_EQ(found.references[1].line, 2);
    EXPECT_EQ(found.references[2].name, "own");
}

TEST(Explain, ServicesWithValuesOfTheirOwn)
{
    const auto found = explain("smtpd_banner");
    ASSERT_EQ(found.services.size(), 2U);
    EXPECT_EQ(found.services[0].service, "submission/inet");
    EXPECT_EQ(found.services[0].line, 3);
    EXPECT_EQ(found.services[0].value, "other");
    EXPECT_EQ(found.services[1].service, "25025/inet");
    EXPECT_EQ(found.services[1].override_name, "banner_host");
    EXPECT_EQ(found.services[1].value, "third says $hello");
}

TEST(Explain, DefaultsOfAllKinds)
{
    EXPECT_EQ(explain("queue_run_delay").origin, Origin::standard);
    EXPECT_EQ(explain("queue_run_delay").value, "300s");
    EXPECT_TRUE(explain("smtpd_relay_restrictions").depends_on_level);
    EXPECT_FALSE(explain("queue_run_delay").depends_on_level);
    EXPECT_EQ(explain("mydomain").origin, Origin::computed);
    EXPECT_EQ(explain("mydomain").value, "example.org");
    const auto suffixed = explain("fast_destination_concurrency_limit");
    EXPECT_EQ(suffixed.origin, Origin::fallback);
    EXPECT_EQ(suffixed.fallback, "default_destination_concurrency_limit");
    EXPECT_EQ(suffixed.value, "20");
}

TEST(Explain, UnknownNames)
{
    const auto found = explain("mydestinaton");
    EXPECT_EQ(found.origin, Origin::unknown);
    EXPECT_EQ(found.nearest, "mydestination");
    EXPECT_EQ(explain("zzzzzzzzzz").nearest, "");
}

TEST(Explain, Types)
{
    EXPECT_EQ(describe_type(params::soft_bounce), "yes or no");
    EXPECT_EQ(describe_type(params::queue_run_delay),
              "time, in s when no unit is given (s m h d w), at least 1 seconds");
    EXPECT_EQ(describe_type(params::relayhost), "text");
    EXPECT_TRUE(describe_type(params::message_size_limit).starts_with("integer (bytes)"));
}

} // namespace
} // namespace facteur::config
