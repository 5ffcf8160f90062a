// Restriction lists: words that nobody knows, and those that no request ever reaches or matches.
#include "base/text.h"
#include "config/check_parts.h"
#include "config/restriction_names.h"

#include <fmt/format.h>

#include <array>
#include <functional>

namespace facteur::config {

namespace {

using Blame = std::function<void(std::string_view parameter, std::string text)>;

// Lists that are read before RCPT TO when smtpd_delay_reject is off.
constexpr std::array kEarlyLists{&params::smtpd_client_restrictions, &params::smtpd_helo_restrictions,
                                 &params::smtpd_sender_restrictions};
constexpr std::array kOtherLists{&params::smtpd_relay_restrictions, &params::smtpd_recipient_restrictions,
                                 &params::smtpd_data_restrictions, &params::smtpd_end_of_data_restrictions,
                                 &params::smtpd_etrn_restrictions};

class ListChecker {
public:
    ListChecker(const Config& config, const Blame& blame) : config_(config), blame_(blame)
    {
        for (const auto word : text::split_list(config.get(params::smtpd_restriction_classes)))
            classes_.insert(std::string(word));
    }

    void run(const std::set<std::string_view>* only)
    {
        const auto wanted = [&](std::string_view name) { return only == nullptr || only->contains(name); };
        for (const auto* list : kEarlyLists)
            if (wanted(list->name))
                check_list(list->name, config_.get(*list), !config_.get(params::smtpd_delay_reject));
        for (const auto* list : kOtherLists)
            if (wanted(list->name))
                check_list(list->name, config_.get(*list), false);
        for (const auto& name : classes_)
            check_class(name);
    }

private:
    void check_class(const std::string& name)
    {
        if (const auto body = config_.value(name))
            check_list(name, *body, false);
        else
            blame_(params::smtpd_restriction_classes.name,
                   fmt::format("smtpd_restriction_classes: class {} has no definition; add a line \"{} = ...\"", name,
                               name));
    }

    void check_list(std::string_view parameter, std::string_view list, bool before_recipient)
    {
        const RestrictionStep* last = nullptr;
        const auto steps = restriction_steps(list);
        for (const auto& step : steps) {
            const auto shown = step.name.empty() ? step.argument : step.name;
            if (last != nullptr) {
                blame_(parameter, fmt::format("{} = {}: restriction `{}' after `{}' is ignored; put it before, or "
                                              "remove it",
                                              parameter, list, shown, last->name));
                break;
            }
            check_step(parameter, list, step, before_recipient);
            if (step.known != nullptr && step.known->final)
                last = &step;
        }
    }

    void check_step(std::string_view parameter, std::string_view list, const RestrictionStep& step,
                    bool before_recipient)
    {
        if (step.known == nullptr && !step.name.empty() && !classes_.contains(std::string(step.name))) {
            const auto near = nearest_restriction(step.name);
            blame_(parameter, fmt::format("{} = {}: unknown smtpd restriction: \"{}\"{}", parameter, list, step.name,
                                          near.empty() ? std::string(" (a class must be in smtpd_restriction_classes)")
                                                       : fmt::format(" (is it {}?)", near)));
        } else if (step.known != nullptr && step.known->takes_argument && step.argument.empty()) {
            blame_(parameter, fmt::format("{} = {}: restriction {} requires an argument", parameter, list, step.name));
        } else if (step.known != nullptr && step.known->needs_recipient && before_recipient) {
            blame_(parameter,
                   fmt::format("{} = {}: restriction {} never matches here, because smtpd_delay_reject = no and no "
                               "recipient is known yet; use it in smtpd_recipient_restrictions",
                               parameter, list, step.name));
        }
    }

    const Config& config_;
    const Blame& blame_;
    std::set<std::string> classes_;
};

} // namespace

void check_restrictions(Findings& findings, const MasterEntries& entries)
{
    const Blame in_main = [&](std::string_view parameter, std::string text) {
        findings.blame(parameter, std::move(text));
    };
    ListChecker(findings.config(), in_main).run(nullptr);
    for (const auto& entry : entries) {
        const auto overrides = entry.overrides();
        if (entry.program != "smtpd" || overrides.empty())
            continue;
        const auto service = findings.config().with(overrides);
        if (!service)
            continue; // said elsewhere
        std::set<std::string_view> own;
        for (const auto& [name, value] : overrides)
            own.insert(name);
        const Blame in_master = [&](std::string_view parameter, const std::string& text) {
            if (own.contains(parameter))
                findings.blame(entry, text);
            else
                findings.blame(parameter, text);
        };
        ListChecker(*service, in_master).run(&own);
    }
}

} // namespace facteur::config
