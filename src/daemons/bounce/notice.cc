#include "daemons/bounce/notice.h"

#include "base/text.h"
#include "ipc/flags.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

#include <fmt/format.h>

namespace facteur::bounce {

namespace {

constexpr std::string_view kMailerDaemon = "MAILER-DAEMON";

// A message under construction.
class Writer {
public:
    Writer(const Notice& notice, const Reporter& reporter)
        : notice_(notice), reporter_(reporter),
          boundary_(fmt::format("{}.{}/{}", notice.queue_id, notice.now, reporter.hostname)),
          product_(reporter.mail_name), sender_(reported_sender()),
          utf8_message_((notice.envelope.smtputf8() & ipc::smtputf8::requested) != 0),
          encoding_(reporter.utf8 || !text::all_ascii(notice.text) ? "8bit" : notice.envelope.encoding())
    {
        for (char& c : product_)
            if (!text::is_alnum(c) && text::is_ascii(c))
                c = '-'; // it becomes part of header names
    }

    std::string write()
    {
        head();
        explanation();
        report();
        original();
        line("");
        line("--{}--", boundary_);
        return std::move(out_);
    }

private:
    template <typename... Args>
    void line(fmt::format_string<Args...> format, Args&&... args)
    {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        out_ += "\r\n";
    }

    void lines(std::string_view text)
    {
        while (!text.empty()) {
            const auto end = text.find('\n');
            out_.append(text.substr(0, end)).append("\r\n");
            text.remove_prefix(end == text.npos ? text.size() : end + 1);
        }
    }

    std::string reported_sender() const
    {
        if (notice_.envelope.sender().empty())
            return fmt::format("{}@{}", kMailerDaemon, reporter_.origin);
        return mail::to_external(notice_.envelope.sender());
    }

    // RFC 6533 s3: the address type tells whether the address is plain ASCII.
    std::string_view address_type(std::string_view address) const
    {
        return utf8_message_ && !text::all_ascii(address) && text::valid_utf8(address) ? "utf-8" : "rfc822";
    }

    void transfer_encoding()
    {
        if (!encoding_.empty())
            line("Content-Transfer-Encoding: {}", encoding_);
    }

    void part(std::string_view description)
    {
        line("");
        line("--{}", boundary_);
        line("Content-Description: {}", description);
    }

    void head()
    {
        const bool copy = notice_.audience == Audience::postmaster;
        line("Date: {}", mail::mail_date(notice_.now));
        if (notice_.words.from.empty())
            line("From: Mail Delivery System <{}@{}>", kMailerDaemon, reporter_.origin);
        else
            line("From: {}", notice_.words.from);
        line("Subject: {}", copy ? notice_.words.postmaster_subject : notice_.words.subject);
        line("To: {}", mail::to_external(notice_.to));
        line("Auto-Submitted: {}", copy ? "auto-generated" : "auto-replied");
        // Mail readers then show the notice beside the message that it is about.
        if (const std::string& about = notice_.envelope.message_id(); reporter_.threaded && !about.empty()) {
            line("References: {}", about);
            line("In-Reply-To: {}", about);
        }
        line("MIME-Version: 1.0");
        line("Content-Type: multipart/report; report-type={};",
             utf8_message_ ? "global-delivery-status" : "delivery-status");
        line("\tboundary=\"{}\"", boundary_);
        transfer_encoding();
        line("");
        line("This is a MIME-encapsulated message.");
    }

    void explanation()
    {
        part("Notification");
        line("Content-Type: text/plain; charset={}",
             reporter_.utf8 && text::iequals(notice_.words.charset, "us-ascii") ? "utf-8" : notice_.words.charset);
        transfer_encoding();
        line("");
        if (notice_.audience == Audience::sender)
            lines(notice_.text);
        for (const ipc::LogRecipient* entry : notice_.recipients) {
            const queue::Recipient& recipient = entry->recipient();
            const bool renamed =
                !recipient.original().empty() && !text::iequals(recipient.original(), recipient.address());
            line("");
            lines(wrap(renamed ? fmt::format("<{}> (expanded from <{}>): {}", recipient.address(), recipient.original(),
                                             reason(*entry))
                               : fmt::format("<{}>: {}", recipient.address(), reason(*entry))));
        }
    }

    void report()
    {
        part("Delivery report");
        line("Content-Type: message/{}delivery-status", utf8_message_ ? "global-" : "");
        if (utf8_message_)
            transfer_encoding();
        line("");
        line("Reporting-MTA: dns; {}", reporter_.hostname);
        if (!notice_.envelope.dsn_envid().empty())
            line("Original-Envelope-Id: {}", text::printable(notice_.envelope.dsn_envid(), text::Utf8::allow));
        line("X-{}-Queue-ID: {}", product_, notice_.queue_id);
        line("X-{}-Sender: {}; {}", product_, address_type(sender_), sender_);
        if (notice_.envelope.arrival_seconds() > 0)
            line("Arrival-Date: {}", mail::mail_date(notice_.envelope.arrival_seconds()));
        for (const ipc::LogRecipient* entry : notice_.recipients)
            recipient_report(*entry);
    }

    void recipient_report(const ipc::LogRecipient& entry)
    {
        const queue::Recipient& recipient = entry.recipient();
        const ipc::Dsn& dsn = entry.dsn();
        line("");
        line("Final-Recipient: {}; {}", address_type(recipient.address()), recipient.address());
        if (!recipient.dsn_orcpt().empty())
            line("Original-Recipient: {}", text::printable(recipient.dsn_orcpt(), text::Utf8::allow));
        else {
            const std::string& original = recipient.original().empty() ? recipient.address() : recipient.original();
            line("Original-Recipient: rfc822;{}", original);
        }
        line("Action: {}", notice_.kind == NoticeKind::failure ? "failed" : dsn.action());
        line("Status: {}", dsn.status());
        if (!dsn.remote_mta_type().empty() && !dsn.remote_mta().empty())
            lines(wrap(fmt::format("Remote-MTA: {}; {}", dsn.remote_mta_type(), dsn.remote_mta())));
        if (!dsn.diagnostic_type().empty() && !dsn.diagnostic_text().empty())
            lines(wrap(fmt::format("Diagnostic-Code: {}; {}", dsn.diagnostic_type(), clean(dsn.diagnostic_text()))));
        else
            lines(wrap(fmt::format("Diagnostic-Code: X-{}; {}", product_, reason(entry))));
        if (notice_.kind == NoticeKind::delay)
            line("Will-Retry-Until: {}",
                 mail::mail_date(notice_.envelope.arrival_seconds() + reporter_.queue_lifetime.count()));
    }

    void original()
    {
        const bool undelivered = notice_.kind == NoticeKind::failure || notice_.kind == NoticeKind::delay;
        const bool headers = notice_.attach == Attach::headers;
        part(fmt::format("{}Message{}", undelivered ? "Undelivered " : "", headers ? " Headers" : ""));
        if (utf8_message_)
            line("Content-Type: message/{}", headers ? "global-headers" : "global");
        else
            line("Content-Type: {}", headers ? "text/rfc822-headers" : "message/rfc822");
        transfer_encoding();
        line("");
        if (!notice_.original_available)
            return; // an administrator removed it meanwhile
        line("Return-Path: <{}>", sender_);
        out_ += headers ? header_block(notice_.original) : notice_.original;
        if (!out_.ends_with("\r\n"))
            out_ += "\r\n";
    }

    static std::string clean(std::string_view text) { return text::printable(text, text::Utf8::allow); }

    // Reports that were asked for also say by which way the answer came.
    std::string reason(const ipc::LogRecipient& entry) const
    {
        const bool trace = notice_.kind == NoticeKind::success || notice_.kind == NoticeKind::verify;
        if (trace && !entry.relay().empty() && entry.relay() != "none")
            return clean(fmt::format("delivery via {}: {}", entry.relay(), entry.dsn().reason()));
        return clean(entry.dsn().reason());
    }

    const Notice& notice_;
    const Reporter& reporter_;
    std::string boundary_;
    std::string product_;
    std::string sender_;
    bool utf8_message_;
    std::string encoding_;
    std::string out_;
};

} // namespace

std::string render_notice(const Notice& notice, const Reporter& reporter)
{
    return Writer(notice, reporter).write();
}

std::string render_received(const Reporter& reporter, std::string_view notice_id, std::time_t now)
{
    return fmt::format("Received: by {} ({})\r\n\tid {}; {}\r\n", reporter.hostname, reporter.mail_name, notice_id,
                       mail::mail_date(now));
}

std::string_view header_block(std::string_view content)
{
    std::size_t end = 0;
    while (end < content.size()) {
        const auto line_end = content.find('\n', end);
        const std::size_t next = line_end == content.npos ? content.size() : line_end + 1;
        const std::string_view line = content.substr(end, next - end);
        const bool continued = end > 0 && (line[0] == ' ' || line[0] == '\t');
        if (!continued && mail::header_name_length(line) == 0)
            break;
        end = next;
    }
    return content.substr(0, end);
}

std::string wrap(std::string_view text)
{
    constexpr std::size_t kWidth = 79;
    constexpr std::string_view kIndent = "    ";
    std::string out;
    std::string_view line; // of text, without its indent
    const auto end_line = [&] {
        while (!line.empty() && text::is_space(line.back()))
            line.remove_suffix(1);
        out.append(out.empty() ? "" : kIndent).append(line).append("\n");
    };
    std::size_t at = 0;
    std::size_t start = 0;
    while (at < text.size()) {
        const auto word_end = std::min(text.find_first_of(" \t", at), text.size());
        const std::size_t width = out.empty() ? kWidth : kWidth - kIndent.size();
        if (at > start && word_end - start > width) {
            line = text.substr(start, at - start);
            end_line();
            while (at < text.size() && text::is_space(text[at]))
                ++at;
            start = at;
            continue;
        }
        at = word_end + 1;
    }
    line = text.substr(std::min(start, text.size()));
    end_line();
    return out;
}

} // namespace facteur::bounce
