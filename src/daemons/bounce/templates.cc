#include "daemons/bounce/templates.h"

#include "base/text.h"

#include <fmt/format.h>

#include <optional>

namespace facteur::bounce {

namespace {

// Users and programs know these texts; they equal Postfix's.
constexpr std::string_view kHost = "This is the mail system at host $myhostname.\n\n";
constexpr std::string_view kHelp = "For further assistance, please send mail to postmaster.\n\n"
                                   "If you do so, please include this problem report. You can\n"
                                   "delete your own text from the attached returned message.\n\n";
constexpr std::string_view kSignature = "                   The mail system\n";
constexpr std::string_view kFailure = "I'm sorry to have to inform you that your message could not\n"
                                      "be delivered to one or more recipients. It's attached below.\n\n";
constexpr std::string_view kDelay =
    "####################################################################\n"
    "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
    "####################################################################\n\n"
    "Your message could not be delivered for more than $delay_warning_time_hours hour(s).\n"
    "It will be retried until it is $maximal_queue_lifetime_days day(s) old.\n\n";
constexpr std::string_view kSuccess = "Your message was successfully delivered to the destination(s)\n"
                                      "listed below. If the message was delivered to mailbox you will\n"
                                      "receive no further notifications. Otherwise you may still receive\n"
                                      "notifications of mail delivery errors from other systems.\n\n";
constexpr std::string_view kVerify = "Enclosed is the mail delivery report that you requested.\n\n";

std::string join(std::initializer_list<std::string_view> parts)
{
    std::string out;
    for (const auto part : parts)
        out += part;
    return out;
}

std::string_view next_line(std::string_view& text)
{
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    return line;
}

// The headers of a template body, then its text. A problem text, or nothing.
std::optional<std::string> parse_body(Template& into, std::string_view body)
{
    while (!body.empty()) {
        std::string_view rest = body;
        const std::string_view line = next_line(rest);
        const auto colon = line.find(':');
        if (line.empty() || colon == line.npos || line.substr(0, colon).find_first_of(" \t") != line.npos)
            break;
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = text::trim(line.substr(colon + 1));
        std::string* const field = text::iequals(name, "charset")              ? &into.charset
                                   : text::iequals(name, "from")               ? &into.from
                                   : text::iequals(name, "subject")            ? &into.subject
                                   : text::iequals(name, "postmaster-subject") ? &into.postmaster_subject
                                                                               : nullptr;
        if (!field)
            return fmt::format("unknown \"{}\" header label in {} template -- ignoring this template", name, into.name);
        if (field == &into.postmaster_subject && field->empty())
            return fmt::format("inapplicable \"{}\" header label in {} template -- ignoring this template", name,
                               into.name);
        if (value.empty())
            return fmt::format("empty \"{}\" header value in {} template -- ignoring this template", name, into.name);
        if (!text::all_ascii(value))
            return fmt::format("non-ASCII \"{}\" header value in {} template -- ignoring this template", name,
                               into.name);
        *field = value;
        body = rest;
    }
    if (body.starts_with('\n'))
        body.remove_prefix(1);
    if (body.empty())
        return fmt::format("missing message text in {} template -- ignoring this template", into.name);
    if (!text::all_ascii(body) && text::iequals(into.charset, "us-ascii"))
        return fmt::format("8-bit message text in {} template -- ignoring this template", into.name);
    into.text = body;
    return std::nullopt;
}

struct TimeUnit {
    std::string_view suffix;
    long seconds;
};
constexpr TimeUnit kUnits[] = {{"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}, {"weeks", 604800}};

// "delay_warning_time_hours": the parameter in that unit.
std::optional<long> time_in_unit(std::string_view name, const config::Config& config)
{
    namespace params = config::params;
    const struct {
        std::string_view prefix;
        const config::TimeParameter& parameter;
    } known[] = {{"delay_warning_time_", params::delay_warning_time},
                 {"maximal_queue_lifetime_", params::maximal_queue_lifetime}};
    for (const auto& time : known)
        for (const TimeUnit& unit : kUnits)
            if (name.starts_with(time.prefix) && name.substr(time.prefix.size()) == unit.suffix)
                return std::chrono::duration_cast<std::chrono::seconds>(config.get(time.parameter)).count() /
                       unit.seconds;
    return std::nullopt;
}

// The name after a '$', with or without brackets; how many characters it takes.
std::pair<std::string_view, std::size_t> parameter_name(std::string_view text)
{
    const bool bracketed = text.starts_with('{') || text.starts_with('(');
    std::size_t end = bracketed ? 1 : 0;
    while (end < text.size() && (text::is_alnum(text[end]) || text[end] == '_'))
        ++end;
    const std::string_view name = text.substr(bracketed ? 1 : 0, end - (bracketed ? 1 : 0));
    return {name, bracketed ? end + 1 : end};
}

// Puts the numbers of the suffixed time parameters in, which the configuration does not know.
std::string expand_times(const Template& of, const config::Config& config, std::vector<std::string>& warnings)
{
    std::string out;
    const std::string& text = of.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '$' || i + 1 >= text.size() || text[i + 1] == '$') {
            out += text[i];
            if (text[i] == '$' && i + 1 < text.size())
                out += text[++i];
            continue;
        }
        const auto [name, length] = parameter_name(std::string_view(text).substr(i + 1));
        const auto number = time_in_unit(name, config);
        if (!number) {
            out += '$';
            continue;
        }
        if (*number == 0) {
            warnings.push_back(
                fmt::format("{}: zero result in {} template conversion of parameter \"{}\"", of.origin, of.name, name));
            warnings.push_back(fmt::format("please reduce time unit \"{}\" of \"{}\" in {} template",
                                           name.substr(name.rfind('_') + 1), name, of.name));
            warnings.emplace_back("for instructions see the bounce(5) manual");
        }
        out += fmt::to_string(*number);
        i += length;
    }
    return out;
}

} // namespace

Templates::Templates()
{
    templates_ = {
        Template{"failure", "us-ascii", "", "Undelivered Mail Returned to Sender", "Postmaster Copy: Undelivered Mail",
                 join({kHost, kFailure, kHelp, kSignature})},
        Template{"delay", "us-ascii", "", "Delayed Mail (still being retried)", "Postmaster Warning: Delayed Mail",
                 join({kHost, kDelay, kHelp, kSignature})},
        Template{"success", "us-ascii", "", "Successful Mail Delivery Report", "", join({kHost, kSuccess, kSignature})},
        Template{"verify", "us-ascii", "", "Mail Delivery Status Report", "", join({kHost, kVerify, kSignature})}};
}

std::vector<std::string> Templates::read(std::string_view text, std::string_view file)
{
    std::vector<std::string> problems;
    int line_number = 0;
    while (!text.empty()) {
        const std::string_view line = text::trim(next_line(text));
        const int start = ++line_number;
        if (line.empty() || line.front() == '#')
            continue;
        const auto equals = line.find('=');
        const std::string_view name = text::trim(line.substr(0, equals));
        const std::string_view value = equals == line.npos ? std::string_view{} : text::trim(line.substr(equals + 1));
        if (!value.starts_with("<<") || !name.ends_with("_template")) {
            problems.push_back(
                fmt::format("{}, line {}: syntax error: expecting \"name_template = <<EOF\"", file, start));
            continue;
        }
        const std::string_view end_word = text::trim(value.substr(2));
        const std::string_view body_start = text;
        std::size_t body_size = 0;
        bool ended = false;
        while (!text.empty() && !ended) {
            const std::string_view body_line = next_line(text);
            ++line_number;
            ended = text::trim(body_line) == end_word;
            if (!ended)
                body_size = static_cast<std::size_t>(text.data() - body_start.data());
        }
        const std::string_view kind = name.substr(0, name.size() - std::string_view("_template").size());
        const auto known =
            std::find_if(templates_.begin(), templates_.end(), [kind](const Template& t) { return t.name == kind; });
        if (known == templates_.end()) {
            problems.push_back(
                fmt::format("{}, line {}: unknown template name: {} -- ignoring this template", file, start, name));
            continue;
        }
        Template changed = *known;
        if (const auto problem = parse_body(changed, body_start.substr(0, body_size)))
            problems.push_back(fmt::format("{}: {}", file, *problem));
        else {
            changed.origin = file;
            *known = std::move(changed);
        }
    }
    return problems;
}

std::string Templates::expand(NoticeKind kind, const config::Config& config, std::vector<std::string>& warnings) const
{
    const Template& of = get(kind);
    const std::string timed = expand_times(of, config, warnings);
    auto expanded = config.expand(timed);
    if (expanded)
        return std::move(*expanded);
    warnings.push_back(
        fmt::format("{}: bad $name syntax in {} template: {}", of.origin, of.name, expanded.error().text));
    return timed;
}

} // namespace facteur::bounce
