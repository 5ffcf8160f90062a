#include "net/output_queue.h"

#include <algorithm>

namespace facteur::net {

namespace {
constexpr std::size_t kPiece = 16 << 10; // small ones share pieces of this size
constexpr std::size_t kKeep = 4096;      // what the queue of an idle stream may hold on to
constexpr std::size_t kForgetAfter = 64; // written pieces
} // namespace

void OutputQueue::append(std::string_view bytes)
{
    if (bytes.empty())
        return;
    size_ += bytes.size();
    if (first_ < pieces_.size() && !pieces_.back().owner && pieces_.back().own.size() + bytes.size() <= kPiece) {
        pieces_.back().own.append(bytes);
        return;
    }
    if (first_ == pieces_.size() && first_ > 0) { // the one that was kept
        first_ = begin_ = 0;
        pieces_.resize(1);
        pieces_.front().own.assign(bytes);
        return;
    }
    pieces_.push_back({std::string(bytes), nullptr, {}});
}

void OutputQueue::append(std::shared_ptr<const std::string> owner, std::string_view bytes)
{
    if (bytes.empty())
        return;
    size_ += bytes.size();
    pieces_.push_back({{}, std::move(owner), bytes});
}

std::size_t OutputQueue::gather(std::span<iovec> into) const
{
    std::size_t count = 0;
    std::size_t skip = begin_;
    for (std::size_t i = first_; i < pieces_.size() && count < into.size(); ++i) {
        const std::string_view bytes = pieces_[i].bytes().substr(skip);
        into[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
        skip = 0;
    }
    return count;
}

void OutputQueue::written(std::size_t count)
{
    size_ -= count;
    count += begin_;
    while (first_ < pieces_.size() && count >= pieces_[first_].bytes().size()) {
        count -= pieces_[first_].bytes().size();
        Piece& done = pieces_[first_++];
        if (size_ > 0 || pieces_.size() > 1 || done.owner || done.own.capacity() > kKeep)
            done = {};
    }
    begin_ = count;
    if (first_ == pieces_.size()) {
        begin_ = 0;
        if (pieces_.size() > 1) {
            pieces_.resize(1);
            first_ = 1;
        }
    } else if (first_ >= kForgetAfter) {
        pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

} // namespace facteur::net
