// The messages that a listing has shown already, so that none is shown twice. The queue manager tells them in the order
// of their ids, a million perhaps: those lie one behind the other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace facteur::showq {

class SeenIds {
public:
    // False when it was seen before. Fast when it comes after all others.
    bool insert(std::string_view id);
    [[nodiscard]] bool contains(std::string_view id) const;

private:
    [[nodiscard]] std::string_view at(std::size_t number) const;

    std::string text_;                // ids in rising order
    std::vector<std::uint32_t> ends_; // of each in text_
    std::unordered_set<std::string> others_;
};

} // namespace facteur::showq
