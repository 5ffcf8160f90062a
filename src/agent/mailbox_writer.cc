#include "agent/mailbox_writer.h"

#include "base/log.h"

#include <unistd.h>

#include <algorithm>

namespace facteur::agent {

namespace {

namespace params = config::params;

// A mailbox file is flushed by the thread that wrote it, and the disk flushes for many of them at once; writing alone
// is done before another thread has woken.
constexpr unsigned kThreads = 24;
constexpr unsigned kEagerThreads = 2;
constexpr std::size_t kMaildirBatch = 32; // messages; the first one waits for the last

std::string host_name()
{
    char name[256] = "localhost";
    if (::gethostname(name, sizeof name - 1) != 0)
        return "localhost";
    return name;
}

} // namespace

MailboxWriter::MailboxWriter(event::Loop& loop, MailboxRules rules, const config::Config& config)
    : loop_(loop), rules_(std::move(rules)), attempts_(std::max(config.get(params::deliver_lock_attempts), 1L)),
      delay_(config.get(params::deliver_lock_delay)),
      maildirs_(loop, kMaildirBatch,
                [this](const Maildir& box, const auto& messages) {
                    return pool_.run([this, &box, &messages] {
                        const auto& [directory, uid, gid] = box;
                        return write_to_maildir(directory, messages, rules_, MailboxOwner{uid, gid});
                    });
                }),
      pool_(loop, kThreads, kEagerThreads), flushes_(loop, pool_)
{
}

event::Task<void> MailboxWriter::take_turn(std::string path)
{
    auto& turn = turns_[path];
    if (!turn) {
        turn = std::make_unique<Turn>(loop_);
        co_return;
    }
    ++turn->waiting;
    co_await turn->ended.wait();
}

void MailboxWriter::end_turn(const std::string& path)
{
    const auto at = turns_.find(path);
    if (at->second->waiting == 0) {
        turns_.erase(at);
        return;
    }
    --at->second->waiting;
    at->second->ended.notify_one();
}

event::Task<MailboxResult> MailboxWriter::append(std::string path, MailboxMessage message, MailboxOwner owner,
                                                 std::optional<MailboxOwner> spool)
{
    co_await take_turn(path);
    MailboxResult result;
    for (long attempt = 1;; ++attempt) {
        result = co_await pool_.run([&] { return append_to_mailbox(path, message, rules_, owner, spool); });
        if (result || !result.error().busy || attempt >= attempts_)
            break;
        co_await loop_.sleep(delay_);
    }
    end_turn(path);
    co_return result;
}

event::Task<MailboxResult> MailboxWriter::maildir(std::string directory, MailboxMessage message, MailboxOwner owner)
{
    const MaildirResult written = co_await maildirs_.join({std::move(directory), owner.uid, owner.gid}, &message);
    if (!written) {
        const MailboxFailure& failure = written.error();
        if (failure.code == EACCES) {
            log::warning("maildir access problem for UID/GID={}/{}: {}", owner.uid, owner.gid, failure.reason);
            log::warning("perhaps you need to create the maildirs in advance");
        }
        co_return std::unexpected(failure);
    }
    const int code = co_await flushes_.flush(written->fd.get(), written->device);
    if (code != 0) {
        MailboxFailure failure = co_await pool_.run([&] { return take_back(*written, owner, code); });
        co_return std::unexpected(std::move(failure));
    }
    co_return MailboxResult{};
}

std::expected<MailboxRules, std::string>
mailbox_rules(const config::Config& config, const config::IntegerParameter& limit, const config::StringParameter& locks)
{
    const long mailbox_limit = config.get(limit);
    const long message_limit = config.get(params::message_size_limit);
    if (mailbox_limit > 0 && message_limit <= 0)
        return std::unexpected(
            fmt::format("configuration error: {} is limited but message_size_limit is unlimited", limit.name));
    if (mailbox_limit > 0 && mailbox_limit < message_limit)
        return std::unexpected(fmt::format("configuration error: {} is smaller than message_size_limit", limit.name));
    auto parsed = MailboxLocks::parse(config.get(locks));
    if (!parsed)
        return std::unexpected(fmt::format("parameter {}: {}", locks.name, parsed.error()));
    MailboxRules rules;
    rules.locks = *parsed;
    rules.limit = mailbox_limit > 0 ? static_cast<std::uint64_t>(mailbox_limit) : 0;
    rules.stale_lock_seconds =
        std::chrono::duration_cast<std::chrono::seconds>(config.get(params::stale_lock_time)).count();
    rules.strict_ownership = config.get(params::strict_mailbox_ownership);
    rules.hostname = host_name();
    return rules;
}

ipc::Dsn failure_dsn(std::string_view before, const MailboxFailure& failure)
{
    ipc::Dsn dsn = make_dsn(failure.status, fmt::format("{}{}", before, failure.reason));
    if (failure.unix_error) {
        dsn.set_diagnostic_type("x-unix");
        dsn.set_diagnostic_text("input/output error");
    }
    return dsn;
}

} // namespace facteur::agent
