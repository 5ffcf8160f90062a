#include "routing/address_mapping.h"

#include <gtest/gtest.h>

namespace facteur::routing {
namespace {

constexpr std::string_view kMain = R"(
myhostname = mx.example.org
mydomain = example.org
myorigin = example.org
mydestination = example.org
mynetworks =
recipient_delimiter = +
sender_canonical_maps = inline:{ { old@example.org = new } }
canonical_maps = inline:{ { @alias.example = @example.org } }
virtual_alias_maps = inline:{ { team@example.org = ann, bob@far.example, team@example.org } { round = round } }
recipient_bcc_maps = inline:{ { ann@example.org = copy@example.org } }
always_bcc = all@example.org
)";

class Mapped {
public:
    explicit Mapped(std::string_view main = kMain)
        : config_(*config::Config::from_text(main)), settings_(read_mapping_settings(config_)),
          tables_(open_mapping_tables(config_)), mapping(settings_, tables_, [this](const MappingStep& step) {
              steps.push_back(std::string(step.parameter) + ": " + step.from + " -> " + step.to);
          })
    {
    }

private:
    config::Config config_;
    MappingSettings settings_;
    MappingTables tables_;

public:
    AddressMapping mapping;
    std::vector<std::string> steps;
};

using Texts = std::vector<std::string>;

TEST(AddressMapping, CompletesAddresses)
{
    EXPECT_EQ(Mapped().mapping.complete("ann"), "ann@example.org");
    EXPECT_EQ(Mapped().mapping.complete(""), "");
}

TEST(AddressMapping, CanonicalTablesByRole)
{
    Mapped mapped;
    using mail::AddressRole;
    EXPECT_EQ(mapped.mapping.canonical("old@example.org", AddressRole::header_sender, "envelope_sender"),
              "new@example.org");
    EXPECT_EQ(mapped.mapping.canonical("old@example.org", AddressRole::header_recipient, "envelope_recipient"),
              "old@example.org");
    EXPECT_EQ(mapped.mapping.canonical("ann@alias.example", AddressRole::header_recipient, "envelope_recipient"),
              "ann@example.org");
    EXPECT_EQ(mapped.steps, (Texts{"sender_canonical_maps: old@example.org -> new@example.org",
                                   "canonical_maps: ann@alias.example -> ann@example.org"}));
}

TEST(AddressMapping, VirtualAliases)
{
    Mapped mapped;
    EXPECT_EQ(mapped.mapping.expand("team@example.org"),
              (Texts{"team@example.org", "ann@example.org", "bob@far.example"}));
    EXPECT_EQ(mapped.steps,
              Texts{"virtual_alias_maps: team@example.org -> ann@example.org, bob@far.example, team@example.org"});
    EXPECT_EQ(mapped.mapping.expand("round@example.org"), Texts{"round@example.org"});
    EXPECT_EQ(mapped.mapping.expand("nobody@example.org"), Texts{"nobody@example.org"});
}

TEST(AddressMapping, ExtensionsSurvive)
{
    Mapped mapped;
    const auto found = mapped.mapping.expand("team+x@example.org");
    ASSERT_TRUE(found);
    EXPECT_NE(std::ranges::find(*found, "bob+x@far.example"), found->end());
}

TEST(AddressMapping, BlindCopies)
{
    Mapped mapped;
    EXPECT_EQ(mapped.mapping.blind_copies("x@example.net", {"ann@example.org", "bob@far.example"}),
              (Texts{"all@example.org", "copy@example.org"}));
}

TEST(AddressMapping, ATableThatCannotAnswerIsAFailure)
{
    Mapped mapped("mynetworks =\nvirtual_alias_maps = fail:now\n");
    const auto found = mapped.mapping.expand("a@b.example");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().cause, MappingFailure::Cause::table);
}

TEST(AddressMapping, TooMuchIsAFailure)
{
    Mapped mapped("mynetworks =\nvirtual_alias_expansion_limit = 2\n"
                  "virtual_alias_maps = inline:{ { a@b.example = a@c.example, b@c.example, c@c.example } }\n");
    const auto found = mapped.mapping.expand("a@b.example");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().cause, MappingFailure::Cause::expansion);
}

} // namespace
} // namespace facteur::routing
