// What waits to be written to a stream, in pieces: what a slow peer leaves behind neither moves nor grows, and each
// piece is given back as soon as it is written.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::net {

class OutputQueue {
public:
    void append(std::string_view bytes);
    // Without a copy: `bytes` are a part of *owner.
    void append(std::shared_ptr<const std::string> owner, std::string_view bytes);
    [[nodiscard]] std::size_t size() const { return size_; }
    // The first pieces; as many as were filled in.
    std::size_t gather(std::span<iovec> into) const;
    void written(std::size_t count);

private:
    struct Piece {
        std::string own;
        std::shared_ptr<const std::string> owner; // none: the bytes are our own
        std::string_view part;
        [[nodiscard]] std::string_view bytes() const { return owner ? part : own; }
    };
    std::vector<Piece> pieces_;
    std::size_t first_ = 0; // of pieces_: those before are written
    std::size_t begin_ = 0; // in the first
    std::size_t size_ = 0;  // bytes
};

} // namespace facteur::net
