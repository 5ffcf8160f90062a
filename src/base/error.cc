#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace facteur {

std::string errno_text(int code)
{
    char buffer[128];
    return strerror_r(code, buffer, sizeof buffer);
}

std::string SystemError::message() const
{
    if (subject.empty())
        return operation + ": " + errno_text(code);
    return operation + " " + subject + ": " + errno_text(code);
}

SystemError SystemError::last(std::string_view operation, std::string_view subject)
{
    const int code = errno;
    return SystemError{std::string(operation), std::string(subject), code};
}

} // namespace facteur
