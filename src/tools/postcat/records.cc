#include "tools/postcat/records.h"

#include <fmt/format.h>

#include <ctime>

namespace facteur::postcat {

namespace {

// The letters are Postfix's record types: -d prints their codes.
enum class Type : char {
    size = 'C',
    time = 'T',
    attribute = 'A',
    full_name = 'F',
    sender = 'S',
    filter = 'f',
    verp = 'V',
    warning = 'W',
    original = 'O',
    recipient = 'R',
    done = 'D',
    redirect = '>',
    message = 'M',
    text = 'N',
    extracted = 'X',
    end = 'E',
};

std::string date_text(std::int64_t seconds)
{
    const std::time_t time = seconds;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char text[64];
    const std::size_t length = std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts);
    return {text, length};
}

class Printer {
public:
    Printer(const Message& message, const Show& show) : message_(message), show_(show) {}

    std::string print()
    {
        if (show_.envelope)
            marker(Type::size, "ENVELOPE RECORDS", 0, NoPrefix::yes);
        envelope();
        if (show_.envelope)
            marker(Type::message, "MESSAGE CONTENTS", queue::kContentOffset);
        content();
        if (show_.envelope) {
            marker(Type::extracted, "HEADER EXTRACTED", message_.header.envelope_offset());
            marker(Type::end, "MESSAGE FILE END", message_.header.file_size());
        }
        return std::move(out_);
    }

private:
    enum class NoPrefix { no, yes };

    void prefix(Type type, std::uint64_t offset)
    {
        if (show_.offsets)
            out_ += fmt::format("{:9} ", offset);
        if (show_.decimal_types)
            out_ += fmt::format("{:3} ", static_cast<int>(type));
    }

    void marker(Type type, std::string_view title, std::uint64_t offset, NoPrefix bare = NoPrefix::no)
    {
        if (bare == NoPrefix::no)
            prefix(type, offset);
        out_ += fmt::format("*** {} {} ***\n", title, message_.name);
    }

    void record(Type type, std::string_view name, std::string_view value)
    {
        if (!show_.envelope)
            return;
        // Envelope records have no places of their own in our file: all stand where the envelope begins.
        prefix(type, type == Type::size ? 0 : message_.header.envelope_offset());
        out_ += fmt::format("{}: {}\n", name, value);
    }

    void attribute(std::string_view name, std::string_view value)
    {
        if (!value.empty())
            record(Type::attribute, "named_attribute", fmt::format("{}={}", name, value));
    }

    void number(std::string_view name, unsigned value)
    {
        if (value != 0)
            attribute(name, fmt::format("{}", value));
    }

    void envelope()
    {
        const queue::Envelope& envelope = message_.envelope;
        record(Type::size, "message_size",
               fmt::format("{:15} {:15} {:15} {:15} {:15} {:15}", message_.header.content_size, queue::kContentOffset,
                           envelope.recipients_size(), 0, message_.header.content_size, envelope.smtputf8()));
        record(Type::time, "message_arrival_time", date_text(envelope.arrival_seconds()));
        record(Type::attribute, "create_time", date_text(envelope.arrival_seconds()));
        attribute("envelope_id", envelope.dsn_envid());
        number("ret_flags", envelope.dsn_ret());
        number("trace_flags", envelope.trace_flags());
        const queue::Origin& origin = envelope.origin();
        const bool from_network = !origin.client_address().empty();
        if (from_network)
            attribute("log_ident", origin.log_ident().empty() ? message_.queue_id : origin.log_ident());
        attribute("rewrite_context", envelope.rewrite_context());
        if (!envelope.full_name().empty())
            record(Type::full_name, "sender_fullname", envelope.full_name());
        record(Type::sender, "sender", envelope.sender());
        if (from_network)
            client(origin);
        later_attributes(envelope);
        for (int i = 0; i < envelope.recipients_size(); ++i)
            recipient(envelope.recipients(i), message_.states[static_cast<std::size_t>(i)]);
    }

    // Once as what the logs show (XFORWARD may have set it), once as the client that connected.
    void client(const queue::Origin& origin)
    {
        attribute("log_client_name", origin.client_name());
        attribute("log_client_address", origin.client_address());
        attribute("log_client_port", origin.client_port());
        attribute("log_message_origin", fmt::format("{}[{}]", origin.client_name(), origin.client_address()));
        attribute("log_helo_name", origin.helo_name());
        attribute("log_protocol_name", origin.protocol_name());
        attribute("client_name", origin.client_name());
        attribute("reverse_client_name", origin.reverse_client_name());
        attribute("client_address", origin.client_address());
        attribute("client_port", origin.client_port());
        attribute("server_address", origin.server_address());
        attribute("server_port", origin.server_port());
        attribute("helo_name", origin.helo_name());
        attribute("protocol_name", origin.protocol_name());
        const bool ipv6 = origin.client_address().find(':') != std::string::npos;
        attribute("client_address_type", ipv6 ? "10" : "2"); // AF_INET6, AF_INET
        attribute("sasl_method", origin.sasl_method());
        attribute("sasl_username", origin.sasl_username());
        attribute("sasl_sender", origin.sasl_sender());
    }

    void later_attributes(const queue::Envelope& envelope)
    {
        if (!envelope.content_filter().empty())
            record(Type::filter, "content_filter", envelope.content_filter());
        if (!envelope.redirect().empty())
            record(Type::redirect, "redirect_to", envelope.redirect());
        if (!envelope.verp_delimiters().empty())
            record(Type::verp, "verp_delimiters", envelope.verp_delimiters());
        if (envelope.warn_at_seconds() != 0)
            record(Type::warning, "warning_message_time", date_text(envelope.warn_at_seconds()));
        attribute("encoding", envelope.encoding() == "8bit" ? "8bit" : "");
    }

    void recipient(const queue::Recipient& recipient, char state)
    {
        number("notify_flags", recipient.dsn_notify());
        attribute("dsn_orig_rcpt", recipient.dsn_orcpt());
        record(Type::original, "original_recipient",
               recipient.original().empty() ? recipient.address() : recipient.original());
        if (state == static_cast<char>(queue::RecipientState::done))
            record(Type::done, "done_recipient", recipient.address());
        else
            record(Type::recipient, "recipient", recipient.address());
    }

    void content()
    {
        bool in_header = true;
        std::string_view rest = message_.content;
        for (std::uint64_t offset = queue::kContentOffset; !rest.empty();) {
            const std::size_t length = std::min(rest.find('\n'), rest.size() - 1) + 1;
            std::string_view line = rest.substr(0, length);
            rest.remove_prefix(length);
            if (line.ends_with('\n'))
                line.remove_suffix(1);
            if (line.ends_with('\r'))
                line.remove_suffix(1);
            in_header = in_header && belongs_to_header(line);
            if (in_header ? show_.header : show_.body) {
                prefix(Type::text, offset);
                out_ += show_.type_names ? "regular_text: " : "";
                out_ += line;
                out_ += '\n';
            }
            offset += length;
        }
    }

    // "Name:" or the continuation of one.
    static bool belongs_to_header(std::string_view line)
    {
        if (line.starts_with(' ') || line.starts_with('\t'))
            return true;
        const auto colon = line.find(':');
        if (colon == 0 || colon == line.npos)
            return false;
        const std::string_view name = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
        return std::ranges::all_of(name, [](char c) { return c > ' ' && c < 127; });
    }

    const Message& message_;
    const Show& show_;
    std::string out_;
};

} // namespace

std::optional<Message> parse_message(std::string_view bytes, std::string name)
{
    const auto header = queue::QueueFileHeader::parse(bytes);
    if (!header || bytes.size() != header->file_size())
        return std::nullopt;
    Message message;
    message.header = *header;
    const std::string_view envelope = bytes.substr(header->envelope_offset(), header->envelope_size);
    if (!message.envelope.ParseFromArray(envelope.data(), static_cast<int>(envelope.size())) ||
        static_cast<std::uint32_t>(message.envelope.recipients_size()) != header->recipient_count)
        return std::nullopt;
    message.states = bytes.substr(header->status_offset(), header->recipient_count);
    message.content = bytes.substr(queue::kContentOffset, header->content_size);
    message.queue_id = name.substr(name.rfind('/') + 1);
    message.name = std::move(name);
    return message;
}

std::string print_message(const Message& message, const Show& show)
{
    return Printer(message, show).print();
}

} // namespace facteur::postcat
