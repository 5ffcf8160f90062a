// A mailbox locked as the local delivery agent locks it. Source: postlock(1), mailbox_delivery_lock in postconf(5).
#pragma once

#include "base/fd.h"

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

namespace facteur::postlock {

struct LockRules {
    bool fcntl = false;
    bool flock = false;
    bool dotlock = false;
    long attempts = 20;
    std::chrono::milliseconds delay{1000};
    std::chrono::milliseconds stale{500'000};
};
// "fcntl, dotlock"; error: a word that is no lock.
std::expected<LockRules, std::string> parse_styles(std::string_view styles);

// Held until destroyed. Waits, up to rules.attempts times, for whoever has it.
class MailboxLock {
public:
    static std::expected<MailboxLock, std::string> acquire(const std::string& path, const LockRules& rules);
    MailboxLock(MailboxLock&& other) noexcept : fd_(std::move(other.fd_)), dotlock_(std::exchange(other.dotlock_, {}))
    {
    }
    MailboxLock& operator=(MailboxLock&&) = delete;
    ~MailboxLock();

private:
    MailboxLock() = default;
    UniqueFd fd_;
    std::string dotlock_; // the lock file's path, empty when there is none
};

} // namespace facteur::postlock
