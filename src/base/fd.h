// File descriptors with one owner.
#pragma once

#include "base/error.h"

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace facteur {

// Owns one file descriptor and closes it. Empty when negative.
class UniqueFd {
public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

// open(2) with O_CLOEXEC added.
[[nodiscard]] std::expected<UniqueFd, SystemError> open_file(const std::string& path, int flags, unsigned mode = 0);

// The whole of a file, refused when longer than limit bytes (code EFBIG).
[[nodiscard]] std::expected<std::string, SystemError> read_file(const std::string& path, std::size_t limit = 64 << 20);

// Writes all of it, retrying short writes and EINTR. For blocking descriptors.
[[nodiscard]] std::expected<void, SystemError> write_all(int fd, std::string_view bytes, std::string_view subject);

bool set_nonblocking(int fd, bool on = true);
bool set_close_on_exec(int fd, bool on = true);

} // namespace facteur
