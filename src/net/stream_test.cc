#include "net/stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace facteur::net {
namespace {

struct Pair {
    event::Loop loop;
    StreamPtr left;
    StreamPtr right;
    Pair()
    {
        int fds[2];
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
        left = std::make_unique<Stream>(loop, UniqueFd(fds[0]));
        right = std::make_unique<Stream>(loop, UniqueFd(fds[1]));
    }
};

event::Task<void> collect_lines(Stream& in, std::vector<std::string>& lines)
{
    for (;;) {
        while (const auto line = in.take_line(10))
            lines.push_back(std::string(line->text) + (line->ending == Stream::Ending::crlf ? "|"
                                                       : line->ending == Stream::Ending::lf ? "/"
                                                                                            : "~"));
        const auto filled = co_await in.fill(milliseconds(2000));
        if (!filled)
            co_return;
    }
}

TEST(Stream, LinesAndTheirEndings)
{
    Pair pair;
    pair.left->queue("one\r\ntwo\n0123456789abc\r\n0123456789\r\nx\ry\r\n\r\n");
    ASSERT_TRUE(pair.left->flush_now());
    pair.left->shutdown_write();
    std::vector<std::string> lines;
    pair.loop.run_until_done(collect_lines(*pair.right, lines));
    EXPECT_EQ(lines, (std::vector<std::string>{"one|", "two/", "0123456789~", "abc|", "0123456789|", "x\ry|", "|"}));
}

event::Task<void> send_big(Stream& out, std::string bytes)
{
    out.queue(bytes);
    const auto done = co_await out.flush(milliseconds(5000));
    EXPECT_TRUE(done.has_value());
    out.shutdown_write();
}

event::Task<void> receive_all(Stream& in, std::string& bytes)
{
    for (;;) {
        const auto filled = co_await in.fill(milliseconds(5000));
        if (!filled) {
            EXPECT_EQ(filled.error(), StreamError::closed);
            co_return;
        }
        bytes += in.buffered();
        in.consume(in.buffered().size());
    }
}

TEST(Stream, MoreThanTheSocketHolds)
{
    Pair pair;
    const std::string sent(5'000'000, 'x');
    std::string got;
    event::spawn(send_big(*pair.left, sent));
    pair.loop.run_until_done(receive_all(*pair.right, got));
    EXPECT_EQ(got.size(), sent.size());
}

// Lent bytes stand where other streams read too: what was not consumed is kept all the same.
event::Task<void> lend_and_interleave(Pair& one, Stream& other)
{
    one.left->queue("first second");
    EXPECT_TRUE(one.left->flush_now());
    const auto lent = co_await one.right->fill_lent(milliseconds(2000));
    EXPECT_TRUE(lent.has_value());
    EXPECT_EQ(one.right->buffered(), "first second");
    const auto filled = co_await other.fill(milliseconds(2000));
    EXPECT_TRUE(filled.has_value());
    EXPECT_EQ(other.buffered(), "OTHER BYTES");
    EXPECT_EQ(one.right->buffered(), "first second");
    one.right->consume(6);
    EXPECT_EQ(one.right->buffered(), "second");

    one.right->consume(6);
    one.left->queue("third line\nfourth");
    EXPECT_TRUE(one.left->flush_now());
    const auto again = co_await one.right->fill_lent(milliseconds(2000));
    EXPECT_TRUE(again.has_value());
    one.right->consume(6);
    const auto line = one.right->take_line(100);
    EXPECT_TRUE(line && line->text == "line" && line->ending == Stream::Ending::lf);
    EXPECT_EQ(one.right->take_buffered(), "fourth");

    one.left->queue("fifth");
    EXPECT_TRUE(one.left->flush_now());
    const auto third = co_await one.right->fill_lent(milliseconds(2000));
    EXPECT_TRUE(third.has_value());
    one.left->queue(" sixth");
    EXPECT_TRUE(one.left->flush_now());
    const auto more = co_await one.right->fill(milliseconds(2000));
    EXPECT_TRUE(more.has_value());
    EXPECT_EQ(one.right->buffered(), "fifth sixth");

    one.left->queue(" seventh");
    EXPECT_TRUE(one.left->flush_now());
    const auto behind = co_await one.right->fill_lent(milliseconds(2000));
    EXPECT_TRUE(behind.has_value());
    EXPECT_EQ(one.right->buffered(), "fifth sixth seventh");
}

TEST(Stream, WhatWasLentIsKept)
{
    Pair pair;
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    Stream other(pair.loop, UniqueFd(fds[0]));
    const UniqueFd peer(fds[1]);
    ASSERT_EQ(::write(peer.get(), "OTHER BYTES", 11), 11);
    pair.loop.run_until_done(lend_and_interleave(pair, other));
}

TEST(Address, Forms)
{
    EXPECT_EQ(SocketAddress::from_ip("::ffff:192.0.2.1", 25)->ip(), "192.0.2.1");
    EXPECT_EQ(SocketAddress::from_ip("2001:DB8::1", 25)->ip(), "2001:db8::1");
    EXPECT_FALSE(SocketAddress::from_ip("host", 25));
    EXPECT_FALSE(SocketAddress::from_ip("999.1.1.1", 25));
}

} // namespace
} // namespace facteur::net
