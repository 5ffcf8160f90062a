// postlogd: appends the log lines of all programs of the instance to one file. Source: postlogd(8), MAILLOG_README.
//
// Clients send whole lines, several to a datagram; those of one turn of the loop are written together.
#include "base/fd.h"
#include "base/log.h"
#include "config/check.h"
#include "daemons/postlogd/log_file.h"
#include "service/log_sinks.h"
#include "service/service.h"

#include <unistd.h>

#include <charconv>
#include <csignal>
#include <ctime>
#include <optional>
#include <utility>

namespace {

using namespace facteur;

constexpr std::size_t kBatchLimit = 1 << 20; // more than this is written at once

unsigned permissions_of(const config::Config& config)
{
    const std::string& text = config.get(config::params::maillog_file_permissions);
    unsigned mode = 0600;
    std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    return mode & 0666;
}

// How many datagrams may wait for us. Source: unix(7), max_dgram_qlen.
std::size_t queue_length()
{
    constexpr std::size_t kKernelDefault = 10;
    const auto text = read_file("/proc/sys/net/unix/max_dgram_qlen", 64);
    std::size_t length = kKernelDefault;
    if (text)
        std::from_chars(text->data(), text->data() + text->size(), length);
    return length;
}

// What postlogd itself has to say goes the same way as what others say.
class OwnSink final : public log::Sink {
public:
    OwnSink(const postlogd::LogFile& file, std::string hostname) : file_(file), hostname_(std::move(hostname)) {}
    void write(log::Severity, std::string_view tag, std::string_view text) override
    {
        if (const auto written = file_.append(service::format_line(hostname_, tag, text) + '\n'); !written)
            fmt::print(stderr, "{}: {}\n", tag, text);
    }

private:
    const postlogd::LogFile& file_;
    std::string hostname_;
};

class Postlogd final : public service::Server, private event::TurnEnd {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        loop_ = &process.loop;
        queue_length_ = queue_length();
        const config::Config& config = process.config;
        const std::string& path = config.get(config::params::maillog_file);
        if (path.empty())
            return {}; // programs log to syslog: nothing is expected here
        if (const auto wrong = config::check_log_file(config))
            return std::unexpected(wrong->message());
        auto file = postlogd::LogFile::open(path, permissions_of(config));
        if (!file)
            return std::unexpected(file.error().message());
        file_ = std::move(*file);
        log::set_sink(std::make_unique<OwnSink>(*file_, config.get(config::params::myhostname)));
        return {};
    }

    std::expected<void, std::string> after_jail(service::Process&) override
    {
        if (file_)
            watch_name();
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::datagrams; }
    [[nodiscard]] service::Side side() const override { return service::Side::delivering; }
    [[nodiscard]] bool persistent() const override { return true; }

    void datagram(std::string_view lines) override
    {
        batch_ += postlogd::sanitize(lines);
        ++datagrams_;
        if (batch_.size() >= kBatchLimit)
            turn_ended();
        else
            loop_->at_turn_end(*this);
    }

    event::Task<void> drain() override
    {
        turn_ended();
        co_return;
    }

private:
    void turn_ended() override
    {
        const std::string lines = std::exchange(batch_, {});
        if (lines.empty())
            return;
        if (!file_) {
            log::info("{}", std::string_view(lines).substr(0, lines.size() - 1));
            return;
        }
        if (const auto written = file_->append(lines); !written)
            fmt::print(stderr, "{}", lines);
        rest();
    }

    // A message makes five datagrams, and each would wake us. While lines keep coming we look at what has gathered in
    // the socket every one or two milliseconds; a single line is written at once. Nothing else here needs the loop.
    void rest()
    {
        constexpr std::chrono::milliseconds kSoon{5};
        constexpr std::size_t kManyWait = 256;
        const std::size_t came = std::exchange(datagrams_, 0);
        const auto now = event::Clock::now();
        const bool busy = now - std::exchange(written_, now) < kSoon;
        if (!busy || came * 2 > queue_length_) // who finds the queue full waits longer than we would rest
            return;
        const timespec pause{0, queue_length_ >= kManyWait ? 2'000'000 : 1'000'000};
        ::nanosleep(&pause, nullptr);
    }

    // Rotation moves the file away. We may not have the right to open another: end, and be started anew with it.
    void watch_name()
    {
        check_ = loop_->call_at(event::Clock::now() + std::chrono::seconds(1), [this] {
            if (file_->was_moved())
                ::kill(::getpid(), SIGHUP);
            watch_name();
        });
    }

    event::Loop* loop_ = nullptr;
    std::optional<postlogd::LogFile> file_;
    std::string batch_;
    std::size_t datagrams_ = 0; // in batch_
    std::size_t queue_length_ = 0;
    event::Clock::time_point written_{};
    std::unique_ptr<event::Loop::Timer> check_;
};

} // namespace

int main(int argc, char** argv)
{
    return service::run(argc, argv, "postlogd",
                        [] { return std::unique_ptr<service::Server>(std::make_unique<Postlogd>()); });
}
