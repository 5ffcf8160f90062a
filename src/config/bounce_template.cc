#include "config/bounce_template.h"

#include "base/fd.h"
#include "base/text.h"
#include "config/idna.h"

#include <fmt/format.h>

#include <optional>

namespace facteur::config {

namespace {

// The wording is Postfix's: programs that read notices know it.
constexpr std::string_view kFailure = R"(Charset: us-ascii
From: Mail Delivery System <MAILER-DAEMON>
Subject: Undelivered Mail Returned to Sender
Postmaster-Subject: Postmaster Copy: Undelivered Mail

This is the mail system at host $myhostname.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system
)";

constexpr std::string_view kDelay = R"(Charset: us-ascii
From: Mail Delivery System <MAILER-DAEMON>
Subject: Delayed Mail (still being retried)
Postmaster-Subject: Postmaster Warning: Delayed Mail

This is the mail system at host $myhostname.

####################################################################
# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
####################################################################

Your message could not be delivered for more than $delay_warning_time_hours hour(s).
It will be retried until it is $maximal_queue_lifetime_days day(s) old.

For further assistance, please send mail to postmaster.

If you do so, please include this problem report. You can
delete your own text from the attached returned message.

                   The mail system
)";

constexpr std::string_view kSuccess = R"(Charset: us-ascii
From: Mail Delivery System <MAILER-DAEMON>
Subject: Successful Mail Delivery Report

This is the mail system at host $myhostname.

Your message was successfully delivered to the destination(s)
listed below. If the message was delivered to mailbox you will
receive no further notifications. Otherwise you may still receive
notifications of mail delivery errors from other systems.

                   The mail system
)";

constexpr std::string_view kVerify = R"(Charset: us-ascii
From: Mail Delivery System <MAILER-DAEMON>
Subject: Mail Delivery Status Report

This is the mail system at host $myhostname.

Enclosed is the mail delivery report that you requested.

                   The mail system
)";

constexpr std::array<std::pair<std::string_view, long>, 5> kUnits{
    {{"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}, {"weeks", 604800}}};

// Headers, an empty line, the text. An error text, or nothing.
std::expected<BounceTemplate, std::string> parse_one(std::string_view body)
{
    BounceTemplate out;
    while (!body.empty()) {
        const auto end = std::min(body.find('\n'), body.size());
        const auto line = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (text::trim(line).empty())
            break;
        const auto colon = line.find(':');
        const auto name = text::trim(line.substr(0, colon));
        if (colon == line.npos || text::is_space(line.front()) || name.empty() || !text::all_ascii(line))
            return std::unexpected(fmt::format("bad template header: \"{}\"", text::printable(line)));
        const auto value = std::string(text::trim(line.substr(colon + 1)));
        if (text::iequals(name, "Charset"))
            out.charset = value;
        else if (text::iequals(name, "From"))
            out.from = value;
        else if (text::iequals(name, "Subject"))
            out.subject = value;
        else if (text::iequals(name, "Postmaster-Subject"))
            out.postmaster_subject = value;
        else
            return std::unexpected(fmt::format("unknown template header: \"{}\"", name));
    }
    out.text = body;
    if (text::iequals(out.charset, "us-ascii") && !text::all_ascii(out.text))
        return std::unexpected("8-bit template text needs a Charset other than us-ascii");
    return out;
}

std::optional<NoticeKind> kind_named(std::string_view name)
{
    for (const auto kind : kNoticeKinds)
        if (name == fmt::format("{}_template", to_string(kind)))
            return kind;
    return std::nullopt;
}

// A file's lines, with numbers for messages.
struct Lines {
    std::string_view rest;
    int number = 0;

    std::optional<std::string_view> next()
    {
        if (rest.empty())
            return std::nullopt;
        ++number;
        const auto end = rest.find('\n');
        const auto line = rest.substr(0, end);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        return line;
    }
};

} // namespace

std::string_view to_string(NoticeKind kind)
{
    constexpr std::array<std::string_view, 4> kNames{"failure", "delay", "success", "verify"};
    return kNames[static_cast<std::size_t>(kind)];
}

BounceTemplates::BounceTemplates()
    : templates_{*parse_one(kFailure), *parse_one(kDelay), *parse_one(kSuccess), *parse_one(kVerify)}
{
}

std::expected<BounceTemplates, Problem> BounceTemplates::parse(std::string_view file_text, std::string_view file)
{
    BounceTemplates out;
    Lines lines{file_text};
    while (const auto line = lines.next()) {
        const auto trimmed = text::trim(*line);
        if (trimmed.empty() || trimmed.front() == '#')
            continue;
        const int start = lines.number;
        const auto problem = [&](std::string what) {
            return std::unexpected(Problem{std::string(file), start, std::move(what)});
        };
        const auto equals = trimmed.find('=');
        const auto mark = equals == trimmed.npos ? std::string_view() : text::trim(trimmed.substr(equals + 1));
        if (!mark.starts_with("<<") || text::trim(mark.substr(2)).empty())
            return problem("expected \"name = <<WORD\"");
        const auto word = text::trim(mark.substr(2));
        const auto kind = kind_named(text::trim(trimmed.substr(0, equals)));
        if (!kind)
            return problem(fmt::format("unknown template name: \"{}\"", text::trim(trimmed.substr(0, equals))));
        std::string body;
        auto inner = lines.next();
        for (; inner && *inner != word; inner = lines.next())
            body.append(*inner).push_back('\n');
        if (!inner)
            return problem(fmt::format("missing \"{}\" marker", word));
        auto parsed = parse_one(body);
        if (!parsed)
            return problem(parsed.error());
        auto& old = out.templates_[static_cast<std::size_t>(*kind)];
        if (parsed->from.empty())
            parsed->from = old.from;
        if (parsed->subject.empty())
            parsed->subject = old.subject;
        if (parsed->postmaster_subject.empty())
            parsed->postmaster_subject = old.postmaster_subject;
        old = std::move(*parsed);
    }
    return out;
}

std::expected<BounceTemplates, Problem> BounceTemplates::load(const Config& config)
{
    const auto& path = config.get(params::bounce_template_file);
    if (path.empty())
        return BounceTemplates();
    const auto text = read_file(path);
    if (!text)
        return std::unexpected(Problem{"", 0, text.error().message()});
    return parse(*text, path);
}

std::expected<std::string, Problem> BounceTemplates::expanded_text(NoticeKind kind, const Config& config) const
{
    Overrides more;
    for (const auto& [unit, seconds] : kUnits) {
        const auto in_unit = [&](const TimeParameter& parameter) {
            return fmt::to_string(std::chrono::duration_cast<std::chrono::seconds>(config.get(parameter)).count() /
                                  seconds);
        };
        more.emplace(fmt::format("delay_warning_time_{}", unit), in_unit(params::delay_warning_time));
        more.emplace(fmt::format("maximal_queue_lifetime_{}", unit), in_unit(params::maximal_queue_lifetime));
    }
    if (config.get(params::smtputf8_enable))
        for (const auto* name : {&params::myhostname, &params::mydomain})
            if (auto readable = domain_to_utf8(config.get(*name)))
                more.emplace(name->name, std::move(*readable));
    const auto richer = config.with(more);
    if (!richer)
        return std::unexpected(richer.error());
    return richer->expand((*this)[kind].text);
}

} // namespace facteur::config
