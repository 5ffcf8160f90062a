// One file of maildrop/ made into one request to cleanup. The file was written by a local user: it is opened with care,
// its owner is who sent it, and what it says is checked again.
#pragma once

#include "base/fd.h"
#include "queue/maildrop.h"

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <expected>
#include <string>

namespace facteur::pickup {

// Why a file is not taken.
enum class Unfit {
    gone,       // an administrator took it
    unfinished, // still being written
    suspicious, // a link, a directory, ...: left alone with a warning
    corrupt,    // cannot be understood: goes to corrupt/
};
struct Refusal {
    Unfit why;
    std::string text;
};

// An opened file, read piece by piece. Holds one piece in memory at a time.
class DroppedMessage {
public:
    static std::expected<DroppedMessage, Refusal> open(const std::string& path);

    [[nodiscard]] uid_t owner() const { return owner_; }
    [[nodiscard]] std::time_t modified() const { return modified_; }
    [[nodiscard]] queue::Envelope& envelope() { return envelope_; }

    // The next bytes of content with CRLF line ends; empty at the end.
    std::expected<std::string, Refusal> next_content();

private:
    DroppedMessage(UniqueFd fd, uid_t owner, std::time_t modified)
        : fd_(std::move(fd)), owner_(owner), modified_(modified)
    {
    }
    std::expected<queue::MaildropParser::Step, Refusal> step(std::string& payload);
    std::expected<void, Refusal> read_envelope();

    UniqueFd fd_;
    uid_t owner_;
    std::time_t modified_;
    queue::Envelope envelope_;
    queue::MaildropParser parser_;
    queue::LineEndings endings_;
    bool ended_ = false;
};

} // namespace facteur::pickup
