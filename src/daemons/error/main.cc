// error and retry: one program that fails mail without trying. The nexthop is the reason. As `error` recipients bounce,
// as `retry` they are deferred. Source: error(8).
#include "agent/agent.h"
#include "daemons/error/reply_text.h"

namespace facteur::error_agent {

namespace {

constexpr std::string_view kRetry = "retry";

class ErrorAgent final : public agent::Agent {
public:
    std::expected<void, std::string> after_jail(service::Process& process) override
    {
        defers_ = process.service_name == kRetry;
        if (!defers_ && process.service_name != process.config.get(config::params::error_service_name))
            return std::unexpected("bad error service name: " + process.service_name);
        return {};
    }

    event::Task<void> deliver(agent::Delivery& delivery) override
    {
        for (int i = 0; i < delivery.recipient_count(); ++i) {
            if (defers_)
                co_await delivery.deferred(i, "none", split_status(delivery.nexthop(), '4', "4.0.0"));
            else
                co_await delivery.bounced(i, "none", split_status(delivery.nexthop(), '5', "5.0.0"));
        }
    }

    [[nodiscard]] bool needs_content() const override { return false; }

private:
    bool defers_ = false;
};

std::unique_ptr<agent::Agent> make()
{
    return std::make_unique<ErrorAgent>();
}

} // namespace

} // namespace facteur::error_agent

int main(int argc, char** argv)
{
    return facteur::agent::run_agent(argc, argv, "error", facteur::error_agent::make);
}
