// Log lines. A line is made once, handed to the process's one sink, and never waited for.
//
// Lines look like Postfix's: "Nov 22 05:31:00 host postfix/smtpd[123]: text". The sink gets the part from the tag on
// and decides on the rest (syslog adds its own date). Control characters in the text become '?'.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

namespace facteur::log {

enum class Severity { info, warning, error, fatal, panic };

class Sink {
public:
    virtual ~Sink() = default;
    // tag: "postfix/smtpd"; text has no newline. Must not block for long and must not throw.
    virtual void write(Severity severity, std::string_view tag, std::string_view text) = 0;
    virtual void flush() {}
};

// The sink starts as standard error ("postfix/smtpd: text").
void set_sink(std::unique_ptr<Sink> sink);
Sink& sink();

// "postfix/smtpd": syslog_name, a slash, the program (or the service's own syslog_name).
void set_tag(std::string tag);
const std::string& tag();

// Verbosity of -v; debug() lines appear from 1 on.
void set_verbosity(int level);
int verbosity();

void write(Severity severity, std::string_view text);
void flush();

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args)
{
    write(Severity::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args)
{
    if (verbosity() > 0)
        write(Severity::info, fmt::format(format, std::forward<Args>(args)...));
}
// The word "warning: " (or "error: ") is put before the text here.
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args)
{
    write(Severity::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args)
{
    write(Severity::error, fmt::format(format, std::forward<Args>(args)...));
}
// "fatal: ": what a program says before it exits. Does not exit: only the service skeleton and main do.
template <typename... Args>
void fatal(fmt::format_string<Args...> format, Args&&... args)
{
    write(Severity::fatal, fmt::format(format, std::forward<Args>(args)...));
}
// A broken invariant: logs and aborts.
[[noreturn]] void panic_text(std::string_view text);
template <typename... Args>
[[noreturn]] void panic(fmt::format_string<Args...> format, Args&&... args)
{
    panic_text(fmt::format(format, std::forward<Args>(args)...));
}

} // namespace facteur::log
