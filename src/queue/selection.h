// Choosing messages by what is known of them: the language of --where and of standing rules. Pure.
//
//   recipient ~ @example\.com$ and age > 2d
//   (client = 192.0.2.7 or sasl_user = "joe") and not queue = hold
//
//   expression:  any   = all { "or" all }      all = one { "and" one }      one = ("not" | "!") one | "(" any ")" |
//   term term:        field operator value operators:   = != ~ !~ for texts, = != < <= > >= for numbers; ~ is a Perl
//   regular expression value:       "..." or '...', in which a backslash before the quote makes it ordinary; else up to
//   a blank or a
//                parenthesis that was not opened in it
//
// Texts compare without regard to case. A field with several values (recipient, domain, reason, transport) satisfies a
// term when one value does; != and !~ say that none does. "@example.com" stands for every address at the domain,
// ".example.com" for every subdomain, "<>" and "" for the null address.
//
// Not everything is always known of a message (its reason before an attempt, its transport when nobody resolves
// addresses): logic has a third value, and what is cheap to know is asked first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace facteur::queue {

// By rising cost of finding out.
enum class Field : std::uint8_t {
    id,
    queue,         // maildrop, incoming, active, deferred, hold, corrupt
    age,           // seconds since arrival
    size,          // bytes of content
    recipients,    // how many still wait
    sender,        // internal form, empty for the null sender
    sender_domain, // lower case or not; empty when there is none
    recipient,     // those that still wait
    domain,        // theirs
    client,        // name, address, and "name[address]"
    sasl_user,
    message_id,
    reason, // of the last attempt
    transport,
};
std::string_view field_name(Field field);

// "90", "30m", "2d", "1d12h", in seconds: a time as selections write it.
std::optional<std::int64_t> parse_duration(std::string_view text);

enum class Truth { no, unknown, yes };

// What a selection asks of one message. Called only for what is needed, cheap fields first.
class Facts {
public:
    virtual ~Facts() = default;
    // The values of a text field; one empty value when the message has none. Nothing: not known. The views hold until
    // the next call.
    virtual std::optional<std::span<const std::string_view>> texts(Field field) = 0;
    virtual std::optional<std::int64_t> number(Field field) = 0; // age, size, recipients
};

// Where a selection is not understood.
struct SelectionError {
    std::size_t offset = 0; // into the text
    std::string problem;
    // The problem, the text and a caret below the place; lines end with LF, control characters are shown as '?'.
    [[nodiscard]] std::string show(std::string_view text) const;
};

class Selection {
public:
    static constexpr std::size_t kLongest = 4096; // bytes; more is refused
    static constexpr int kDeepest = 64;           // parentheses and nots within each other
    static constexpr int kMostTerms = 256;

    static std::expected<Selection, SelectionError> parse(std::string_view text);

    // Regular expressions are given a bounded number of steps; one that needs more leaves its term unknown.
    [[nodiscard]] Truth matches(Facts& facts) const;
    [[nodiscard]] bool uses(Field field) const;
    // Where the field is first named; uses(field) holds.
    [[nodiscard]] std::size_t where_used(Field field) const;
    [[nodiscard]] const std::string& text() const { return text_; }

    struct Node; // for the parser and the evaluator

private:
    Selection(std::string text, std::shared_ptr<const Node> root) : text_(std::move(text)), root_(std::move(root)) {}
    std::string text_;
    std::shared_ptr<const Node> root_;
};

} // namespace facteur::queue
