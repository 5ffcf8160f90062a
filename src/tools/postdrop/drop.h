// One message from an untrusted stream into one file of maildrop/.
#pragma once

#include "base/fd.h"
#include "ipc/messages.pb.h"
#include "queue/maildrop.h"

#include <cstdint>
#include <expected>
#include <string>

namespace facteur::postdrop {

// Why there is no file: the status for the answer, and what the log says.
struct Failure {
    ipc::SubmitStatus status;
    std::string text;
};

// The file being written. Unless published it is removed when this ends, also by a signal.
class MaildropFile {
public:
    // Creates it in the current directory's maildrop/, under a new name.
    static std::expected<MaildropFile, std::string> create(bool long_ids);
    MaildropFile(MaildropFile&&) noexcept;
    MaildropFile& operator=(MaildropFile&&) = delete;
    ~MaildropFile();

    std::expected<void, std::string> append(std::string_view bytes) const;
    // Flushes it and makes it visible to pickup. From then on the message is accepted.
    std::expected<void, std::string> publish();
    [[nodiscard]] const std::string& name() const { return name_; }

    // For a signal handler: removes the file that is being written, if any.
    static void remove_unfinished() noexcept;

private:
    MaildropFile(UniqueFd fd, std::string name);
    UniqueFd fd_;
    std::string name_;
    bool published_ = false;
};

// Copies `input` into `file`, believing nothing. size_limit 0: none.
std::expected<void, Failure> copy_message(int input, MaildropFile& file, std::uint64_t size_limit);

} // namespace facteur::postdrop
