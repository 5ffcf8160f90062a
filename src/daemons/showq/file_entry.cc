#include "daemons/showq/file_entry.h"

#include "agent/bounce_log.h"
#include "base/log.h"
#include "mail/address.h"
#include "queue/queue_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace facteur::showq {

namespace {

constexpr std::string_view kNullAddress = "MAILER-DAEMON";

std::string external(const std::string& address)
{
    return address.empty() ? std::string(kNullAddress) : mail::to_external(address);
}

bool marked_expired(int fd)
{
    struct stat status{};
    return ::fstat(fd, &status) == 0 && (status.st_mode & queue::kExpiredMode) != 0;
}

// Recipient to what the defer log says of it; the same words that the queue manager has in memory.
agent::Reasons deferral_reasons(const queue::Spool& spool, std::string_view id)
{
    const auto log = agent::read_log(spool.path(queue::kDefer, id));
    if (log)
        return agent::reasons_of(*log);
    if (log.error().code != ENOENT)
        log::warning("{}", log.error().message());
    return {};
}

void report(std::string_view path, const SystemError& error)
{
    if (error.code == EINVAL)
        log::warning("{}: input is not a valid queue file", path);
    else if (error.code != ENOENT && error.code != EBUSY)
        log::warning("{}", error.message());
}

} // namespace

std::optional<ipc::ListEntry> entry_of_file(const queue::Spool& spool, std::string_view queue, const std::string& id,
                                            const std::string& path)
{
    const auto file = queue::QueueFile::open(path, O_RDONLY);
    if (!file) {
        report(path, file.error());
        return std::nullopt;
    }
    const auto envelope = file->read_envelope();
    const auto states = file->read_states();
    if (!envelope || !states) {
        report(path, envelope ? states.error() : envelope.error());
        return std::nullopt;
    }
    ipc::ListEntry entry;
    entry.set_queue_id(id);
    entry.set_queue(std::string(queue));
    entry.set_arrival_seconds(file->header().arrival_seconds);
    entry.set_size(file->header().content_size);
    entry.set_sender(envelope->sender());
    entry.set_forced_expire(marked_expired(file->fd()));
    const auto reasons = deferral_reasons(spool, id);
    for (int i = 0; i < envelope->recipients_size(); ++i) {
        if (!queue::is_pending(*states, static_cast<std::size_t>(i)))
            continue;
        auto* const recipient = entry.add_recipients();
        recipient->set_address(envelope->recipients(i).address());
        if (const auto reason = reasons.find(recipient->address()); reason != reasons.end())
            recipient->set_reason(reason->second);
    }
    return entry;
}

void pack(ipc::ListPageWriter& page, const ipc::ListEntry& entry)
{
    ipc::ListedMessage message{.id = entry.queue_id(),
                               .queue = entry.queue(),
                               .arrival_seconds = entry.arrival_seconds(),
                               .next_try_seconds = entry.next_try_seconds(),
                               .size = entry.size(),
                               .sender = page.text(entry.sender()),
                               .forced_expire = entry.forced_expire()};
    std::string_view said; // recipients of one message often share their reason
    std::uint32_t number = ipc::kEmptyText;
    for (const auto& recipient : entry.recipients()) {
        if (recipient.reason() != said)
            number = page.text(said = recipient.reason());
        page.recipient({recipient.address(), number});
    }
    page.message(message);
}

ipc::ListEntry unpack(ipc::ListPage& page)
{
    const ipc::ListedMessage& message = page.message();
    ipc::ListEntry entry;
    entry.set_queue_id(std::string(message.id));
    entry.set_queue(std::string(message.queue));
    entry.set_arrival_seconds(message.arrival_seconds);
    entry.set_next_try_seconds(message.next_try_seconds);
    entry.set_size(message.size);
    entry.set_sender(std::string(page.text(message.sender)));
    entry.set_forced_expire(message.forced_expire);
    for (ipc::ListedRecipient each; page.next_recipient(each);) {
        auto& recipient = *entry.add_recipients();
        recipient.set_address(std::string(each.address));
        recipient.set_reason(std::string(page.text(each.reason)));
    }
    return entry;
}

void externalize(ipc::ListEntry& entry)
{
    entry.set_sender(external(entry.sender()));
    for (auto& recipient : *entry.mutable_recipients())
        recipient.set_address(external(recipient.address()));
}

} // namespace facteur::showq
