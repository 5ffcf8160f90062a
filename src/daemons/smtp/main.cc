// smtp, also installed as lmtp: delivers mail over SMTP or LMTP. The name it is called by decides which.
#include "daemons/smtp/client.h"

#include <memory>
#include <string_view>

namespace facteur::smtp_client {

namespace {

class SmtpAgent final : public agent::Agent {
public:
    std::expected<void, std::string> before_jail(service::Process& process) override
    {
        const Protocol protocol = process.program == "lmtp" ? Protocol::lmtp : Protocol::smtp;
        auto settings = read_settings(process.config, protocol);
        if (!settings)
            return std::unexpected(std::move(settings.error()));
        const auto added = parse_flags(process.arguments);
        if (!added)
            return std::unexpected(added.error());
        settings->added = *added;
        client_ = std::make_unique<Client>(process, std::move(*settings));
        return {};
    }
    event::Task<void> deliver(agent::Delivery& delivery) override { return client_->deliver(delivery); }
    event::Task<void> drain() override
    {
        client_->drop_idle_sessions();
        co_return;
    }
    [[nodiscard]] bool faces_strangers() const override { return true; }

private:
    std::unique_ptr<Client> client_;
};

std::unique_ptr<agent::Agent> make_agent()
{
    return std::make_unique<SmtpAgent>();
}

} // namespace

} // namespace facteur::smtp_client

int main(int argc, char** argv)
{
    const std::string_view path = argc > 0 ? argv[0] : "smtp";
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return facteur::agent::run_agent(argc, argv, name == "lmtp" ? "lmtp" : "smtp", facteur::smtp_client::make_agent);
}
