// A mail transaction: from an accepted MAIL to the end of the data. Source: RFC 5321 s3.3.
#pragma once

#include "queue/queue_file.pb.h"
#include "smtp/parameters.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace facteur::smtpd {

class Intake;

struct Transaction {
    Transaction();
    ~Transaction();
    Transaction(Transaction&&) noexcept;
    Transaction& operator=(Transaction&&) noexcept;

    bool open = false;
    smtp::MailParameters mail;
    std::vector<queue::Recipient> recipients;
    std::int64_t arrival_seconds = 0; // when the queue id was made
    std::uint32_t arrival_microseconds = 0;
    long recipients_over_limit = 0;

    // BDAT: what became of the chunks so far.
    enum class Chunks { none, received, refused };
    Chunks chunks = Chunks::none;
    std::unique_ptr<Intake> intake; // while content arrives
};

} // namespace facteur::smtpd
