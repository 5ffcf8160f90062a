// Case folding of lookup keys.
#pragma once

#include <string>
#include <string_view>

namespace facteur::table {

enum class FoldRange { ascii, unicode };

// ASCII letters go to lower case; FoldRange::unicode applies Unicode's full case folding where the text is UTF-8.
std::string fold_key(std::string_view key, FoldRange range);

} // namespace facteur::table
