// -e, -X and -#: changes to main.cf and master.cf that keep comments and order.
#pragma once

#include "tools/postconf/options.h"

#include <string>
#include <string_view>

namespace facteur::postconf {

Result edit_main(const std::string& directory, const Options& options);
Result edit_master(const std::string& directory, const Options& options);

// "x" with its newline, off the front of text.
std::string_view take_line(std::string_view& text);

enum class LineKind { comment, continuation, start };
LineKind kind_of_line(std::string_view line);

// Arguments that no edit takes: comments and several lines.
Result check_edit_arguments(const Options& options);

} // namespace facteur::postconf
