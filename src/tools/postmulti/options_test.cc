#include "tools/postmulti/instances.h"
#include "tools/postmulti/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace facteur::postmulti {
namespace {

std::expected<Options, std::string> parse(std::vector<std::string> words)
{
    words.insert(words.begin(), "postmulti");
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::optind = 0; // glibc: begin anew
    return parse_options(static_cast<int>(words.size()), arguments.data());
}

TEST(PostmultiOptions, WhatIsWrongIsSaid)
{
    struct Case {
        std::vector<std::string> words;
        std::string_view error;
    };
    const std::vector<Case> cases{
        {{}, "Specify exactly one of '-e', '-l', '-p', '-x'"},
        {{"-l", "-p", "status"}, "Specify exactly one of '-e', '-l', '-p', '-x'"},
        {{"-l", "-a", "-g", "x"}, "Specify no more than one of '-a', '-g', '-i'"},
        {{"-l", "extra"}, "Command not allowed with '-l'"},
        {{"-x"}, "Command required with '-p' or '-x' option"},
        {{"-R", "-p", "status"}, "The '-p' and '-e' options preclude the use of '-R'"},
        {{"-G", "x", "-l"}, "Cannot assign instance name or group without '-e assign'"},
        {{"-e", "enable"}, "Select an instance via '-i name'"},
        {{"-e", "enable", "-i", "x", "a=b"}, "Parameter overrides not valid with '-e enable'"},
        {{"-e", "init", "-I", "postfix-x"}, "Cannot assign instance name or group with '-e init'"},
        {{"-e", "assign", "-i", "x"}, "Specify new instance name or group with '-e assign'"},
        {{"-e", "create", "-I", "x"}, "New instance name must start with 'postfix-'"},
    };
    for (const Case& each : cases) {
        const auto options = parse(each.words);
        ASSERT_FALSE(options) << each.error;
        EXPECT_EQ(options.error(), each.error);
    }
}

TEST(PostmultiOptions, ACommandKeepsItsOwnOptions)
{
    const auto options = parse({"-g", "mta", "-x", "postqueue", "-p"});
    ASSERT_TRUE(options);
    EXPECT_EQ(options->mode, Mode::command);
    EXPECT_EQ(options->selection.kind, Selection::Kind::group);
    EXPECT_EQ(options->arguments, (std::vector<std::string>{"postqueue", "-p"}));
}

TEST(PostmultiInstances, AreFoundByNamePathAndGroup)
{
    const Instance primary{"/etc/postfix", "/q", "/d", "", "", true, true};
    const Instance named{"/etc/postfix-out", "/q2", "/d2", "postfix-out", "mta", false, false};
    const auto by_name = [](std::string_view name) { return Selection{Selection::Kind::name, std::string(name)}; };
    EXPECT_TRUE(matches(primary, by_name("-")));
    EXPECT_TRUE(matches(primary, by_name("/etc/postfix")));
    EXPECT_FALSE(matches(primary, by_name("postfix-out")));
    EXPECT_TRUE(matches(named, by_name("postfix-out")));
    EXPECT_TRUE(matches(named, by_name("out")));
    EXPECT_TRUE(matches(named, by_name("/etc/postfix-out")));
    EXPECT_FALSE(matches(named, by_name("-")));
    EXPECT_TRUE(matches(named, {Selection::Kind::group, "mta"}));
    EXPECT_FALSE(matches(primary, {Selection::Kind::group, ""}));
}

TEST(PostmultiInstances, ShareNoDirectoryAndNoName)
{
    const Instance first{"/a", "/q", "/d", "postfix-a", "", true, true};
    EXPECT_FALSE(conflict_with({first}, {"/b", "/q2", "/d2", "postfix-b", "", false, false}));
    EXPECT_FALSE(conflict_with({{"/a", "/q", "/d", "", "", true, true}}, {"/b", "/q2", "/d2", "", "", false, false}));
    EXPECT_EQ(conflict_with({first}, {"/b", "/q", "/d2", "", "", false, false}),
              "instance /b, queue_directory=/q conflicts with instance /a, queue_directory=/q");
    EXPECT_EQ(conflict_with({first}, {"/b", "/q2", "/d2", "postfix-a", "", false, false}),
              "instance /b, multi_instance_name=postfix-a conflicts with instance /a, multi_instance_name=postfix-a");
}

} // namespace
} // namespace facteur::postmulti
