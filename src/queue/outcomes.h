// What delivery agents came to after the queue manager had died, of messages that have no file to mark it in.
//
// An agent that loses its queue manager keeps a log beside the journals: which messages it still has, and which
// recipients need no more work. It holds a lock on the log while a delivery runs. The next queue manager reads the logs
// before it touches these messages. Format: docs/formats/journal.md.
#pragma once

#include "base/error.h"
#include "base/fd.h"

#include <cstdint>
#include <expected>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::queue {

inline constexpr std::string_view kOutcomeLogs = "outcomes."; // then the process; in kJournalDirectory

class OutcomeLog {
public:
    // Makes this process's log, or opens the one it has made, and locks it.
    static std::expected<OutcomeLog, SystemError> open();

    // The delivery runs on.
    void taken(std::string_view id);
    // This recipient (by its place in the envelope) is delivered or bounced.
    void done(std::string_view id, std::uint32_t number);

private:
    explicit OutcomeLog(UniqueFd fd) : fd_(std::move(fd)) {}
    void write(std::string line);
    UniqueFd fd_;
};

struct Outcomes {
    std::map<std::string, std::set<std::uint32_t>, std::less<>> done;
    std::set<std::string, std::less<>> busy; // an agent is still at it

    void add(std::string_view log, bool running); // the text of one log
};

struct OutcomeReading {
    struct Log {
        std::string path;
        std::size_t size = 0;
    };
    Outcomes outcomes;
    std::vector<Log> finished; // nobody writes them any more
};
bool outcomes_left(); // whether there is any log
// All logs there are. One that cannot be read is an error: what it says must not be repeated.
std::expected<OutcomeReading, SystemError> read_outcomes();
// When what they say has been put where it belongs. A log that has grown since stays.
void forget_outcomes(const std::vector<OutcomeReading::Log>& finished);

} // namespace facteur::queue
