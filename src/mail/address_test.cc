#include "mail/address.h"
#include "mail/header.h"

#include <gtest/gtest.h>

namespace facteur::mail {
namespace {

TEST(Address, Split)
{
    const auto parts = split_address("a@b@c.d");
    EXPECT_EQ(parts.local, "a@b");
    EXPECT_EQ(parts.domain, "c.d");
    EXPECT_FALSE(split_address("joe").has_domain);
    EXPECT_TRUE(split_address("joe@").has_domain);
}

TEST(Address, QuotedAndUnquoted)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"joe", "joe"},
        {"joe@a.b", "joe@a.b"},
        {"joe smith@a.b", "\"joe smith\"@a.b"},
        {"a@b@c.d", "\"a@b\"@c.d"},
        {".a@b", "\".a\"@b"},
        {"a.@b", "\"a.\"@b"},
        {"a..b@c", "\"a..b\"@c"},
        {"a\"b\\c@d", "\"a\\\"b\\\\c\"@d"},
        {"\xc3\xa9@b.c", "\xc3\xa9@b.c"},
        {"@b", "\"\"@b"},
        {"joe@[1.2.3.4]", "joe@[1.2.3.4]"},
        {"(c)@b", "\"(c)\"@b"},
        {"a/b=c!d%e@f", "a/b=c!d%e@f"},
    };
    for (const auto& [internal, external] : cases) {
        EXPECT_EQ(to_external(internal), external);
        EXPECT_EQ(to_internal(external), internal);
    }
    EXPECT_EQ(to_internal("\"joe\"@a.b"), "joe@a.b");
    EXPECT_EQ(to_internal("a\\@b@c"), "a@b@c");
    EXPECT_EQ(to_internal("\"a@b\""), "a@b");
    EXPECT_EQ(to_internal("\"open\\"), "open");
}

TEST(Address, Extensions)
{
    struct Case {
        std::string_view local, delimiters, user, extension;
    };
    const Case cases[] = {
        {"joe", "+", "joe", ""},
        {"joe+x", "+", "joe", "+x"},
        {"joe+x+y", "+", "joe", "+x+y"},
        {"joe+", "+", "joe", "+"},
        {"+x", "+", "+x", ""},
        {"joe-x", "+-", "joe", "-x"},
        {"joe+x", "", "joe+x", ""},
        {"owner-list", "-", "owner-list", ""},
        {"owner-list", "+", "owner-list", ""},
        {"list-request", "-", "list-request", ""},
        {"MAILER-DAEMON", "-", "MAILER-DAEMON", ""},
        {"double-bounce", "-", "double-bounce", ""},
    };
    for (const Case& test : cases) {
        const Extension got = split_extension(test.local, test.delimiters);
        EXPECT_EQ(got.user, test.user) << test.local;
        EXPECT_EQ(got.extension, test.extension) << test.local;
    }
    EXPECT_EQ(split_extension("owner-list", "-", false).user, "owner");
}

TEST(Header, Kinds)
{
    for (int i = 1; i < static_cast<int>(HeaderId::count); ++i) {
        const HeaderKind& kind = header_kind(static_cast<HeaderId>(i));
        EXPECT_EQ(static_cast<int>(kind.id), i);
        EXPECT_EQ(&header_kind(kind.name), &kind) << kind.name;
    }
    EXPECT_EQ(header_kind("mime-version").id, HeaderId::mime_version);
    EXPECT_EQ(header_kind("X-Other").id, HeaderId::other);
    EXPECT_EQ(header_kind("").id, HeaderId::other);
}

TEST(Header, NameLength)
{
    const std::pair<std::string_view, std::size_t> cases[] = {
        {"A: b", 1}, {"Subject:", 7}, {"Subject : x", 7}, {"Sub ject: x", 0}, {": x", 0},
        {"x", 0},    {"", 0},         {" A: b", 0},
    };
    for (const auto& [line, length] : cases)
        EXPECT_EQ(header_name_length(line), length) << line;
}

TEST(Header, Scanner)
{
    HeaderScanner scanner{"A: b\r\n c\r\nTo:\r\n\tx\r\nE:\r\n\r\nbody"};
    auto field = scanner.next();
    ASSERT_TRUE(field);
    EXPECT_EQ(field->name, "A");
    EXPECT_EQ(field->value, "b\r\n c");
    EXPECT_EQ(field->raw, "A: b\r\n c");
    field = scanner.next();
    ASSERT_TRUE(field);
    EXPECT_EQ(field->value, "\r\n\tx");
    field = scanner.next();
    ASSERT_TRUE(field);
    EXPECT_EQ(field->value, "");
    EXPECT_FALSE(scanner.next());
    EXPECT_EQ(scanner.body(), "body");

    HeaderScanner bare{"A: b\nC: d"};
    EXPECT_TRUE(bare.next());
    EXPECT_EQ(bare.next()->raw, "C: d");
    EXPECT_FALSE(bare.next());
    EXPECT_EQ(bare.body(), "");
    HeaderScanner text{"A: b\r\nnot a header\r\n"};
    EXPECT_TRUE(text.next());
    EXPECT_FALSE(text.next());
    EXPECT_EQ(text.body(), "not a header\r\n");
}

} // namespace
} // namespace facteur::mail
