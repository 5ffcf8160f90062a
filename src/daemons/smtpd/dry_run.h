// What a client would be told, found out without a client: `postfix explain ADDRESS` runs
//
//   smtpd -S [options of the service in master.cf] explain CLIENT HELO SENDER RECIPIENT
//
// The restrictions are those that judge real sessions. Addresses are resolved in this process, nothing is sent or
// logged, and restrictions that would ask DNS or another service are left out. Standard output is lines of fields with
// tabs between:
//
//   step  LIST  DEPTH  RESTRICTION  ARGUMENT  ok|reject|dunno|skipped|planned  TEXT
//   end   accept|reject  TEXT
#pragma once

#include "daemons/smtpd/context.h"
#include "daemons/smtpd/services.h"
#include "routing/routing_tables.h"
#include "service/service.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::smtpd {

// Restrictions whose answer depends on DNS, a policy server or time.
bool asks_others(std::string_view restriction);

class DryRun final : public Observer {
public:
    static bool is_wanted(const std::vector<std::string>& arguments);
    // Opens the routing tables, and keeps log lines of this process for itself from here on.
    static std::expected<std::unique_ptr<DryRun>, std::string> open(service::Process& process);

    [[nodiscard]] std::unique_ptr<Services> make_services(service::Process& process) const;
    event::Task<void> run(Context& context);

    void begins(const RuleList& rules) override;
    bool may_judge(const Step& step) override;
    void judged(const Step& step, Verdict verdict, int depth) override;

private:
    explicit DryRun(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}
    std::string take_log() const;

    std::vector<std::string> arguments_;
    std::unique_ptr<routing::RoutingTables> tables_;
    std::shared_ptr<std::string> log_ = std::make_shared<std::string>(); // lines since they were last taken
    const RestrictionLists* lists_ = nullptr;
    std::string_view list_;
};

} // namespace facteur::smtpd
