// What waits to be written to a stream, in pieces: what a slow peer leaves behind neither moves nor grows, and each
// piece is given back as soon as it is written.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::net {

class OutputQueue {
public:
    void append(std::string_view bytes);
    [[nodiscard]] std::size_t size() const { return size_; }
    // The first pieces; as many as were filled in.
    std::size_t gather(std::span<iovec> into) const;
    void written(std::size_t count);

private:
    std::vector<std::string> pieces_;
    std::size_t first_ = 0; // of pieces_: those before are written
    std::size_t begin_ = 0; // in the first
    std::size_t size_ = 0;  // bytes
};

} // namespace facteur::net
