// trivial-rewrite: answers two questions for the other daemons, how an address is written in full and where its mail
// goes. Source: trivial-rewrite(8); the answers themselves are made in mail/rewrite.h.
#include "base/log.h"
#include "ipc/messages.pb.h"
#include "ipc/resolve_reply.h"
#include "routing/routing_tables.h"
#include "service/service.h"

#include <unistd.h>

#include <csignal>
#include <optional>

namespace {

using namespace facteur;
using routing::Purpose;
using routing::RoutingTables;

constexpr std::chrono::seconds kTableCheck{1}; // how old an answer from a replaced table may be

using Answer = std::expected<mail::Resolution, mail::LookupFailure>;

class TrivialRewrite final : public service::Server {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        process_ = &process;
        auto delivery = RoutingTables::open(process.config, Purpose::delivery);
        if (!delivery)
            return std::unexpected(delivery.error());
        auto verification = RoutingTables::open(process.config, Purpose::verification);
        if (!verification)
            return std::unexpected(verification.error());
        delivery_ = std::move(*delivery);
        verification_ = std::move(*verification);
        return {};
    }

    std::expected<void, std::string> after_jail(service::Process& process) override
    {
        // Tables are used by one thread at a time: those that wait have one of their own.
        if (delivery_->blocking() || verification_->blocking())
            waiting_.emplace(process.loop, 1);
        check_tables();
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }

    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override
    {
        switch (request.method) {
        case ipc::Method::rewrite:
            rewrite(request, *from);
            break;
        case ipc::Method::resolve:
            co_await resolve(std::move(request), std::move(from));
            break;
        default:
            from->answer_refused(request);
            break;
        }
    }

private:
    void rewrite(const ipc::Request& request, ipc::Channel& from) const
    {
        ipc::RewriteRequest asked;
        if (!request.parse(asked)) {
            from.answer_refused(request);
            return;
        }
        const auto context = asked.context() == "local" ? mail::RewriteContext::local : mail::RewriteContext::remote;
        ipc::RewriteReply reply;
        reply.set_address(mail::rewrite(asked.address(), context, delivery_->settings().rewrite));
        from.answer(request, reply);
    }

    event::Task<void> resolve(ipc::Request request, std::shared_ptr<ipc::Channel> from)
    {
        ipc::ResolveRequest asked;
        if (!request.parse(asked)) {
            from->answer_refused(request);
            co_return;
        }
        const mail::ResolverSettings& settings = (asked.verify() ? *verification_ : *delivery_).settings();
        if (!waiting_) {
            from->answer(request, ipc::to_reply(mail::resolve(asked.sender(), asked.address(), settings)));
            co_return;
        }
        const auto ask = [&asked, &settings] { return mail::resolve(asked.sender(), asked.address(), settings); };
        const Answer answer = co_await waiting_->run(ask);
        from->answer(request, ipc::to_reply(answer));
    }

    // A jailed process cannot open a replaced table: it ends, and master starts one that can.
    void check_tables()
    {
        check_ = process_->loop.call_at(event::Clock::now() + kTableCheck, [this] {
            if (delivery_->changed() || verification_->changed()) {
                log::info("a table has changed -- restarting");
                ::kill(::getpid(), SIGHUP);
                return;
            }
            check_tables();
        });
    }

    service::Process* process_ = nullptr;
    std::unique_ptr<RoutingTables> delivery_;
    std::unique_ptr<RoutingTables> verification_;
    std::optional<event::WorkerPool> waiting_;
    std::unique_ptr<event::Loop::Timer> check_;
};

} // namespace

int main(int argc, char** argv)
{
    return service::run(argc, argv, "trivial-rewrite",
                        [] { return std::unique_ptr<service::Server>(std::make_unique<TrivialRewrite>()); });
}
