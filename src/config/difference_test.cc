#include "config/difference.h"

#include <gtest/gtest.h>

namespace facteur::config {
namespace {

constexpr std::string_view kMaster = "smtp inet n - n - - smtpd\nqmgr unix n - n 300 1 qmgr\n"
                                     "cleanup unix n - n - 0 cleanup\n";

std::vector<std::string> changes(std::string_view main_before, std::string_view main_after,
                                 std::string_view master_after = kMaster)
{
    const auto before = Config::from_text(main_before);
    const auto after = Config::from_text(main_after);
    EXPECT_TRUE(before && after);
    const auto services_before = parse_master_cf(kMaster, *before);
    const auto services_after = parse_master_cf(master_after, *after);
    EXPECT_TRUE(services_before && services_after);
    return describe_changes(*before, *services_before, *after, *services_after);
}

using Texts = std::vector<std::string>;

TEST(Difference, NothingChanged)
{
    EXPECT_EQ(changes("relayhost = a\n", "# new comment\nrelayhost   =   a\n"), Texts{});
}

TEST(Difference, Parameters)
{
    EXPECT_EQ(changes("", "smtpd_recipient_limit = 5\n"),
              Texts{"parameter smtpd_recipient_limit: \"1000\" -> \"5\"; taken by smtp/inet"});
    EXPECT_EQ(changes("own = 1\n", ""), Texts{"parameter own: \"1\" -> \"\"; taken by whoever refers to it"});
    EXPECT_EQ(changes("", "virtual_mailbox_limit = 7\n"),
              Texts{"parameter virtual_mailbox_limit: \"51200000\" -> \"7\"; no service here reads it"});
}

TEST(Difference, WhatOtherParametersDragAlong)
{
    const auto found =
        changes("mynetworks=\nbase = a\nrelayhost = $base\n", "mynetworks=\nbase = b\nrelayhost = $base\n");
    ASSERT_GE(found.size(), 2U);
    EXPECT_TRUE(std::ranges::count(found, "parameter base: \"a\" -> \"b\"; taken by whoever refers to it"));
    EXPECT_TRUE(found.back().starts_with("parameter relayhost: \"a\" -> \"b\" (through a parameter it refers to)"))
        << found.back();
}

TEST(Difference, Services)
{
    EXPECT_EQ(
        changes("", "", "smtp inet n - n - 50 smtpd -o a=b\nqmgr unix n - n 300 1 qmgr\nlmtp unix - - n - - lmtp\n"),
        (Texts{"service smtp/inet: maxproc: - -> 50, command: smtpd -> smtpd -o a=b", "service lmtp/unix: added",
               "service cleanup/unix: removed"}));
}

TEST(Difference, ALongListIsCut)
{
    std::string many;
    for (int i = 0; i < 150; ++i)
        many += fmt::format("own_{} = 1\n", i);
    const auto found = changes("", many);
    ASSERT_EQ(found.size(), 101U);
    EXPECT_EQ(found.back(), "50 more parameters changed");
}

} // namespace
} // namespace facteur::config
