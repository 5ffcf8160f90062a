// A cursor over text for hand-written parsers. Sticky: after the first step that fails, all later ones fail too, so a
// parser reads as its grammar and asks once, at the end, whether it held.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace facteur {

class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    // 1..max_digits decimal digits, fewer than ten.
    std::optional<unsigned> digits(std::size_t max_digits);
    void expect(char c);
    bool accept(char c);                            // takes c if it is next; never fails
    bool accept_word(std::string_view word);        // ASCII case folded; never fails
    std::string_view until(std::string_view stops); // up to, not including, any of these; may be empty
    std::string_view rest();
    void skip_space();
    void fail() { failed_ = true; }

    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
    [[nodiscard]] bool ok() const { return !failed_; }
    [[nodiscard]] bool complete() const { return !failed_ && at_end(); }
    [[nodiscard]] std::size_t offset() const { return at_; }

private:
    std::string_view text_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

} // namespace facteur
