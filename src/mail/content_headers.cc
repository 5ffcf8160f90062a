#include "mail/content_headers.h"

#include "base/text.h"
#include "mail/address.h"

#include <algorithm>

namespace facteur::mail {
namespace {

// Where the value begins: after the colon and white space.
std::size_t value_offset(std::string_view header, std::size_t name_length)
{
    std::size_t at = header.find(':', name_length) + 1;
    while (at < header.size() && text::is_space(header[at]))
        ++at;
    return at;
}

std::string quoted_string(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + '"';
}

// RFC 5322 phrase: words as they are, anything else as one quoted string.
std::string phrase(std::string_view name)
{
    std::string words;
    for (const std::string_view word : text::split(name, " \t")) {
        if (quote_local_part(word) != word || word.find('.') != word.npos)
            return quoted_string(name);
        words.append(words.empty() ? "" : " ").append(word);
    }
    return words;
}

std::string comment(std::string_view name)
{
    std::string out = "(";
    for (const char c : name) {
        if (c == '(' || c == ')' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + ')';
}

} // namespace

void ContentHeaders::put_prepended()
{
    std::string_view rest = options_.prepend;
    while (!rest.empty()) {
        // A header ends where the next line begins without white space.
        std::size_t end = rest.find('\n');
        while (end != rest.npos && end + 1 < rest.size() && (rest[end + 1] == ' ' || rest[end + 1] == '\t'))
            end = rest.find('\n', end + 1);
        std::string_view header = rest.substr(0, end);
        if (header.ends_with('\r'))
            header.remove_suffix(1);
        output_.put_header(header);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    }
}

// False when the header is to be left out.
bool ContentHeaders::check(std::string& header)
{
    if (!hooks_.header_check)
        return true;
    const HeaderKind& kind = header_kind(std::string_view{header}.substr(0, header_name_length(header)));
    CheckVerdict verdict = hooks_.header_check(kind.mime ? HeaderClass::mime : HeaderClass::primary, header);
    switch (verdict.action) {
    case CheckVerdict::Action::keep:
        break;
    case CheckVerdict::Action::drop:
        return false;
    case CheckVerdict::Action::replace:
        header = std::move(verdict.text);
        break;
    case CheckVerdict::Action::prepend:
        output_.put_header(verdict.text);
        break;
    }
    return true;
}

bool ContentHeaders::is_dropped(std::string_view name) const
{
    return std::ranges::any_of(options_.drop_headers,
                               [&](const std::string& drop) { return text::iequals(drop, name); });
}

void ContentHeaders::note(const HeaderKind& kind, std::string_view value)
{
    ContentFacts& facts = output_.facts();
    seen_.set(static_cast<std::size_t>(kind.id));
    facts.resent |= kind.resent;
    switch (kind.id) {
    case HeaderId::received:
        ++facts.received_count;
        break;
    case HeaderId::from:
        facts.has_from = true;
        break;
    case HeaderId::mime_version:
        facts.has_mime_version = true;
        break;
    case HeaderId::message_id:
        facts.message_id = value;
        break;
    case HeaderId::resent_message_id:
        facts.resent_message_id = value;
        break;
    default:
        break;
    }
}

void ContentHeaders::rewrite(std::string& header, std::size_t name_length, const HeaderKind& kind)
{
    AddressRewriter rewriter{.complete = hooks_.complete_address, .map = {}};
    const AddressRole role = kind.sender_addresses ? AddressRole::header_sender : AddressRole::header_recipient;
    if (hooks_.rewrite_address)
        rewriter.map = [this, role](std::string_view address) { return hooks_.rewrite_address(address, role); };
    if (!rewriter.complete && !rewriter.map)
        return;
    const HeaderLayout layout{.first_column = name_length + 2, .token_limit = options_.header_address_token_limit};
    const std::string_view value = std::string_view{header}.substr(value_offset(header, name_length));
    if (auto changed = rewrite_header(value, rewriter, layout)) {
        std::erase(*changed, '\r');
        header = header.substr(0, name_length) + ": " + *changed;
        header.resize(std::min(header.size(), options_.header_size_limit));
    }
}

void ContentHeaders::extract(const HeaderKind& kind, std::string_view value)
{
    ContentFacts& facts = output_.facts();
    std::vector<std::string>& list = kind.resent ? facts.resent_recipients : facts.recipients;
    for (std::string& address : header_addresses(value, options_.extract_limit + 1)) {
        if (facts.recipients.size() + facts.resent_recipients.size() >= options_.extract_limit) {
            facts.extract_overflow = true;
            return;
        }
        list.push_back(std::move(address));
    }
}

void ContentHeaders::take(std::string header)
{
    // A NUL ends the header, as it does for every program that reads it as a C string.
    if (const auto nul = header.find('\0'); nul != header.npos)
        header.resize(nul);
    if (!check(header))
        return;
    const std::size_t name_length = header_name_length(header);
    if (name_length == 0) {
        output_.put_header(header);
        return;
    }
    const auto colon = header.find(':', name_length);
    header.erase(name_length, colon - name_length); // "Subject : x"

    const std::string name = header.substr(0, name_length);
    const HeaderKind& kind = header_kind(name);
    if (kind.id != HeaderId::other) {
        note(kind, std::string_view{header}.substr(value_offset(header, name_length)));
        if (kind.has_addresses())
            rewrite(header, name_length, kind);
        if (kind.extract && options_.extract_recipients)
            extract(kind, std::string_view{header}.substr(value_offset(header, name_length)));
    }
    if (!is_dropped(name))
        output_.put_header(header);
}

void ContentHeaders::add(std::string_view name, std::string_view value)
{
    std::string header = output_.facts().resent ? "Resent-" : "";
    header.append(name).append(": ").append(value);
    output_.put_header(header);
}

std::string ContentHeaders::from_value() const
{
    if (options_.sender.empty())
        return "MAILER-DAEMON";
    const std::string address = to_external(options_.sender);
    const std::string_view name = text::trim(options_.full_name);
    if (name.empty())
        return address;
    if (options_.from_format == HeaderFromFormat::obsolete)
        return address + ' ' + comment(name);
    return phrase(name) + " <" + address + ">";
}

void ContentHeaders::finish()
{
    if (options_.add_missing == AddMissing::no)
        return;
    ContentFacts& facts = output_.facts();
    const bool resent = facts.resent;
    if (!seen(resent ? HeaderId::resent_message_id : HeaderId::message_id)) {
        add("Message-Id", options_.message_id);
        (resent ? facts.resent_message_id : facts.message_id) = options_.message_id;
    }
    if (!seen(resent ? HeaderId::resent_date : HeaderId::date))
        add("Date", options_.date);
    if (!seen(resent ? HeaderId::resent_from : HeaderId::from))
        add("From", from_value());
    const bool has_visible_recipient =
        seen(HeaderId::to) || seen(HeaderId::cc) || seen(HeaderId::resent_to) || seen(HeaderId::resent_cc);
    if (!has_visible_recipient && !options_.undisclosed_recipients_header.empty())
        output_.put_header(options_.undisclosed_recipients_header);
}

} // namespace facteur::mail
