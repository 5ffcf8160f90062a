// anvil(8): counts clients for smtpd, so that no one of them takes it all.
#include "base/log.h"
#include "daemons/anvil/counters.h"
#include "service/service.h"

namespace {

using namespace facteur;
namespace params = config::params;

class AnvilServer final : public service::Server {
public:
    std::expected<void, std::string> after_jail(service::Process& process) override
    {
        process_ = &process;
        time_unit_ = std::chrono::duration_cast<std::chrono::seconds>(process.config.get(params::anvil_rate_time_unit));
        counters_ = std::make_unique<anvil::Counters>(time_unit_);
        sweep();
        report();
        return {};
    }

    [[nodiscard]] Kind kind() const override { return Kind::requests; }
    [[nodiscard]] bool persistent() const override { return true; } // the counts would be lost

    event::Task<void> request(ipc::Request request, std::shared_ptr<ipc::Channel> from) override
    {
        ipc::AnvilRequest asked;
        if (request.method != ipc::Method::anvil || !request.parse(asked)) {
            if (!request.one_way)
                from->answer_refused(request);
            co_return;
        }
        if (!request.one_way && asked.operation() == ipc::AnvilRequest::CONNECT)
            remember(from, asked);
        const ipc::AnvilReply reply = count(asked, asked.operation());
        if (!request.one_way)
            from->answer(request, reply);
        else if (asked.operation() == ipc::AnvilRequest::DISCONNECT)
            forget(from, asked);
    }

    event::Task<void> drain() override
    {
        for (const std::string& line : counters_->report())
            log::info("{}", line);
        co_return;
    }

private:
    ipc::AnvilReply count(const ipc::AnvilRequest& asked, anvil::Operation operation)
    {
        return counters_->count(operation, asked.service(), asked.client_address(), process_->loop.now(),
                                std::chrono::system_clock::now());
    }

    // A smtpd that dies takes its connections with it: they are known by the channel that counted them.
    struct Counted {
        std::weak_ptr<ipc::Channel> channel;
        std::vector<ipc::AnvilRequest> open;
    };

    void remember(const std::shared_ptr<ipc::Channel>& from, const ipc::AnvilRequest& asked)
    {
        Counted& counted = by_channel_[from.get()];
        counted.channel = from;
        counted.open.push_back(asked);
    }

    void forget(const std::shared_ptr<ipc::Channel>& from, const ipc::AnvilRequest& asked)
    {
        const auto found = by_channel_.find(from.get());
        if (found == by_channel_.end())
            return;
        std::vector<ipc::AnvilRequest>& open = found->second.open;
        for (auto& each : open)
            if (each.client_address() == asked.client_address() && each.service() == asked.service()) {
                if (&each != &open.back())
                    each = std::move(open.back());
                open.pop_back();
                break;
            }
    }

    void sweep()
    {
        constexpr std::chrono::seconds kInterval{10};
        sweep_ = process_->loop.call_at(event::Clock::now() + kInterval, [this] {
            for (auto at = by_channel_.begin(); at != by_channel_.end();) {
                const auto channel = at->second.channel.lock();
                if (channel && channel->open()) {
                    ++at;
                    continue;
                }
                for (const ipc::AnvilRequest& each : at->second.open)
                    count(each, ipc::AnvilRequest::DISCONNECT);
                at = by_channel_.erase(at);
            }
            counters_->forget_idle(process_->loop.now());
            sweep();
        });
    }

    void report()
    {
        const auto interval = process_->config.get(params::anvil_status_update_time);
        report_ = process_->loop.call_at(event::Clock::now() + interval, [this] {
            for (const std::string& line : counters_->report())
                log::info("{}", line);
            report();
        });
    }

    service::Process* process_ = nullptr;
    std::chrono::seconds time_unit_{60};
    std::unique_ptr<anvil::Counters> counters_;
    std::unordered_map<const ipc::Channel*, Counted> by_channel_;
    std::unique_ptr<event::Loop::Timer> sweep_;
    std::unique_ptr<event::Loop::Timer> report_;
};

} // namespace

int main(int argc, char** argv)
{
    return service::run(argc, argv, "anvil",
                        [] { return std::unique_ptr<service::Server>(std::make_unique<AnvilServer>()); });
}
