#include "tools/postconf/templates.h"

#include "base/fd.h"
#include "config/bounce_template.h"
#include "tools/postconf/print.h"

#include <fmt/format.h>

namespace facteur::postconf {

namespace {

std::string as_template(const config::BounceTemplate& notice)
{
    auto out = fmt::format("Charset: {}\nFrom: {}\nSubject: {}\n", notice.charset, notice.from, notice.subject);
    if (!notice.postmaster_subject.empty())
        out += fmt::format("Postmaster-Subject: {}\n", notice.postmaster_subject);
    return out + "\n" + notice.text;
}

// A named file, an empty name for the built-in texts, else what main.cf says.
std::expected<config::BounceTemplates, config::Problem> chosen_templates(const config::Config& config,
                                                                         const Options& options)
{
    if (options.arguments.empty())
        return config::BounceTemplates::load(config);
    const auto& path = options.arguments.front();
    if (path.empty())
        return config::BounceTemplates();
    const auto text = read_file(path);
    if (!text)
        return std::unexpected(config::Problem{"", 0, text.error().message()});
    return config::BounceTemplates::parse(*text, path);
}

} // namespace

Result show_templates(const std::string& directory, const Options& options)
{
    const auto config = config::Config::load(directory);
    if (!config)
        return std::unexpected(config.error().message());
    const auto templates = chosen_templates(*config, options);
    if (!templates)
        return std::unexpected(templates.error().message());
    bool first = true;
    for (const auto kind : config::kNoticeKinds) {
        std::string name = fmt::format("{}_template", to_string(kind));
        std::string text = as_template((*templates)[kind]);
        if (options.has(expand_templates)) {
            name = fmt::format("expanded_{}_text", to_string(kind));
            auto expanded = templates->expanded_text(kind, *config);
            if (!expanded)
                return std::unexpected(expanded.error().message());
            text = std::move(*expanded);
        }
        write_out(fmt::format("{}{} = <<EOF\n{}EOF\n", first ? "" : "\n", name, text));
        first = false;
    }
    return {};
}

} // namespace facteur::postconf
