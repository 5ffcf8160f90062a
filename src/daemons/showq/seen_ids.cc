#include "daemons/showq/seen_ids.h"

#include <algorithm>
#include <limits>
#include <ranges>

namespace facteur::showq {

std::string_view SeenIds::at(std::size_t number) const
{
    const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
    return std::string_view(text_).substr(begin, ends_[number] - begin);
}

bool SeenIds::insert(std::string_view id)
{
    const bool rises = ends_.empty() || at(ends_.size() - 1) < id;
    if (rises && others_.empty() && text_.size() + id.size() <= std::numeric_limits<std::uint32_t>::max()) {
        text_ += id;
        ends_.push_back(static_cast<std::uint32_t>(text_.size()));
        return true;
    }
    return !contains(id) && others_.emplace(id).second;
}

bool SeenIds::contains(std::string_view id) const
{
    const auto numbers = std::views::iota(std::size_t{0}, ends_.size());
    const auto found = std::ranges::lower_bound(numbers, id, {}, [this](std::size_t number) { return at(number); });
    return (found != numbers.end() && at(*found) == id) || others_.contains(std::string(id));
}

} // namespace facteur::showq
