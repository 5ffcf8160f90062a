#include "tools/postconf/print.h"

#include "base/text.h"

#include <fmt/format.h>

#include <cstdio>

namespace facteur::postconf {

std::string normalized_line(std::string_view text, Folding folding)
{
    std::string out;
    std::size_t length = 0;
    for (const auto word : text::split(text, " \t\r\n\v\f")) {
        if (!out.empty()) {
            if (folding == Folding::no || length + 1 + word.size() <= kLineLimit) {
                out.push_back(' ');
                ++length;
            } else {
                out.append("\n").append(kIndent, ' ');
                length = kIndent;
            }
        }
        out.append(word);
        length += word.size();
    }
    out.push_back('\n');
    return out;
}

bool has_space(std::string_view text)
{
    return text.find_first_of(" \t\r\n\v\f") != text.npos;
}

std::string json_string(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out.append({'\\', c});
        else if (static_cast<unsigned char>(c) < 32)
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        else
            out.push_back(c);
    }
    out.push_back('"');
    return out;
}

void write_out(std::string_view text)
{
    std::fwrite(text.data(), 1, text.size(), stdout);
}

} // namespace facteur::postconf
