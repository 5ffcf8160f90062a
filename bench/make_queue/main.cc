// make_queue QUEUE_DIRECTORY COUNT [DOMAINS]: fills deferred/ with messages as a dead internet would leave them, for
// measuring a large queue. Writes queue files and defer logs through the queue's own code, without any flush.
//
// Run it as the mail owner, while the system is stopped. The result is the same every time but for the times: every
// message has one recipient at one of DOMAINS (1000) domains, popular ones more often; ages are up to four days, the
// next try is one to three hours from now.
#include "agent/bounce_log.h"
#include "base/text.h"
#include "queue/queue_file.h"
#include "queue/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <random>

namespace {

using namespace facteur;

constexpr std::int64_t kLongestAge = 4 * 86400;
constexpr std::int64_t kShortestWait = 3600; // nothing is tried while we measure
constexpr std::int64_t kLongestWait = 3 * 3600;

// Ids of the short form: five digits of the microsecond, which decide about the directory, then the number.
std::string id_of(std::uint64_t number)
{
    return fmt::format("{:05X}{:07X}", number * 617 % 1'000'000, number);
}

class Maker {
public:
    explicit Maker(int domains) : domains_(domains), now_(std::time(nullptr)) {}

    bool make(std::uint64_t number)
    {
        const std::string id = id_of(number);
        // Squaring a uniform number makes the first domains far more frequent than the last.
        const double draw = std::uniform_real_distribution<>(0, 1)(random_);
        const int domain = static_cast<int>(draw * draw * domains_);
        const std::string recipient = fmt::format("user{}@d{}.example", number % 5000, domain);
        queue::Envelope envelope;
        envelope.set_sender(fmt::format("news{}@sender{}.example", number % 300, number % 20));
        envelope.set_arrival_seconds(now_ - static_cast<std::int64_t>(random_() % kLongestAge));
        envelope.set_message_id(fmt::format("<{}@mx.example>", id));
        envelope.set_rewrite_context("local");
        envelope.mutable_origin()->set_client_name("client.example");
        envelope.mutable_origin()->set_client_address(fmt::format("192.0.2.{}", number % 250));
        envelope.mutable_origin()->set_protocol_name("ESMTP");
        envelope.mutable_origin()->set_helo_name("client.example");
        if (number % 3 == 0)
            envelope.mutable_origin()->set_sasl_username(fmt::format("account{}", number % 100));
        envelope.add_recipients()->set_address(recipient);
        return write_message(id, envelope) && write_log(id, recipient, domain);
    }

private:
    bool write_message(const std::string& id, const queue::Envelope& envelope)
    {
        const std::string content =
            fmt::format("Message-Id: {}\r\nSubject: news\r\n\r\n{}\r\n", envelope.message_id(), std::string(300, 'x'));
        const auto file = spool_.create(queue::kDeferred, id);
        const timespec due{now_ + kShortestWait + static_cast<std::int64_t>(random_() % (kLongestWait - kShortestWait)),
                           0};
        const timespec times[] = {due, due};
        return file && write_all(file->get(), queue::encode_queue_file(content, envelope, 0), id) &&
               ::futimens(file->get(), times) == 0 && ::fchmod(file->get(), 0700) == 0;
    }

    bool write_log(const std::string& id, const std::string& recipient, int domain)
    {
        ipc::LogRecipient entry;
        entry.mutable_recipient()->set_address(recipient);
        entry.mutable_dsn()->set_status("4.4.1");
        entry.mutable_dsn()->set_action("delayed");
        entry.mutable_dsn()->set_reason(
            fmt::format("connect to mx.d{}.example[198.51.100.{}]:25: Connection timed out", domain, domain % 250));
        entry.set_relay("none");
        return agent::append_to_log(spool_.path(queue::kDefer, id), entry).has_value();
    }

    int domains_;
    std::int64_t now_;
    std::mt19937_64 random_{20}; // the same queue every time
    queue::Spool spool_{"deferred, defer", 1};
};

} // namespace

int main(int argc, char** argv)
{
    const auto count = argc > 2 ? text::to_long(argv[2]) : std::nullopt;
    const auto domains = argc > 3 ? text::to_long(argv[3]) : std::optional(1000L);
    if (argc < 3 || argc > 4 || !count || *count < 0 || !domains || *domains < 1 || *domains > 1'000'000) {
        fmt::print(stderr, "usage: make_queue queue_directory count [domains]\n");
        return 1;
    }
    if (::chdir(argv[1]) != 0) {
        std::perror(argv[1]);
        return 1;
    }
    Maker maker(static_cast<int>(*domains));
    for (long i = 0; i < *count; ++i)
        if (!maker.make(static_cast<std::uint64_t>(i))) {
            std::perror("make_queue");
            return 1;
        }
    return 0;
}
