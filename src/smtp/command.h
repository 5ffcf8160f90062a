// The words of a command line as an SMTP server takes them apart: white space separates, but not inside <...> and
// "...", and "FROM:" and "TO:" end a word of their own. Source: RFC 5321 s4.1, and what real clients send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtp {

struct Word {
    std::string text;
    bool malformed = false; // an opening < or " without its end
};

// What follows a zero byte is not looked at. Empty when the line holds no word.
std::vector<Word> split_command(std::string_view line);

// All words from `first` on, joined by single spaces: HELO takes whatever comes.
std::string join_words(const std::vector<Word>& words, std::size_t first);

// "BDAT count [LAST]" (RFC 3030).
struct Chunk {
    std::uint64_t size = 0;
    bool last = false;
};
std::optional<Chunk> parse_bdat(const std::vector<Word>& words);

// "Name: ..." where a command should be: a client that speaks another language, such as mail headers sent early.
bool looks_like_header(std::string_view word);

// At most 18 digits and nothing else.
std::optional<std::uint64_t> parse_count(std::string_view digits);
bool all_digits(std::string_view text);

} // namespace facteur::smtp
