#include "config/restriction_names.h"
#include "daemons/smtpd/dry_run.h"

#include <gtest/gtest.h>

namespace facteur::smtpd {
namespace {

TEST(DryRun, LeavesOutWhatWouldAskOthers)
{
    for (const std::string_view name :
         {"reject_rbl_client", "reject_rhsbl_sender", "permit_dnswl_client", "reject_unverified_recipient",
          "reject_unknown_sender_domain", "check_policy_service", "check_client_mx_access", "check_sender_a_access",
          "Reject_Unknown_Client_Hostname", "permit_mx_backup", "sleep"})
        EXPECT_TRUE(asks_others(name)) << name;
    for (const std::string_view name :
         {"permit_mynetworks", "reject_unauth_destination", "check_client_access", "check_sender_access",
          "reject_unlisted_recipient", "reject_non_fqdn_sender", "permit", "reject"})
        EXPECT_FALSE(asks_others(name)) << name;
}

TEST(DryRun, IsAskedForByName)
{
    EXPECT_TRUE(DryRun::is_wanted({"explain", "192.0.2.1", "[192.0.2.1]", "", "a@b.example"}));
    EXPECT_FALSE(DryRun::is_wanted({}));
    EXPECT_FALSE(DryRun::is_wanted({"explain", "192.0.2.1"}));
}

// Two tables of the same names: what the checks of a configuration call a restriction must be one.
TEST(RestrictionNames, AreThoseThatAreJudged)
{
    for (const std::string_view name :
         {"permit", "reject", "defer", "defer_if_permit", "reject_unauth_destination", "defer_unauth_destination",
          "permit_mynetworks", "check_recipient_access", "reject_unlisted_recipient", "check_policy_service",
          "reject_rbl_client", "warn_if_reject", "sleep"}) {
        const auto* const known = config::find_restriction(name);
        const auto* const rule = find_rule(name);
        ASSERT_TRUE(known != nullptr && rule != nullptr) << name;
        EXPECT_EQ(known->final, rule->final) << name;
        EXPECT_EQ(known->takes_argument, rule->argument != Argument::none) << name;
    }
}

} // namespace
} // namespace facteur::smtpd
