#include "smtp/command.h"

#include "base/text.h"
#include "mail/header.h"

#include <algorithm>
#include <utility>

namespace facteur::smtp {

namespace {

// Copies up to and including `close`, which is already known to be wanted; quotes nest, backslash quotes.
std::size_t take_quoted(std::string_view line, std::size_t at, char close, Word& word)
{
    std::string wanted(1, close);
    while (at < line.size()) {
        const char c = line[at++];
        word.text += c;
        if (c == '\\') {
            if (at == line.size())
                break;
            word.text += line[at++];
        } else if (c == wanted.back()) {
            wanted.pop_back();
            if (wanted.empty())
                return at;
        } else if (c == '"') {
            wanted += '"';
        }
    }
    word.malformed = true;
    return at;
}

bool names_a_path(std::string_view word)
{
    return text::iequals(word, "from:") || text::iequals(word, "to:");
}

} // namespace

std::vector<Word> split_command(std::string_view line)
{
    line = line.substr(0, line.find('\0'));
    std::vector<Word> words;
    Word word;
    const auto end_word = [&] {
        if (!word.text.empty())
            words.push_back(std::exchange(word, {}));
    };
    for (std::size_t at = 0; at < line.size();) {
        const char c = line[at++];
        if (text::is_space(c)) {
            end_word();
            continue;
        }
        word.text += c;
        if (c == '<')
            at = take_quoted(line, at, '>', word);
        else if (c == '"')
            at = take_quoted(line, at, '"', word);
        else if (c == ':' && names_a_path(word.text))
            end_word();
        else if (c == '\\' && at < line.size())
            word.text += line[at++];
    }
    end_word();
    return words;
}

std::string join_words(const std::vector<Word>& words, std::size_t first)
{
    std::string joined;
    for (std::size_t i = first; i < words.size(); ++i) {
        if (i > first)
            joined += ' ';
        joined += words[i].text;
    }
    return joined;
}

bool all_digits(std::string_view text)
{
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

std::optional<std::uint64_t> parse_count(std::string_view digits)
{
    if (!all_digits(digits))
        return std::nullopt;
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    if (digits.size() > 18)
        return std::nullopt;
    std::uint64_t count = 0;
    for (const char c : digits)
        count = count * 10 + static_cast<unsigned>(c - '0');
    return count;
}

std::optional<Chunk> parse_bdat(const std::vector<Word>& words)
{
    if (words.size() < 2 || words.size() > 3)
        return std::nullopt;
    const auto size = parse_count(words[1].text);
    if (!size || (words.size() == 3 && !text::iequals(words[2].text, "LAST")))
        return std::nullopt;
    return Chunk{*size, words.size() == 3};
}

bool looks_like_header(std::string_view word)
{
    return mail::header_name_length(word) > 0;
}

} // namespace facteur::smtp
