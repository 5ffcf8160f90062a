#include "daemons/local/destination.h"

#include <gtest/gtest.h>

namespace facteur::local {
namespace {

using Kind = Destination::Kind;

TEST(Destinations, EveryKind)
{
    struct Case {
        std::string_view list;
        std::vector<Destination> expected;
    };
    const Case kCases[] = {
        {"root", {{Kind::address, "root"}}},
        {"x@y.example, z@y.example", {{Kind::address, "x@y.example"}, {Kind::address, "z@y.example"}}},
        {"Joe Doe <joe@b.example>,ann", {{Kind::address, "joe@b.example"}, {Kind::address, "ann"}}},
        {":include:/a/list", {{Kind::include, "/a/list"}}},
        {"/var/mail/archive", {{Kind::file, "/var/mail/archive"}}},
        {"\"|/bin/cat > /tmp/x, y\"", {{Kind::command, "/bin/cat > /tmp/x, y"}}},
        {"|/bin/cat", {{Kind::command, "/bin/cat"}}},
        {"\"|a \\\"b\\\"\", c", {{Kind::command, "a \"b\""}, {Kind::address, "c"}}},
        {"", {}},
        {" , ,", {}},
    };
    for (const Case& c : kCases)
        EXPECT_EQ(parse_destinations(c.list), c.expected) << c.list;
}

TEST(Destinations, IncludeFile)
{
    const std::vector<Destination> expected = {
        {Kind::address, "i1@y.example"}, {Kind::address, "i2@y.example"}, {Kind::address, "i3"}};
    EXPECT_EQ(parse_include("i1@y.example\n# comment\n\ni2@y.example, i3\n"), expected);
}

} // namespace
} // namespace facteur::local
