#include "daemons/qmgr/message.h"

#include <algorithm>
#include <cstring>

namespace facteur::qmgr {

std::string_view queue_name(Place place)
{
    switch (place) {
    case Place::incoming:
        return "incoming";
    case Place::active:
        return "active";
    case Place::deferred:
        return "deferred";
    case Place::hold:
        return "hold";
    }
    return "incoming";
}

void Message::set_pending(const std::vector<PendingRecipient>& recipients)
{
    addresses_.reset();
    reasons_.reset();
    reason_ = {};
    if (recipients.empty())
        return;
    reason_ = recipients.front().reason;
    std::size_t size = 1;
    for (const auto& each : recipients)
        size += each.address.size() + 1;
    addresses_ = std::make_unique_for_overwrite<char[]>(size);
    char* at = addresses_.get();
    for (const auto& each : recipients) {
        // A zero byte is no part of any address; should a damaged file hold one, the rest is not shown.
        const auto shown = each.address.substr(0, each.address.find('\0'));
        if (shown.empty())
            continue;
        std::memcpy(at, shown.data(), shown.size());
        at += shown.size();
        *at++ = '\0';
    }
    *at = '\0';
    const bool differ = std::ranges::any_of(recipients, [&](const auto& each) { return !(each.reason == reason_); });
    if (!differ)
        return;
    reasons_ = std::make_unique<std::vector<SharedText>>();
    for (const auto& each : recipients)
        if (!each.address.empty() && each.address.front() != '\0')
            reasons_->push_back(each.reason);
}

void Message::each_pending(const std::function<void(std::string_view, const SharedText&)>& visit) const
{
    static const SharedText none;
    if (active) {
        const auto& envelope = active->envelope;
        for (int i = 0; i < envelope.recipients_size(); ++i) {
            const auto number = static_cast<std::size_t>(i);
            if (number < active->done.size() && active->done[number])
                continue;
            visit(envelope.recipients(i).address(),
                  number < active->deferral_reason.size() ? active->deferral_reason[number] : none);
        }
        return;
    }
    if (!addresses_)
        return;
    std::size_t number = 0;
    for (const char* at = addresses_.get(); *at != '\0'; ++number) {
        const std::string_view address(at);
        visit(address, reasons_ ? (*reasons_)[number] : reason_);
        at += address.size() + 1;
    }
}

} // namespace facteur::qmgr
