#include "mail/mime.h"

#include <gtest/gtest.h>

namespace facteur::mail {
namespace {

// What Postfix 3.7's SMTP client sends to a server without 8BITMIME.
// clang-format off
constexpr std::pair<std::string_view, std::string_view> kDowngrades[] = {
    {"MIME-Version: 1.0\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\n\r\n\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\nabc = d\r\ntrail \r\ntab\t\r\n.dot\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\nabc =3D d\r\ntrail=20\r\ntab=09\r\n.dot\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=C3=A9\r\n"},
    {"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding:\r\n  8BIT (c)\r\nX: y\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nX: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain ascii\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nplain ascii\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: text/plain\r\n\r\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\r\nab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab \r\n",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=\r\n=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=\r\n=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=\r\n=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=\r\n=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9\r\nab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab a=\r\nb ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab=\r\n ab ab ab ab ab ab ab ab ab ab ab=20\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npre \xc3\xa9\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n--b\r\n\r\n7bit\xc3\xa9\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA==\r\n--b--\r\npost \xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\npre \xc3\xa9\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b\r\n\r\n7bit\xc3\xa9\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA==\r\n--b--\r\npost \xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: \xc3\xa9\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: \xc3\xa9\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\n\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\nSubject: s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n--b--\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--b\r\n\r\nSubject: s\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b--\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n--bb--\r\n\xc3\xa9\r\n--bxyz\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n--b--zz\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--bb--\r\n\xc3\xa9\r\n--bxyz\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b--zz\r\n\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: message/delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: message/partial\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: message/partial\r\nContent-Transfer-Encoding: 7bit\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\nnot a header \xc3\xa9\r\nfoo \xc3\xa9\r\n--b--\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\nnot a header =C3=A9\r\nfoo =C3=A9\r\n--b--\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n--b\r\n\r\nx\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n--b\r\n\r\nx\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \r\nFrom x\r\n. x\r\n\t\r\n \r\n\x01\x7f~!\"#$@[\\]^`{|}\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\naa\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\naaa\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\naaaa\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\na=3Db\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\n=3Db\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\r\naa=20\r\nFrom x\r\n. x\r\n=09\r\n=20\r\n=01=7F~!\"#$@[\\]^`{|}\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: TEXT/plain; x=\"multipart\"\r\nContent-Transfer-Encoding: 8bit; foo\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: TEXT/plain; x=\"multipart\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; foo=bar; boundary=\"a b\"; baz\r\n\r\n--a b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; foo=bar; boundary=\"a b\"; baz\r\n\r\n--a b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=(c)b(d)\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=(c)b(d)\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: \"8bit\"\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: \"8bit\"\r\n\r\n\xc3\xa9\r\n"},
    {"MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-foo\r\n\r\n\xc3\xa9\r\n",
     "MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-foo\r\n\r\n\xc3\xa9\r\n"},
};
// clang-format on

TEST(Downgrade, AsPostfixDoes)
{
    for (const auto& [content, sent] : kDowngrades)
        EXPECT_EQ(downgrade_8bit(content), sent) << content;
}

TEST(Downgrade, ChunksMakeNoDifference)
{
    for (const auto& [content, sent] : kDowngrades) {
        EightBitDowngrade downgrade;
        std::string out;
        for (const char& c : content)
            downgrade.push({&c, 1}, out);
        downgrade.finish(out);
        EXPECT_EQ(out, sent) << content;
    }
}

std::uint32_t errors_of(std::string_view content, MimeWalker::Limits limits = {})
{
    MimeWalker walker{limits};
    while (!content.empty()) {
        const auto end = content.find("\r\n");
        walker.next(content.substr(0, end));
        content.remove_prefix(end == content.npos ? content.size() : end + 2);
    }
    walker.finish();
    return walker.errors();
}

TEST(MimeWalker, Errors)
{
    const auto bit = [](MimeError error) { return static_cast<std::uint32_t>(error); };
    const std::pair<std::string_view, std::uint32_t> cases[] = {
        {"Subject: x\r\n\r\ny", 0},
        {"Subject: \xc3\xa9\r\n\r\ny", bit(MimeError::header_8bit)},
        {"Subject: x\r\n\r\n\xc3\xa9", bit(MimeError::body_8bit)},
        {"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa9", 0},
        {"Content-Transfer-Encoding: base64\r\n\r\n\xc3\xa9", bit(MimeError::body_8bit)},
        {"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n",
         bit(MimeError::encoding_domain)},
        {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
         bit(MimeError::encoding_domain)},
        {"Content-Type: message/partial\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", bit(MimeError::encoding_domain)},
        {"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n", 0},
    };
    for (const auto& [content, errors] : cases)
        EXPECT_EQ(errors_of(content), errors) << content;

    std::string nested;
    for (int i = 0; i < 3; ++i)
        nested += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" + std::to_string(i) +
                  "\r\n";
    EXPECT_EQ(errors_of(nested, {.nesting = 3}), 0U);
    EXPECT_EQ(errors_of(nested, {.nesting = 2}), bit(MimeError::nesting));
}

TEST(MimeWalker, ContentType)
{
    const ContentType type = parse_content_type(" Multipart/Mixed (c) ; a=b ; Boundary = \"x \\\"y\" ; z");
    EXPECT_EQ(type.type, "multipart");
    EXPECT_EQ(type.subtype, "mixed");
    EXPECT_EQ(type.boundary, "x \"y");
    EXPECT_EQ(parse_content_type("text").subtype, "");
    EXPECT_EQ(parse_content_type("multipart/x; boundary=\"unclosed").boundary, "unclosed");
}

TEST(MimeWalker, ClassifiesLines)
{
    using Kind = MimeWalker::Kind;
    using Block = MimeWalker::Block;
    struct Expected {
        std::string_view line;
        Kind kind;
        Block block;
    };
    const Expected lines[] = {
        {"Content-Type: multipart/mixed;", Kind::header, Block::primary},
        {" boundary=b", Kind::header_more, Block::primary},
        {"", Kind::headers_end, Block::primary},
        {"preamble", Kind::body, Block::body},
        {"--b", Kind::boundary, Block::body},
        {"Content-Type: message/rfc822", Kind::header, Block::mime},
        {"", Kind::headers_end, Block::mime},
        {"Subject: inner", Kind::header, Block::nested},
        {"", Kind::headers_end, Block::nested},
        {"text", Kind::body, Block::body},
        {"--b--", Kind::boundary, Block::body},
        {"--b", Kind::body, Block::body},
    };
    MimeWalker walker;
    for (const Expected& expected : lines) {
        const MimeWalker::Line got = walker.next(expected.line);
        EXPECT_EQ(got.kind, expected.kind) << expected.line;
        EXPECT_EQ(got.block, expected.block) << expected.line;
    }
}

} // namespace
} // namespace facteur::mail
