#include "net/output_queue.h"

#include <gtest/gtest.h>

#include <random>

namespace facteur::net {
namespace {

// What goes in comes out, however it is cut.
TEST(OutputQueue, KeepsOrderWhateverIsWritten)
{
    std::minstd_rand random(7);
    const auto below = [&random](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit)(random);
    };
    OutputQueue queue;
    std::string in;
    std::string out;
    for (int step = 0; step < 5000; ++step) {
        const std::size_t size = below(20) == 0 ? below(100000) : below(300);
        const std::string bytes(size, static_cast<char>('a' + step % 26));
        in += bytes;
        if (below(3) == 0) {
            const auto owner = std::make_shared<const std::string>("before" + bytes + "after");
            queue.append(owner, std::string_view(*owner).substr(6, size));
        } else {
            queue.append(bytes);
        }
        iovec pieces[8];
        std::size_t ready = 0;
        const std::size_t count = queue.gather(pieces);
        for (std::size_t i = 0; i < count; ++i)
            ready += pieces[i].iov_len;
        ASSERT_LE(ready, queue.size());
        std::size_t takes = below(3) == 0 ? ready : below(ready);
        queue.written(takes);
        for (std::size_t i = 0; i < count && takes > 0; ++i) {
            // What was gathered may be gone after written(): the text is known anyway.
            const std::size_t part = std::min(takes, pieces[i].iov_len);
            out.append(in, out.size(), part);
            takes -= part;
        }
        ASSERT_EQ(queue.size(), in.size() - out.size());
        std::string waiting;
        iovec all[4096];
        for (const auto& piece : std::span(all).first(queue.gather(all)))
            waiting.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
        ASSERT_EQ(waiting, in.substr(out.size())) << step;
    }
}

TEST(OutputQueue, Empty)
{
    OutputQueue queue;
    iovec pieces[2];
    EXPECT_EQ(queue.gather(pieces), 0U);
    queue.append("");
    EXPECT_EQ(queue.gather(pieces), 0U);
    queue.append("abc");
    queue.written(3);
    EXPECT_EQ(queue.gather(pieces), 0U);
    queue.append("de");
    ASSERT_EQ(queue.gather(pieces), 1U);
    EXPECT_EQ(std::string(static_cast<char*>(pieces[0].iov_base), pieces[0].iov_len), "de");
}

} // namespace
} // namespace facteur::net
