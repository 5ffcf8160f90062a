#include "net/stream.h"

#include "base/text.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::net {

namespace {

constexpr std::size_t kReadSize = 64 << 10;
constexpr std::size_t kKeepCapacity = 4096; // what an idle stream may hold on to

// One read buffer for the whole process: what arrived is copied to the stream, idle streams hold nothing.
char* scratch()
{
    static thread_local std::unique_ptr<char[]> buffer(new char[kReadSize]);
    return buffer.get();
}

// The stream whose bytes stand there.
thread_local Stream* borrower = nullptr;

bool would_block(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK;
}

StreamError from_ready(event::Ready how)
{
    return how == event::Ready::timed_out ? StreamError::timed_out : StreamError::cancelled;
}

} // namespace

Stream::Stream(event::Loop& loop, UniqueFd fd, event::Watch::Begins begins)
    : fd_(std::move(fd)), watch_(loop, fd_.get(), begins)
{
    // Only TCP has it; elsewhere the call fails and nothing is lost.
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Stream::~Stream()
{
    if (borrower == this)
        borrower = nullptr;
}

void Stream::keep_lent()
{
    borrower = nullptr;
    input_.assign(std::exchange(lent_, {}));
}

void Stream::consume(std::size_t count)
{
    if (!lent_.empty()) {
        lent_.remove_prefix(count);
        keep_lent();
        return;
    }
    consumed_ += count;
    if (consumed_ < input_.size())
        return;
    consumed_ = 0;
    if (input_.capacity() > kKeepCapacity)
        std::string().swap(input_);
    else
        input_.clear();
}

std::optional<Stream::Line> Stream::take_line(std::size_t limit)
{
    if (!lent_.empty())
        keep_lent();
    const std::string_view ready = buffered();
    const auto newline = ready.substr(0, limit + 2).find('\n');
    if (newline == ready.npos) {
        if (ready.size() < limit + 2)
            return std::nullopt;
        const std::string_view piece = ready.substr(0, limit);
        consumed_ += limit; // not consume(): the view must stay valid
        return Line{piece, Ending::none};
    }
    std::string_view text = ready.substr(0, newline);
    Ending ending = Ending::lf;
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
        ending = Ending::crlf;
    }
    consumed_ += newline + 1;
    return Line{text, ending};
}

std::string Stream::take_buffered()
{
    if (!lent_.empty())
        keep_lent();
    input_.erase(0, std::exchange(consumed_, 0));
    return std::exchange(input_, {});
}

// As read(2). What is known to be long goes where it belongs without a detour.
ssize_t Stream::read_some(std::size_t awaited, Into where)
{
    constexpr std::size_t kLong = 16 << 10;
    constexpr std::size_t kMostReserved = 1 << 20;
    const std::size_t before = input_.size();
    if (awaited < before + kLong) {
        if (borrower)
            borrower->keep_lent();
        const ssize_t got = ::read(fd_.get(), scratch(), kReadSize);
        if (got > 0 && where == Into::lent) {
            lent_ = {scratch(), static_cast<std::size_t>(got)};
            borrower = this;
        } else if (got > 0) {
            input_.append(scratch(), static_cast<std::size_t>(got));
        }
        if (got > 0 && static_cast<std::size_t>(got) < kReadSize)
            watch_.drained();
        return got;
    }
    const std::size_t room = std::min(awaited - before, kMostReserved);
    if (input_.capacity() < before + room)
        input_.reserve(std::max(before + room, std::min(awaited, 2 * before)));
    ssize_t got = 0;
    input_.resize_and_overwrite(before + room, [&](char* bytes, std::size_t) {
        got = ::read(fd_.get(), bytes + before, room);
        return before + static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    });
    if (got > 0 && static_cast<std::size_t>(got) < room)
        watch_.drained();
    return got;
}

event::Task<std::expected<void, StreamError>> Stream::fill(milliseconds timeout, std::size_t awaited)
{
    return read(timeout, awaited, Into::own);
}

event::Task<std::expected<void, StreamError>> Stream::fill_lent(milliseconds timeout)
{
    return read(timeout, 0, Into::lent);
}

event::Task<std::expected<void, StreamError>> Stream::read(milliseconds timeout, std::size_t awaited, Into where)
{
    if (!lent_.empty())
        keep_lent();
    if (consumed_ > 0) {
        input_.erase(0, consumed_);
        consumed_ = 0;
    }
    if (!input_.empty())
        where = Into::own; // what comes belongs behind it
    else if (input_.capacity() > kKeepCapacity)
        std::string().swap(input_);
    for (;;) {
        if (!watch_.maybe_readable()) {
            const event::Ready how = co_await watch_.readable(timeout);
            if (how != event::Ready::ready)
                co_return std::unexpected(from_ready(how));
        }
        const ssize_t got = read_some(awaited, where);
        if (got > 0)
            co_return std::expected<void, StreamError>{};
        if (got == 0)
            co_return std::unexpected(StreamError::closed);
        if (would_block(errno)) {
            // After a hang-up readiness is sticky; EAGAIN there means that nothing will ever come.
            if (watch_.hung_up())
                co_return std::unexpected(StreamError::closed);
            watch_.drained();
            continue;
        }
        if (errno == EINTR)
            continue;
        errno_ = errno;
        co_return std::unexpected(errno_ == ECONNRESET ? StreamError::closed : StreamError::failed);
    }
}

std::expected<std::size_t, StreamError> Stream::write_some()
{
    constexpr std::size_t kAtOnce = 32;
    iovec pieces[kAtOnce];
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = output_.gather(pieces);
    for (;;) {
        const ssize_t put = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
        if (put >= 0) {
            output_.written(static_cast<std::size_t>(put));
            return static_cast<std::size_t>(put);
        }
        if (errno == EINTR)
            continue;
        if (would_block(errno))
            return 0;
        errno_ = errno;
        return std::unexpected(errno_ == EPIPE || errno_ == ECONNRESET ? StreamError::closed : StreamError::failed);
    }
}

bool Stream::flush_now()
{
    return queued() == 0 || write_some().has_value();
}

event::Task<std::expected<void, StreamError>> Stream::flush(milliseconds timeout)
{
    while (queued() > 0) {
        const auto put = write_some();
        if (!put)
            co_return std::unexpected(put.error());
        if (*put > 0)
            continue;
        watch_.full();
        const event::Ready how = co_await watch_.writable(timeout);
        if (how != event::Ready::ready)
            co_return std::unexpected(from_ready(how));
    }
    co_return std::expected<void, StreamError>{};
}

event::Task<std::expected<void, StreamError>> Stream::send_file(int file, std::uint64_t offset, std::uint64_t count,
                                                                milliseconds timeout)
{
    const auto flushed = co_await flush(timeout);
    if (!flushed)
        co_return flushed;
    auto at = static_cast<off_t>(offset);
    while (count > 0) {
        const ssize_t put = ::sendfile(fd_.get(), file, &at, count);
        if (put > 0) {
            count -= static_cast<std::uint64_t>(put);
            continue;
        }
        if (put == 0) {
            errno_ = EIO; // the file is shorter than its header says
            co_return std::unexpected(StreamError::failed);
        }
        if (errno == EINTR)
            continue;
        if (!would_block(errno)) {
            errno_ = errno;
            co_return std::unexpected(errno_ == EPIPE || errno_ == ECONNRESET ? StreamError::closed
                                                                              : StreamError::failed);
        }
        watch_.full();
        const event::Ready how = co_await watch_.writable(timeout);
        if (how != event::Ready::ready)
            co_return std::unexpected(from_ready(how));
    }
    co_return std::expected<void, StreamError>{};
}

void Stream::shutdown_write()
{
    ::shutdown(fd_.get(), SHUT_WR);
}

SocketAddress Stream::peer() const
{
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0)
        return {};
    return {reinterpret_cast<const sockaddr*>(&storage), length};
}

SocketAddress Stream::local() const
{
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0)
        return {};
    return {reinterpret_cast<const sockaddr*>(&storage), length};
}

event::Task<std::expected<StreamPtr, SystemError>> connect(event::Loop& loop, SocketAddress peer,
                                                           std::optional<SocketAddress> source, milliseconds timeout)
{
    const std::string subject = peer.family() == AF_UNIX ? peer.path() : fmt::format("{}:{}", peer.ip(), peer.port());
    UniqueFd fd(::socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        co_return std::unexpected(SystemError::last("socket", subject));
    if (source && ::bind(fd.get(), source->get(), source->length()) != 0)
        co_return std::unexpected(SystemError::last("bind", source->ip()));
    const int started = ::connect(fd.get(), peer.get(), peer.length());
    const int code = started == 0 ? 0 : errno;
    if (code != 0 && code != EINPROGRESS && code != EINTR)
        co_return std::unexpected(SystemError{"connect", subject, code});
    using enum event::Watch::Begins;
    auto stream = std::make_unique<Stream>(loop, std::move(fd), code == 0 ? connected : connecting);
    if (code == 0)
        co_return std::move(stream);
    const int failed = co_await stream->connected(timeout);
    if (failed != 0)
        co_return std::unexpected(SystemError{"connect", subject, failed});
    co_return std::move(stream);
}

event::Task<int> Stream::connected(milliseconds timeout)
{
    watch_.full();
    const event::Ready how = co_await watch_.writable(timeout);
    if (how != event::Ready::ready)
        co_return how == event::Ready::timed_out ? ETIMEDOUT : ECANCELED;
    int outcome = 0;
    socklen_t length = sizeof outcome;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &outcome, &length);
    co_return outcome;
}

std::expected<UniqueFd, SystemError> listen_on(const SocketAddress& address, int backlog)
{
    const std::string subject =
        address.family() == AF_UNIX ? address.path() : fmt::format("{} port {}", address.ip(), address.port());
    UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return std::unexpected(SystemError::last("socket", subject));
    const int on = 1;
    if (address.family() == AF_UNIX)
        ::unlink(address.path().c_str());
    else
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.family() == AF_INET6)
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (::bind(fd.get(), address.get(), address.length()) != 0)
        return std::unexpected(SystemError::last("bind", subject));
    if (::listen(fd.get(), backlog) != 0)
        return std::unexpected(SystemError::last("listen", subject));
    return fd;
}

std::expected<std::optional<Accepted>, SystemError> accept_now(int listener)
{
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    for (;;) {
        const int fd =
            ::accept4(listener, reinterpret_cast<sockaddr*>(&storage), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            return Accepted{UniqueFd(fd), SocketAddress(reinterpret_cast<const sockaddr*>(&storage), length)};
        if (errno == EINTR)
            continue;
        // The client went away before we came: not our error (accept(2)).
        if (would_block(errno) || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN ||
            errno == EHOSTUNREACH)
            return std::nullopt;
        return std::unexpected(SystemError::last("accept", ""));
    }
}

} // namespace facteur::net
