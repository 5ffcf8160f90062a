// What a failed system call leaves: the operation, what it was applied to, and errno.
#pragma once

#include <string>
#include <string_view>

namespace facteur {

struct SystemError {
    std::string operation; // "open", "rename", ...: the call's name
    std::string subject;   // path or peer it was applied to
    int code = 0;          // errno

    // "open /some/path: No such file or directory"
    [[nodiscard]] std::string message() const;

    // Takes errno as it stands.
    static SystemError last(std::string_view operation, std::string_view subject);
};

// strerror() without its static buffer.
std::string errno_text(int code);

} // namespace facteur
