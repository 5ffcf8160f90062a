// Content on its way from the client to cleanup. Small messages go in one request; of large ones a part is sent as soon
// as it has arrived, and cleanup's answer is awaited before more is read from the client.
#pragma once

#include "daemons/smtpd/context.h"
#include "daemons/smtpd/facts.h"
#include "daemons/smtpd/transaction.h"
#include "smtp/data_decoder.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur::smtpd {

class Intake {
public:
    Intake(Context& context, const Facts& facts, const Transaction& transaction, smtp::DataDecoder::Mode mode,
           smtp::DataDecoder::EndOfData end)
        : context_(context), facts_(facts), transaction_(transaction), decoder_(mode, end)
    {
    }

    // Decodes; how much of the bytes was used (see DataDecoder).
    std::size_t take(std::string_view bytes);
    [[nodiscard]] bool ended() const { return decoder_.ended(); }
    [[nodiscard]] bool saw_bare_newline() const { return decoder_.saw_bare_newline(); }
    [[nodiscard]] std::uint64_t size() const { return size_; }

    // True when enough is gathered that send_part() should run.
    [[nodiscard]] bool part_ready() const { return content_.size() >= kPart; }
    event::Task<void> send_part();
    // The rest, and what cleanup says of the whole. With `refuse_now` set the message is dropped.
    enum class Finish { keep, drop };
    event::Task<ipc::SubmitReply> finish(Finish how);

private:
    static constexpr std::size_t kPart = 256 << 10;
    [[nodiscard]] ipc::SubmitRequest make_request(bool last) const;
    void fix_first_line();
    event::Task<void> send(bool last);
    void note(const std::expected<ipc::SubmitReply, ipc::IpcError>& answer);

    Context& context_;
    const Facts& facts_;
    const Transaction& transaction_;
    smtp::DataDecoder decoder_;
    std::string content_;
    std::uint64_t size_ = 0;
    bool begun_ = false; // cleanup has heard of the message
    bool too_big_ = false;
    std::optional<ipc::SubmitReply> refused_; // cleanup's no to a part
    ipc::SubmitReply answer_;
};

// The Received: header for a message, as it stands at the end of the data.
std::string received_header(const Settings& settings, const Facts& facts, const Transaction& transaction);

// The SMTP reply to a submission: 250 with the queue id, or why not.
std::string reply_to_submission(const ipc::SubmitReply& answer);

} // namespace facteur::smtpd
