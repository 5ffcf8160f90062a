#include "daemons/bounce/subject.h"

#include "base/log.h"
#include "base/read_exactly.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace facteur::bounce {

namespace {

std::optional<std::string> read_part(int fd, std::uint64_t offset, std::uint64_t size)
{
    auto bytes = read_exactly(fd, offset, size, "queue file");
    return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
}

} // namespace

std::expected<void, SystemError> Subject::load(std::optional<std::string_view> log_queue)
{
    if (!log_queue) {
        logged.push_back(request.one());
        return {};
    }
    auto read = agent::read_log(spool.path(*log_queue, id()));
    if (!read && read.error().code == ENOENT)
        return {};
    if (!read)
        return std::unexpected(read.error());
    if (read->damaged > 0)
        log::warning("{}: {} damaged lines in the {} log", id(), read->damaged, *log_queue);
    logged = std::move(read->entries);
    return {};
}

void Subject::forget_settled()
{
    const auto file = open_file(spool.path(request.queue_name(), id()), O_RDONLY);
    if (!file)
        return; // moved meanwhile: rather tell of one too many
    std::erase_if(logged, [&](const ipc::LogRecipient& entry) {
        const auto state = read_part(file->get(), entry.status_offset(), 1);
        return state && state->front() == static_cast<char>(queue::RecipientState::done);
    });
}

std::optional<std::string> Subject::original(Attach attach) const
{
    const auto file = open_file(spool.path(request.queue_name(), id()), O_RDONLY);
    if (!file) {
        log::warning("{}: {}", id(), file.error().message());
        return std::nullopt;
    }
    if (attach == Attach::full)
        return read_part(file->get(), request.content_offset(), request.content_size());
    // Headers seldom need more than the first piece.
    for (std::uint64_t size = 64 << 10;; size *= 8) {
        const std::uint64_t piece = std::min(size, request.content_size());
        auto content = read_part(file->get(), request.content_offset(), piece);
        if (!content || piece == request.content_size() || header_block(*content).size() < content->size())
            return content;
    }
}

} // namespace facteur::bounce
