// discard: throws mail away and says so. The nexthop is the text in the log. Source: discard(8).
#include "agent/agent.h"

namespace facteur::discard {

namespace {

class DiscardAgent final : public agent::Agent {
public:
    event::Task<void> deliver(agent::Delivery& delivery) override
    {
        for (int i = 0; i < delivery.recipient_count(); ++i)
            co_await delivery.sent(i, "none", agent::make_dsn("2.0.0", delivery.nexthop()));
    }
    [[nodiscard]] bool needs_content() const override { return false; }
};

std::unique_ptr<agent::Agent> make()
{
    return std::make_unique<DiscardAgent>();
}

} // namespace

} // namespace facteur::discard

int main(int argc, char** argv)
{
    return facteur::agent::run_agent(argc, argv, "discard", facteur::discard::make);
}
