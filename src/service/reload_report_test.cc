#include "service/reload_report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace facteur::service {
namespace {

TEST(ReloadReport, ComesBackAsItWasWritten)
{
    const ReloadReport accepted{ReloadOutcome::accepted, {"parameter a: 1 -> 2", "service x/unix: added"}};
    EXPECT_EQ(parse_reload_report(format_reload_report(accepted)), accepted);
    const ReloadReport refused{ReloadOutcome::refused, {"main.cf, line 3: bad"}};
    EXPECT_EQ(parse_reload_report(format_reload_report(refused)), refused);
}

TEST(ReloadReport, StaysOneLineALine)
{
    const auto read = parse_reload_report(format_reload_report({ReloadOutcome::accepted, {"a\nrefused"}}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->lines, std::vector<std::string>{"a?refused"});
}

TEST(ReloadReport, RefusesOtherText)
{
    EXPECT_FALSE(parse_reload_report(""));
    EXPECT_FALSE(parse_reload_report("something else\n"));
}

TEST(ReloadReport, IsAwaitedAndForgotten)
{
    char name[] = "/tmp/reload_report_test.XXXXXX";
    const std::filesystem::path queue = ::mkdtemp(name);
    std::filesystem::create_directory(queue / "pid");
    EXPECT_FALSE(await_reload_report(queue, std::chrono::milliseconds(1)));
    std::ofstream(queue / kReloadReportFile) << "accepted\n";
    EXPECT_TRUE(await_reload_report(queue, std::chrono::milliseconds(1)));
    forget_reload_report(queue);
    EXPECT_FALSE(await_reload_report(queue, std::chrono::milliseconds(1)));
    std::filesystem::remove_all(queue);
}

} // namespace
} // namespace facteur::service
