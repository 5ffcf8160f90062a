// Where mail is sent by name: the service must be in master.cf.
#include "base/text.h"
#include "config/check_parts.h"

#include <fmt/format.h>

#include <array>

namespace facteur::config {

namespace {

constexpr std::array kTransports{
    &params::local_transport,
    &params::virtual_transport,
    &params::relay_transport,
    &params::default_transport,
    &params::mailbox_transport,
    &params::fallback_transport,
    &params::content_filter,
    &params::address_verify_local_transport,
    &params::address_verify_virtual_transport,
    &params::address_verify_relay_transport,
    &params::address_verify_default_transport,
};

// What is wrong with this value as transport:nexthop; empty when nothing is.
std::string wrong_transport(std::string_view name, std::string_view value, const MasterEntries& entries)
{
    const auto service = value.substr(0, value.find(':'));
    if (service.empty() || find_transport(entries, service) != nullptr)
        return {};
    return fmt::format("{} = {}: master.cf has no service {}/unix", name, value, service);
}

void check_relayhost(Findings& findings)
{
    const auto& value = findings.config().get(params::relayhost);
    const auto colon = value.find(':');
    if (colon == value.npos || colon + 1 == value.size() || value.starts_with('[') || value[colon + 1] != '[')
        return;
    findings.blame("relayhost", fmt::format("relayhost = {}: a transport has no place here; write {} and, if need be, "
                                            "default_transport = {}",
                                            value, value.substr(colon + 1), value.substr(0, colon)));
}

} // namespace

void check_transports(Findings& findings, const MasterEntries& entries)
{
    for (const auto* parameter : kTransports) {
        // What only follows another parameter is blamed there.
        if (parameter->default_text.starts_with('$') && !findings.config().explicit_text(parameter->name))
            continue;
        if (auto wrong = wrong_transport(parameter->name, findings.config().get(*parameter), entries); !wrong.empty())
            findings.blame(parameter->name, std::move(wrong));
    }
    check_relayhost(findings);
    for (const auto& entry : entries)
        for (const auto& [name, text] : entry.overrides()) {
            const auto known = std::ranges::find(kTransports, name, &ParameterBase::name);
            const auto value = findings.config().expand(text);
            if (known == kTransports.end() || !value)
                continue;
            if (const auto wrong = wrong_transport(name, *value, entries); !wrong.empty())
                findings.blame(entry, wrong);
        }
}

} // namespace facteur::config
