// The way to a proxymap service, for tables that this process may not read itself.
#pragma once

#include "table/table.h"

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace facteur::table {

// Opens a table through the service. `spec` is without the "proxy:" in front.
using ProxyOpener = std::function<std::expected<std::unique_ptr<Table>, std::string>(
    std::string_view spec, const TableOptions& options, const config::Config& config)>;

// Set once at start by a program that can reach the service. "proxy:" tables are opened directly where this process can
// read them; the opener is asked about the others.
void set_proxy_opener(ProxyOpener opener);

} // namespace facteur::table
