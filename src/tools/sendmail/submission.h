// Handing a message to postdrop: the program that may write what sendmail may not.
#pragma once

#include "base/fd.h"
#include "queue/queue_file.pb.h"

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>

namespace facteur::sendmail {

class Submission {
public:
    // Starts "<command> -r". Error text: it could not be started.
    static std::expected<Submission, std::string> start(const std::string& command);
    Submission(Submission&&) noexcept;
    Submission& operator=(Submission&&) = delete;
    ~Submission();

    void send_envelope(const queue::Envelope& envelope);
    void send_content(std::string_view bytes);
    // Ends the message and waits for the verdict; the name of the file on success. Error: what sendmail says.
    std::expected<std::string, std::string> finish();

private:
    Submission(pid_t pid, UniqueFd input, UniqueFd output, std::string command);
    void put(std::string_view bytes);
    std::expected<std::string, std::string> verdict(const std::string& answer, int wait_status) const;

    pid_t pid_;
    UniqueFd input_;
    UniqueFd output_;
    std::string command_;
    bool broken_ = false; // postdrop went away: its answer says why
};

} // namespace facteur::sendmail
