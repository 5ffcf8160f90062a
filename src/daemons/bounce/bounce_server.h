// bounce, defer and trace: three services, one program. Appends outcomes to a message's log, and turns a log into the
// notice that the sender, or the postmaster, gets. Source: bounce(8).
#pragma once

#include "agent/bounce_log.h"
#include "daemons/bounce/notice.h"
#include "ipc/client.h"
#include "queue/spool.h"
#include "service/service.h"

#include <optional>

namespace facteur::bounce {

struct Subject;

// Which postmaster copies are sent. Source: postconf(5), notify_classes.
struct NotifyClasses {
    bool bounce = false;
    bool double_bounce = false; // "2bounce"
    bool delay = false;
};

struct Settings {
    Reporter reporter;
    NotifyClasses notify;
    std::string bounce_recipient;
    std::string double_bounce_recipient;
    std::string delay_recipient;
    std::string double_bounce_sender; // complete address
    std::uint64_t size_limit = 50000; // 0: none
    std::uint32_t submit_flags = 0;
};

class BounceServer final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override;
    std::expected<void, std::string> after_jail(service::Process& process) override;
    [[nodiscard]] Kind kind() const override { return Kind::requests; }
    [[nodiscard]] service::Side side() const override { return service::Side::delivering; }
    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override;

private:
    using Entries = std::vector<const ipc::LogRecipient*>;

    event::Task<bool> append(const ipc::BounceAppend& append);
    event::Task<bool> flush(ipc::BounceFlush flush);
    event::Task<bool> notify_failure(Subject& subject);
    event::Task<bool> notify_failure_singly(Subject& subject);
    event::Task<bool> notify_delay(Subject& subject);
    event::Task<bool> notify_trace(Subject& subject);
    event::Task<void> copy_to_postmaster(Subject& subject, NoticeKind kind, std::string to, std::string_view word);

    // Whom a notice goes to, and in whose name.
    struct Addressing {
        std::string sender;
        std::string to;
        Audience audience = Audience::sender;
    };
    // Queues one notice. The new queue id, or nothing when cleanup did not take it.
    event::Task<std::optional<std::string>> post(Subject& subject, NoticeKind kind, Addressing who, Entries recipients,
                                                 Attach attach);
    [[nodiscard]] Attach wanted(const Subject& subject, Attach otherwise) const;

    std::optional<queue::Spool> spool_;
    event::WorkerPool* pool_ = nullptr;
    std::optional<queue::IdSource> ids_;
    Templates templates_;
    const std::string& words(NoticeKind kind);
    std::array<std::optional<std::string>, kNoticeKinds> texts_; // expanded when first needed
    const config::Config* config_ = nullptr;
    Settings settings_;
    std::string service_queue_; // where this service appends: "bounce", "defer" or "trace"
    std::unique_ptr<ipc::Client> cleanup_;
};

std::unique_ptr<service::Server> make_bounce_server();

} // namespace facteur::bounce
