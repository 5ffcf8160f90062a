#include "base/scanner.h"

#include "base/text.h"

namespace facteur {

std::optional<unsigned> Scanner::digits(std::size_t max_digits)
{
    unsigned value = 0;
    std::size_t count = 0;
    while (!failed_ && count < max_digits && count < 9 && at_ < text_.size() && text::is_digit(text_[at_])) {
        value = value * 10 + static_cast<unsigned>(text_[at_++] - '0');
        ++count;
    }
    if (count == 0) {
        failed_ = true;
        return std::nullopt;
    }
    return value;
}

void Scanner::expect(char c)
{
    if (!accept(c))
        failed_ = true;
}

bool Scanner::accept(char c)
{
    if (failed_ || at_ >= text_.size() || text_[at_] != c)
        return false;
    ++at_;
    return true;
}

bool Scanner::accept_word(std::string_view word)
{
    if (failed_ || !text::istarts_with(text_.substr(at_), word))
        return false;
    at_ += word.size();
    return true;
}

std::string_view Scanner::until(std::string_view stops)
{
    if (failed_)
        return {};
    const auto end = std::min(text_.find_first_of(stops, at_), text_.size());
    const auto part = text_.substr(at_, end - at_);
    at_ = end;
    return part;
}

std::string_view Scanner::rest()
{
    if (failed_)
        return {};
    const auto part = text_.substr(at_);
    at_ = text_.size();
    return part;
}

void Scanner::skip_space()
{
    while (!failed_ && at_ < text_.size() && text::is_space(text_[at_]))
        ++at_;
}

} // namespace facteur
