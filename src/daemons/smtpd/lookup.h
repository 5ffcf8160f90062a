// Tables as coroutines use them: those that may wait are asked on the worker pool, one question at a time.
#pragma once

#include "event/pool.h"
#include "table/maps.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace facteur::smtpd {

using LocalDomain = std::function<bool(std::string_view domain)>;

class Lookup {
public:
    Lookup(std::string title, std::string_view list, const table::TableOptions& options, const config::Config& config,
           event::WorkerPool& pool)
        : title_(title), maps_(std::move(title), list, options, config), pool_(pool)
    {
    }

    using Result = table::LookupResult;
    event::Task<Result> find(std::string key, table::Maps::Patterns patterns = table::Maps::Patterns::use);
    event::Task<Result> find_domain(std::string domain, table::Maps::Parents parents);
    // A mail address with the shorter forms of it that tables may hold.
    event::Task<Result> find_address(std::string address, const std::string& delimiter,
                                     const LocalDomain& local_domain);

    [[nodiscard]] bool empty() const { return maps_.empty(); }
    [[nodiscard]] bool changed() const { return maps_.changed(); }
    [[nodiscard]] const std::string& title() const { return title_; }

private:
    // By reference: the caller's frame outlives the wait.
    template <typename Ask>
    event::Task<Result> ask(Ask& question);

    std::string title_;
    table::Maps maps_;
    event::WorkerPool& pool_;
    std::mutex one_at_a_time_;
};

} // namespace facteur::smtpd
