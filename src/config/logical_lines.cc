#include "config/logical_lines.h"

#include "base/text.h"

namespace facteur::config {

std::vector<LogicalLine> logical_lines(std::string_view file_text)
{
    std::vector<LogicalLine> lines;
    int number = 0;
    while (!file_text.empty()) {
        ++number;
        const auto end = file_text.find('\n');
        auto physical = file_text.substr(0, end);
        file_text.remove_prefix(end == file_text.npos ? file_text.size() : end + 1);

        const auto visible = text::trim(physical);
        if (visible.empty() || visible.front() == '#')
            continue;
        const bool continues = text::is_space(physical.front());
        if (continues && !lines.empty())
            lines.back().text.append(physical);
        else
            lines.push_back({std::string(physical), number, continues});
    }
    return lines;
}

NameValue split_name_value(std::string_view line)
{
    auto rest = text::trim(line);
    const auto name_end = std::min(rest.find_first_of(" \t\r\n\v\f="), rest.size());
    NameValue out;
    out.name = rest.substr(0, name_end);
    if (out.name.empty()) {
        out.error = "missing attribute name";
        return out;
    }
    rest = text::trim(rest.substr(name_end));
    if (rest.empty() || rest.front() != '=') {
        out.error = "missing '=' after attribute name";
        return out;
    }
    out.value = text::trim(rest.substr(1));
    return out;
}

} // namespace facteur::config
