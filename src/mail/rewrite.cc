#include "mail/rewrite.h"

#include "base/text.h"
#include "mail/address.h"
#include "mail/marked_text.h"

namespace facteur::mail {
namespace {

bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool joins_words(char c)
{
    return std::string_view{"@.!%,:;<>"}.find(c) != std::string_view::npos;
}

// True for the addresses that nearly all are, which rewriting leaves alone.
bool is_plain_and_complete(std::string_view address)
{
    std::size_t at = address.npos;
    bool dot = false;
    for (std::size_t i = 0; i < address.size(); ++i) {
        const char c = address[i];
        if (c == '@') {
            if (at != address.npos || i == 0)
                return false;
            at = i;
        } else if (c == '.') {
            if (i == 0 || i + 1 == address.size() || address[i + 1] == '.' || address[i - 1] == '@' ||
                address[i + 1] == '@')
                return false;
            dot |= at != address.npos;
        } else if (!text::is_alnum(c) && c != '-' && c != '_' && c != '+' && c != '=') {
            return false;
        }
    }
    return dot;
}

} // namespace

void MarkedText::add(char c, char mark)
{
    text_ += c;
    marks_ += mark;
}

MarkedText MarkedText::from_external(std::string_view external)
{
    MarkedText out;
    char closing = '\0';
    bool space = false;
    for (std::size_t i = 0; i < external.size(); ++i) {
        char c = external[i];
        if (closing == '\0' && is_blank(c)) {
            space = !out.empty();
            continue;
        }
        // Words with only space between stay apart.
        if (space && (c == '<' || out.text_.back() == ',' || (!joins_words(c) && !joins_words(out.text_.back()))))
            out.add(' ', kProtected);
        space = false;
        if (c == '\\') {
            if (++i < external.size())
                out.add(external[i], kProtected);
        } else if (closing == '\0' && (c == '"' || c == '[')) {
            closing = c == '"' ? '"' : ']';
            out.quoted_ |= c == '"';
            if (c == '[')
                out.add(c, kProtected);
        } else if (closing != '\0' && c == closing) {
            if (c == ']')
                out.add(c, kProtected);
            closing = '\0';
        } else {
            out.add(c, closing == '\0' ? kPlain : kProtected);
        }
    }
    if (closing == ']')
        out.add(']', kProtected);
    return out;
}

MarkedText MarkedText::from_internal(std::string_view internal)
{
    MarkedText out;
    out.append(internal);
    const auto at = internal.rfind('@');
    if (at != internal.npos && at + 1 < internal.size() && internal[at + 1] == '[') {
        for (std::size_t i = at + 1; i < internal.size(); ++i) {
            out.marks_[i] = kProtected;
            if (internal[i] == ']')
                return out;
        }
        out.add(']', kProtected);
    }
    return out;
}

std::size_t MarkedText::find(char c, std::size_t from) const
{
    for (auto at = text_.find(c, from); at != npos; at = text_.find(c, at + 1))
        if (is_operator(at))
            return at;
    return npos;
}

std::size_t MarkedText::rfind(char c) const
{
    for (auto at = text_.rfind(c); at != npos; at = text_.rfind(c, at - 1)) {
        if (is_operator(at))
            return at;
        if (at == 0)
            break;
    }
    return npos;
}

void MarkedText::append(std::string_view plain)
{
    text_ += plain;
    marks_.append(plain.size(), kPlain);
}

void MarkedText::erase(std::size_t from, std::size_t count)
{
    text_.erase(from, count);
    marks_.erase(from, count);
}

void MarkedText::set_operator(std::size_t at, char c)
{
    text_[at] = c;
    marks_[at] = kPlain;
}

void MarkedText::swap_around(std::size_t at, char between)
{
    text_ = text_.substr(at + 1) + between + text_.substr(0, at);
    marks_ = marks_.substr(at + 1) + kPlain + marks_.substr(0, at);
}

std::string MarkedText::external() const
{
    std::string out;
    std::size_t local = 0;
    // A source route that leads to nothing cannot be taken off; it is no part of the local part either.
    if (is_operator(0) && text_[0] == '@' && find(':') != npos) {
        local = find(':') + 1;
        out = text_.substr(0, local);
    }
    const auto at = local == 0 ? rfind('@') : npos;
    out += quote_local_part(std::string_view{text_}.substr(local, at == npos ? npos : at - local));
    if (at != npos)
        out += text_.substr(at);
    return out;
}

void strip_final_dot(MarkedText& address)
{
    const std::string& text = address.text();
    const std::size_t last = text.size() - 1;
    if (text.size() < 2 || text[last] != '.' || !address.is_operator(last))
        return;
    const char before = text[last - 1];
    if (address.is_operator(last - 1) && (before == '.' || before == '@'))
        return;
    address.erase(last);
}

void rewrite_marked(MarkedText& address, RewriteContext context, const RewriteSettings& settings, Complete complete)
{
    const bool local = context == RewriteContext::local;
    const std::string& origin = local ? settings.myorigin : settings.remote_header_rewrite_domain;
    const std::string& parent = local ? settings.mydomain : settings.remote_header_rewrite_domain;

    // Source route.
    if (address.is_operator(0) && address.text()[0] == '@') {
        const auto colon = address.find(':');
        if (colon != MarkedText::npos && colon + 1 < address.text().size())
            address.erase(0, colon + 1);
    }
    if (address.is_lone_at())
        address.erase(0);
    if (address.empty())
        return;

    if (settings.swap_bangpath && address.rfind('@') == MarkedText::npos)
        if (const auto bang = address.find('!'); bang != MarkedText::npos)
            address.swap_around(bang, '@');
    if (settings.allow_percent_hack && address.rfind('@') == MarkedText::npos)
        if (const auto percent = address.rfind('%'); percent != MarkedText::npos)
            address.set_operator(percent, '@');

    if (complete == Complete::all && settings.append_at_myorigin && !origin.empty() &&
        address.rfind('@') == MarkedText::npos) {
        address.append("@");
        address.append(origin);
    }
    if (const auto at = address.rfind('@'); at != MarkedText::npos && at + 1 < address.text().size())
        if (settings.append_dot_mydomain && !parent.empty() && !address.ends_with_literal() &&
            address.find('.', at) == MarkedText::npos) {
            address.append(".");
            address.append(parent);
        }
    strip_final_dot(address);
}

std::string rewrite_external(std::string_view address, RewriteContext context, const RewriteSettings& settings)
{
    if (address.empty() || is_plain_and_complete(address))
        return std::string{address};
    MarkedText marked = MarkedText::from_external(address);
    rewrite_marked(marked, context, settings, Complete::all);
    return marked.external();
}

std::string rewrite(std::string_view address, RewriteContext context, const RewriteSettings& settings)
{
    if (address.empty() || is_plain_and_complete(address))
        return std::string{address};
    return to_internal(rewrite_external(to_external(address), context, settings));
}

} // namespace facteur::mail
