// One message on its way into the queue: content passed and completed, envelope mapped, written as a queue file.
//
// Small messages live in memory until they are whole and are then written and journalled at once. A message that
// outgrows kMaxInMemory is written as it arrives and flushed as a file of its own.
#pragma once

#include "daemons/cleanup/addresses.h"
#include "daemons/cleanup/settings.h"
#include "ipc/messages.pb.h"
#include "mail/content_pass.h"
#include "queue/spool.h"
#include "queue/standing_rules.h"

#include <memory>
#include <string>

namespace facteur::cleanup {

inline constexpr std::size_t kMaxInMemory = 256 << 10;

// A message up to these sizes may begin its life without a queue file: most such mail leaves at once.
inline constexpr std::size_t kMaxWithoutFile = 128 << 10;
inline constexpr int kMaxRecipientsWithoutFile = 50;
enum class QueueFile { at_once, when_needed };

// The verdict on a message, as SubmitReply says it.
struct Verdict {
    ipc::SubmitStatus status = ipc::SUBMIT_OK;
    std::string enhanced_status;
    std::string reason;
    [[nodiscard]] bool ok() const { return status == ipc::SUBMIT_OK; }
};

class Submission {
public:
    Submission(const Settings& settings, Tables& tables, const queue::Spool& spool, const queue::StandingRules* rules,
               ipc::SubmitRequest request);
    ~Submission(); // removes an unfinished file
    Submission(const Submission&) = delete;
    Submission& operator=(const Submission&) = delete;

    // The next bytes of content. After the first failure the rest is ignored.
    void push(std::string_view bytes);
    [[nodiscard]] std::uint64_t received() const { return pass_->facts().stored_bytes; } // bytes so far, as stored
    // All content is there: completes headers and envelope, and writes the file. Not yet durable.
    Verdict finish(QueueFile file);
    // Makes the written file a message: mode 0700. After this the destructor leaves it alone.
    Verdict publish();

    // --- after finish() ---
    [[nodiscard]] const std::string& queue_id() const { return request_.queue_id(); }
    [[nodiscard]] bool in_memory() const { return streamed_ == 0; }
    [[nodiscard]] bool has_file() const { return static_cast<bool>(file_); }
    // When in_memory(): the bytes of the file, in pieces, which are given away.
    [[nodiscard]] std::vector<std::string> take_file() { return std::move(file_pieces_); }
    [[nodiscard]] std::uint64_t file_size() const { return file_size_; }
    [[nodiscard]] int fd() const { return file_.get(); }
    [[nodiscard]] std::string_view queue() const { return queue_; }
    [[nodiscard]] std::string path() const { return spool_.path(queue_, request_.queue_id()); }
    [[nodiscard]] ipc::Arrived arrival() const;
    [[nodiscard]] std::uint64_t content_size() const { return content_size_; }
    [[nodiscard]] bool discarded() const { return discarded_; }
    [[nodiscard]] bool stored() const { return published_; } // by publish()
    [[nodiscard]] bool bounce_on_failure() const;
    [[nodiscard]] const queue::Envelope& envelope() const { return request_.envelope(); }

private:
    mail::ContentOptions content_options() const;
    mail::ContentHooks content_hooks();
    Verdict check_facts() const;
    Verdict complete_envelope();
    Verdict obey_standing_rules();
    Verdict write_whole(QueueFile file);
    Verdict write_rest();
    void spill();
    bool create_file();
    void note_utf8();
    void note_priority(std::string_view header);
    [[nodiscard]] std::uint32_t content_flags() const;
    Verdict fail(const std::string& what);

    const Settings& settings_;
    Tables& tables_;
    const queue::Spool& spool_;
    const queue::StandingRules* rules_; // none: nothing was ruled
    ipc::SubmitRequest request_;
    Addresses addresses_;
    std::unique_ptr<mail::ContentPass> pass_;
    UniqueFd file_;
    std::string_view queue_ = queue::kIncoming;
    std::vector<std::string> file_pieces_;
    std::uint64_t file_size_ = 0;
    std::string original_sender_;
    std::uint64_t streamed_ = 0;
    std::uint64_t content_size_ = 0;
    std::uint64_t status_offset_ = 0;
    bool discarded_ = false;
    bool published_ = false;
    Verdict failed_;
};

// "4.3.0" and "queue file write error" and so on. Source: Postfix's cleanup status table.
Verdict verdict(ipc::SubmitStatus status);

} // namespace facteur::cleanup
