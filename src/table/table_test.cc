// Every table type through the one interface, as tables of questions and answers.
#include "base/log.h"
#include "table/maps.h"
#include "table/proxy.h"
#include "table/table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace facteur::table {
namespace {

namespace fs = std::filesystem;

// Collects warnings in place of standard error.
class Lines final : public log::Sink {
public:
    explicit Lines(std::vector<std::string>& lines) : lines_(lines) {}
    void write(log::Severity, std::string_view, std::string_view text) override { lines_.emplace_back(text); }

private:
    std::vector<std::string>& lines_;
};

class TableTest : public testing::Test {
protected:
    TableTest()
    {
        log::set_sink(std::make_unique<Lines>(lines_));
        char name[] = "/tmp/facteur_table_XXXXXX";
        folder_ = ::mkdtemp(name);
    }
    ~TableTest() override
    {
        log::set_sink(std::make_unique<Lines>(ignored()));
        fs::remove_all(folder_);
    }

    std::string file(const std::string& name, std::string_view content) const
    {
        const std::string path = folder_ + "/" + name;
        std::ofstream(path) << content;
        return path;
    }
    // "=value", "-" for not found, "!text" for an error, "?text" for a table that does not open.
    std::string ask(const std::string& spec, std::string_view key, const TableOptions& options = {}) const
    {
        const auto table = try_open_table(spec, options, config_);
        if (!table)
            return "?" + table.error();
        const auto result = (*table)->lookup(key);
        return !result ? "!" + result.error().text : *result ? "=" + **result : "-";
    }

    static std::vector<std::string>& ignored()
    {
        static auto* const lines = new std::vector<std::string>;
        return *lines;
    }
    std::vector<std::string> lines_;
    std::string folder_;
    config::Config config_ = *config::Config::from_text("smtputf8_enable = yes\ndefault_database_type = lmdb\n");
};

struct Case {
    std::string spec;
    std::string key;
    std::string answer;
};

TEST_F(TableTest, AnswersWithoutFiles)
{
    const Case cases[] = {
        {"static:x y", "any", "=x y"},
        {"static:{ x }", "any", "=x"},
        {"static:{x", "any", "?bad static:name syntax: missing '}' in \"{x\""},
        {"inline:{a=b, {c = d e}}", "c", "=d e"},
        {"inline:{a=b, {c = d e}}", "A", "=b"},
        {"inline:{a=b}", "x", "-"},
        {"inline:{\xc3\xa9=b}", "\xc3\x89", "=b"},
        {"inline:{a}", "a", "?missing '=' after attribute name: \"inline:{a}\"; need \"inline:{name=value...}\""},
        {"fail:x", "a", "!Application error"},
        {"internal:x", "a", "-"},
        {"environ:x", "facteur_test_unset", "-"},
        {"unix:passwd.byname", "root", "=root:x:0:0:root:/root:/bin/bash"},
        {"unix:group.byname", "root", "=root:x:0:"},
        {"unix:passwd.byname", "no-such-user", "-"},
        {"unix:x", "root", "?unknown table: unix:x"},
        {"unionmap:{static:a, inline:{k=b}, internal:x}", "k", "=a,b"},
        {"unionmap:{internal:x}", "k", "-"},
        {"unionmap:{static:a fail:x}", "k", "!Application error"},
        {"pipemap:{inline:{a=b}, inline:{b=c}}", "a", "=c"},
        {"pipemap:{inline:{a=b}, inline:{c=d}}", "a", "-"},
        {"pipemap:{x:y}", "a", "?unsupported dictionary type: x"},
        {"randmap:{same, same}", "a", "=same"},
        {"randmap:{}", "a", "?bad syntax: \"randmap:{}\"; need \"randmap:{value...}\""},
        {"debug:static:x", "a", "=x"},
        {"proxy:static:x", "a", "=x"},
        {"regexp:{{/^(.*)@a$/ $1@b}}", "x@A", "=x@b"},
        {"regexp:{{/a/!/b/ only}}", "a", "=only"},
        {"regexp:{{/a/!/b/ only}}", "ab", "-"},
        {"pcre:{{/^(.*)@a$/ ${1}@b}}", "x@A", "=x@b"},
        {"pcre:{{if /a/} {!/b/ nob} {endif} {/./ other}}", "ac", "=nob"},
        {"pcre:{{if /a/} {!/b/ nob} {endif} {/./ other}}", "ab", "=other"},
        {"pcre:{{if /a/} {!/b/ nob} {endif} {/./ other}}", "c", "=other"},
        {"cidr:{{10.0.0.0/8 ten}, {!192.168.0.0/16 away}}", "10.9.9.9", "=ten"},
        {"cidr:{{10.0.0.0/8 ten}, {2001:db8::/32 doc}}", "2001:DB8::1", "=doc"},
        {"cidr:{{10.0.0.0/8 ten}}", "name", "-"},
        {"nothing:x", "a", "?unsupported dictionary type: nothing"},
        {"static:", "a", "?open dictionary: expecting \"type:name\" form instead of \"static:\""},
        {"hash:/nonexistent/x", "a", "?open database /nonexistent/x.lmdb: No such file or directory"},
        {"/nonexistent/x", "a", "?open database /nonexistent/x.lmdb: No such file or directory"},
        {"texthash:/nonexistent/x", "a", "?open database /nonexistent/x: No such file or directory"},
        {"pcre:/nonexistent/x", "a", "?open /nonexistent/x: No such file or directory"},
    };
    for (const Case& c : cases)
        EXPECT_EQ(ask(c.spec, c.key), c.answer) << c.spec << " " << c.key;
}

TEST_F(TableTest, TextFilesAreReadWhole)
{
    const std::string path = file("t", "# comment\nkey value\n  more\nKEY again\n\"a b\" quoted\nlonely\n");
    EXPECT_EQ(ask("texthash:" + path, "Key"), "=value  more");
    EXPECT_EQ(lines_,
              (std::vector<std::string>{"warning: " + path + ", line 4: duplicate entry: \"KEY\"",
                                        "warning: " + path +
                                            ", line 6: expected format: key whitespace value -- ignoring this line"}));
    EXPECT_EQ(ask("texthash:" + path, "\"a b\""), "=quoted");
}

TEST_F(TableTest, NoticesANewerFile)
{
    const std::string path = file("t", "a b\n");
    for (const std::string type : {"texthash:", "regexp:", "pcre:", "cidr:"}) {
        file("t", "a b\n");
        const auto table = open_table(type + path, {}, config_);
        EXPECT_FALSE(table->changed()) << type;
        file("t", "a much longer\n");
        EXPECT_TRUE(table->changed()) << type;
    }
}

TEST_F(TableTest, SubstitutionCanBeForbidden)
{
    EXPECT_EQ(ask("pcre:{{/(a)/ $1}}", "a", {.allow_substitution = false}), "-");
    EXPECT_EQ(ask("pcre:{{/(a)/ plain}}", "a", {.allow_substitution = false}), "=plain");
}

TEST_F(TableTest, ValuesCanBeFiles)
{
    const std::string one = file("one", "hello");
    EXPECT_EQ(ask("inline:{k=" + one + "}", "k", {.values_are_files = true}), "=aGVsbG8=");
    EXPECT_EQ(ask("static:" + one, "k", {.values_are_files = true}), "=aGVsbG8=");
}

TEST_F(TableTest, Utf8IsChecked)
{
    EXPECT_EQ(ask("static:x", "\xff"), "-");
    EXPECT_EQ(ask("static:\xff", "x"), "!");
    EXPECT_EQ(ask("static:x", "\xff", {.utf8_checks = false}), "=x");
}

TEST_F(TableTest, AnUnavailableTableFailsEachLookup)
{
    const auto table = open_table("lmdb:/nonexistent/x", {}, config_);
    const auto result = table->lookup("a");
    ASSERT_FALSE(result);
    EXPECT_EQ(lines_, (std::vector<std::string>{"error: open database /nonexistent/x.lmdb: No such file or directory",
                                                "warning: lmdb:/nonexistent/x is unavailable. open database "
                                                "/nonexistent/x.lmdb: No such file or directory"}));
}

TEST_F(TableTest, PatternTablesSayWhatTheyAre)
{
    const std::pair<std::string, bool> cases[] = {
        {"static:x", false},     {"pcre:{{/a/ b}}", true},
        {"cidr:{}", true},       {"regexp:{}", true},
        {"inline:{a=b}", false}, {"unionmap:{static:x, pcre:{}}", false},
        {"proxy:pcre:{}", true}, {"pipemap:{pcre:{}, regexp:{}}", true},
    };
    for (const auto& [spec, expected] : cases)
        EXPECT_EQ(open_table(spec, {}, config_)->is_pattern(), expected) << spec;
    EXPECT_TRUE(open_table("pipemap:{static:x, unix:passwd.byname}", {}, config_)->blocking());
}

TEST_F(TableTest, AProxyOpenerGetsWhatCannotBeReadHere)
{
    set_proxy_opener([](std::string_view, const TableOptions& options, const config::Config& config) {
        return try_open_table("static:from-service", options, config);
    });
    EXPECT_EQ(ask("proxy:lmdb:/nonexistent/x", "a"), "=from-service");
    EXPECT_EQ(ask("proxy:static:here", "a"), "=here");
    set_proxy_opener({});
}

TEST(TableTypes, AreSorted)
{
    const auto types = table_types();
    EXPECT_TRUE(std::ranges::is_sorted(types));
    EXPECT_EQ(types.size(), 18U);
}

using Keys = std::vector<std::string>;

Keys keys_of(std::string_view address, std::string_view delimiter, bool local)
{
    Keys keys;
    for (const AddressKey& key : address_keys(address, delimiter, local))
        keys.push_back(key.key + (key.partial ? "" : "!") +
                       (key.unmatched_extension.empty() ? "" : " " + key.unmatched_extension));
    return keys;
}

TEST(AddressKeys, GoFromTheWholeToTheDomain)
{
    const std::tuple<std::string, std::string, bool, Keys> cases[] = {
        {"joe@a.example", "", false, {"joe@a.example!", "@a.example"}},
        {"joe@a.example", "", true, {"joe@a.example!", "joe", "@a.example"}},
        {"joe+x@a", "+", false, {"joe+x@a!", "joe@a +x", "@a"}},
        {"joe+x@a", "+", true, {"joe+x@a!", "joe@a +x", "joe+x", "joe +x", "@a"}},
        {"joe+x", "+", true, {"joe+x!", "joe +x"}},
        {"j k@a", "", true, {"\"j k\"@a!", "j k@a!", "\"j k\"", "j k", "@a"}},
        {"", "", true, {}},
    };
    for (const auto& [address, delimiter, local, keys] : cases)
        EXPECT_EQ(keys_of(address, delimiter, local), keys) << address;
}

TEST_F(TableTest, MapsAskTablesInOrder)
{
    Maps maps("test_maps", "inline:{a=1, {b = 2}}, pcre:{{/^b/ 3} {/^c/ 4}} inline:{d=}", {}, config_);
    EXPECT_EQ(maps.find("a"), LookupResult("1"));
    EXPECT_EQ(maps.find("b"), LookupResult("2"));
    EXPECT_EQ(maps.find("c"), LookupResult("4"));
    EXPECT_EQ(maps.find("c", Maps::Patterns::skip), LookupResult(std::nullopt));
    EXPECT_FALSE(maps.find("d"));
    EXPECT_EQ(lines_.front(), "warning: test_maps lookup of d returns an empty string result");
    EXPECT_FALSE(Maps("t", "fail:x", {}, config_).find("k"));
    EXPECT_EQ(lines_.back(), "warning: fail:x lookup error for \"k\"");
    EXPECT_TRUE(Maps("t", " , ", {}, config_).empty());
}

TEST_F(TableTest, MapsFindAddresses)
{
    Maps maps("t", "inline:{joe@a=whole, sue=local, @b=domain} pcre:{{/^@/ pattern}}", {}, config_);
    const auto local = [](std::string_view domain) { return domain == "l"; };
    std::string extension;
    EXPECT_EQ(maps.find_address("joe+x@a", "+", local, &extension), LookupResult("whole"));
    EXPECT_EQ(extension, "+x");
    EXPECT_EQ(maps.find_address("joe@a", "+", local, &extension), LookupResult("whole"));
    EXPECT_EQ(extension, "");
    EXPECT_EQ(maps.find_address("sue@l", "+", local), LookupResult("local"));
    EXPECT_EQ(maps.find_address("sue@x", "+", local), LookupResult(std::nullopt));
    EXPECT_EQ(maps.find_address("any+y@b", "+", local, &extension), LookupResult("domain"));
    EXPECT_EQ(extension, "");
}

TEST_F(TableTest, MapsFindDomains)
{
    Maps maps("t", "inline:{b.c=plain, .b.c=dotted, c=top}", {}, config_);
    EXPECT_EQ(maps.find_domain("b.c", Maps::Parents::none), LookupResult("plain"));
    EXPECT_EQ(maps.find_domain("a.b.c", Maps::Parents::none), LookupResult(std::nullopt));
    EXPECT_EQ(maps.find_domain("a.b.c", Maps::Parents::plain), LookupResult("plain"));
    EXPECT_EQ(maps.find_domain("a.b.c", Maps::Parents::dotted), LookupResult("dotted"));
    EXPECT_EQ(maps.find_domain("x.c", Maps::Parents::plain), LookupResult("top"));
    EXPECT_EQ(maps.find_domain("x.c", Maps::Parents::dotted), LookupResult(std::nullopt));
}

} // namespace
} // namespace facteur::table
