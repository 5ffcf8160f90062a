// Lines as postconf prints them: white space made single, folded on demand.
#pragma once

#include <string>
#include <string_view>

namespace facteur::postconf {

constexpr std::size_t kLineLimit = 80;
constexpr std::size_t kIndent = 4;

enum class Folding { no, yes };

// The words of text with one space between them and a newline at the end.
std::string normalized_line(std::string_view text, Folding folding);

bool has_space(std::string_view text);
std::string json_string(std::string_view text);
void write_out(std::string_view text);

} // namespace facteur::postconf
