// What mailbox files and Maildirs share: copying, making directories, failures.
#pragma once

#include "agent/local_form.h"
#include "agent/mailbox.h"

namespace facteur::agent {

// Head, content in local form, tail. The error is errno.
std::expected<void, int> write_local_form(int fd, const MailboxMessage& message, FromLines from_lines,
                                          std::string_view tail);

// All directories above the path's last component, mode 0700. errno tells why not.
bool make_directories_above(const std::string& path);

// "what: errno's text"; `otherwise` as in mailbox_status().
std::unexpected<MailboxFailure> failure(int code, std::string_view what, std::string_view otherwise = "4.2.0");
// Of the message's own bytes.
MailboxFailure write_failure(int code);

} // namespace facteur::agent
