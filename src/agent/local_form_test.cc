#include "agent/local_form.h"

#include <gtest/gtest.h>

namespace facteur::agent {
namespace {

std::string convert(std::string_view content, FromLines from_lines, std::size_t piece)
{
    LocalForm form(from_lines);
    std::string out;
    for (std::size_t i = 0; i < content.size(); i += piece)
        form.feed(content.substr(i, piece), out);
    form.finish(out);
    return out;
}

TEST(LocalForm, LineEndsAndFromLinesInPiecesOfAnySize)
{
    struct Case {
        std::string_view content;
        std::string_view kept;
        std::string_view quoted;
    };
    constexpr Case kCases[] = {
        {"a\r\nb\r\n", "a\nb\n", "a\nb\n"},
        {"From x\r\nFrom: y\r\n\r\nFrom z\r\n", "From x\nFrom: y\n\nFrom z\n", ">From x\nFrom: y\n\n>From z\n"},
        {">From x\r\nFro\r\nFrom\r\n", ">From x\nFro\nFrom\n", ">From x\nFro\nFrom\n"},
        {"bare\rcr\r\r\nx\n", "bare\rcr\r\nx\n", "bare\rcr\r\nx\n"},
        {"\rFrom x\r\n", "\rFrom x\n", "\rFrom x\n"},
        {"no end", "no end", "no end"},
        {"cr\r", "cr\r", "cr\r"},
        {"x\r\nFrom", "x\nFrom", "x\nFrom"},
        {"", "", ""},
    };
    for (const Case& c : kCases)
        for (const std::size_t piece : {1u, 2u, 3u, 5u, 100u}) {
            EXPECT_EQ(convert(c.content, FromLines::keep, piece), c.kept) << c.content << " by " << piece;
            EXPECT_EQ(convert(c.content, FromLines::quote, piece), c.quoted) << c.content << " by " << piece;
        }
}

TEST(LocalForm, Headers)
{
    EXPECT_EQ(delivery_headers("joe@a.example", "", "u@vm.example"),
              "Return-Path: <joe@a.example>\nX-Original-To: u@vm.example\nDelivered-To: u@vm.example\n");
    EXPECT_EQ(delivery_headers("", "postmaster", "postmaster@mx"),
              "Return-Path: <>\nX-Original-To: postmaster\nDelivered-To: postmaster@mx\n");
    ::setenv("TZ", "UTC", 1);
    EXPECT_EQ(from_line("", 1795327644), "From MAILER-DAEMON  Sun Nov 22 06:07:24 2026\n");
    EXPECT_EQ(from_line("a b@x", 1783000000), "From \"a b\"@x  Thu Jul  2 13:46:40 2026\n");
}

} // namespace
} // namespace facteur::agent
