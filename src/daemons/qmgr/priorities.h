// Which mail goes first, and when: queue_priority_{recipient,sender,header,transport}_maps. cleanup looks the headers
// up.
//
// A table's answer is a class, "high", "normal" or "bulk", and may name a time window of local time: "bulk
// 22:00-06:00".
#pragma once

#include "config/config.h"
#include "daemons/qmgr/message.h"
#include "table/maps.h"

#include <cstdint>
#include <ctime>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace facteur::qmgr {

struct TimeWindow {
    int from = 0; // minutes after midnight, local time
    int to = 0;   // may be earlier than `from`: over midnight
    // The seconds from `now` until the window opens; 0 while it is open.
    [[nodiscard]] std::int64_t closed_for(std::time_t now) const;
};

struct Treatment {
    Priority priority = Priority::normal;
    std::optional<TimeWindow> window;
};
// "bulk 22:00-06:00"; what is wrong with it otherwise.
std::expected<Treatment, std::string> parse_treatment(std::string_view text);

class Priorities {
public:
    explicit Priorities(const config::Config& config);

    [[nodiscard]] bool empty() const { return recipient_.empty() && sender_.empty() && transport_.empty(); }
    // The first that knows something decides: a recipient, the sender, a header (what the table said of it), a
    // transport. A failing table or a bad answer is logged and counts as silence: the mail leaves as any other.
    Treatment treatment(std::string_view sender, std::string_view header, std::span<const std::string_view> recipients,
                        std::span<const std::string_view> transports);

private:
    std::optional<Treatment> ask(table::Maps& maps, std::string_view key);
    std::optional<Treatment> ask_address(table::Maps& maps, std::string_view address);
    static std::optional<Treatment> understand(std::string_view key, std::string_view answer);

    table::Maps recipient_;
    table::Maps sender_;
    table::Maps transport_;
    std::string recipient_delimiter_;
    std::string null_sender_key_;
};

} // namespace facteur::qmgr
