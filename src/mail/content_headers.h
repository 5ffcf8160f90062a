// The primary headers of a message on their way into the queue: one logical header in, what is stored for it out.
// Source: cleanup(8).
#pragma once

#include "mail/content_output.h"

#include <bitset>

namespace facteur::mail {

class ContentHeaders {
public:
    ContentHeaders(const ContentOptions& options, const ContentHooks& hooks, ContentOutput& output)
        : options_(options), hooks_(hooks), output_(output)
    {
    }

    void put_prepended();
    // A logical header, lines joined by LF.
    void take(std::string header);
    // The headers are over: adds what is missing.
    void finish();

private:
    using Seen = std::bitset<static_cast<std::size_t>(HeaderId::count)>;

    bool check(std::string& header);
    [[nodiscard]] bool is_dropped(std::string_view name) const;
    void note(const HeaderKind& kind, std::string_view value);
    void rewrite(std::string& header, std::size_t name_length, const HeaderKind& kind);
    void extract(const HeaderKind& kind, std::string_view value);
    void add(std::string_view name, std::string_view value);
    [[nodiscard]] bool seen(HeaderId id) const { return seen_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] std::string from_value() const;

    const ContentOptions& options_;
    const ContentHooks& hooks_;
    ContentOutput& output_;
    Seen seen_;
};

} // namespace facteur::mail
