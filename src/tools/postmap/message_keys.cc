#include "message_keys.h"

#include "base/text.h"

#include <optional>

namespace facteur::postmap {
namespace {

constexpr std::size_t kDeepest = 100;

// "name:", white space before the colon allowed.
bool is_header(std::string_view line)
{
    const auto colon = line.find(':');
    if (colon == line.npos)
        return false;
    auto name = line.substr(0, colon);
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t'))
        name.remove_suffix(1);
    for (const char c : name)
        if (c <= ' ' || c == '\x7f')
            return false;
    return !name.empty();
}

// The value of a Content-Type parameter. Nothing when there is none.
std::optional<std::string> parameter(std::string_view value, std::string_view name)
{
    for (auto rest = value; rest.find(';') != rest.npos;) {
        rest = text::trim(rest.substr(rest.find(';') + 1));
        if (!text::istarts_with(rest, name))
            continue;
        auto after = text::trim(rest.substr(name.size()));
        if (!after.starts_with('='))
            continue;
        after = text::trim(after.substr(1));
        if (!after.starts_with('"'))
            return std::string(after.substr(0, after.find_first_of("; \t\r\n")));
        std::string unquoted;
        for (std::size_t i = 1; i < after.size() && after[i] != '"'; ++i) {
            if (after[i] == '\\' && i + 1 < after.size())
                ++i;
            unquoted += after[i];
        }
        return unquoted;
    }
    return std::nullopt;
}

} // namespace

void MessageCutter::line(std::string_view line)
{
    if (part_ == Part::headers)
        header_line(line);
    else
        body_line(line);
}

void MessageCutter::finish()
{
    if (part_ == Part::headers)
        end_header();
}

void MessageCutter::header_line(std::string_view line)
{
    if (!line.empty() && (line.front() == ' ' || line.front() == '\t') && !header_.empty()) {
        header_.append("\n").append(line);
        return;
    }
    end_header();
    if (is_header(line)) {
        header_ = line;
        return;
    }
    end_headers();
    if (!line.empty()) {
        follows_ = Follows::body;
        part_ = Part::body;
        body_line(line);
    }
}

void MessageCutter::end_header()
{
    if (header_.empty())
        return;
    if (wanted_.headers)
        take_(header_);
    constexpr std::string_view kContentType = "content-type";
    const auto colon = header_.find(':');
    if (wanted_.mime && text::iequals(text::trim(std::string_view(header_).substr(0, colon)), kContentType))
        note_content_type(std::string_view(header_).substr(colon + 1));
    header_.clear();
}

// The empty line between headers and body, or in its place the first line that is no header.
void MessageCutter::end_headers()
{
    if (wanted_.body)
        take_({});
    part_ = follows_ == Follows::headers ? Part::headers : Part::body;
    follows_ = Follows::body;
}

void MessageCutter::note_content_type(std::string_view value)
{
    const auto type = text::trim(value.substr(0, value.find_first_of("; \t\r\n", value.find_first_not_of(" \t\r\n"))));
    follows_ = text::iequals(type, "message/rfc822") || text::iequals(type, "message/global") ? Follows::headers
                                                                                              : Follows::body;
    if (!text::istarts_with(type, "multipart/") || open_.size() == kDeepest)
        return;
    if (auto boundary = parameter(value, "boundary"); boundary && !boundary->empty())
        open_.push_back({std::move(*boundary), text::iequals(type, "multipart/digest")});
}

void MessageCutter::body_line(std::string_view line)
{
    if (wanted_.body)
        take_(line);
    if (wanted_.mime && line.starts_with("--") && take_boundary(line.substr(2)))
        part_ = Part::headers;
}

// True when the line opens a part. A closing boundary ends its multipart.
bool MessageCutter::take_boundary(std::string_view line)
{
    for (std::size_t i = open_.size(); i-- > 0;) {
        if (!line.starts_with(open_[i].boundary))
            continue;
        const auto rest = line.substr(open_[i].boundary.size());
        const bool closes = rest.starts_with("--");
        open_.resize(closes ? i : i + 1);
        if (!closes)
            follows_ = open_[i].digest ? Follows::headers : Follows::body;
        return !closes;
    }
    return false;
}

} // namespace facteur::postmap
