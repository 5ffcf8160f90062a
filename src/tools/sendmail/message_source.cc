#include "tools/sendmail/message_source.h"

#include "base/text.h"
#include "mail/address.h"
#include "mail/header.h"

namespace facteur::sendmail {

namespace {

bool is_from_line(std::string_view line)
{
    const auto start = line.find_first_not_of('>');
    return start != line.npos && line.substr(start).starts_with("From ");
}

bool is_continuation(std::string_view line)
{
    return line.starts_with(' ') || line.starts_with('\t');
}

} // namespace

Carriage carriage_of(std::string_view fix_line_endings)
{
    if (fix_line_endings == "never")
        return Carriage::keep;
    return fix_line_endings == "strict" ? Carriage::as_first_line : Carriage::strip;
}

bool LineFilter::line(std::string_view text, std::string& out)
{
    if (carriage_ == Carriage::as_first_line)
        carriage_ = text.ends_with('\r') ? Carriage::strip : Carriage::keep;
    if (at_start_ && is_from_line(text))
        return true;
    at_start_ = false;
    while (carriage_ == Carriage::strip && text.ends_with('\r'))
        text.remove_suffix(1);
    if (dot_ends_ && text == ".") {
        ended_ = true;
        return false;
    }
    out.append(text).push_back('\n');
    return true;
}

bool LineFilter::take(std::string_view bytes, std::string& out)
{
    while (!ended_ && !bytes.empty()) {
        const auto newline = bytes.find('\n');
        if (newline == bytes.npos) {
            partial_.append(bytes);
            return true;
        }
        if (partial_.empty()) {
            line(bytes.substr(0, newline), out);
        } else {
            partial_.append(bytes.substr(0, newline));
            const std::string whole = std::exchange(partial_, {});
            line(whole, out);
        }
        bytes.remove_prefix(newline + 1);
    }
    return !ended_;
}

void LineFilter::finish(std::string& out)
{
    if (!ended_ && !partial_.empty())
        line(std::exchange(partial_, {}), out);
}

std::optional<std::size_t> header_end(std::string_view message)
{
    for (std::size_t at = 0;;) {
        const auto newline = message.find('\n', at);
        if (newline == message.npos)
            return std::nullopt;
        const std::string_view line = message.substr(at, newline - at);
        if (mail::header_name_length(line) == 0 && !(is_continuation(line) && at > 0 && !text::trim(line).empty()))
            return at;
        at = newline + 1;
    }
}

std::vector<std::string> header_recipients(std::string_view header_block)
{
    std::vector<std::string> plain;
    std::vector<std::string> resent;
    mail::HeaderScanner headers(header_block);
    while (const auto field = headers.next()) {
        const mail::HeaderKind& kind = mail::header_kind(field->name);
        if (!kind.extract)
            continue;
        auto& into = kind.resent ? resent : plain;
        for (std::string& address : mail::header_addresses(field->value))
            into.push_back(std::move(address));
    }
    return resent.empty() ? plain : resent;
}

} // namespace facteur::sendmail
