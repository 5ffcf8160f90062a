#include "queue/record_reader.h"

#include "base/text.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace facteur::queue {

namespace {

constexpr std::size_t kMaxOpen = 128;

// "journal/cleanup.0/003.seg": whoever asks for another file is not a peer of ours.
bool names_segment(std::string_view path)
{
    const auto safe = [](char c) { return text::is_alnum(c) || c == '/' || c == '.' || c == '-' || c == '_'; };
    return path.starts_with(kJournalDirectory) && path.substr(kJournalDirectory.size()).starts_with('/') &&
           path.ends_with(".seg") && path.find("..") == path.npos && std::ranges::all_of(path, safe);
}

} // namespace

std::expected<int, SystemError> RecordReader::segment(const std::string& path)
{
    if (const auto known = segments_.find(path); known != segments_.end())
        return known->second.get();
    if (!names_segment(path))
        return std::unexpected(SystemError{"open", path, EINVAL});
    auto opened = open_file(path, O_RDONLY);
    if (!opened)
        return std::unexpected(opened.error());
    if (segments_.size() >= kMaxOpen)
        segments_.clear();
    return segments_.emplace(path, std::move(*opened)).first->second.get();
}

std::expected<std::string, SystemError> RecordReader::read(const RecordPlace& place, std::string_view id)
{
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto fd = segment(place.path);
        if (!fd)
            return std::unexpected(fd.error());
        if (auto payload = read_record(*fd, place, id))
            return std::move(*payload);
        segments_.erase(place.path); // made anew by another writer?
    }
    return std::unexpected(SystemError{"read record of " + std::string(id) + " in", place.path, ENOENT});
}

} // namespace facteur::queue
