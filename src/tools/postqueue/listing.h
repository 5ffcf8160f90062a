// The two listings: the traditional one and a JSON object a line. Programs read both, so every byte counts; so does
// every nanosecond, because a queue may hold a million messages: what messages share is formatted once a page.
// Source: postqueue(1).
#pragma once

#include "ipc/list_page.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::postqueue {

enum class IdWidth { short_ids, long_ids };

// "Sun Nov 22 06:04:47" in the local zone. Remembers minutes: the zone's rules are slow.
class ArrivalTexts {
public:
    void append(std::string& out, std::int64_t seconds);

private:
    struct Minute {
        std::int64_t number = -1;
        std::string text; // of its first second; empty when it does not begin with a whole minute here
    };
    std::vector<Minute> minutes_;
};

// The forms in which a page's texts are shown, by their numbers; empty until they are needed.
class TextForms {
public:
    void clear() { forms_.clear(); }
    template <typename Form>
    const std::string& form(const ipc::ListPage& page, std::uint32_t number, const Form& make)
    {
        if (forms_.size() < page.texts())
            forms_.resize(page.texts());
        std::string& form = forms_[number];
        if (form.empty())
            form = make(page.text(number));
        return form;
    }

private:
    std::vector<std::string> forms_;
};

// The traditional listing, message by message.
class TraditionalListing {
public:
    explicit TraditionalListing(IdWidth width) : width_(width) {}
    void begin_page();
    // Appends the message at which the page stands; the first one brings the heading.
    void append(std::string& out, ipc::ListPage& page);
    [[nodiscard]] bool empty() const { return requests_ == 0; }
    [[nodiscard]] std::string end() const; // the totals, or "Mail queue is empty"

private:
    IdWidth width_;
    std::uint64_t requests_ = 0;
    std::uint64_t bytes_ = 0;
    ArrivalTexts arrivals_;
    TextForms senders_;
    TextForms reasons_;
};

class JsonListing {
public:
    void begin_page();
    void append(std::string& out, ipc::ListPage& page); // one line with its newline

private:
    TextForms senders_;
    TextForms reasons_;
};

} // namespace facteur::postqueue
