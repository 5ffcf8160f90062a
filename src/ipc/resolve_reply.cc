#include "ipc/resolve_reply.h"

#include "base/log.h"
#include "ipc/flags.h"
#include "mail/address.h"

namespace facteur::ipc {

namespace {

std::uint32_t class_flag(mail::AddressClass address_class)
{
    switch (address_class) {
    case mail::AddressClass::local:
        return resolve_flag::local;
    case mail::AddressClass::virtual_alias:
        return resolve_flag::virtual_alias;
    case mail::AddressClass::virtual_mailbox:
        return resolve_flag::virtual_mailbox;
    case mail::AddressClass::relay:
        return resolve_flag::relay;
    case mail::AddressClass::other:
        return resolve_flag::other;
    }
    return resolve_flag::other;
}

} // namespace

ResolveReply to_reply(const std::expected<mail::Resolution, mail::LookupFailure>& answer)
{
    ResolveReply reply;
    if (!answer) {
        log::warning("{}", answer.error().text);
        reply.set_flags(resolve_flag::failed);
        return reply;
    }
    reply.set_transport(answer->transport);
    reply.set_nexthop(answer->nexthop);
    reply.set_recipient(answer->recipient);
    reply.set_flags(class_flag(answer->address_class) | (answer->routed ? resolve_flag::routed : 0) |
                    (answer->error ? resolve_flag::error : 0));
    return reply;
}

void divert_to_filter(const queue::Envelope& envelope, std::string_view default_nexthop, std::string_view recipient,
                      std::string& transport, std::string& nexthop)
{
    if (envelope.content_filter().empty() || envelope.internal())
        return;
    const auto filter = mail::split_transport(envelope.content_filter());
    transport = filter.transport;
    nexthop = !filter.nexthop.empty()    ? filter.nexthop
              : !default_nexthop.empty() ? default_nexthop
                                         : mail::split_address(recipient).domain;
}

} // namespace facteur::ipc
