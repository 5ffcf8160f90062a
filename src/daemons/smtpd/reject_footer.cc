#include "daemons/smtpd/reject_footer.h"

#include "base/text.h"

#include <fmt/format.h>

#include <ctime>

namespace facteur::smtpd {

namespace {

std::string local_time()
{
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char shown[40];
    std::strftime(shown, sizeof shown, "%b %d %H:%M:%S", &local);
    return shown;
}

std::string value_of(std::string_view name, const FooterValues& values)
{
    const Facts& facts = values.facts;
    const std::string recipient = facts.recipient.value_or("");
    const std::string sender = facts.sender.value_or("");
    const auto local_part = [](const std::string& address) { return address.substr(0, address.rfind('@')); };
    const auto domain_part = [](const std::string& address) {
        const auto at = address.rfind('@');
        return at == address.npos ? std::string() : address.substr(at + 1);
    };
    if (name == "client")
        return facts.client.shown;
    if (name == "client_address")
        return facts.client.address;
    if (name == "client_name")
        return facts.client.name;
    if (name == "client_port")
        return facts.client.port;
    if (name == "helo_name")
        return facts.helo_name.value_or("");
    if (name == "sender")
        return sender.empty() ? "<>" : sender;
    if (name == "sender_name")
        return sender.empty() ? "mailer-daemon" : local_part(sender);
    if (name == "sender_domain")
        return domain_part(sender);
    if (name == "recipient")
        return recipient;
    if (name == "recipient_name")
        return local_part(recipient);
    if (name == "recipient_domain")
        return domain_part(recipient);
    if (name == "localtime")
        return local_time();
    if (name == "server_name" || name == "myhostname")
        return values.settings.myhostname;
    if (name == "mail_name")
        return values.settings.mail_name;
    return {};
}

// $name, ${name}, ${name?text}, ${name:text}; "$$" is a dollar sign.
std::string expand(std::string_view text, const FooterValues& values)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '$') {
            out += text[i];
            continue;
        }
        if (i + 1 < text.size() && text[i + 1] == '$') {
            out += text[i++];
            continue;
        }
        std::string_view inner;
        if (i + 1 < text.size() && (text[i + 1] == '{' || text[i + 1] == '(')) {
            const auto close = text.find(text[i + 1] == '{' ? '}' : ')', i);
            inner = text.substr(i + 2, close == text.npos ? close : close - i - 2);
            i = close == text.npos ? text.size() : close;
        } else {
            std::size_t end = i + 1;
            while (end < text.size() && (text::is_alnum(text[end]) || text[end] == '_'))
                ++end;
            inner = text.substr(i + 1, end - i - 1);
            i = end - 1;
        }
        const auto split = inner.find_first_of("?:");
        const std::string value = value_of(inner.substr(0, split), values);
        if (split == inner.npos)
            out += value;
        else if (value.empty() == (inner[split] == ':'))
            out += expand(inner.substr(split + 1), values);
    }
    return out;
}

} // namespace

std::string add_reject_footer(std::string_view reply, std::string_view footer, const FooterValues& values)
{
    std::string full(reply);
    const bool continues = footer.starts_with("\\c");
    if (continues)
        footer.remove_prefix(2);
    else
        full += '\n';
    while (true) {
        const auto newline = footer.find("\\n");
        full += expand(footer.substr(0, newline), values);
        if (newline == footer.npos)
            return full;
        full += '\n';
        footer.remove_prefix(newline + 2);
    }
}

} // namespace facteur::smtpd
