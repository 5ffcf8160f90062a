// flush: delivery on request, for ETRN, "postqueue -s" and "postqueue -i". Source: flush(8), ETRN_README.
//
// The queue manager lists every deferred message from memory, so no record by destination is kept here: this service
// decides which destinations may be asked for (fast_flush_domains), picks their messages from the list, and passes
// their ids on.
#include "base/log.h"
#include "base/text.h"
#include "config/match_list.h"
#include "ipc/client.h"
#include "ipc/list_page.h"
#include "ipc/messages.pb.h"
#include "net/address.h"
#include "queue/queue_id.h"
#include "queue/spool.h"
#include "service/service.h"
#include "table/table.h"

namespace facteur {
namespace {

namespace params = config::params;
using Status = ipc::FlushReply;

constexpr event::milliseconds kPatience{60'000};

class Flush final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        const config::Config& config = process.config;
        const auto probe = [this, &config](std::string_view spec,
                                           std::string_view key) -> std::expected<bool, std::string> {
            auto& table = tables_[std::string(spec)];
            if (!table)
                table = table::open_table(spec, {}, config);
            const auto found = table->lookup(key);
            if (!found)
                return std::unexpected(found.error().text);
            return found->has_value();
        };
        const auto& parents = config.get(params::parent_domain_matches_subdomains);
        const auto features = text::split_list(parents);
        auto list = config::MatchList::parse(
            config.get(params::fast_flush_domains),
            {.kind = config::ListKind::domain,
             .parent_matches_subdomains = std::ranges::find(features, "fast_flush_domains") != features.end(),
             .parameter = "fast_flush_domains"},
            probe);
        if (!list)
            return std::unexpected(list.error());
        eligible_.emplace(std::move(*list));
        qmgr_.emplace(process.loop, "public/" + config.get(params::queue_service_name));
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }

    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override
    {
        ipc::FlushRequest wanted;
        if (request.method != ipc::Method::flush || !request.parse(wanted)) {
            from->answer_refused(request);
            co_return;
        }
        ipc::FlushReply reply;
        switch (wanted.operation()) {
        case ipc::FlushRequest::SEND_SITE: {
            const auto status = co_await send_site(wanted.site());
            reply.set_status(status);
            break;
        }
        case ipc::FlushRequest::SEND_FILE: {
            const auto status = co_await send_file(wanted.queue_id());
            reply.set_status(status);
            break;
        }
        case ipc::FlushRequest::ADD:
        case ipc::FlushRequest::REFRESH:
        case ipc::FlushRequest::PURGE:
            reply.set_status(Status::OK);
            break; // there is no record to keep
        default:
            reply.set_status(Status::BAD);
        }
        from->answer(request, reply);
    }

private:
    event::Task<Status::Status> send_site(std::string site)
    {
        if (site.empty())
            co_return Status::BAD;
        const auto eligible = eligible_->matches(text::to_lower(site));
        if (!eligible) {
            log::warning("fast_flush_domains: {}", eligible.error());
            co_return Status::FAIL;
        }
        if (!*eligible)
            co_return Status::DENY;
        ipc::ListRequest wanted;
        wanted.set_with_recipients(true);
        wanted.add_queues(std::string(queue::kDeferred));
        ipc::ListReply list;
        do {
            std::string page;
            const auto listed =
                co_await qmgr_->call(ipc::Method::list, wanted, list, {}, ipc::Client::Repeat::never, kPatience, &page);
            if (!listed) {
                log::warning("queue manager: {}", ipc::to_string(listed.error()));
                co_return Status::FAIL;
            }
            ipc::QueueChange change = messages_for(site, page);
            if (change.queue_ids_size() > 0) {
                const auto status = co_await pass_on(std::move(change));
                if (status != Status::OK)
                    co_return status;
            }
            wanted.set_after(list.last());
        } while (list.more());
        co_return Status::OK;
    }

    static ipc::QueueChange messages_for(std::string_view site, std::string_view bytes)
    {
        const auto goes_there = [site](std::string_view address) {
            const auto at = address.rfind('@');
            return at != address.npos && text::iequals(address.substr(at + 1), site);
        };
        ipc::QueueChange change;
        change.set_operation(ipc::QueueChange::FLUSH_ID);
        for (ipc::ListPage page(bytes); page.next();) {
            bool wanted = false;
            for (ipc::ListedRecipient recipient; page.next_recipient(recipient);)
                wanted |= goes_there(recipient.address);
            if (wanted)
                change.add_queue_ids(std::string(page.message().id));
        }
        return change;
    }

    event::Task<Status::Status> send_file(std::string queue_id)
    {
        if (!queue::valid_queue_id(queue_id))
            co_return Status::BAD;
        ipc::QueueChange change;
        change.set_operation(ipc::QueueChange::FLUSH_ID);
        change.add_queue_ids(std::move(queue_id));
        const auto status = co_await pass_on(std::move(change));
        co_return status;
    }

    event::Task<Status::Status> pass_on(ipc::QueueChange change)
    {
        ipc::Nothing nothing;
        const auto told = co_await qmgr_->call(ipc::Method::queue_change, change, nothing, {},
                                               ipc::Client::Repeat::until_answered, kPatience);
        if (told)
            co_return Status::OK;
        log::warning("queue manager: {}", ipc::to_string(told.error()));
        co_return Status::FAIL;
    }

    std::map<std::string, std::unique_ptr<table::Table>, std::less<>> tables_;
    std::optional<config::MatchList> eligible_;
    std::optional<ipc::Client> qmgr_;
};

std::unique_ptr<service::Server> make()
{
    return std::make_unique<Flush>();
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::service::run(argc, argv, "flush", facteur::make);
}
