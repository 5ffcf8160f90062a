#include "tools/postsuper/chooser.h"

#include "base/log.h"

namespace facteur::postsuper {

using queue::Truth;

bool Chooser::chosen(std::string_view queue, const std::string& id)
{
    facts_.about(queue, id);
    Truth truth = where_.matches(facts_);
    if (truth == Truth::unknown && where_.uses(queue::Field::transport) && resolve())
        truth = where_.matches(facts_);
    undecided_ += truth == Truth::unknown && facts_.there();
    return truth == Truth::yes;
}

bool Chooser::resolve()
{
    const auto* const sender = facts_.sender();
    const auto* const recipients = facts_.recipients();
    if (!sender || !recipients)
        return false;
    std::vector<std::string> transports;
    for (const auto& address : *recipients) {
        auto transport = transport_of(*sender, address);
        if (!transport)
            return false;
        transports.push_back(std::move(*transport));
    }
    facts_.set_transports(std::move(transports));
    return true;
}

std::optional<std::string> Chooser::transport_of(const std::string& sender, const std::string& address)
{
    constexpr std::size_t kKeep = 100'000;
    const std::string key = sender + '\n' + address;
    if (const auto known = transports_.find(key); known != transports_.end())
        return known->second;
    if (!std::exchange(tried_rewrite_, true)) {
        auto connected = ipc::BlockingChannel::connect(rewrite_socket_);
        if (connected)
            rewrite_.emplace(std::move(*connected));
        else
            log::warning("{}: addresses are not resolved, so transports are not known", connected.error().message());
    }
    if (!rewrite_)
        return std::nullopt;
    ipc::ResolveRequest request;
    request.set_sender(sender);
    request.set_address(address);
    ipc::ResolveReply reply;
    if (!rewrite_->call(ipc::Method::resolve, request, reply) || reply.transport().empty())
        return std::nullopt;
    if (transports_.size() >= kKeep)
        transports_.clear();
    return transports_[key] = reply.transport();
}

} // namespace facteur::postsuper
