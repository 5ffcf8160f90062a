#include "config/match_list.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace facteur::config {
namespace {

struct Case {
    std::string_view list;
    std::string_view subject;
    bool hit;
};

std::expected<bool, std::string> probe(std::string_view spec, std::string_view key)
{
    if (spec == "hash:broken")
        return std::unexpected("table broken");
    return spec == "hash:some" && (key == "in.example" || key == ".dot.example" || key == "192.0.2.9");
}

void check(const Case& each, const MatchList::Options& options)
{
    const auto list = MatchList::parse(each.list, options, probe);
    ASSERT_TRUE(list) << each.list << ": " << list.error();
    EXPECT_EQ(list->matches(each.subject), each.hit) << each.list << " <- " << each.subject;
}

TEST(MatchList, Addresses)
{
    const Case cases[] = {
        {"127.0.0.0/8 [::1]/128", "127.1.2.3", true},
        {"127.0.0.0/8 [::1]/128", "::1", true},
        {"127.0.0.0/8, [::1]/128", "::2", false},
        {"127.0.0.0/8 [::1]/128", "10.0.0.1", false},
        {"[2001:db8::]/32", "2001:db8:1::5", true},
        {"2001:db8::/32", "2001:db8:1::5", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"[192.0.2.1]", "192.0.2.1", true},
        {"!192.0.2.1, 192.0.2.0/24", "192.0.2.1", false},
        {"!192.0.2.1, 192.0.2.0/24", "192.0.2.2", true},
        {"[::ffff:127.0.0.0]/104", "127.0.0.1", false},
        {"0.0.0.0/0", "203.0.113.77", true},
        {"0.0.0.0/0", "::1", false},
        {"hash:some", "192.0.2.9", true},
        {"hash:some", "192.0.2.8", false},
        {"localhost", "127.0.0.1", false},
        {"", "127.0.0.1", false},
    };
    for (const auto& each : cases)
        check(each, {.kind = ListKind::address, .parameter = "mynetworks"});
}

TEST(MatchList, Domains)
{
    const Case exact[] = {
        {"example.org .example.net", "EXAMPLE.org", true},
        {"example.org .example.net", "a.example.org", false},
        {"example.org .example.net", "a.example.net", true},
        {"example.org .example.net", "example.net", false},
        {"hash:some", "in.example", true},
        {"hash:some", "a.in.example", false},
        {"hash:some", "a.dot.example", true},
        {"!a.example.org, .example.org", "a.example.org", false},
    };
    for (const auto& each : exact)
        check(each, {.kind = ListKind::domain});
    const Case parents[] = {
        {"example.org", "a.b.example.org", true},
        {"example.org", "anexample.org", false},
        {"hash:some", "a.in.example", true},
        {"hash:some", "a.dot.example", false},
    };
    for (const auto& each : parents)
        check(each, {.kind = ListKind::domain, .parent_matches_subdomains = true});
}

TEST(MatchList, TextAndHosts)
{
    check({"root, alice", "Alice", true}, {.kind = ListKind::text});
    check({"root, alice", "bob", false}, {.kind = ListKind::text});
    check({"static.all hash:some", "a.in.example", false}, {.kind = ListKind::text});

    const auto list = MatchList::parse("!bad.example.org .example.org 192.0.2.0/24", {.kind = ListKind::host}, probe);
    ASSERT_TRUE(list);
    EXPECT_EQ(list->matches_host("a.example.org", "203.0.113.1"), true);
    EXPECT_EQ(list->matches_host("bad.example.org", "192.0.2.1"), false);
    EXPECT_EQ(list->matches_host("unknown", "192.0.2.1"), true);
    EXPECT_EQ(list->matches_host("unknown", "203.0.113.1"), false);
}

TEST(MatchList, Errors)
{
    const MatchList::Options networks{.kind = ListKind::address, .parameter = "mynetworks"};
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"192.0.2.0/33", "mynetworks: bad net/mask pattern: \"192.0.2.0/33\""},
        {"192.0.2.0/", "mynetworks: bad net/mask pattern: \"192.0.2.0/\""},
        {"[::1", "mynetworks: bad net/mask pattern: \"[::1\""},
        {"192.0.2.300", "mynetworks: bad net/mask pattern: \"192.0.2.300\""},
        {"192.0.2.1/24",
         "mynetworks: non-null host address bits in \"192.0.2.1/24\", perhaps you should use \"192.0.2.0/24\" instead"},
        {"[2001:db8::1]/32", "mynetworks: non-null host address bits in \"[2001:db8::1]/32\", perhaps you should use "
                             "\"[2001:db8::]/32\" instead"},
        {"/nonexistent", "mynetworks: open /nonexistent: No such file or directory"},
        {"!", "mynetworks: no pattern after '!'"},
    };
    for (const auto& [text, error] : cases) {
        const auto list = MatchList::parse(text, networks, probe);
        ASSERT_FALSE(list) << text;
        EXPECT_EQ(list.error(), error);
    }
    EXPECT_EQ(MatchList::parse("hash:broken", networks, probe)->matches("::1").error(), "table broken");
}

TEST(MatchList, IncludesFiles)
{
    char path[] = "/tmp/match_list_test.XXXXXX";
    const int fd = ::mkstemp(path);
    ASSERT_GE(fd, 0);
    ::close(fd);
    std::ofstream(path) << "# ours\n192.0.2.0/24\n!198.51.100.7, 198.51.100.0/24\n";
    const auto list = MatchList::parse(path, {.kind = ListKind::address});
    ASSERT_TRUE(list);
    EXPECT_EQ(list->matches("192.0.2.3"), true);
    EXPECT_EQ(list->matches("198.51.100.7"), false);
    EXPECT_EQ(list->matches("198.51.100.8"), true);
    std::ofstream(path) << path << "\n";
    EXPECT_FALSE(MatchList::parse(path, {.kind = ListKind::address}));
    ::unlink(path);
}

} // namespace
} // namespace facteur::config
