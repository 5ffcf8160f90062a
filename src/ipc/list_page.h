// A piece of a queue listing: the blob beside a ListReply. Layout: docs/formats/ipc.md.
//
// A queue may hold a million messages, and each is packed by the queue manager, passed on by showq and read by a
// command. So a text that messages share (a sender, a reason) is said once a page and has a number from then on, and a
// reader looks at the bytes where they lie. Addresses are in internal form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::ipc {

struct ListedMessage {
    std::string_view id;
    std::string_view queue; // name of its directory
    std::int64_t arrival_seconds = 0;
    std::int64_t next_try_seconds = 0; // zero: it does not wait for a time
    std::uint64_t size = 0;
    std::uint32_t sender = 0; // number of a text
    bool forced_expire = false;
};

struct ListedRecipient {
    std::string_view address;
    std::uint32_t reason = 0; // number of a text
};

inline constexpr std::uint32_t kEmptyText = 0;

class ListPageWriter {
public:
    // The number of a text on this page. Who has the same one again should use the number again.
    std::uint32_t text(std::string_view text);
    // First the recipients of a message, then the message.
    void recipient(const ListedRecipient& recipient);
    void message(const ListedMessage& message);

    [[nodiscard]] const std::string& bytes() const { return bytes_; }
    [[nodiscard]] std::size_t messages() const { return messages_; }

private:
    std::string bytes_;
    std::string recipients_; // of the message to come
    std::uint64_t recipient_count_ = 0;
    std::uint32_t text_count_ = 1;
    std::size_t messages_ = 0;
};

// Reads a page front to back. Every view points into the page.
class ListPage {
public:
    explicit ListPage(std::string_view bytes) : rest_(bytes) {}

    // Goes to the next message. False at the end, and when the bytes make no sense: then bad() as well.
    bool next();
    [[nodiscard]] const ListedMessage& message() const { return message_; }
    // The next recipient of this message; false when it has no more.
    bool next_recipient(ListedRecipient& recipient);

    [[nodiscard]] bool bad() const { return bad_; }
    // Numbers come from this page, so they are always good.
    [[nodiscard]] std::string_view text(std::uint32_t number) const { return texts_[number]; }
    [[nodiscard]] std::size_t texts() const { return texts_.size(); } // said so far, with the empty one

private:
    bool take_number(std::uint64_t& number);
    bool take_signed(std::int64_t& number);
    bool take_bytes(std::string_view& bytes);
    bool take_text_number(std::uint32_t& number);
    bool take_message();
    bool fail();

    std::string_view rest_;
    std::vector<std::string_view> texts_{std::string_view()};
    ListedMessage message_;
    std::uint64_t recipients_left_ = 0;
    bool bad_ = false;
};

} // namespace facteur::ipc
