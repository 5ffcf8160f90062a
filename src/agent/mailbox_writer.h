// Mailbox writing for coroutines: runs on threads of its own, so that many deliveries wait for the disk together, and
// waits its turn where a mailbox file is locked.
#pragma once

#include "agent/flush_group.h"
#include "agent/mailbox.h"
#include "config/config.h"
#include "event/gathering.h"
#include "event/pool.h"

#include <map>
#include <memory>
#include <optional>
#include <tuple>

namespace facteur::agent {

class MailboxWriter {
public:
    MailboxWriter(event::Loop& loop, MailboxRules rules, const config::Config& config);

    event::Task<MailboxResult> append(std::string path, MailboxMessage message, MailboxOwner owner,
                                      std::optional<MailboxOwner> spool = {});
    event::Task<MailboxResult> maildir(std::string directory, MailboxMessage message, MailboxOwner owner);
    [[nodiscard]] event::WorkerPool& pool() { return pool_; }

private:
    // Deliveries of this process to one mailbox file go one after the other.
    struct Turn {
        explicit Turn(event::Loop& loop) : ended(loop) {}
        event::Condition ended;
        int waiting = 0;
    };
    event::Task<void> take_turn(std::string path);
    void end_turn(const std::string& path);

    using Maildir = std::tuple<std::string, uid_t, gid_t>;

    event::Loop& loop_;
    MailboxRules rules_;
    long attempts_;
    event::milliseconds delay_;
    std::map<std::string, std::unique_ptr<Turn>> turns_;
    // Messages for one Maildir are written together: one change of identity, and no thread waits for another one's hold
    // of the directory.
    event::Gathering<Maildir, const MailboxMessage*, MaildirResult> maildirs_;
    event::WorkerPool pool_;
    FlushGroup flushes_; // of Maildir files
};

// Limits and locks as both mailbox agents read them; a text when the configuration makes no sense.
std::expected<MailboxRules, std::string> mailbox_rules(const config::Config& config,
                                                       const config::IntegerParameter& limit,
                                                       const config::StringParameter& locks);

// A failure as a delivery status; `before` goes before the reason. Class 4 defers, class 5 bounces.
ipc::Dsn failure_dsn(std::string_view before, const MailboxFailure& failure);

} // namespace facteur::agent
