#include "base/log.h"

#include <cstdio>
#include <cstdlib>

namespace facteur::log {

namespace {

class StderrSink final : public Sink {
public:
    void write(Severity, std::string_view tag, std::string_view text) override
    {
        fmt::print(stderr, "{}: {}\n", tag, text);
    }
};

struct State {
    std::unique_ptr<Sink> sink = std::make_unique<StderrSink>();
    std::string tag = "postfix";
    int verbosity = 0;
};

// Never destroyed: lines are written until the very end of the process.
State& state()
{
    static State* const instance = new State;
    return *instance;
}

constexpr std::string_view prefix(Severity severity)
{
    switch (severity) {
    case Severity::info:
        return "";
    case Severity::warning:
        return "warning: ";
    case Severity::error:
        return "error: ";
    case Severity::fatal:
        return "fatal: ";
    case Severity::panic:
        return "panic: ";
    }
    return "";
}

} // namespace

void set_sink(std::unique_ptr<Sink> sink)
{
    state().sink->flush();
    state().sink = std::move(sink);
}

Sink& sink()
{
    return *state().sink;
}
void set_tag(std::string tag)
{
    state().tag = std::move(tag);
}
const std::string& tag()
{
    return state().tag;
}
void set_verbosity(int level)
{
    state().verbosity = level;
}
int verbosity()
{
    return state().verbosity;
}

void write(Severity severity, std::string_view text)
{
    std::string line(prefix(severity));
    line += text;
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 32 || c == 127)
            c = '?';
    state().sink->write(severity, state().tag, line);
}

void flush()
{
    state().sink->flush();
}

void panic_text(std::string_view text)
{
    write(Severity::panic, text);
    flush();
    std::abort();
}

} // namespace facteur::log
