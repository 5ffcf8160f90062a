#include "mail/content_output.h"

#include <algorithm>

namespace facteur::mail {

void clean_line(std::string& line, const ContentOptions& options, ContentFacts& facts)
{
    if (options.input == InputLines::crlf)
        while (line.ends_with('\r'))
            line.pop_back();
    if (!options.reject_characters.empty() && line.find_first_of(options.reject_characters) != line.npos)
        facts.rejected_character = true;
    if (!options.strip_characters.empty())
        std::erase_if(line, [&](char c) { return options.strip_characters.find(c) != std::string::npos; });
    if (line.find('\r') != line.npos) {
        facts.stray_cr = true;
        if (options.replace_stray_cr_lf)
            std::ranges::replace(line, '\r', ' ');
    }
}

} // namespace facteur::mail
