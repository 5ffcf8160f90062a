// How a reload ended: master writes it below the queue directory, `postfix reload` waits for it and shows it.
//
// The file is text: "accepted" or "refused" on the first line, then a line for each change, or the reason. It appears
// whole, under its name, once master is done. The one who asks removes the report of an earlier reload first.
#pragma once

#include "base/error.h"

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::service {

inline constexpr std::string_view kReloadReportFile = "pid/reload.report"; // below the queue directory

enum class ReloadOutcome { accepted, refused };

struct ReloadReport {
    ReloadOutcome outcome = ReloadOutcome::accepted;
    std::vector<std::string> lines;
    friend bool operator==(const ReloadReport&, const ReloadReport&) = default;
};

std::string format_reload_report(const ReloadReport& report);
// Nothing when the text is none.
std::optional<ReloadReport> parse_reload_report(std::string_view text);

// Written relative to the queue directory, where master works.
std::expected<void, SystemError> write_reload_report(const ReloadReport& report);

void forget_reload_report(const std::string& queue_directory);
// Blocks until there is one, or the time is over.
std::optional<ReloadReport> await_reload_report(const std::string& queue_directory, std::chrono::milliseconds patience);

} // namespace facteur::service
