#include "ipc/list_page.h"

#include "queue/spool.h"

#include <algorithm>
#include <array>

namespace facteur::ipc {

namespace {

// First byte of a record.
constexpr char kText = 0;
constexpr char kMessage = 1;

// Second byte of a message: the place of its queue in this list, and whether it was made to expire.
constexpr std::array kQueues{queue::kIncoming, queue::kActive,   queue::kDeferred,
                             queue::kHold,     queue::kMaildrop, queue::kCorrupt};
constexpr unsigned kQueueBits = 0x0f;
constexpr unsigned kForcedExpire = 0x10;

// Seven bits a byte, the lowest first; the high bit says that more follow.
void put_number(std::string& out, std::uint64_t number)
{
    char bytes[10];
    std::size_t length = 0;
    for (; number >= 0x80; number >>= 7)
        bytes[length++] = static_cast<char>(number | 0x80);
    bytes[length++] = static_cast<char>(number);
    out.append(bytes, length);
}

// Small in size, whatever its sign.
void put_signed(std::string& out, std::int64_t number)
{
    put_number(out, static_cast<std::uint64_t>(number) << 1 ^ static_cast<std::uint64_t>(number >> 63));
}

void put_bytes(std::string& out, std::string_view bytes)
{
    put_number(out, bytes.size());
    out += bytes;
}

} // namespace

std::uint32_t ListPageWriter::text(std::string_view text)
{
    if (text.empty())
        return kEmptyText;
    bytes_ += kText;
    put_bytes(bytes_, text);
    return text_count_++;
}

void ListPageWriter::recipient(const ListedRecipient& recipient)
{
    put_bytes(recipients_, recipient.address);
    put_number(recipients_, recipient.reason);
    ++recipient_count_;
}

void ListPageWriter::message(const ListedMessage& message)
{
    const auto queue = static_cast<unsigned>(std::ranges::find(kQueues, message.queue) - kQueues.begin());
    bytes_ += kMessage;
    bytes_ += static_cast<char>(queue | (message.forced_expire ? kForcedExpire : 0));
    put_bytes(bytes_, message.id);
    put_signed(bytes_, message.arrival_seconds);
    put_signed(bytes_, message.next_try_seconds);
    put_number(bytes_, message.size);
    put_number(bytes_, message.sender);
    put_number(bytes_, recipient_count_);
    bytes_ += recipients_;
    recipients_.clear();
    recipient_count_ = 0;
    ++messages_;
}

bool ListPage::fail()
{
    bad_ = true;
    rest_ = {};
    recipients_left_ = 0;
    return false;
}

bool ListPage::take_number(std::uint64_t& number)
{
    number = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(rest_.size(), 10); ++i) {
        const auto byte = static_cast<unsigned char>(rest_[i]);
        number |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            rest_.remove_prefix(i + 1);
            return true;
        }
    }
    return fail();
}

bool ListPage::take_signed(std::int64_t& number)
{
    std::uint64_t folded = 0;
    if (!take_number(folded))
        return false;
    number = static_cast<std::int64_t>(folded >> 1 ^ (0 - (folded & 1)));
    return true;
}

bool ListPage::take_bytes(std::string_view& bytes)
{
    std::uint64_t size = 0;
    if (!take_number(size))
        return false;
    if (size > rest_.size())
        return fail();
    bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
}

bool ListPage::take_text_number(std::uint32_t& number)
{
    std::uint64_t wide = 0;
    if (!take_number(wide))
        return false;
    if (wide >= texts_.size())
        return fail();
    number = static_cast<std::uint32_t>(wide);
    return true;
}

bool ListPage::take_message()
{
    if (rest_.empty())
        return fail();
    const auto marks = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    const unsigned queue = marks & kQueueBits;
    if (queue >= kQueues.size() || (marks & ~(kQueueBits | kForcedExpire)) != 0)
        return fail();
    message_.queue = kQueues[queue];
    message_.forced_expire = (marks & kForcedExpire) != 0;
    return take_bytes(message_.id) && take_signed(message_.arrival_seconds) && take_signed(message_.next_try_seconds) &&
           take_number(message_.size) && take_text_number(message_.sender) && take_number(recipients_left_);
}

bool ListPage::next()
{
    ListedRecipient passed_over;
    while (next_recipient(passed_over)) {
    }
    while (!rest_.empty()) {
        const char kind = rest_.front();
        rest_.remove_prefix(1);
        if (kind == kMessage)
            return take_message();
        std::string_view text;
        if (kind != kText)
            return fail();
        if (!take_bytes(text))
            return false;
        texts_.push_back(text);
    }
    return false;
}

bool ListPage::next_recipient(ListedRecipient& recipient)
{
    if (recipients_left_ == 0)
        return false;
    --recipients_left_;
    return take_bytes(recipient.address) && take_text_number(recipient.reason);
}

} // namespace facteur::ipc
