// Putting a message into a mailbox file or a Maildir, as its owner, flushed to disk. These calls block: run them on a
// pool thread. Source: local(8), virtual(8), and the Maildir convention.
#pragma once

#include "agent/agent.h"
#include "base/fd.h"
#include "queue/content.h"

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::agent {

struct MailboxLocks {
    bool fcntl = false;
    bool flock = false;
    bool dotlock = false;
    // "fcntl, dotlock". An error text names the word that is no lock.
    static std::expected<MailboxLocks, std::string> parse(std::string_view list);
};

struct MailboxRules {
    MailboxLocks locks;
    std::uint64_t limit = 0; // of a mailbox file, and of each Maildir file; 0: none
    std::int64_t stale_lock_seconds = 500;
    bool strict_ownership = true; // the file belongs to the user
    std::string hostname;         // in Maildir names
};

struct MailboxOwner {
    uid_t uid = 0;
    gid_t gid = 0;
};

// The bytes to put there: text that comes first, then content of the queue file in local form.
struct MailboxMessage {
    std::string head;       // "From " line and headers, LF
    queue::Content content; // CRLF
};
// The message of a delivery with Return-Path:, X-Original-To: and Delivered-To: before it.
MailboxMessage mailbox_message(const Delivery& delivery, int index, std::string_view from_line);

// Why it did not go in.
struct MailboxFailure {
    std::string status; // "5.2.2"
    std::string reason;
    bool unix_error = false; // reported with "x-unix; input/output error"
    bool busy = false;       // someone holds a lock: try again in a moment
    int code = 0;            // errno
    std::string path;
};
using MailboxResult = std::expected<void, MailboxFailure>;

// With `spool` the file is opened (and made, and given to its owner) by the ids of the directory it is in, because only
// those may create files there. The message is always written by the owner.
MailboxResult append_to_mailbox(const std::string& path, const MailboxMessage& message, const MailboxRules& rules,
                                MailboxOwner owner, std::optional<MailboxOwner> spool = {});
// A message in its place that is not flushed yet.
struct MaildirFile {
    UniqueFd fd;
    dev_t device;
    std::string path;
};
using MaildirResult = std::expected<MaildirFile, MailboxFailure>;
// A result for each message. `directory` ends in '/'; it and tmp, new, cur are made when missing.
std::vector<MaildirResult> write_to_maildir(const std::string& directory,
                                            std::span<const MailboxMessage* const> messages, const MailboxRules& rules,
                                            MailboxOwner owner);
// Removes it again, because its flush failed with `code`.
MailboxFailure take_back(const MaildirFile& file, MailboxOwner owner, int code);

// errno as a delivery status: 4.2.0 try again, 4.3.0 disk full, 5.2.2 over quota, else `otherwise`.
std::string mailbox_status(int code, std::string_view otherwise);

} // namespace facteur::agent
