#include "smtp/path.h"

#include <gtest/gtest.h>

namespace facteur::smtp {
namespace {

TEST(ParsePath, LenientAndStrict)
{
    struct Case {
        const char* word;
        const char* lenient; // null: refused
        const char* strict;
    };
    const Case cases[] = {
        {"<>", "", ""},
        {"<a@b.example>", "a@b.example", "a@b.example"},
        {"a@b.example", "a@b.example", nullptr},
        {"<a@b.example>>", "a@b.example", nullptr},
        {"Joe<a@b.example>", "a@b.example", nullptr},
        {"(hi)<a@b.example>", "a@b.example", nullptr},
        {"<a b@c.example>", nullptr, nullptr},
        {"<\"a b\"@c.example>", "a b@c.example", "a b@c.example"},
        {"<\"x@y\"@z.example>", "x@y@z.example", "x@y@z.example"},
        {"<\"a\\\"b\"@c>", "a\"b@c", "a\"b@c"},
        {"<a\\ b@c>", "a b@c", "a b@c"},
        {"<@a.example,@b.example:c@d.example>", "c@d.example", "c@d.example"},
        {"<@b>", "@b", nullptr},
        {"<a@[192.0.2.1]>", "a@[192.0.2.1]", "a@[192.0.2.1]"},
        {"<a@b", nullptr, nullptr},
        {"<a@b><c@d>", nullptr, nullptr},
        {"<a@b,c@d>", nullptr, nullptr},
        {"<a:b@c>", nullptr, nullptr},
        {"<y.example!x>", "y.example!x", "y.example!x"},
        {"<postmaster>", "postmaster", "postmaster"},
        {"<joe@>", "joe@", "joe@"},
        {"<\"a@b>", nullptr, nullptr},
        {"<a@b\\>", nullptr, nullptr},
        {"\\", nullptr, nullptr},
        {"<\xc3\xa9@b.example>", "\xc3\xa9@b.example", "\xc3\xa9@b.example"},
    };
    for (const Case& c : cases) {
        const auto lenient = parse_path(c.word, PathSyntax::lenient);
        const auto strict = parse_path(c.word, PathSyntax::strict);
        EXPECT_EQ(lenient.value_or("(refused)"), c.lenient ? c.lenient : "(refused)") << c.word;
        EXPECT_EQ(strict.value_or("(refused)"), c.strict ? c.strict : "(refused)") << c.word;
    }
}

TEST(PlainAddress, KnowsThePlainestOnly)
{
    for (const char* plain : {"a@b.example", "joe.smith+x=y@mail-1.example.com", "x_y@a.b.c"})
        EXPECT_TRUE(plain_address(plain)) << plain;
    for (const char* other :
         {"", "a", "a@b", "a@b.", "a@b..c", "a@.b.c", "@b.c", "a%b@c.d", "a!b@c.d", "a@b@c.d", "-a@b.c", "a@[1.2.3.4]",
          "a@1.2.3.4", ".a@b.c", "a.@b.c", "a..b@c.d", "a b@c.d", "a@b.c-", "a@-b.c"})
        EXPECT_FALSE(plain_address(other)) << other;
}

} // namespace
} // namespace facteur::smtp
