// showq: tells postqueue what is in the queue. Source: showq(8).
//
// A client asks for chunk after chunk on one connection; where it stands in the queue is kept beside the connection.
#include "daemons/showq/explain.h"
#include "daemons/showq/listing.h"
#include "service/service.h"

#include <ctime>
#include <map>

namespace facteur {
namespace {

namespace params = config::params;

class Showq final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        process_ = &process;
        spool_.emplace(process.config.get(params::hash_queue_names),
                       static_cast<int>(process.config.get(params::hash_queue_depth)));
        if (!process.standalone) {
            qmgr_.emplace(process.loop, "public/" + process.config.get(params::queue_service_name));
            rewrite_.emplace(process.loop, "private/" + process.config.get(params::rewrite_service_name));
        }
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }

    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override
    {
        if (request.method == ipc::Method::explain)
            co_await explain(std::move(request), std::move(from));
        else
            co_await list(std::move(request), std::move(from));
    }

    // Standalone: postqueue holds the other end of standard input.
    event::Task<void> connection(net::Accepted client) override
    {
        auto channel =
            std::make_shared<ipc::Channel>(std::make_unique<net::Stream>(process_->loop, std::move(client.fd)));
        const std::weak_ptr<ipc::Channel> weak = channel;
        co_await channel->run([this, weak](ipc::Request each) { event::spawn(request(std::move(each), weak.lock())); });
    }

private:
    using ChannelPtr = std::shared_ptr<ipc::Channel>;

    event::Task<void> explain(ipc::Request request, ChannelPtr from)
    {
        ipc::ExplainRequest wanted;
        if (!request.parse(wanted) || !queue::valid_queue_id(wanted.queue_id())) {
            from->answer_refused(request);
            co_return;
        }
        ipc::Client* const qmgr = qmgr_ ? &*qmgr_ : nullptr;
        ipc::RewriteClient* const rewrite = rewrite_ ? &*rewrite_ : nullptr;
        const ipc::ExplainReply reply = co_await showq::explain(
            *spool_, qmgr, rewrite, process_->config.get(params::default_filter_nexthop), wanted.queue_id());
        from->answer(request, reply);
    }

    // A new walk. Nothing, and an error in the reply, when the selection is not understood.
    std::shared_ptr<showq::Listing> begin(const ipc::ListRequest& wanted, ipc::ListReply& reply)
    {
        const std::string& where = wanted.where();
        std::optional<queue::Selection> selection;
        if (!where.empty()) {
            auto parsed = queue::Selection::parse(where);
            if (!parsed) {
                reply.set_error(parsed.error().problem);
                return nullptr;
            }
            selection = std::move(*parsed);
        }
        const showq::Listing::Context context{process_->loop, *spool_, qmgr_ ? &*qmgr_ : nullptr,
                                              rewrite_ ? &*rewrite_ : nullptr};
        return std::make_shared<showq::Listing>(context, wanted, std::move(selection), std::time(nullptr));
    }

    event::Task<void> list(ipc::Request request, ChannelPtr from)
    {
        ipc::ListRequest wanted;
        if (request.method != ipc::Method::list || !request.parse(wanted)) {
            from->answer_refused(request);
            co_return;
        }
        std::erase_if(listings_, [](const auto& each) { return each.first.expired(); });
        showq::Listing::Piece piece;
        if (wanted.chunk() == 0) {
            listings_.erase(from);
            if (auto listing = begin(wanted, piece.reply))
                listings_.emplace(from, std::move(listing));
        }
        const auto found = listings_.find(from);
        if (found != listings_.end()) {
            const auto listing = found->second;
            piece = co_await listing->next();
            piece.reply.set_next_chunk(listing->at_end() ? 0 : wanted.chunk() + 1);
        }
        from->answer(request, piece.reply, piece.page);
    }

    service::Process* process_ = nullptr;
    std::optional<queue::Spool> spool_;
    std::optional<ipc::Client> qmgr_;
    std::optional<ipc::RewriteClient> rewrite_;
    std::map<std::weak_ptr<ipc::Channel>, std::shared_ptr<showq::Listing>, std::owner_less<>> listings_;
};

std::unique_ptr<service::Server> make()
{
    return std::make_unique<Showq>();
}

} // namespace
} // namespace facteur

int main(int argc, char** argv)
{
    return facteur::service::run(argc, argv, "showq", facteur::make);
}
