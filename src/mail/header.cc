#include "mail/header.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace facteur::mail {
namespace {

// Sorted by name without regard to case, so that the order equals that of HeaderId.
constexpr auto kHeaders = std::to_array<HeaderKind>({
    {.id = HeaderId::other},
    {.id = HeaderId::apparently_to, .name = "Apparently-To", .recipient_addresses = true},
    {.id = HeaderId::bcc, .name = "Bcc", .recipient_addresses = true, .extract = true, .dropped = true},
    {.id = HeaderId::cc, .name = "Cc", .recipient_addresses = true, .extract = true},
    {.id = HeaderId::content_description, .name = "Content-Description", .mime = true},
    {.id = HeaderId::content_disposition, .name = "Content-Disposition", .mime = true},
    {.id = HeaderId::content_id, .name = "Content-ID", .mime = true},
    {.id = HeaderId::content_length, .name = "Content-Length", .dropped = true},
    {.id = HeaderId::content_transfer_encoding, .name = "Content-Transfer-Encoding", .mime = true},
    {.id = HeaderId::content_type, .name = "Content-Type", .mime = true},
    {.id = HeaderId::date, .name = "Date"},
    {.id = HeaderId::delivered_to, .name = "Delivered-To"},
    {.id = HeaderId::disposition_notification_to, .name = "Disposition-Notification-To", .sender_addresses = true},
    {.id = HeaderId::errors_to, .name = "Errors-To", .sender_addresses = true},
    {.id = HeaderId::from, .name = "From", .sender_addresses = true},
    {.id = HeaderId::mail_followup_to, .name = "Mail-Followup-To", .sender_addresses = true},
    {.id = HeaderId::message_id, .name = "Message-Id"},
    {.id = HeaderId::mime_version, .name = "MIME-Version", .mime = true},
    {.id = HeaderId::received, .name = "Received"},
    {.id = HeaderId::reply_to, .name = "Reply-To", .sender_addresses = true},
    {.id = HeaderId::resent_bcc,
     .name = "Resent-Bcc",
     .recipient_addresses = true,
     .extract = true,
     .resent = true,
     .dropped = true},
    {.id = HeaderId::resent_cc, .name = "Resent-Cc", .recipient_addresses = true, .extract = true, .resent = true},
    {.id = HeaderId::resent_date, .name = "Resent-Date", .resent = true},
    {.id = HeaderId::resent_from, .name = "Resent-From", .sender_addresses = true, .resent = true},
    {.id = HeaderId::resent_message_id, .name = "Resent-Message-Id", .resent = true},
    {.id = HeaderId::resent_reply_to, .name = "Resent-Reply-To", .recipient_addresses = true, .resent = true},
    {.id = HeaderId::resent_sender, .name = "Resent-Sender", .sender_addresses = true, .resent = true},
    {.id = HeaderId::resent_to, .name = "Resent-To", .recipient_addresses = true, .extract = true, .resent = true},
    {.id = HeaderId::return_path, .name = "Return-Path", .sender_addresses = true, .dropped = true},
    {.id = HeaderId::return_receipt_to, .name = "Return-Receipt-To", .sender_addresses = true},
    {.id = HeaderId::sender, .name = "Sender", .sender_addresses = true},
    {.id = HeaderId::to, .name = "To", .recipient_addresses = true, .extract = true},
});
static_assert(kHeaders.size() == static_cast<std::size_t>(HeaderId::count));

} // namespace

const HeaderKind& header_kind(std::string_view name)
{
    const auto* const first = kHeaders.begin() + 1;
    const auto* found = std::lower_bound(first, kHeaders.end(), name, [](const HeaderKind& kind, std::string_view key) {
        return text::ILess{}(kind.name, key);
    });
    return found != kHeaders.end() && text::iequals(found->name, name) ? *found : kHeaders[0];
}

const HeaderKind& header_kind(HeaderId id)
{
    return kHeaders[static_cast<std::size_t>(id)];
}

std::size_t header_name_length(std::string_view line)
{
    std::size_t length = 0;
    while (length < line.size() && line[length] > ' ' && line[length] < 127 && line[length] != ':')
        ++length;
    std::size_t colon = length;
    while (colon < line.size() && (line[colon] == ' ' || line[colon] == '\t'))
        ++colon;
    return colon < line.size() && line[colon] == ':' ? length : 0;
}

std::optional<HeaderField> HeaderScanner::next()
{
    const std::string_view rest = content_.substr(at_);
    const std::size_t name_length = header_name_length(rest.substr(0, rest.find('\n')));
    if (name_length == 0)
        return std::nullopt;
    // The header goes on as long as the next line begins with white space.
    std::size_t end = rest.find('\n');
    while (end != rest.npos && end + 1 < rest.size() && (rest[end + 1] == ' ' || rest[end + 1] == '\t'))
        end = rest.find('\n', end + 1);
    at_ = end == rest.npos ? content_.size() : at_ + end + 1;

    std::string_view raw = rest.substr(0, end);
    if (raw.ends_with('\r'))
        raw.remove_suffix(1);
    std::size_t value = raw.find(':', name_length) + 1;
    while (value < raw.size() && (raw[value] == ' ' || raw[value] == '\t'))
        ++value;
    return HeaderField{.name = raw.substr(0, name_length), .value = raw.substr(value), .raw = raw};
}

std::string_view HeaderScanner::body() const
{
    const std::string_view rest = content_.substr(at_);
    if (rest.starts_with("\r\n"))
        return rest.substr(2);
    return rest.starts_with('\n') ? rest.substr(1) : rest;
}

} // namespace facteur::mail
