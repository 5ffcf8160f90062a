// slow_sink PORT DELAY RECIPIENTS: many destinations in one cheap process. An SMTP server on every address of the
// machine (so on all of 127.0.0.0/8) that takes everything, answers the end of a message DELAY milliseconds late, and
// ends when it has taken RECIPIENTS recipients. Says "ready" when it listens. (smtp-sink counts its delays in whole
// seconds of the clock: one second with it is anything between none and one.)
#include "base/fd.h"
#include "base/text.h"
#include "event/loop.h"
#include "event/task.h"
#include "net/stream.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

namespace {

using namespace facteur;
using event::milliseconds;

constexpr milliseconds kPatience{600'000};
constexpr std::size_t kLineLimit = 2048;

class Sink {
public:
    Sink(event::Loop& loop, UniqueFd listener, milliseconds delay, long wanted)
        : loop_(loop), listener_(std::move(listener)), watch_(loop, listener_.get()), delay_(delay), wanted_(wanted)
    {
    }

    // Ends with the process: connections are accepted until stop().
    event::Task<void> accept_all()
    {
        for (;;) {
            const auto how = co_await watch_.readable();
            if (how != event::Ready::ready)
                co_return;
            auto accepted = net::accept_now(listener_.get());
            if (!accepted) {
                fmt::print(stderr, "{}\n", accepted.error().message());
                std::exit(1);
            }
            if (*accepted)
                event::spawn(converse(std::make_unique<net::Stream>(loop_, std::move((*accepted)->fd))));
            else
                watch_.drained();
        }
    }

private:
    event::Task<void> converse(net::StreamPtr stream)
    {
        stream->queue("220 sink.example ESMTP\r\n");
        long recipients = 0;
        bool content = false;
        for (bool quit = false; !quit;) {
            const auto line = stream->take_line(kLineLimit);
            if (!line) {
                const auto flushed = co_await stream->flush(kPatience);
                if (!flushed)
                    co_return;
                const auto filled = co_await stream->fill(kPatience);
                if (!filled)
                    co_return;
                continue;
            }
            const std::string_view verb = line->text.substr(0, 4);
            if (content) {
                if (line->text != ".")
                    continue;
                content = false;
                if (delay_.count() > 0)
                    co_await loop_.sleep(delay_);
                stream->queue("250 2.0.0 ok\r\n");
                taken_ += std::exchange(recipients, 0);
                if (taken_ >= wanted_)
                    loop_.stop();
            } else if (verb == "EHLO") {
                stream->queue("250-sink.example\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n");
            } else if (verb == "DATA") {
                stream->queue("354 go\r\n");
                content = true;
            } else {
                recipients += verb == "RCPT";
                quit = verb == "QUIT";
                stream->queue(quit ? "221 bye\r\n" : "250 ok\r\n");
            }
        }
        stream->flush_now();
    }

    event::Loop& loop_;
    UniqueFd listener_;
    event::Watch watch_;
    milliseconds delay_;
    long wanted_;
    long taken_ = 0;
};

} // namespace

int main(int argc, char** argv)
{
    const auto argument = [&](int index) { return argc == 4 ? text::to_long(argv[index]) : std::nullopt; };
    const auto port = argument(1);
    const auto delay = argument(2);
    const auto recipients = argument(3);
    if (!port || *port < 0 || *port > 65535 || !delay || *delay < 0 || !recipients || *recipients < 0) {
        fmt::print(stderr, "usage: slow_sink PORT MILLISECONDS RECIPIENTS\n");
        return 1;
    }
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    event::Loop loop;
    auto listener = net::listen_on(*net::SocketAddress::from_ip("0.0.0.0", static_cast<std::uint16_t>(*port)), 4096);
    if (!listener) {
        fmt::print(stderr, "{}\n", listener.error().message());
        return 1;
    }
    Sink sink(loop, std::move(*listener), milliseconds(*delay), *recipients);
    event::spawn(sink.accept_all());
    fmt::print("ready\n");
    std::fflush(stdout);
    loop.run();
    return 0;
}
