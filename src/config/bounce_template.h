// Texts of delivery status notifications, built in or from bounce_template_file. Source: bounce(5).
#pragma once

#include "config/config.h"

#include <array>
#include <expected>
#include <string>
#include <string_view>

namespace facteur::config {

enum class NoticeKind { failure, delay, success, verify };
constexpr std::array<NoticeKind, 4> kNoticeKinds{NoticeKind::failure, NoticeKind::delay, NoticeKind::success,
                                                 NoticeKind::verify};
std::string_view to_string(NoticeKind kind); // "failure"

struct BounceTemplate {
    std::string charset = "us-ascii";
    std::string from;
    std::string subject;
    std::string postmaster_subject; // empty: postmaster gets no copy of this kind
    std::string text;               // $name not expanded; every line ends with a newline
};

class BounceTemplates {
public:
    BounceTemplates(); // the built-in ones
    // Those of a template file; kinds it does not name stay built in.
    static std::expected<BounceTemplates, Problem> parse(std::string_view file_text, std::string_view file);
    // bounce_template_file when it is set.
    static std::expected<BounceTemplates, Problem> load(const Config& config);

    [[nodiscard]] const BounceTemplate& operator[](NoticeKind kind) const
    {
        return templates_[static_cast<std::size_t>(kind)];
    }
    // The text with $name expanded: parameters, delay_warning_time_hours and maximal_queue_lifetime_days (each also in
    // _seconds, _minutes, _days, _weeks), host names in UTF-8 when smtputf8_enable.
    [[nodiscard]] std::expected<std::string, Problem> expanded_text(NoticeKind kind, const Config& config) const;

private:
    std::array<BounceTemplate, 4> templates_;
};

} // namespace facteur::config
