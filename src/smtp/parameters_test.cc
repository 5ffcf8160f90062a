#include "smtp/attributes.h"
#include "smtp/ehlo.h"
#include "smtp/parameters.h"
#include "smtp/xtext.h"

#include <gtest/gtest.h>

namespace facteur::smtp {
namespace {

std::string mail(std::string_view words, Offered offered = {})
{
    const auto parsed = parse_mail_parameters(split_command(words), offered);
    if (!parsed)
        return parsed.error();
    return fmt::format("size={} encoding={} ret={} envid={} utf8={} auth={}", parsed->size, parsed->encoding,
                       parsed->dsn_ret, parsed->dsn_envid, parsed->smtputf8, parsed->auth.value_or("-"));
}

std::string rcpt(std::string_view words, Offered offered = {})
{
    const auto parsed = parse_rcpt_parameters(split_command(words), offered);
    return parsed ? fmt::format("notify={} orcpt={}", parsed->dsn_notify, parsed->dsn_orcpt) : parsed.error();
}

TEST(Parameters, OfMail)
{
    EXPECT_EQ(mail(""), "size=0 encoding= ret=0 envid= utf8=false auth=-");
    EXPECT_EQ(mail("SIZE=12 body=8bitmime RET=HDRS ENVID=a+2Bb SMTPUTF8 AUTH=<>"),
              "size=12 encoding=8bit ret=2 envid=a+b utf8=true auth=");
    EXPECT_EQ(mail("SIZE=abc"), "501 5.5.4 Bad message size syntax");
    EXPECT_EQ(mail("SIZE="), "501 5.5.4 Bad message size syntax");
    EXPECT_EQ(mail("SIZE=999999999999999999999"), "552 5.3.4 Message size exceeds file system imposed limit");
    EXPECT_EQ(mail("RET=FULL RET=HDRS"), "501 5.5.4 Bad RET parameter syntax");
    EXPECT_EQ(mail("RET=x"), "501 5.5.4 Bad RET parameter syntax");
    EXPECT_EQ(mail("ENVID=a+zz"), "501 5.5.4 Bad ENVID parameter syntax");
    EXPECT_EQ(mail("ENVID=a+0A"), "501 5.5.4 Bad ENVID parameter syntax");
    EXPECT_EQ(mail("RET=FULL", {.dsn = false}), "501 5.7.1 DSN support is disabled");
    EXPECT_EQ(mail("SMTPUTF8", {.smtputf8 = false}), "555 5.5.4 Unsupported option: SMTPUTF8");
    EXPECT_EQ(mail("FOO=bar"), "555 5.5.4 Unsupported option: FOO=bar");
}

TEST(Parameters, OfRcpt)
{
    EXPECT_EQ(rcpt("NOTIFY=SUCCESS,failure,DELAY ORCPT=rfc822;x+2By@z"), "notify=14 orcpt=rfc822;x+y@z");
    EXPECT_EQ(rcpt("ORCPT=utf-8;\\x{E9}@z"), "notify=0 orcpt=utf-8;\xc3\xa9@z");
    for (const char* bad :
         {"NOTIFY=FOO", "NOTIFY=NEVER,SUCCESS", "NOTIFY=SUCCESS NOTIFY=DELAY", "NOTIFY=", "NOTIFY=SUCCESS,"})
        EXPECT_EQ(rcpt(bad), "501 5.5.4 Error: Bad NOTIFY parameter syntax") << bad;
    for (const char* bad : {"ORCPT=x@y", "ORCPT=;x", "ORCPT=rfc822;a+zz", "ORCPT=utf-8;\\x{D800}", "ORCPT=utf-8;\\x{"})
        EXPECT_EQ(rcpt(bad), "501 5.5.4 Error: Bad ORCPT parameter syntax") << bad;
    EXPECT_EQ(rcpt("NOTIFY=NEVER", {.dsn = false}), "501 5.7.1 DSN support is disabled");
}

TEST(Xtext, RoundTrip)
{
    EXPECT_EQ(xtext_encode("a+b=c d\xff"), "a+2Bb+3Dc+20d+FF");
    EXPECT_EQ(xtext_decode("a+2Bb+3Dc+20d+FF"), "a+b=c d\xff");
    for (const char* bad : {"+", "+2", "+2G", "a+"})
        EXPECT_FALSE(xtext_decode(bad)) << bad;
}

TEST(Attribute, Parses)
{
    EXPECT_EQ(parse_attribute("name=a+20b")->value, "a b");
    EXPECT_EQ(parse_attribute("name=x")->name, "NAME");
    EXPECT_EQ(parse_attribute("ADDR=[unavailable]")->known, Known::unavailable);
    EXPECT_EQ(parse_attribute("ADDR=[TEMPUNAVAIL]")->known, Known::temporarily_not);
    EXPECT_EQ(parse_attribute("ADDR").error(), "501 5.5.4 Error: attribute=value expected");
    EXPECT_EQ(parse_attribute("ADDR=").error(), "501 5.5.4 Error: attribute=value expected");
    EXPECT_EQ(parse_attribute("A=+x").error(), "501 5.5.4 Bad attribute value syntax: +x");
    EXPECT_EQ(parse_attribute("A=" + std::string(256, 'x')).error(), "501 5.5.4 Error: attribute value too long");
}

TEST(EhloKeywords, ByName)
{
    EXPECT_EQ(parse_ehlo_keywords("silent-discard, DSN etrn bogus"), ehlo::silent | ehlo::dsn | ehlo::etrn);
    EXPECT_EQ(ehlo_keyword_names(ehlo::silent | ehlo::dsn | ehlo::etrn), "ETRN DSN");
}

} // namespace
} // namespace facteur::smtp
