// What becomes of each recipient after a conversation: settled now, or left for the next server.
#include "base/log.h"
#include "daemons/smtp/client.h"

#include <algorithm>

namespace facteur::smtp_client {

bool Attempt::retryable(const Trouble& trouble) const
{
    return trouble.soft() || settings_.soft_bounce;
}

void Attempt::drop_settled()
{
    std::erase_if(left_, [this](int index) { return delivery_.settled(index); });
}

event::Task<void> Attempt::settle(const TransactionResult& result, const Conversation& with, Last last)
{
    const std::vector<int> asked = left_; // positions of outcomes count from here
    std::vector<bool> decided(asked.size(), false);
    for (const RecipientOutcome& outcome : result.outcomes) {
        const int index = asked[outcome.position];
        decided[outcome.position] = true;
        if (outcome.trouble)
            co_await settle_failed(index, *outcome.trouble, with.relay, last);
        else
            co_await settle_taken(index, outcome.reply, with);
    }
    drop_settled();
    if (!result.rest)
        co_return;
    std::vector<int> kept; // failed for now on their own account
    std::vector<int> rest;
    for (std::size_t i = 0; i < asked.size(); ++i)
        if (!delivery_.settled(asked[i]))
            (decided[i] ? kept : rest).push_back(asked[i]);
    left_ = std::move(rest);
    co_await settle_rest(*result.rest, with.relay, last, result.throttle);
    left_.insert(left_.end(), kept.begin(), kept.end());
    std::ranges::sort(left_);
}

event::Task<void> Attempt::settle_taken(int index, const Reply& reply, const Conversation& with)
{
    ipc::Dsn dsn = to_dsn({reply.status, reply.one_line(), with.remote_mta, reply.one_line()});
    co_await delivery_.sent(index, with.relay, std::move(dsn), with.action);
}

event::Task<void> Attempt::settle_failed(int index, Trouble trouble, const std::string& relay, Last last)
{
    trouble_ = trouble;
    if (retryable(trouble) && last == Last::no) {
        log::info("{}: {}", delivery_.queue_id(), trouble.reason);
        co_return;
    }
    if (trouble.soft())
        co_await delivery_.deferred(index, relay, to_dsn(trouble));
    else
        co_await delivery_.bounced(index, relay, to_dsn(trouble));
}

event::Task<void> Attempt::settle_rest(Trouble trouble, std::string relay, Last last, bool throttle)
{
    trouble_ = trouble;
    if (retryable(trouble) && last == Last::no) {
        log::info("{}: {}", delivery_.queue_id(), trouble.reason);
        co_return;
    }
    if (throttle && retryable(trouble) && !delivery_.hop_has_failed())
        delivery_.hop_failed(to_dsn(trouble));
    const std::vector<int> recipients = left_;
    for (const int index : recipients) {
        if (trouble.soft())
            co_await delivery_.deferred(index, relay, to_dsn(trouble));
        else
            co_await delivery_.bounced(index, relay, to_dsn(trouble));
    }
    drop_settled();
}

event::Task<void> Attempt::settle_leftovers()
{
    if (!trouble_.any())
        trouble_ = local_trouble("4.3.0", "server unavailable or unable to receive mail");
    if (!trouble_.soft())
        excuse_configuration();
    co_await settle_rest(trouble_, "none", Last::yes, true);
}

// A relay of our own choice that is not there is more likely our mistake than the sender's: keep the mail.
void Attempt::excuse_configuration()
{
    if (fallback_tried_) {
        log::warning("smtp_fallback_relay configuration problem");
        trouble_.status = "4.3.5";
    } else if (settings_.protocol == Protocol::smtp && first_destination_ == settings_.relayhost) {
        log::warning("relayhost configuration problem");
        trouble_.status = "4.3.5";
    } else if (trouble_.loop() && !settings_.best_mx_transport.empty()) {
        log::warning("best_mx_transport is not supported; keeping mail for {}", first_destination_);
        trouble_.status = "4.3.5";
    }
}

} // namespace facteur::smtp_client
