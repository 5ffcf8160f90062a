#include "mail/address.h"

#include "base/text.h"

namespace facteur::mail {
namespace {

// RFC 5322 atext, with all of 8-bit text let through and controls refused.
bool is_atext(char c)
{
    constexpr std::string_view kSpecials = "()<>@,;:\\\".[]";
    const auto byte = static_cast<unsigned char>(c);
    return byte > 32 && byte != 127 && kSpecials.find(c) == kSpecials.npos;
}

bool is_dot_atom(std::string_view local)
{
    if (local.empty() || local.front() == '.' || local.back() == '.')
        return false;
    for (std::size_t i = 0; i < local.size(); ++i) {
        if (local[i] == '.' ? local[i + 1] == '.' : !is_atext(local[i]))
            return false;
    }
    return true;
}

// Position of the '@' that ends the local part of external form; npos when there is none.
std::size_t external_at(std::string_view external)
{
    std::size_t at = external.npos;
    bool quoted = false;
    for (std::size_t i = 0; i < external.size(); ++i) {
        if (external[i] == '\\')
            ++i;
        else if (external[i] == '"')
            quoted = !quoted;
        else if (external[i] == '@' && !quoted)
            at = i;
    }
    return at;
}

} // namespace

AddressParts split_address(std::string_view internal)
{
    const auto at = internal.rfind('@');
    if (at == internal.npos)
        return {.local = internal, .domain = {}, .has_domain = false};
    return {.local = internal.substr(0, at), .domain = internal.substr(at + 1), .has_domain = true};
}

std::string quote_local_part(std::string_view local)
{
    if (is_dot_atom(local))
        return std::string{local};
    std::string out = "\"";
    for (const char c : local) {
        if (c == '"' || c == '\\' || c == '\r')
            out += '\\';
        out += c;
    }
    out += '"';
    return out;
}

std::string to_external(std::string_view internal)
{
    if (internal.empty())
        return {};
    const AddressParts parts = split_address(internal);
    std::string out = quote_local_part(parts.local);
    if (parts.has_domain)
        out.append("@").append(parts.domain);
    return out;
}

std::string to_internal(std::string_view external)
{
    const auto at = external_at(external);
    const std::string_view local = external.substr(0, at);
    std::string out;
    out.reserve(external.size());
    for (std::size_t i = 0; i < local.size(); ++i) {
        if (local[i] == '"')
            continue;
        if (local[i] == '\\' && ++i == local.size())
            break;
        out += local[i];
    }
    if (at != external.npos)
        out += external.substr(at);
    return out;
}

Extension split_extension(std::string_view local, std::string_view delimiters, bool owner_request_special)
{
    const Extension whole{.user = local, .extension = {}};
    // Names that the mail system itself depends on stay whole.
    for (const std::string_view reserved : {"postmaster", "mailer-daemon", "double-bounce"})
        if (text::iequals(local, reserved))
            return whole;
    if (owner_request_special && delimiters.find('-') != delimiters.npos) {
        if (local.size() > 6 && text::istarts_with(local, "owner-"))
            return whole;
        if (local.size() > 8 && text::iends_with(local, "-request"))
            return whole;
    }
    const auto at = local.find_first_of(delimiters);
    if (at == local.npos || at == 0)
        return whole;
    return {.user = local.substr(0, at), .extension = local.substr(at)};
}

} // namespace facteur::mail
