// Values that name files (postmap -F): the table holds the files' content in base64.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::table {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// The files named in a comma or space separated list, joined with a newline, in base64. The error says which file
// cannot be read.
std::expected<std::string, std::string> base64_of_files(std::string_view names);

} // namespace facteur::table
