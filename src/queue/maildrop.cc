#include "queue/maildrop.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace facteur::queue {

namespace {

constexpr std::size_t kHeaderLimit = 32; // "envelope 33554432\n"
constexpr std::size_t kAddressLimit = 8192;
constexpr int kRecipientLimit = 200'000;

std::string_view word_of(MaildropRecord type)
{
    switch (type) {
    case MaildropRecord::envelope:
        return "envelope";
    case MaildropRecord::content:
        return "content";
    case MaildropRecord::end:
        return "end";
    }
    return "end";
}

bool is_clean(std::string_view text, std::size_t limit = kAddressLimit)
{
    return text.size() <= limit &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

// An original recipient is "type;address".
bool copy_recipient(const Recipient& from, Recipient& to)
{
    if (from.address().empty() || !is_clean(from.address()) || !is_clean(from.dsn_orcpt()) || from.dsn_notify() > 15)
        return false;
    to.set_address(from.address());
    to.set_dsn_orcpt(from.dsn_orcpt());
    to.set_dsn_notify(from.dsn_notify());
    return true;
}

} // namespace

std::string maildrop_record(MaildropRecord type, std::string_view payload)
{
    return fmt::format("{} {}\n{}\n", word_of(type), payload.size(), payload);
}

MaildropParser::Step MaildropParser::fail(std::string_view text)
{
    problem_ = text;
    return Step::bad;
}

bool MaildropParser::check_magic()
{
    const auto there = std::string_view(buffer_).substr(0, kMaildropMagic.size());
    if (!kMaildropMagic.starts_with(there)) {
        fail("not a maildrop file");
        return false;
    }
    magic_seen_ = there.size() == kMaildropMagic.size();
    used_ = magic_seen_ ? kMaildropMagic.size() : 0;
    return magic_seen_;
}

MaildropParser::Step MaildropParser::next(std::string& payload)
{
    if (!problem_.empty())
        return Step::bad;
    if (!magic_seen_ && !check_magic())
        return problem_.empty() ? Step::need_bytes : Step::bad;
    if (ended_)
        return used_ == buffer_.size() ? Step::end : fail("data after the end");
    const Step step = take(payload);
    // What was taken leaves the buffer now and then, not at every record.
    if (used_ > kMaildropChunkLimit || used_ == buffer_.size()) {
        buffer_.erase(0, used_);
        used_ = 0;
    }
    return step;
}

MaildropParser::Step MaildropParser::take(std::string& payload)
{
    const std::string_view rest = std::string_view(buffer_).substr(used_);
    const auto newline = rest.substr(0, kHeaderLimit).find('\n');
    if (newline == rest.npos)
        return rest.size() >= kHeaderLimit ? fail("no record") : Step::need_bytes;
    const std::string_view header = rest.substr(0, newline);
    const auto space = header.find(' ');
    const auto size = space == header.npos ? std::nullopt : text::to_long(header.substr(space + 1));
    if (!size || *size < 0)
        return fail("record without a size");
    const std::string_view word = header.substr(0, space);
    const bool is_envelope = word == word_of(MaildropRecord::envelope);
    const bool is_content = word == word_of(MaildropRecord::content);
    if (!is_envelope && !is_content && word != word_of(MaildropRecord::end))
        return fail("unknown record");
    if (is_envelope == envelope_seen_)
        return fail(is_envelope ? "second envelope" : "no envelope");
    const auto length = static_cast<std::size_t>(*size);
    if (length > (is_envelope ? kMaildropEnvelopeLimit : is_content ? kMaildropChunkLimit : 0))
        return fail("record too long");
    if (rest.size() < newline + 1 + length + 1)
        return Step::need_bytes;
    if (rest[newline + 1 + length] != '\n')
        return fail("record not ended");
    payload = rest.substr(newline + 1, length);
    used_ += newline + 1 + length + 1;
    if (is_envelope)
        envelope_seen_ = true;
    ended_ = !is_envelope && !is_content;
    return is_envelope               ? Step::envelope
           : is_content              ? Step::content
           : used_ == buffer_.size() ? Step::end
                                     : fail("data after the end");
}

std::expected<Envelope, std::string> accept_user_envelope(std::string_view bytes)
{
    Envelope asked;
    if (!asked.ParseFromArray(bytes.data(), static_cast<int>(std::min(bytes.size(), kMaildropEnvelopeLimit))))
        return std::unexpected("envelope does not parse");
    if (!is_clean(asked.sender()))
        return std::unexpected("bad sender address");
    if (!is_clean(asked.full_name()) || !is_clean(asked.dsn_envid(), 100) || !is_clean(asked.verp_delimiters(), 2))
        return std::unexpected("bad envelope attribute");
    if (asked.recipients_size() == 0)
        return std::unexpected("no recipients");
    if (asked.recipients_size() > kRecipientLimit)
        return std::unexpected("too many recipients");
    Envelope out;
    for (const Recipient& each : asked.recipients())
        if (!copy_recipient(each, *out.add_recipients()))
            return std::unexpected("bad recipient address");
    out.set_sender(asked.sender());
    out.set_full_name(asked.full_name());
    out.set_arrival_seconds(asked.arrival_seconds());
    out.set_arrival_microseconds(asked.arrival_microseconds() % 1'000'000);
    out.set_dsn_envid(asked.dsn_envid());
    out.set_dsn_ret(asked.dsn_ret() & 3);
    out.set_trace_flags(asked.trace_flags() & 3);
    out.set_verp_delimiters(asked.verp_delimiters());
    out.set_encoding(asked.encoding() == "7bit" || asked.encoding() == "8bit" ? asked.encoding() : "");
    out.set_rewrite_context(asked.rewrite_context() == "remote" ? "remote" : "local");
    return out;
}

std::string LineEndings::convert(std::string_view chunk)
{
    std::string out;
    out.reserve(chunk.size() + chunk.size() / 32);
    for (const char c : chunk) {
        if (c == '\n' && last_ != '\r')
            out += '\r';
        out += c;
        last_ = c;
    }
    return out;
}

std::string LineEndings::finish()
{
    if (last_ == '\n')
        return {};
    return std::exchange(last_, '\n') == '\r' ? "\n" : "\r\n";
}

} // namespace facteur::queue
