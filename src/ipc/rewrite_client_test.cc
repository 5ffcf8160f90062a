#include "ipc/channel.h"
#include "ipc/flags.h"
#include "ipc/rewrite_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>

namespace facteur::ipc {
namespace {

using event::milliseconds;

TEST(AnswerCache, ForgetsTheLeastRecentlyUsedAndTheOld)
{
    AnswerCache cache(2, milliseconds(100));
    const event::Clock::time_point start{};
    cache.put("a", "1", start);
    cache.put("b", "2", start);
    ASSERT_NE(cache.get("a", start), nullptr);
    cache.put("c", "3", start);
    EXPECT_EQ(cache.size(), 2u);
    EXPECT_EQ(cache.get("b", start), nullptr);
    ASSERT_NE(cache.get("a", start), nullptr);
    EXPECT_EQ(*cache.get("a", start), "1");
    EXPECT_EQ(cache.get("a", start + milliseconds(100)), nullptr);
    cache.put("a", "4", start + milliseconds(200));
    ASSERT_NE(cache.get("a", start + milliseconds(250)), nullptr);
    EXPECT_EQ(*cache.get("a", start + milliseconds(250)), "4");
    EXPECT_EQ(cache.size(), 2u);
}

// A trivial-rewrite that answers when it is told to.
class RewriteClientTest : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/rewrite_test.XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        path_ = std::string(name) + "/socket";
        listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(::listen(listener_.get(), 5), 0);
    }

    event::Task<void> ask(RewriteClient& client, std::string address)
    {
        const auto answer = co_await client.resolve("a@b.example", std::move(address));
        answers_.push_back(answer ? answer->nexthop() : "none");
    }

    // Three ask, two of them the same; then once more.
    event::Task<void> story(std::uint32_t flags)
    {
        RewriteClient client(loop_, path_);
        event::spawn(ask(client, "u@c.example"));
        event::spawn(ask(client, "u@c.example"));
        event::spawn(ask(client, "v@c.example"));
        co_await loop_.sleep(milliseconds(20));
        Channel server(std::make_unique<net::Stream>(
            loop_, UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC))));
        std::vector<Request> requests;
        event::spawn(server.run([&requests](Request request) { requests.push_back(std::move(request)); }));
        for (std::size_t done = 0; answers_.size() < 4; co_await loop_.sleep(milliseconds(1))) {
            if (answers_.size() == 3 && !again_) {
                again_ = true;
                event::spawn(ask(client, "u@c.example"));
            }
            for (; done < requests.size(); ++done) {
                ResolveReply reply;
                reply.set_nexthop("hop" + std::to_string(done));
                reply.set_flags(flags);
                server.answer(requests[done], reply);
            }
        }
        asked_ = requests.size();
        server.close();
        co_await loop_.sleep(milliseconds(5)); // both sides see it
    }

    event::Loop loop_;
    std::string path_;
    UniqueFd listener_;
    std::vector<std::string> answers_;
    bool again_ = false;
    std::size_t asked_ = 0;
};

TEST_F(RewriteClientTest, WhatIsBeingAskedIsNotAskedTwice)
{
    loop_.run_until_done(story(0));
    EXPECT_EQ(asked_, 2U) << "the fourth answer is a remembered one";
    std::ranges::sort(answers_);
    EXPECT_EQ(answers_, (std::vector<std::string>{"hop0", "hop0", "hop0", "hop1"}));
}

TEST_F(RewriteClientTest, TryLaterIsNotRemembered)
{
    loop_.run_until_done(story(resolve_flag::failed));
    EXPECT_EQ(asked_, 3U);
    EXPECT_EQ(answers_.back(), "hop2");
}

} // namespace
} // namespace facteur::ipc
