// A text that many messages have in common: a sender, the reason of a deferral. Kept once, counted; eight bytes a use.
// One thread only.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace facteur::qmgr {

class SharedText {
public:
    SharedText() = default;
    explicit SharedText(std::string_view text);
    SharedText(const SharedText& other);
    SharedText(SharedText&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    SharedText& operator=(SharedText other) noexcept
    {
        std::swap(node_, other.node_);
        return *this;
    }
    ~SharedText();

    [[nodiscard]] std::string_view view() const;
    [[nodiscard]] bool empty() const { return node_ == nullptr; }
    bool operator==(const SharedText& other) const { return node_ == other.node_; }

    // A note that a listing leaves on the text: which page said it last, and its number there. Nothing for the empty
    // text.
    struct Mark {
        std::uint64_t page = 0;
        std::uint32_t number = 0;
    };
    [[nodiscard]] Mark* mark() const;

    [[nodiscard]] static std::size_t distinct(); // texts kept now

private:
    struct Node;
    struct Pool;
    static Pool& pool();
    Node* node_ = nullptr; // nothing: the empty text
};

} // namespace facteur::qmgr
