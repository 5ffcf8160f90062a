// The file that all programs of an instance log to. Opened as root, written as anybody: after a rename the program
// starts afresh, because it may not create a file in its place any more. Source: MAILLOG_README.
#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <expected>
#include <string>
#include <string_view>

namespace facteur::postlogd {

class LogFile {
public:
    static std::expected<LogFile, SystemError> open(const std::string& path, unsigned mode);

    [[nodiscard]] std::expected<void, SystemError> append(std::string_view lines) const;
    // The name stands for another file now, or for none.
    [[nodiscard]] bool was_moved() const;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    LogFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    UniqueFd fd_;
    std::string path_;
};

// Lines as they come from a client, made harmless: no control characters, every line complete.
std::string sanitize(std::string_view lines);

} // namespace facteur::postlogd
