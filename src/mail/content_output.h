// Where a content pass puts what it makes: the bytes to store and the facts about their lines.
#pragma once

#include "mail/content_pass.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace facteur::mail {

// A word at a time, without early exit: nearly all text has no such byte.
inline bool has_8bit(std::string_view text)
{
    std::uint64_t all = 0;
    std::size_t at = 0;
    for (; at + sizeof all <= text.size(); at += sizeof all) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, sizeof word);
        all |= word;
    }
    for (; at < text.size(); ++at)
        all |= static_cast<unsigned char>(text[at]);
    return (all & 0x8080808080808080U) != 0;
}

// Line ends and characters that must not be stored, taken off a complete line.
void clean_line(std::string& line, const ContentOptions& options, ContentFacts& facts);

class ContentOutput {
public:
    [[nodiscard]] ContentFacts& facts() { return facts_; }
    [[nodiscard]] const ContentFacts& facts() const { return facts_; }
    [[nodiscard]] std::string& bytes() { return bytes_; }
    // About so much will be put.
    void expect(std::size_t size)
    {
        constexpr std::size_t kSmall = 4096;
        if (const std::size_t needed = bytes_.size() + size; size >= kSmall && bytes_.capacity() < needed)
            bytes_.reserve(std::max(needed + needed / 32, 2 * bytes_.capacity()));
    }

    // A whole line, without its end.
    void put_line(std::string_view line)
    {
        put_text(line);
        end_line();
    }
    // A logical header: lines joined by LF (a CR before it is dropped), folded lines made to begin with white space.
    void put_header(std::string_view header)
    {
        facts_.header_8bit |= has_8bit(header);
        for (bool first = true;; first = false) {
            const auto end = header.find('\n');
            std::string_view line = header.substr(0, end);
            if (end != header.npos && line.ends_with('\r'))
                line.remove_suffix(1);
            if (!first && !line.starts_with(' ') && !line.starts_with('\t'))
                put_text("\t");
            put_line(line);
            if (end == header.npos)
                break;
            header.remove_prefix(end + 1);
        }
        facts_.header_bytes = facts_.stored_bytes;
    }

    // Parts of a line, in order, and its end.
    void put_text(std::string_view text)
    {
        if (text.empty())
            return;
        if (line_length_ == 0 && text[0] == '.')
            facts_.leading_dot = true;
        line_length_ += text.size();
        bytes_ += text;
        facts_.stored_bytes += text.size();
    }
    void end_line()
    {
        bytes_ += "\r\n";
        facts_.stored_bytes += 2;
        count_line(line_length_);
        line_length_ = 0;
    }

    // Whole lines that are already in stored form; the caller has counted them with count_line().
    void put_lines(std::string_view lines)
    {
        bytes_ += lines;
        facts_.stored_bytes += lines.size();
    }
    void count_line(std::size_t length)
    {
        ++facts_.lines;
        if (length > facts_.longest_line)
            facts_.longest_line = length;
    }
    [[nodiscard]] bool at_line_start() const { return line_length_ == 0; }

private:
    std::string bytes_;
    ContentFacts facts_;
    std::size_t line_length_ = 0; // of the line being put together
};

} // namespace facteur::mail
