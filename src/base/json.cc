#include "base/json.h"

#include "base/text.h"

#include <fmt/format.h>

namespace facteur {

namespace {

std::string quoted(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\b':
            out += "\\b";
            break;
        case '\f':
            out += "\\f";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            if (static_cast<unsigned char>(c) < ' ')
                out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
            else
                out += c;
        }
    }
    return out + '"';
}

} // namespace

std::string json_string(std::string_view text)
{
    return text::valid_utf8(text) ? quoted(text) : quoted(text::printable(text));
}

} // namespace facteur
