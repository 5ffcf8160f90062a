// What bounce, defer and trace remember of one message: a line per outcome, appended with one write. The files are
// bounce/ID, defer/ID and trace/ID. Format: docs/formats/bounce-log.md.
#pragma once

#include "base/error.h"
#include "ipc/messages.pb.h"

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace facteur::agent {

std::string encode_log_line(const ipc::LogRecipient& entry); // ends with LF
// Nothing when the line is damaged: no recipient, no status, or bad encoding.
std::optional<ipc::LogRecipient> parse_log_line(std::string_view line);

// All records of a log, in the order of each recipient's first one. A recipient that was recorded again (a repeated
// request, or a later attempt) keeps its last record. Damaged lines are counted and passed over.
struct LoggedRecipients {
    std::vector<ipc::LogRecipient> entries;
    int damaged = 0;
};
LoggedRecipients parse_log(std::string_view text);
// Recipient (internal form) -> what the log says became of it.
using Reasons = std::unordered_map<std::string, std::string>;
Reasons reasons_of(const LoggedRecipients& log);

// Creates the file and the directories above it as needed.
std::expected<void, SystemError> append_to_log(const std::string& path, const ipc::LogRecipient& entry);
// ENOENT when nothing was recorded.
std::expected<LoggedRecipients, SystemError> read_log(const std::string& path);

} // namespace facteur::agent
