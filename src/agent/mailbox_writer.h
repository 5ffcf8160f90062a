// Mailbox writing for coroutines: runs on threads of its own, so that many deliveries wait for the disk together, and
// waits its turn where a mailbox file is locked.
#pragma once

#include "agent/flush_group.h"
#include "agent/mailbox.h"
#include "config/config.h"
#include "event/pool.h"

#include <deque>
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

    // Messages for one Maildir that come while some are written are written together: one change of identity, and no
    // thread waits for another one's hold of the directory.
    struct ForMaildir {
        const MailboxMessage* message;
        std::optional<MaildirResult> result;
        event::Condition ended;
    };
    using Maildirs = std::map<std::tuple<std::string, uid_t, gid_t>, std::deque<ForMaildir*>>;
    event::Task<void> write_gathered(Maildirs::iterator gathered);

    event::Loop& loop_;
    MailboxRules rules_;
    long attempts_;
    event::milliseconds delay_;
    std::map<std::string, std::unique_ptr<Turn>> turns_;
    Maildirs maildirs_; // that are being written to
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
