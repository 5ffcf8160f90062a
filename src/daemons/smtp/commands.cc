#include "daemons/smtp/commands.h"

#include "base/log.h"
#include "base/text.h"
#include "ipc/flags.h"
#include "mail/address.h"
#include "smtp/xtext.h"

namespace facteur::smtp_client {

namespace {

std::string path(std::string_view internal, const Settings& settings)
{
    return settings.quote_envelope ? mail::to_external(internal) : std::string(internal);
}

// RFC 6533 s3: what a utf-8 address in ORCPT escapes. A server without SMTPUTF8 gets ASCII only.
std::string unitext_encode(std::string_view address, bool smtputf8)
{
    std::string out;
    for (std::size_t i = 0; i < address.size();) {
        const auto byte = static_cast<unsigned char>(address[i]);
        std::size_t length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
        length = std::min(length, address.size() - i);
        const bool special = byte <= ' ' || byte == 0x7f || byte == '\\' || byte == '+' || byte == '=';
        if ((byte < 0x80 && !special) || (byte >= 0x80 && smtputf8)) {
            out += address.substr(i, length);
        } else {
            unsigned point = byte < 0x80 ? byte : byte & (0xffU >> (length + 1));
            for (std::size_t k = 1; k < length; ++k)
                point = point << 6 | (static_cast<unsigned char>(address[i + k]) & 0x3fU);
            out += fmt::format("\\x{{{:02X}}}", point);
        }
        i += length;
    }
    return out;
}

std::string orcpt(const queue::Recipient& recipient, bool smtputf8)
{
    constexpr std::string_view kUtf8 = "utf-8;";
    std::string value = recipient.dsn_orcpt();
    if (value.empty()) {
        const std::string& original = recipient.original().empty() ? recipient.address() : recipient.original();
        const std::string external = mail::to_external(original);
        value = (text::all_ascii(external) ? "rfc822;" : "utf-8;") + external;
    }
    if (text::istarts_with(value, kUtf8))
        return fmt::format("{}{}", kUtf8, unitext_encode(std::string_view(value).substr(kUtf8.size()), smtputf8));
    return smtp::xtext_encode(value);
}

std::string notify_words(std::uint32_t bits)
{
    if (bits & ipc::notify::never)
        return "NEVER";
    std::string words;
    const auto add = [&](std::uint32_t bit, std::string_view word) {
        if (bits & bit)
            words += (words.empty() ? "" : ",") + std::string(word);
    };
    add(ipc::notify::success, "SUCCESS");
    add(ipc::notify::failure, "FAILURE");
    add(ipc::notify::delay, "DELAY");
    return words;
}

bool known(std::string_view attribute)
{
    return !attribute.empty() && !text::iequals(attribute, "unknown");
}

class Xforward {
public:
    explicit Xforward(const ServerFeatures& server) : server_(server) {}
    Xforward& add(std::uint32_t bit, std::string_view name, std::string_view value)
    {
        if ((server_.xforward_bits & bit) && known(value))
            line_ += fmt::format(" {}={}", name, smtp::xtext_encode(value));
        return *this;
    }
    [[nodiscard]] std::string line() const { return line_.empty() ? "" : "XFORWARD" + line_; }

private:
    const ServerFeatures& server_;
    std::string line_;
};

std::string body_parameter(const Message& message)
{
    const std::string& encoding = message.envelope.encoding();
    if (encoding == "8bit")
        return " BODY=8BITMIME";
    if (encoding == "7bit")
        return " BODY=7BIT";
    if (!encoding.empty())
        log::warning("{}: unknown content encoding: {}", message.queue_id, text::printable(encoding));
    return {};
}

} // namespace

bool Message::requires_smtputf8() const
{
    return (envelope.smtputf8() & ipc::smtputf8::requested) && (envelope.smtputf8() & ~ipc::smtputf8::requested);
}

bool must_downgrade(const Message& message, const ServerFeatures& server, const Settings& settings)
{
    return settings.mime_conversion && !server.has(feature::eightbitmime) && message.envelope.encoding() != "7bit";
}

std::string mail_command(const Message& message, const ServerFeatures& server, const Settings& settings)
{
    std::string line = fmt::format("MAIL FROM:<{}>", path(message.envelope.sender(), settings));
    // After a conversion the size is another one.
    if (server.has(feature::size) && !must_downgrade(message, server, settings))
        line += fmt::format(" SIZE={}", message.content.size);
    if (server.has(feature::eightbitmime))
        line += body_parameter(message);
    if (server.has(feature::dsn)) {
        if (!message.envelope.dsn_envid().empty())
            line += " ENVID=" + smtp::xtext_encode(message.envelope.dsn_envid());
        if (message.envelope.dsn_ret() != 0)
            line += message.envelope.dsn_ret() == ipc::ret::full ? " RET=FULL" : " RET=HDRS";
    }
    if (server.has(feature::smtputf8) && (message.envelope.smtputf8() & ipc::smtputf8::requested))
        line += " SMTPUTF8";
    if (server.has(feature::auth) && settings.dummy_mail_auth)
        line += " AUTH=<>";
    return line;
}

std::string rcpt_command(const queue::Recipient& recipient, const ServerFeatures& server, const Settings& settings)
{
    std::string line = fmt::format("RCPT TO:<{}>", path(recipient.address(), settings));
    if (server.has(feature::dsn)) {
        line += " ORCPT=" + orcpt(recipient, server.has(feature::smtputf8));
        if (recipient.dsn_notify() != 0)
            line += " NOTIFY=" + notify_words(recipient.dsn_notify());
    }
    return line;
}

std::string xforward_client_command(const queue::Envelope& envelope, const ServerFeatures& server)
{
    const queue::Origin& origin = envelope.origin();
    return Xforward(server)
        .add(xforward::name, "NAME", origin.client_name())
        .add(xforward::address, "ADDR", origin.client_address())
        .add(xforward::port, "PORT", origin.client_port())
        .line();
}

std::string xforward_protocol_command(const queue::Envelope& envelope, const ServerFeatures& server)
{
    const queue::Origin& origin = envelope.origin();
    const bool local = envelope.rewrite_context() == "local";
    return Xforward(server)
        .add(xforward::protocol, "PROTO", origin.protocol_name())
        .add(xforward::helo, "HELO", origin.helo_name())
        .add(xforward::ident, "IDENT", origin.log_ident())
        .add(xforward::source, "SOURCE", local ? "LOCAL" : "REMOTE")
        .line();
}

std::string added_headers(const Message& message, const AddedHeaders& which)
{
    std::string headers;
    if (which.return_path)
        headers += fmt::format("Return-Path: <{}>\r\n", mail::to_external(message.envelope.sender()));
    if (message.recipients.empty())
        return headers;
    const queue::Recipient& first = *message.recipients.front();
    if (which.original_to)
        headers += fmt::format("X-Original-To: {}\r\n",
                               mail::to_external(first.original().empty() ? first.address() : first.original()));
    if (which.delivered_to)
        headers += fmt::format("Delivered-To: {}\r\n", mail::to_external(first.address()));
    return headers;
}

} // namespace facteur::smtp_client
