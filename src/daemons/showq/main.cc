// showq: tells postqueue what is in the queue. Source: showq(8).
//
// A client asks for chunk after chunk on one connection; where it stands in the queue is kept beside the connection.
#include "daemons/showq/listing.h"
#include "service/service.h"

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
        if (!process.standalone)
            qmgr_.emplace(process.loop, "public/" + process.config.get(params::queue_service_name));
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }

    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override
    {
        ipc::ListRequest wanted;
        if (request.method != ipc::Method::list || !request.parse(wanted)) {
            from->answer_refused(request);
            co_return;
        }
        std::erase_if(listings_, [](const auto& each) { return each.first.expired(); });
        if (wanted.chunk() == 0)
            listings_.insert_or_assign(from, std::make_shared<showq::Listing>(*spool_, qmgr_ ? &*qmgr_ : nullptr));
        const auto found = listings_.find(from);
        ipc::ListReply reply;
        if (found != listings_.end()) {
            const auto listing = found->second;
            reply = co_await listing->next();
            reply.set_next_chunk(listing->at_end() ? 0 : wanted.chunk() + 1);
        }
        from->answer(request, reply);
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
    service::Process* process_ = nullptr;
    std::optional<queue::Spool> spool_;
    std::optional<ipc::Client> qmgr_;
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
