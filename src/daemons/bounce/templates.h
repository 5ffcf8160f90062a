// The words of notices: built in, or from bounce_template_file. Source: bounce(5).
#pragma once

#include "config/config.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::bounce {

enum class NoticeKind { failure, delay, success, verify };
inline constexpr std::size_t kNoticeKinds = 4;

struct Template {
    std::string_view name; // "failure"
    std::string charset;
    std::string from; // display name and address as the file gives them; empty: MAILER-DAEMON
    std::string subject;
    std::string postmaster_subject;    // empty: this kind has no postmaster copy
    std::string text;                  // LF lines, not expanded
    std::string origin = "[built-in]"; // or the file, for messages
};

class Templates {
public:
    Templates(); // built in
    // Takes templates from a file's text. Each problem leaves the built-in template in force and is returned as a
    // sentence for the log, "FILE, line N: unknown template name: x -- ignoring this template".
    std::vector<std::string> read(std::string_view text, std::string_view file);

    [[nodiscard]] const Template& get(NoticeKind kind) const { return templates_[static_cast<std::size_t>(kind)]; }
    // The text with $parameters expanded. Time parameters take a suffix: $delay_warning_time_hours. Problems go to
    // *warnings; the text is then left unexpanded.
    [[nodiscard]] std::string expand(NoticeKind kind, const config::Config& config,
                                     std::vector<std::string>& warnings) const;

private:
    std::array<Template, kNoticeKinds> templates_;
};

} // namespace facteur::bounce
