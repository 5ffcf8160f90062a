#include "daemons/error/reply_text.h"

#include <gtest/gtest.h>

namespace facteur::error_agent {
namespace {

TEST(ErrorText, StatusAndReason)
{
    struct Case {
        std::string_view text;
        char status_class;
        std::string_view status;
        std::string_view reason;
    };
    constexpr Case kCases[] = {
        {"5.7.1 go away", '5', "5.7.1", "go away"},
        {"4.7.1 wait", '4', "4.7.1", "wait"},
        {"4.7.1 wait", '5', "5.0.0", "4.7.1 wait"},
        {"plain text", '5', "5.0.0", "plain text"},
        {"5.7.1", '5', "5.7.1", ""},
        {"5.7.1x y", '5', "5.0.0", "5.7.1x y"},
        {"", '5', "5.0.0", ""},
        {"5.1000.1 x", '5', "5.0.0", "5.1000.1 x"},
    };
    for (const Case& c : kCases) {
        const ipc::Dsn dsn = split_status(c.text, c.status_class, "5.0.0");
        EXPECT_EQ(dsn.status(), c.status) << c.text;
        EXPECT_EQ(dsn.reason(), c.reason) << c.text;
    }
}

} // namespace
} // namespace facteur::error_agent
