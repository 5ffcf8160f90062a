#include "agent/bounce_log.h"

#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <unordered_map>

namespace facteur::agent {

namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

void append_encoded(std::string& out, std::string_view value)
{
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > ' ' && c != '%' && byte != 127) {
            out += c;
            continue;
        }
        out += '%';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
}

std::optional<std::string> decode(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size())
            return std::nullopt;
        const auto high = kHex.find(text::upper(text[i + 1]));
        const auto low = kHex.find(text::upper(text[i + 2]));
        if (high == kHex.npos || low == kHex.npos)
            return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

template <typename Number>
bool to_number(std::string_view text, Number& into)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc{} && end == text.data() + text.size();
}

// One name=value; a name from a later version is passed over.
bool take_field(ipc::LogRecipient& entry, std::string_view name, std::string value)
{
    queue::Recipient& recipient = *entry.mutable_recipient();
    ipc::Dsn& dsn = *entry.mutable_dsn();
    if (name == "recipient")
        recipient.set_address(std::move(value));
    else if (name == "original")
        recipient.set_original(std::move(value));
    else if (name == "orcpt")
        recipient.set_dsn_orcpt(std::move(value));
    else if (name == "status")
        dsn.set_status(std::move(value));
    else if (name == "action")
        dsn.set_action(std::move(value));
    else if (name == "reason")
        dsn.set_reason(std::move(value));
    else if (name == "diag_type")
        dsn.set_diagnostic_type(std::move(value));
    else if (name == "diag")
        dsn.set_diagnostic_text(std::move(value));
    else if (name == "mta_type")
        dsn.set_remote_mta_type(std::move(value));
    else if (name == "mta")
        dsn.set_remote_mta(std::move(value));
    else if (name == "relay")
        entry.set_relay(std::move(value));
    else if (name == "notify") {
        std::uint32_t notify = 0;
        if (!to_number(value, notify))
            return false;
        recipient.set_dsn_notify(notify);
    } else if (name == "offset") {
        std::uint64_t offset = 0;
        if (!to_number(value, offset))
            return false;
        entry.set_status_offset(offset);
    }
    return true;
}

std::expected<UniqueFd, SystemError> open_for_append(const std::string& path)
{
    constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT;
    auto file = open_file(path, kFlags, 0600);
    if (file || file.error().code != ENOENT)
        return file;
    for (auto slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
        if (::mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST)
            return std::unexpected(SystemError::last("mkdir", path.substr(0, slash)));
    return open_file(path, kFlags, 0600);
}

// A full disk or a power failure can leave the beginning of a line.
bool ends_within_a_line(int fd)
{
    struct stat status{};
    char last = '\n';
    return ::fstat(fd, &status) == 0 && status.st_size > 0 && ::pread(fd, &last, 1, status.st_size - 1) == 1 &&
           last != '\n';
}

} // namespace

std::string encode_log_line(const ipc::LogRecipient& entry)
{
    std::string out;
    const auto field = [&out](std::string_view name, std::string_view value) {
        if (value.empty())
            return;
        if (!out.empty())
            out += ' ';
        out.append(name).append("=");
        append_encoded(out, value);
    };
    const queue::Recipient& recipient = entry.recipient();
    const ipc::Dsn& dsn = entry.dsn();
    field("recipient", recipient.address());
    field("original", recipient.original());
    field("orcpt", recipient.dsn_orcpt());
    field("notify", recipient.dsn_notify() ? fmt::to_string(recipient.dsn_notify()) : "");
    field("offset", fmt::to_string(entry.status_offset()));
    field("status", dsn.status());
    field("action", dsn.action());
    field("diag_type", dsn.diagnostic_type());
    field("diag", dsn.diagnostic_text());
    field("mta_type", dsn.remote_mta_type());
    field("mta", dsn.remote_mta());
    field("relay", entry.relay());
    field("reason", dsn.reason());
    out += '\n';
    return out;
}

std::optional<ipc::LogRecipient> parse_log_line(std::string_view line)
{
    ipc::LogRecipient entry;
    for (const std::string_view word : text::split(line, " ")) {
        const auto equals = word.find('=');
        if (equals == word.npos)
            return std::nullopt;
        auto value = decode(word.substr(equals + 1));
        if (!value || !take_field(entry, word.substr(0, equals), std::move(*value)))
            return std::nullopt;
    }
    if (entry.recipient().address().empty() || entry.dsn().status().empty())
        return std::nullopt;
    return entry;
}

LoggedRecipients parse_log(std::string_view text)
{
    LoggedRecipients out;
    std::unordered_map<std::string, std::size_t> position;
    while (!text.empty()) {
        const auto end = text.find('\n');
        // Without its end the line was torn by a crash.
        auto entry = end == text.npos ? std::nullopt : parse_log_line(text.substr(0, end));
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (!entry) {
            ++out.damaged;
            continue;
        }
        const std::string key = fmt::format("{} {}", entry->status_offset(), entry->recipient().address());
        const auto [at, is_new] = position.try_emplace(key, out.entries.size());
        if (is_new)
            out.entries.push_back(std::move(*entry));
        else
            out.entries[at->second] = std::move(*entry);
    }
    return out;
}

std::expected<void, SystemError> append_to_log(const std::string& path, const ipc::LogRecipient& entry)
{
    const auto file = open_for_append(path);
    if (!file)
        return std::unexpected(file.error());
    const std::string line = encode_log_line(entry);
    return write_all(file->get(), ends_within_a_line(file->get()) ? "\n" + line : line, path);
}

std::expected<LoggedRecipients, SystemError> read_log(const std::string& path)
{
    constexpr std::size_t kLimit = 1u << 30;
    const auto text = read_file(path, kLimit);
    if (!text)
        return std::unexpected(text.error());
    return parse_log(*text);
}

Reasons reasons_of(const LoggedRecipients& log)
{
    Reasons reasons;
    for (const auto& entry : log.entries)
        reasons.insert_or_assign(entry.recipient().address(), entry.dsn().reason());
    return reasons;
}

} // namespace facteur::agent
