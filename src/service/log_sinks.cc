#include "service/log_sinks.h"

#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <thread>

namespace facteur::service {

namespace {

constexpr std::size_t kDatagramLimit = 60 << 10; // lines gathered into one datagram
constexpr std::size_t kBacklogLimit = 16 << 20;  // bytes kept while the logger does not listen
constexpr event::milliseconds kPause{20};        // before we look again whether it does

// Asked for once: a system call less for every line.
long known_process_id = 0;

long process_id()
{
    if (known_process_id == 0) {
        ::pthread_atfork(nullptr, nullptr, [] { known_process_id = ::getpid(); });
        known_process_id = ::getpid();
    }
    return known_process_id;
}

// The date changes once a second; mail logs many lines in one.
const std::string& date_prefix()
{
    static std::time_t cached = -1;
    static std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != cached) {
        std::tm local{};
        ::localtime_r(&now, &local);
        char buffer[32];
        std::strftime(buffer, sizeof buffer, "%b %e %H:%M:%S", &local);
        text = buffer;
        cached = now;
    }
    return text;
}

// One connected datagram socket with a bounded backlog.
class DatagramSink : public log::Sink, private event::TurnEnd {
public:
    DatagramSink(event::Loop* loop, std::string socket_path) : loop_(loop), path_(std::move(socket_path))
    {
        connect_socket();
    }
    ~DatagramSink() override { flush(); }

    void write(log::Severity severity, std::string_view tag, std::string_view text) final
    {
        const std::string line = make_line(severity, tag, text);
        if (backlog_bytes_ + line.size() > kBacklogLimit) {
            ++dropped_;
            return;
        }
        backlog_bytes_ += line.size();
        if (!backlog_.empty() && may_join() && backlog_.back().size() + line.size() < kDatagramLimit)
            backlog_.back() += line;
        else
            backlog_.push_back(line);
        if (loop_ && severity != log::Severity::fatal && severity != log::Severity::panic)
            loop_->at_turn_end(*this);
        else
            flush();
    }

    void flush() final { send_all(event::milliseconds(200)); }

protected:
    virtual std::string make_line(log::Severity severity, std::string_view tag, std::string_view text) const = 0;
    virtual bool may_join() const = 0; // may several lines share a datagram?

private:
    // Where the logger's queue is full we wait for it: what we tell other daemons next makes them write lines that
    // belong after ours. A logger that does not read at all is waited for once.
    void turn_ended() override
    {
        constexpr event::milliseconds kPatience{100};
        send_all(retry_ ? event::milliseconds(0) : kPatience);
        if (backlog_.empty())
            retry_.reset();
        else if (!retry_)
            retry();
    }

    void retry()
    {
        retry_ = loop_->call_at(event::Clock::now() + kPause, [this] {
            send_all(event::milliseconds(0));
            retry_.reset();
            if (!backlog_.empty())
                retry();
        });
    }

    void connect_socket()
    {
        UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        const int size = 1 << 20;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            socket_ = std::move(fd);
    }

    // Sends what the logger takes; waits that long in all for it to read or, when it is gone, to come back.
    void send_all(event::milliseconds patience)
    {
        const auto deadline = event::Clock::now() + patience;
        while (!backlog_.empty()) {
            if (!socket_)
                connect_socket();
            const std::string& front = backlog_.front();
            if (socket_ && ::send(socket_.get(), front.data(), front.size(), MSG_NOSIGNAL) >= 0) {
                backlog_bytes_ -= front.size();
                backlog_.pop_front();
                continue;
            }
            const int code = socket_ ? errno : 0; // 0: nobody listens
            const bool full = code == EAGAIN || code == ENOBUFS;
            if (!full && code != EINTR)
                socket_.reset(); // the logger was restarted: connect anew
            const auto left = std::chrono::ceil<event::milliseconds>(deadline - event::Clock::now());
            if (left.count() <= 0)
                return;
            if (code == 0) {
                std::this_thread::sleep_for(std::min(left, kPause));
            } else if (full) {
                pollfd writable{socket_.get(), POLLOUT, 0};
                ::poll(&writable, 1, static_cast<int>(left.count()));
            }
        }
        if (dropped_ > 0 && backlog_.empty()) {
            const auto lost = std::exchange(dropped_, 0);
            write(log::Severity::warning, log::tag(),
                  fmt::format("warning: {} log lines were lost: the logger did not keep up", lost));
        }
    }

    event::Loop* loop_;
    std::string path_;
    UniqueFd socket_;
    std::deque<std::string> backlog_;
    std::size_t backlog_bytes_ = 0;
    std::size_t dropped_ = 0;
    std::unique_ptr<event::Loop::Timer> retry_;
};

class PostlogSink final : public DatagramSink {
public:
    PostlogSink(event::Loop* loop, std::string path, std::string hostname)
        : DatagramSink(loop, std::move(path)), hostname_(std::move(hostname))
    {
    }

private:
    std::string make_line(log::Severity, std::string_view tag, std::string_view text) const override
    {
        return format_line(hostname_, tag, text) + '\n';
    }
    bool may_join() const override { return true; }
    std::string hostname_;
};

int syslog_level(log::Severity severity)
{
    switch (severity) {
    case log::Severity::info:
        return LOG_INFO;
    case log::Severity::warning:
        return LOG_WARNING;
    case log::Severity::error:
        return LOG_ERR;
    case log::Severity::fatal:
    case log::Severity::panic:
        return LOG_CRIT;
    }
    return LOG_INFO;
}

class SyslogSink final : public DatagramSink {
public:
    SyslogSink(event::Loop* loop, int facility) : DatagramSink(loop, "/dev/log"), facility_(facility) {}

private:
    std::string make_line(log::Severity severity, std::string_view tag, std::string_view text) const override
    {
        return fmt::format("<{}>{} {}[{}]: {}", facility_ | syslog_level(severity), date_prefix(), tag, process_id(),
                           text);
    }
    bool may_join() const override { return false; }
    int facility_;
};

// Effective ids back to root for as long as it lives, when the process gave them up for the time being only: the log
// file stays root's while a tool works on the queue as the mail owner.
class AsRootAgain {
public:
    AsRootAgain() : gid_(::getegid()), uid_(::geteuid()), away_(::getuid() == 0 && uid_ != 0)
    {
        if (away_ && (::seteuid(0) != 0 || ::setegid(0) != 0))
            away_ = false; // root was given up for good
    }
    ~AsRootAgain()
    {
        if (away_ && (::setegid(gid_) != 0 || ::seteuid(uid_) != 0))
            std::abort();
    }
    AsRootAgain(const AsRootAgain&) = delete;
    AsRootAgain& operator=(const AsRootAgain&) = delete;

private:
    gid_t gid_;
    uid_t uid_;
    bool away_;
};

class FileSink final : public log::Sink {
public:
    FileSink(std::string path, std::string hostname) : path_(std::move(path)), hostname_(std::move(hostname)) {}
    void write(log::Severity severity, std::string_view tag, std::string_view text) override
    {
        const std::string line = format_line(hostname_, tag, text) + '\n';
        const AsRootAgain root;
        if (path_ == "/dev/stdout") {
            // Not opened anew: that would start again at the beginning of a regular file.
            if (!write_all(STDOUT_FILENO, line, path_))
                fmt::print(stderr, "{}: {}\n", tag, text);
            return;
        }
        // Opened for each line: these processes write a handful, and the file may be rotated under them.
        const auto fd = open_file(path_, O_WRONLY | O_APPEND | O_CREAT, 0600);
        if (!fd || !write_all(fd->get(), line, path_))
            fmt::print(stderr, "{}: {}\n", tag, text);
        (void)severity;
    }

private:
    std::string path_;
    std::string hostname_;
};

} // namespace

std::string format_line(std::string_view hostname, std::string_view tag, std::string_view text)
{
    return fmt::format("{} {} {}[{}]: {}", date_prefix(), hostname.substr(0, hostname.find('.')), tag, process_id(),
                       text);
}

std::unique_ptr<log::Sink> make_postlog_sink(event::Loop* loop, std::string socket_path, std::string hostname)
{
    return std::make_unique<PostlogSink>(loop, std::move(socket_path), std::move(hostname));
}

std::unique_ptr<log::Sink> make_syslog_sink(event::Loop* loop, int facility)
{
    return std::make_unique<SyslogSink>(loop, facility);
}

std::unique_ptr<log::Sink> make_file_sink(std::string path, std::string hostname)
{
    return std::make_unique<FileSink>(std::move(path), std::move(hostname));
}

int facility_code(std::string_view name)
{
    static const std::map<std::string_view, int> codes{
        {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},     {"daemon", LOG_DAEMON},
        {"ftp", LOG_FTP},       {"kern", LOG_KERN},         {"lpr", LOG_LPR},       {"mail", LOG_MAIL},
        {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG},     {"user", LOG_USER},     {"uucp", LOG_UUCP},
        {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
    };
    const auto found = codes.find(name);
    return found == codes.end() ? LOG_MAIL : found->second;
}

} // namespace facteur::service
